package server

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/server/live"
	"github.com/tidemark/tidemark/store"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Every check opens a store of its own on disk.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("10"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

// running starts a server on a port of its own and returns its address; stop ends it and waits.
func running(t *testing.T, s *Server) (address string, stop func() error) {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { _ = stop() }) // those who care have called it
	return l.Addr().String(), stop
}

// TestLiveOverTheWire goes the whole way: a snapshot with history, a delta, and a goodbye when the server stops.
func TestLiveOverTheWire(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	s := e.serve(nil)
	address, stop := running(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	dial := &websocket.DialOptions{Subprotocols: []string{live.Protocol}, HTTPClient: &http.Client{Transport: transport}}
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/api/v1/live", dial)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	subscribe := `{"op":"subscribe","sub":"s1","channel":"metrics","metrics":["views"],"backfill":"100s"}`
	if err := conn.Write(ctx, websocket.MessageText, []byte(subscribe)); err != nil {
		t.Fatal(err)
	}
	type frame struct {
		Op      string          `json:"op"`
		Seq     uint64          `json:"seq"`
		From    uint64          `json:"from"`
		Rows    []rowBody       `json:"rows"`
		History json.RawMessage `json:"history"`
	}
	hear := func(op string) frame {
		t.Helper()
		for {
			_, body, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var f frame
			if err := json.Unmarshal(body, &f); err != nil {
				t.Fatal(err)
			}
			if f.Op == op {
				return f
			}
		}
	}
	f := hear("snapshot")
	want := `[{"metric":"views","step_ms":10000,"group":{},"points":[[10000,1],[20000,1],[30000,0],[40000,1.1]]}]`
	if string(f.History) != want || f.Seq != e.seq || len(f.Rows) == 0 {
		t.Errorf("snapshot %+v\nhistory %s", f, f.History)
	}
	before := e.seq
	s.Committed(&processing.Committed{Seq: before + 1, Watermark: e.w})
	if f := hear("delta"); f.Seq < before {
		t.Errorf("delta %+v", f)
	}
	began := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	hear("goodbye")
	_, _, err = conn.Read(ctx)
	if websocket.CloseStatus(err) != live.CloseDraining {
		t.Errorf("closed with %v", err)
	}
	if err := <-stopped; err != nil || time.Since(began) > 2*time.Second {
		t.Errorf("stopped after %s: %v", time.Since(began), err)
	}
}

func TestLiveOrigins(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(func(o *Options) { o.AllowedOrigins = []string{"https://stats.example.org"} })
	address, _ := running(t, s)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for origin, want := range map[string]bool{
		"": true, "http://" + address: true, "https://stats.example.org": true,
		"http://evil.example": false, "null": false, "http://127.0.0.1:1": false,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, _, err := websocket.Dial(t.Context(), "ws://"+address+"/api/v1/live", &websocket.DialOptions{
			HTTPHeader: header, HTTPClient: &http.Client{Transport: transport},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, body, err := conn.Read(t.Context())
		if got := err == nil && strings.Contains(string(body), "welcome"); got != want {
			t.Errorf("origin %q: let in %t, want %t (%v)", origin, got, want, err)
		}
		if !want && websocket.CloseStatus(err) != live.CloseForbidden {
			t.Errorf("origin %q: %v", origin, err)
		}
		conn.CloseNow()
	}
}

func TestHeaders(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(nil)
	for _, target := range []string{"/", "/livez", "/api/v1/metrics", "/api/v1/nothing", "/login"} {
		h := s.ask(t, http.MethodGet, target, nil).Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", target, policy)
		}
	}
}

func TestAssetsAreAskedForAgain(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(nil)
	first := s.ask(t, http.MethodGet, "/js/app.js", nil)
	tag := first.Header().Get("ETag")
	again := s.ask(t, http.MethodGet, "/js/app.js", func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
	if tag == "" || again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("tag %q, then %d with %d bytes", tag, again.Code, again.Body.Len())
	}
	other := s.ask(t, http.MethodGet, "/js/app.js", func(r *http.Request) { r.Header.Set("If-None-Match", `"x"`) })
	if other.Code != http.StatusOK {
		t.Errorf("another tag: %d", other.Code)
	}
}

func TestHead(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(nil)
	if w := s.ask(t, http.MethodHead, "/readyz", nil); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
}

func TestPrometheus(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	s := e.serve(nil)
	s.ask(t, http.MethodGet, "/api/v1/metrics/views/windows", nil)
	body := s.ask(t, http.MethodGet, "/metrics", nil).Body.String()
	for _, line := range []string{
		`tidemark_state{state="running"} 1`,
		`tidemark_watermark_seconds 54`,
		`tidemark_records_total{outcome="applied"} 43`,
		`tidemark_partition_lag_records{partition="0",topic="events"} 3`,
		`tidemark_partition_faulted{partition="1",topic="events"} 1`,
		`tidemark_feed_reader_lag_entries{reader="publisher"} 38`,
		`tidemark_http_request_seconds_count{method="GET",route="/api/v1/metrics/{name}/windows",status="200"} 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("no %s", line)
		}
	}
	checkMetricsPage(t, body)
}

// checkMetricsPage holds what the reference says of metrics, their types and labels, to what is served. That all that is served
// stands there is another test's.
func checkMetricsPage(t *testing.T, body string) {
	t.Helper()
	page, err := os.ReadFile("../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(tidemark_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 15 {
		t.Errorf("the page has %d metrics", len(rows))
	}
	for _, m := range rows {
		if !strings.Contains(body, "# TYPE "+m[1]+" "+m[2]+"\n") {
			t.Errorf("%s of type %s is not served", m[1], m[2])
		}
		for _, label := range regexp.MustCompile(`[a-z]+`).FindAllString(m[3], -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `(_bucket)?\{(.*,)?` + label + `="`).MatchString(body) {
				t.Errorf("%s is served without the label %s", m[1], label)
			}
		}
	}
}

// faulty is a pipeline that is not well.
type faulty struct {
	*engine
	status processing.Status
}

func (f *faulty) Status() processing.Status { return f.status }

func TestReadiness(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(nil)
	for _, c := range []struct {
		status  processing.Status
		code    int
		reasons string
	}{
		{processing.Status{Phase: processing.Starting, Verdict: "Starting"}, 503, "the cursors are not verified yet; Starting"},
		{processing.Status{Phase: processing.Running, Verdict: "Healthy", Verified: true}, 200, ""},
		{processing.Status{Phase: processing.CatchingUp, Verdict: "Behind", Verified: true}, 200, "Behind"},
		{processing.Status{Phase: processing.Faulted, Verdict: "Partition 7 stands still", Verified: true}, 200, "Partition 7 stands still"},
		{processing.Status{Phase: processing.CatchingUp, Verdict: "No records are taken: full", Held: "full", Verified: true}, 503, "no records are taken: full"},
		{processing.Status{Phase: processing.Running, Verdict: "Healthy", Outputs: processing.Outputs{Fault: "another"}, Verified: true}, 503, "nothing is published: another"},
		{processing.Status{Phase: processing.Stopping, Verified: true}, 503, "the server stops"},
	} {
		s.Pipeline = &faulty{engine: e, status: c.status}
		w := s.ask(t, http.MethodGet, "/readyz", nil)
		var body healthBody
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.code || strings.Join(body.Reasons, "; ") != c.reasons || body.OK != (c.code == 200) {
			t.Errorf("%s: %d %+v", c.status.Phase, w.Code, body)
		}
	}
}

// brokenStore fails, panics or waits as it is told.
type brokenStore struct {
	Store
	view func() (*store.View, error)
}

func (b brokenStore) View() (*store.View, error) { return b.view() }

func TestWhatGoesWrong(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(func(o *Options) { o.HeavyQueries, o.RequestTimeout = 1, 50*time.Millisecond })
	for name, c := range map[string]struct {
		view func() (*store.View, error)
		code int
		typ  string
	}{
		"error":   {func() (*store.View, error) { return nil, errors.New("secret path /x") }, 500, "/problems/internal"},
		"bug":     {func() (*store.View, error) { panic("BUG: no") }, 500, "/problems/internal"},
		"trimmed": {func() (*store.View, error) { return nil, store.ErrTruncated }, 410, "/problems/feed-truncated"},
		"timeout": {func() (*store.View, error) { return nil, context.DeadlineExceeded }, 503, "/problems/timeout"},
	} {
		s.Store = brokenStore{s.Store, c.view}
		w := s.ask(t, http.MethodGet, "/api/v1/metrics/views/windows", nil)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.typ) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	s.heavy <- struct{}{}
	w := s.ask(t, http.MethodGet, "/api/v1/metrics/views/history", nil)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "/problems/busy") {
		t.Errorf("no place: %d %s", w.Code, w.Body)
	}
	<-s.heavy
}

func TestRateOfRequests(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(func(o *Options) { o.PerMinute = 3 })
	for i := range 4 {
		w := s.ask(t, http.MethodGet, "/api/v1/metrics", nil)
		if want := map[bool]int{true: 200, false: 429}[i < 3]; w.Code != want {
			t.Errorf("request %d: %d", i, w.Code)
		}
	}
}

func TestDocumentIsServed(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(nil)
	body, err := io.ReadAll(s.ask(t, http.MethodGet, "/openapi.yaml", nil).Body)
	if err != nil || !strings.HasPrefix(string(body), "openapi: 3.1") {
		t.Errorf("%.40s, %v", body, err)
	}
}

// TestDrain: before the server ends, /readyz says that it will and live clients leave, while everything else is answered.
func TestDrain(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(nil)
	address, stop := running(t, s)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	dial := func() *websocket.Conn {
		conn, _, err := websocket.Dial(t.Context(), "ws://"+address+"/api/v1/live", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	closes := func(conn *websocket.Conn) {
		t.Helper()
		for {
			if _, _, err := conn.Read(t.Context()); err != nil {
				if websocket.CloseStatus(err) != live.CloseDraining {
					t.Errorf("closed with %v", err)
				}
				return
			}
		}
	}
	early := dial()
	s.Drain()
	closes(early)
	closes(dial())
	ask := func(path string) int {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = address
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code
	}
	if ready, metrics := ask("/readyz"), ask("/api/v1/metrics"); ready != http.StatusServiceUnavailable || metrics != http.StatusOK {
		t.Errorf("readyz answers %d, metrics %d", ready, metrics)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
