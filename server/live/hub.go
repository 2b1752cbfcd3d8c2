package live

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
)

// Opener evaluates the windows that the watermark has not closed.
type Opener interface {
	Open(ctx context.Context) (*processing.Open, error)
}

// History answers for the past as REST does.
type History interface {
	// Backfill returns the series of a metric over the last span of time.
	Backfill(ctx context.Context, m *definition.Metric, span time.Duration) ([]Backfill, error)
}

// Log is the durable feed, as far as a channel tells of every entry.
type Log interface {
	// Alerts returns the entries of alerts after a sequence, at most limit, from one state of the feed.
	Alerts(after uint64, limit int) (LogPage, error)
}

// LogPage is a run of entries.
type LogPage struct {
	Entries   []processing.Entry
	Head      uint64 // the last sequence of the feed
	First     uint64 // the first that is kept
	Truncated bool   // what follows the sequence asked for is no longer kept, so that there are no entries
}

// Deps is what the hub is made of.
type Deps struct {
	Board   *Board
	Opener  Opener
	History History
	Log     Log
	Epoch   string // of the feed's sequence
	Version string // of the program, for the welcome
	Logger  *slog.Logger
	// Refuse returns the code to close a new connection with, or 0. Browsers see close codes, but no status of a
	// handshake that failed.
	Refuse func(*http.Request) websocket.StatusCode
}

// Hub serves all clients.
type Hub struct {
	options Options
	Deps
	board   *Board
	history History
	alerts  bell // rung when there are alerts in the feed
	frames  frames
	tally   tally
	chance  func() float64 // 0 to 1, spreads the times at which clients come back

	draining chan struct{} // closed when clients shall leave
	abandon  context.Context
	stop     context.CancelFunc // of abandon: what still waits for a client gives up
	clients  sync.WaitGroup
	count    atomic.Int64
	crowd    crowd
	arrived  chan struct{} // says that there is a client again
	leaving  sync.Mutex    // held to enter, and to close draining

	turn      chan struct{} // the right to refresh; guards refreshed
	refreshed time.Time
}

// New makes a hub. Run must be called for clients to see open windows, and for them to leave.
func New(options Options, deps Deps) *Hub {
	h := &Hub{
		options:  options,
		Deps:     deps,
		board:    deps.Board,
		frames:   frames{board: deps.Board},
		chance:   rand.Float64,
		history:  deps.History,
		draining: make(chan struct{}),
		arrived:  make(chan struct{}, 1),
		turn:     make(chan struct{}, 1),
	}
	h.alerts.ring(deps.Board.head()) // there may be some up to here
	h.abandon, h.stop = context.WithCancel(context.Background())
	return h
}

// Committed shows a commit to clients. It is called once the commit can be read from the Log.
func (h *Hub) Committed(c *processing.Committed) {
	h.board.Committed(c)
	for i := len(c.Entries) - 1; i >= 0; i-- {
		if c.Entries[i].Type == processing.AlertEntry {
			h.alerts.ring(c.Entries[i].Seq)
			return
		}
	}
}

// news is up to where there is something to tell, and what is closed when there is more.
type news struct {
	version uint64 // of the board
	board   <-chan struct{}
	seq     uint64 // up to which there may be alerts
	alerts  <-chan struct{}
}

func (h *Hub) news() news {
	var n news
	n.version, n.board = h.board.wait()
	n.seq, n.alerts = h.alerts.wait()
	return n
}

// Clients is the number of connections.
func (h *Hub) Clients() int { return int(h.count.Load()) }

// Run keeps the rows of open windows up to date while there are clients. When ctx ends it tells them goodbye and returns
// when all have left, or have been left.
func (h *Hub) Run(ctx context.Context) {
	defer h.drain()
	tick := time.NewTicker(h.options.OpenEvery)
	defer tick.Stop()
	var lastErr string
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.arrived:
		case <-tick.C:
			if h.Clients() == 0 {
				continue
			}
		}
		err := h.Refresh(ctx)
		if err == nil {
			lastErr = ""
		} else if ctx.Err() == nil && err.Error() != lastErr {
			lastErr = err.Error() // once, not four times a second
			h.Logger.Warn("open windows can't be evaluated", "error", err)
		}
	}
}

// openTimeout is how long the pipeline may take: it answers between two commits, and not before it has begun.
const openTimeout = 5 * time.Second

// Refresh brings the board's open windows up to date, unless they were a moment ago.
func (h *Hub) Refresh(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.turn }()
	if time.Since(h.refreshed) < h.options.OpenEvery/2 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	open, err := h.Opener.Open(ctx)
	if err != nil {
		return fmt.Errorf("evaluate open windows: %w", err)
	}
	h.board.Opened(open)
	h.refreshed = time.Now()
	return nil
}

// Latest is what the board holds of a metric of the plan, with its open windows up to date.
func (h *Hub) Latest(ctx context.Context, m *definition.Metric) (Latest, error) {
	if err := h.Refresh(ctx); err != nil {
		return Latest{}, err
	}
	return h.board.latest(m.Name), nil
}

// drain says goodbye to all clients and waits for them.
func (h *Hub) drain() {
	h.leaving.Lock()
	close(h.draining)
	h.leaving.Unlock()
	grace := time.AfterFunc(h.options.DrainTimeout, h.stop)
	h.clients.Wait()
	grace.Stop()
	h.stop()
}

// enter counts a client in, unless there are too many or the hub drains.
func (h *Hub) enter() error {
	h.leaving.Lock()
	defer h.leaving.Unlock()
	select {
	case <-h.draining:
		return errDraining
	default:
	}
	if h.count.Load() >= int64(h.options.MaxClients) {
		return errTooMany
	}
	h.count.Add(1)
	h.clients.Add(1)
	select {
	case h.arrived <- struct{}{}:
	default:
	}
	return nil
}

func (h *Hub) leave() {
	h.count.Add(-1)
	h.clients.Done()
}

// Serve upgrades a request and serves the client until it leaves. channels subscribes at once.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, channels []string) {
	conn, err := websocket.Accept(shallow{w}, r, &websocket.AcceptOptions{
		Subprotocols:       []string{Protocol},
		InsecureSkipVerify: true, // Refuse looks at the origin and can say so in a way that a browser sees
	})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	if err := h.serve(conn, r, channels); err != nil {
		h.part(conn, err)
	}
}

func (h *Hub) serve(conn *websocket.Conn, r *http.Request, channels []string) error {
	if err := refused(h.Refuse(r)); err != nil {
		return err
	}
	if r.Header.Get("Sec-WebSocket-Protocol") != "" && conn.Subprotocol() == "" {
		return errProtocol
	}
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	newClient(h, conn).run(channels)
	return nil
}
