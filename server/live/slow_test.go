package live

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// overTCP serves a hub on a real network, whose buffers a client that doesn't read fills. The address is of its channel.
func overTCP(t testing.TB, adjust func(*Options)) (s *stage, address string) {
	t.Helper()
	options := Default()
	options.MaxHz, options.OpenEvery = 1e6, time.Hour
	adjust(&options)
	s = &stage{plan: testPlan(), feed: &memoryLog{}, store: newMemoryStore(0)}
	s.open = processing.Open{Watermark: event.NoTime, Newest: event.NoTime}
	s.board = NewBoard(s.plan)
	s.hub = New(options, Deps{
		Board: s.board, Opener: s, Log: s.feed, Epoch: "epoch-1", Logger: slog.New(slog.DiscardHandler),
		Refuse: func(*http.Request) websocket.StatusCode { return 0 },
	})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.hub.Serve(w, r, nil) }))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { s.hub.Run(ctx) })
	t.Cleanup(func() { cancel(); group.Wait(); web.Close() })
	return s, "ws" + web.URL[len("http"):]
}

// reader is a client on a network. Its kernel takes so many bytes ahead, if buffer is not 0.
func reader(t testing.TB, address string, buffer int) *websocket.Conn {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil && buffer > 0 {
			err = conn.(*net.TCPConn).SetReadBuffer(buffer)
		}
		return conn, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	conn, _, err := websocket.Dial(t.Context(), address, &websocket.DialOptions{
		Subprotocols: []string{Protocol}, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(-1)
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(everything)); err != nil {
		t.Fatal(err)
	}
	return conn
}

const everything = `{"op":"subscribe","sub":"s1","channel":"metrics","max_hz":1000000}`

// change commits new values of many groups: about 200 bytes of each.
func (s *stage) change(seq uint64, groups int) {
	pages := &s.plan.Metrics[0]
	results := make([]window.Result, groups)
	for i := range results {
		results[i] = result(pages, 0, window.Correction, float64(seq), fmt.Sprint("/page/", i))
	}
	s.commit(seq, event.Millis(seq), results...)
}

// follow applies frames up to a sequence, and says how many those were.
func (h *holder) follow(t *testing.T, conn *websocket.Conn, seq uint64) (frames int) {
	t.Helper()
	p := &person{t, conn}
	for !h.started || h.seq < seq {
		f := p.hear()
		if f.Op == "welcome" {
			continue
		}
		if err := h.apply(&f); err != nil {
			t.Fatal(err)
		}
		frames++
	}
	return frames
}

// TestStalledClientsCostLittle lets many clients stop reading while another one takes thousands of frames: that one notices
// nothing, and of all that the others miss a frame each is kept. When they read on they get that and the last word.
func TestStalledClientsCostLittle(t *testing.T) {
	const (
		stalled = 20
		groups  = 500 // a frame of 100 kB
		rounds  = 2000
	)
	s, address := overTCP(t, func(o *Options) { o.WriteTimeout, o.PingEvery = time.Hour, time.Hour })
	s.change(1, groups)
	lively, held := reader(t, address, 0), &holder{channel: channelMetrics}
	held.follow(t, lively, 1)
	var others []*websocket.Conn
	for range stalled {
		others = append(others, reader(t, address, 64<<10))
	}
	awaitClients(t, s.hub, stalled+1)
	before := heap()
	frames := 0
	for seq := uint64(2); seq <= rounds; seq++ {
		s.change(seq, 1+groups*max(0, 1-int(seq%20))) // now all of it, mostly a little
		frames += held.follow(t, lively, seq)
	}
	grown := int(heap()) - int(before)
	t.Logf("%d frames to the one that reads; %d bytes for each of %d that don't", frames, grown/stalled, stalled)
	if frames < rounds*9/10 {
		t.Errorf("the client that reads got %d frames for %d commits", frames, rounds)
	}
	if grown/stalled > 400<<10 { // of 10 MB that each has missed
		t.Errorf("%d bytes are kept for each client that does not read", grown/stalled)
	}
	for i, conn := range others {
		h := &holder{channel: channelMetrics}
		if n := h.follow(t, conn, rounds); n > rounds/5 {
			t.Errorf("client %d got %d frames after it had stalled", i, n)
		}
		if got, want := h.String(), held.String(); got != want {
			t.Fatalf("client %d holds\n%s, the others\n%s", i, got, want)
		}
	}
}

// TestTooSlow: a client that doesn't read for longer than a frame may take is dropped, and told so when it reads on.
func TestTooSlow(t *testing.T) {
	s, address := overTCP(t, func(o *Options) { o.WriteTimeout, o.LingerTimeout = 200*time.Millisecond, time.Minute })
	s.change(1, 2000)
	lively, held := reader(t, address, 0), &holder{channel: channelMetrics}
	stuck := reader(t, address, 64<<10)
	awaitClients(t, s.hub, 2)
	began := time.Now()
	seq := uint64(1)
	for ; time.Since(began) < time.Second; seq++ {
		s.change(seq, 2000)
		held.follow(t, lively, seq)
	}
	read := 0
	for {
		_, body, err := stuck.Read(t.Context())
		if err != nil {
			if code := websocket.CloseStatus(err); code != CloseTooSlow {
				t.Errorf("closed with %d: %v", code, err)
			}
			break
		}
		read += len(body)
	}
	t.Logf("%d bytes were on their way, after %d commits of 400 kB", read, seq)
	if read > 2<<20 {
		t.Errorf("%d bytes were kept for a client that does not read", read)
	}
	s.change(seq, 1)
	held.follow(t, lively, seq)
	awaitClients(t, s.hub, 1)
}

func awaitClients(t *testing.T, h *Hub, n int) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); h.Clients() != n; runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("%d clients, want %d", h.Clients(), n)
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
