package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
)

// pipes is a network without a kernel, so that a bubble of fake time knows when everybody waits.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// stage is a hub with a board, a pipeline that says what it is told to say, and a network.
type stage struct {
	t       *testing.T
	hub     *Hub
	board   *Board
	plan    *definition.Plan
	network *pipes
	refuse  websocket.StatusCode
	history func(m *definition.Metric, span time.Duration) ([]Backfill, error)
	feed    *memoryLog
	log     bytes.Buffer

	mu   sync.Mutex
	open processing.Open
	asks int
}

func (s *stage) Open(context.Context) (*processing.Open, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks++
	open := s.open
	return &open, nil
}

func (s *stage) Backfill(_ context.Context, m *definition.Metric, span time.Duration) ([]Backfill, error) {
	return s.history(m, span)
}

// play runs a test in a bubble. Run has ended, and every goroutine with it, when the bubble is left.
func play(t *testing.T, adjust func(*Options), test func(t *testing.T, s *stage, stop func())) {
	t.Helper()
	playOn(t, &memoryLog{}, adjust, test)
}

// playOn plays on a feed that may be older than the server.
func playOn(t *testing.T, feed *memoryLog, adjust func(*Options), test func(t *testing.T, s *stage, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, plan: testPlan(), network: newPipes(), feed: feed}
		s.open = processing.Open{Watermark: event.NoTime, Newest: event.NoTime}
		s.board = NewBoard(s.plan)
		s.board.Load(feed.head, event.NoTime, nil, nil)
		options := Default()
		if adjust != nil {
			adjust(&options)
		}
		if err := options.Validate(); err != nil {
			t.Fatal(err)
		}
		s.hub = New(options, Deps{
			Board: s.board, Opener: s, History: s, Log: feed, Epoch: "epoch-1", Version: "1.2.3", Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
			Refuse: func(*http.Request) websocket.StatusCode { return s.refuse },
		})
		web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var channels []string
			if text := r.URL.Query().Get("channels"); text != "" {
				channels = strings.Split(text, ",")
			}
			s.hub.Serve(w, r, channels)
		})}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { _ = web.Serve(s.network) }) // ends with ErrServerClosed
		group.Go(func() { s.hub.Run(ctx) })
		test(t, s, cancel)
		cancel()
		group.Go(func() { _ = web.Close() })
		group.Wait()
	})
}

// person is a client.
type person struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *stage) dial(path string, adjust func(*websocket.DialOptions)) *person {
	s.t.Helper()
	options := &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: &http.Transport{DialContext: s.network.dial, DisableKeepAlives: true}},
		Subprotocols: []string{Protocol},
	}
	if adjust != nil {
		adjust(options)
	}
	conn, _, err := websocket.Dial(s.t.Context(), "ws://tidemark/"+path, options)
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	s.t.Cleanup(func() { conn.CloseNow() })
	return &person{s.t, conn}
}

// frame is any frame of the server.
type frame struct {
	Op       string          `json:"op"`
	Sub      string          `json:"sub"`
	From     *uint64         `json:"from"`
	Seq      uint64          `json:"seq"`
	W        *event.Millis   `json:"watermark_ms"`
	Rows     []shown         `json:"rows"`
	Removed  []string        `json:"removed"`
	History  json.RawMessage `json:"history"`
	Reason   string          `json:"reason"`
	Problem  *wire.Problem   `json:"problem"`
	Code     int             `json:"code"`
	Retry    int64           `json:"retry_after_ms"`
	Protocol string          `json:"protocol"`
	Epoch    string          `json:"epoch"`
	Alert    *wire.Alert     `json:"alert"`
}

// hear returns the next frame that is no ping.
func (p *person) hear() frame {
	p.t.Helper()
	for pings := 0; ; pings++ {
		_, body, err := p.conn.Read(p.t.Context())
		if err != nil {
			p.t.Fatalf("read: %v", err)
		}
		if pings > 100 {
			p.t.Fatal("heard nothing but pings")
		}
		var f frame
		if err := json.Unmarshal(body, &f); err != nil {
			p.t.Fatalf("%v in %s", err, body)
		}
		if f.Op != "ping" {
			return f
		}
	}
}

func (p *person) hearOp(op string) frame {
	p.t.Helper()
	f := p.hear()
	if f.Op != op {
		p.t.Fatalf("heard %+v, want %s", f, op)
	}
	return f
}

func (p *person) say(text string) {
	p.t.Helper()
	if err := p.conn.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// hearClose reads to the end and returns the close code and the last frame.
func (p *person) hearClose() (code websocket.StatusCode, last frame) {
	p.t.Helper()
	for {
		_, body, err := p.conn.Read(p.t.Context())
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			return closed.Code, last
		}
		if err != nil {
			p.t.Fatalf("the connection broke: %v", err)
		}
		last = frame{}
		if err := json.Unmarshal(body, &last); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (s *stage) commit(seq uint64, w event.Millis, results ...window.Result) {
	s.hub.Committed(&processing.Committed{Seq: seq, Watermark: w, Results: results})
}

// pass lets time go by, in a bubble of fake time.
func pass(d time.Duration) { <-time.After(d) }
