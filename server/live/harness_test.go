package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
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

// stage is a hub with a board, a pipeline that says what it is told to say, a store, and a network. The hub may be
// started again on the same store.
type stage struct {
	t       *testing.T
	hub     *Hub   // of now
	board   *Board // of now
	plan    *definition.Plan
	options Options
	network *pipes
	refuse  websocket.StatusCode
	history func(m *definition.Metric, span time.Duration) ([]Backfill, error)
	feed    *memoryLog
	store   *memoryStore
	log     bytes.Buffer
	end     func() // of the hub; returns when it has ended

	mu   sync.Mutex
	door *Hub // where those who come go; it is hub, for other goroutines
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
		s := &stage{t: t, plan: testPlan(), options: Default(), network: newPipes(), feed: feed, store: newMemoryStore(feed.head)}
		if adjust != nil {
			adjust(&s.options)
		}
		if err := s.options.Validate(); err != nil {
			t.Fatal(err)
		}
		web := &http.Server{Handler: http.HandlerFunc(s.welcome)}
		var group sync.WaitGroup
		group.Go(func() { _ = web.Serve(s.network) }) // ends with ErrServerClosed
		stop := s.start("epoch-1")
		test(t, s, stop)
		s.end()
		group.Go(func() { _ = web.Close() })
		group.Wait()
	})
}

func (s *stage) welcome(w http.ResponseWriter, r *http.Request) {
	var channels []string
	if text := r.URL.Query().Get("channels"); text != "" {
		channels = strings.Split(text, ",")
	}
	s.mu.Lock()
	hub := s.door
	s.mu.Unlock()
	hub.Serve(w, r, channels)
}

// start starts a hub on what the store holds. stop tells it to end, and does not wait.
func (s *stage) start(epoch string) (stop func()) {
	s.board = s.store.board(s.plan)
	s.hub = New(s.options, Deps{
		Board: s.board, Opener: s, History: s, Log: s.feed, Epoch: epoch, Version: "1.2.3", Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		Refuse: func(*http.Request) websocket.StatusCode { return s.refuse },
	})
	s.hub.chance = func() float64 { return 0.5 }
	s.mu.Lock()
	s.door = s.hub
	s.open = processing.Open{Watermark: event.NoTime, Newest: event.NoTime}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	hub := s.hub
	go func() {
		defer close(ended)
		hub.Run(ctx)
	}()
	s.end = func() { cancel(); <-ended }
	return cancel
}

// memoryStore is what a store keeps of results. It stays when servers come and go.
type memoryStore struct {
	seq       uint64
	watermark event.Millis
	first     map[definition.Hash]event.Millis
	results   map[definition.Hash]map[string]window.Result // by start and group
}

func newMemoryStore(seq uint64) *memoryStore {
	return &memoryStore{
		seq: seq, watermark: event.NoTime,
		first: make(map[definition.Hash]event.Millis), results: make(map[definition.Hash]map[string]window.Result),
	}
}

func (m *memoryStore) commit(c *processing.Committed) {
	m.seq, m.watermark = c.Seq, max(m.watermark, c.Watermark)
	for _, r := range c.Results {
		if m.results[r.Definition] == nil {
			m.results[r.Definition], m.first[r.Definition] = make(map[string]window.Result), r.Start
		}
		m.first[r.Definition] = min(m.first[r.Definition], r.Start)
		m.results[r.Definition][fmt.Sprintf("%020d %q", r.Start, r.Group)] = r
	}
}

// board is what a server that starts makes of the store.
func (m *memoryStore) board(plan *definition.Plan) *Board {
	b := NewBoard(plan)
	var results []window.Result
	for i := range plan.Metrics {
		d := &plan.Metrics[i]
		for _, at := range slices.Sorted(maps.Keys(m.results[d.Hash])) {
			if r := m.results[d.Hash][at]; r.Start >= HoldFrom(d, m.watermark) {
				results = append(results, r)
			}
		}
	}
	b.Load(m.seq, m.watermark, results, m.first)
	return b
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
	c := &processing.Committed{Seq: seq, Watermark: w, Results: results}
	s.store.commit(c)
	s.hub.Committed(c)
}

// pass lets time go by, in a bubble of fake time.
func pass(d time.Duration) { <-time.After(d) }
