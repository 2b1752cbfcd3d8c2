package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
)

func TestSubscribing(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		views := &s.plan.Metrics[2]
		s.commit(7, 9_999, result(views, 0, window.Final, 4), result(&s.plan.Metrics[0], 0, window.Final, 1, "/a"))
		p := s.dial("", nil)
		if f := p.hearOp("welcome"); f.Protocol != Protocol || f.Epoch != "epoch-1" {
			t.Errorf("welcome %+v", f)
		}
		p.say(`{"op":"subscribe","sub":"s1","channel":"metrics","metrics":["views"],"later":"fields are ignored"}`)
		if f := p.hearOp("ack"); f.Sub != "s1" {
			t.Errorf("ack %+v", f)
		}
		f := p.hearOp("snapshot")
		want := []shown{{Key: "views:0", Metric: "views", Kind: "final", Value: 4, Group: map[string]string{}}}
		if diff := gocmp.Diff(want, f.Rows); diff != "" || f.Seq != 7 || *f.W != 9_999 || f.History != nil {
			t.Errorf("snapshot %+v\n%s", f, diff)
		}

		s.mu.Lock()
		s.open = processing.Open{Seq: 7, Watermark: 9_999, Newest: 12_000, Rows: []window.Result{result(views, 10_000, window.Provisional, 2)}}
		s.mu.Unlock()
		f = p.hearOp("delta")
		if *f.From != 7 || f.Seq != 7 || len(f.Rows) != 1 || f.Rows[0].Kind != "provisional" {
			t.Errorf("delta of an open window: %+v", f)
		}
		s.commit(8, 19_999, result(views, 10_000, window.Final, 3))
		f = p.hearOp("delta")
		if *f.From != 7 || f.Seq != 8 || len(f.Rows) != 1 || f.Rows[0].Key != "views:10000" || f.Rows[0].Kind != "final" ||
			gocmp.Diff([]string{"views:0"}, f.Removed) != "" {
			t.Errorf("delta of a commit: %+v", f)
		}
		s.commit(8, 19_999+1, result(&s.plan.Metrics[0], 0, window.Final, 0)) // of a metric that is not watched
		if f := p.hearOp("delta"); *f.From != 8 || f.Seq != 8 || *f.W != 20_000 || len(f.Rows)+len(f.Removed) > 0 {
			t.Errorf("delta of the watermark: %+v", f)
		}
		p.say(`{"op":"unsubscribe","sub":"s1"}`)
		p.hearOp("ack")
		p.say(`{"op":"unsubscribe","sub":"s1"}`)
		if f := p.hearOp("error"); f.Sub != "s1" {
			t.Errorf("second unsubscribe: %+v", f)
		}
	})
}

func TestChannelsInTheAddress(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("?channels=metrics,alerts,moods", func(o *websocket.DialOptions) { o.Subprotocols = nil })
		p.hearOp("welcome")
		if f := p.hearOp("ack"); f.Sub != "metrics" {
			t.Errorf("ack %+v", f)
		}
		if f := p.hearOp("ack"); f.Sub != "alerts" {
			t.Errorf("ack %+v", f)
		}
		if f := p.hearOp("error"); f.Sub != "moods" || f.Problem.Status != 400 {
			t.Errorf("a channel that does not exist: %+v", f)
		}
		if f := p.hearOp("snapshot"); f.Sub != "metrics" || f.Seq != 0 || f.W != nil || len(f.Rows) != 0 {
			t.Errorf("snapshot before the first commit: %+v", f)
		}
	})
}

func TestEveryFaultOfASubscription(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("", nil)
		p.hearOp("welcome")
		for text, want := range map[string][]string{
			`"sub":"","channel":"x"`: {"/sub", "/channel"},
			`"sub":"","channel":"metrics","metrics":["views","nope"],"backfill":"400h","max_hz":99,"after":3`: {"/sub", "/after", "/metrics/1", "/backfill", "/max_hz"},
			`"sub":"","channel":"alerts","metrics":[],"backfill":"1h","max_hz":1,"after":-1`:                  {"/sub", "/metrics", "/backfill", "/max_hz", "/after"},
			`"sub":"a","channel":"alerts","after":9007199254740992`:                                           {"/after"},
			`"sub":"a","channel":"alerts","epoch":"e"`:                                                        {"/epoch"},
		} {
			p.say(`{"op":"subscribe",` + text + `}`)
			var pointers []string
			for _, fault := range p.hearOp("error").Problem.Errors {
				pointers = append(pointers, fault.Pointer)
			}
			if diff := gocmp.Diff(want, pointers); diff != "" {
				t.Errorf("%s: %s", text, diff)
			}
		}
		p.say(`{"op":"subscribe","sub":"a","channel":"metrics","metrics":[]}`)
		p.hearOp("ack")
		p.hearOp("snapshot")
	})
}

func TestTooManySubscriptions(t *testing.T) {
	play(t, func(o *Options) { o.MaxSubscriptions = 1 }, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("?channels=metrics", nil)
		p.hearOp("welcome")
		p.hearOp("ack")
		p.hearOp("snapshot")
		p.say(`{"op":"subscribe","sub":"b","channel":"metrics"}`)
		if f := p.hearOp("error"); f.Problem.Status != 429 {
			t.Errorf("%+v", f.Problem)
		}
	})
}

func TestBackfill(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		broken := false
		s.history = func(m *definition.Metric, span time.Duration) ([]Backfill, error) {
			if span != 15*time.Minute {
				t.Errorf("asked for %s", span)
			}
			if broken {
				return nil, errors.New("read pane: disk on fire")
			}
			if m.Name == "pages" {
				return nil, &wire.Problem{Type: "/problems/busy", Title: "Busy", Status: 503}
			}
			four := 4.0
			return []Backfill{{m.Name, m.Slide, wire.Series{Group: map[string]string{}, Points: []wire.Point{{At: 0, Value: &four}, {At: 10_000}}}}}, nil
		}
		p := s.dial("", nil)
		p.hearOp("welcome")
		p.say(`{"op":"subscribe","sub":"s1","channel":"metrics","metrics":["views"],"backfill":"15m"}`)
		p.hearOp("ack")
		want := `[{"metric":"views","step_ms":10000,"group":{},"points":[[0,4],[10000,null]]}]`
		if f := p.hearOp("snapshot"); string(f.History) != want {
			t.Errorf("history %s, want %s", f.History, want)
		}
		p.say(`{"op":"subscribe","sub":"s2","channel":"metrics","backfill":"15m"}`)
		p.hearOp("ack")
		if f := p.hearOp("error"); f.Sub != "s2" || f.Problem.Status != 503 {
			t.Errorf("a backfill that can't be had: %+v", f)
		}
		if s.log.Len() > 0 {
			t.Errorf("a problem of the client's was logged: %s", &s.log)
		}
		broken = true
		p.say(`{"op":"subscribe","sub":"s3","channel":"metrics","backfill":"15m"}`)
		p.hearOp("ack")
		if f := p.hearOp("error"); f.Problem.Status != 500 || strings.Contains(f.Problem.Detail, "disk") {
			t.Errorf("a backfill that failed: %+v", f.Problem)
		}
		if !strings.Contains(s.log.String(), "disk on fire") {
			t.Errorf("the log does not say why: %q", s.log.String())
		}
	})
}

// TestConflation commits faster than the client wants to know: it gets the last word, at its own pace.
func TestConflation(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		views := &s.plan.Metrics[2]
		p := s.dial("", nil)
		p.hearOp("welcome")
		p.say(`{"op":"subscribe","sub":"s1","channel":"metrics","max_hz":2}`)
		p.hearOp("ack")
		p.hearOp("snapshot")
		began := time.Now()
		for i := range 10 {
			s.commit(uint64(i+1), 9_999, result(views, 0, window.Correction, float64(i)))
			pass(40 * time.Millisecond)
		}
		f := p.hearOp("delta")
		if took := time.Since(began); took < 400*time.Millisecond || took > 600*time.Millisecond {
			t.Errorf("the delta came after %s", took)
		}
		if *f.From != 0 || f.Seq != 10 || len(f.Rows) != 1 || f.Rows[0].Value != 9 {
			t.Errorf("delta %+v", f)
		}
	})
}

func TestResetWhenTheDifferenceIsForgotten(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		pages := &s.plan.Metrics[0]
		s.board.maxTombs = 3
		p := s.dial("", nil)
		p.hearOp("welcome")
		p.say(`{"op":"subscribe","sub":"s1","channel":"metrics","max_hz":1}`)
		p.hearOp("ack")
		p.hearOp("snapshot")
		for i := range 10 {
			group := fmt.Sprint(i)
			s.commit(uint64(2*i+1), 9_999, result(pages, 0, window.Final, 1, group))
			s.commit(uint64(2*i+2), 9_999, result(pages, 0, window.Retract, 0, group))
		}
		if f := p.hearOp("reset"); f.Sub != "s1" || f.Reason != "slow" {
			t.Errorf("reset %+v", f)
		}
		if f := p.hearOp("snapshot"); f.Seq != 20 || len(f.Rows) != 0 {
			t.Errorf("snapshot %+v", f)
		}
	})
}

func TestBadMessages(t *testing.T) {
	big := `{"op":"pong","x":"` + strings.Repeat("x", 20_000) + `"}`
	for _, c := range []struct {
		name, text string
		kind       websocket.MessageType
	}{
		{"not JSON", `hello`, websocket.MessageText},
		{"not an object", `[1]`, websocket.MessageText},
		{"no op", `{"sub":"s1"}`, websocket.MessageText},
		{"unknown op", `{"op":"dance"}`, websocket.MessageText},
		{"wrong type", `{"op":"subscribe","sub":5}`, websocket.MessageText},
		{"a fraction of a sequence", `{"op":"subscribe","sub":"a","channel":"alerts","after":1.5}`, websocket.MessageText},
		{"binary", `{"op":"pong"}`, websocket.MessageBinary},
		{"too long", big, websocket.MessageText},
		{"nested without end", strings.Repeat("[", 15_000), websocket.MessageText},
		{"not UTF-8", "{\"op\":\"subscribe\",\"sub\":\"caf\xe9\"}", websocket.MessageText},
		{"empty", "", websocket.MessageText},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, s *stage, _ func()) {
				p := s.dial("", nil)
				p.hearOp("welcome")
				if err := p.conn.Write(t.Context(), c.kind, []byte(c.text)); err != nil {
					t.Fatal(err)
				}
				if code, _ := p.hearClose(); code != CloseBadMessage {
					t.Errorf("closed with %d", code)
				}
			})
		})
	}
}

func TestTooManyMessages(t *testing.T) {
	play(t, func(o *Options) { o.MessagesPerSec = 1 }, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("", nil)
		p.hearOp("welcome")
		for range 11 {
			p.say(`{"op":"pong"}`)
		}
		if code, last := p.hearClose(); code != CloseTooMany || last.Op != "goodbye" {
			t.Errorf("closed with %d after %+v", code, last)
		}
	})
}

func TestRefusing(t *testing.T) {
	play(t, func(o *Options) { o.MaxClients = 1 }, func(t *testing.T, s *stage, _ func()) {
		for _, code := range []websocket.StatusCode{CloseUnauthorized, CloseForbidden} {
			s.refuse = code
			if got, last := s.dial("?channels=metrics", nil).hearClose(); got != code || last.Op != "" {
				t.Errorf("closed with %d after %+v, want %d after nothing", got, last, code)
			}
		}
		s.refuse = 0
		other := func(o *websocket.DialOptions) { o.Subprotocols = []string{"tidemark.v2"} }
		if got, _ := s.dial("", other).hearClose(); got != CloseProtocol {
			t.Errorf("another protocol is closed with %d", got)
		}
		s.dial("", nil).hearOp("welcome")
		if got, last := s.dial("", nil).hearClose(); got != CloseTooMany || last.Op != "goodbye" || last.Code != 4429 || last.Retry == 0 {
			t.Errorf("one client too many is closed with %d after %+v", got, last)
		}
	})
}

// TestSilentClient answers neither kind of ping.
func TestSilentClient(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		began := time.Now()
		p := s.dial("", func(o *websocket.DialOptions) {
			o.OnPingReceived = func(_ context.Context, _ []byte) bool { return false }
		})
		if code, last := p.hearClose(); code != CloseNoPong || last.Op != "ping" {
			t.Errorf("closed with %d after %+v", code, last)
		}
		if took := time.Since(began); took != 40*time.Second {
			t.Errorf("dropped after %s", took)
		}
	})
}

// TestPingsKeepAlive: a library answers pings by itself, a browser's page answers the frames.
func TestPingsKeepAlive(t *testing.T) {
	for name, adjust := range map[string]func(*websocket.DialOptions){
		"library": nil,
		"page":    func(o *websocket.DialOptions) { o.OnPingReceived = func(context.Context, []byte) bool { return false } },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, s *stage, _ func()) {
				p := s.dial("", adjust)
				p.hearOp("welcome")
				for i := range 10 {
					_, body, err := p.conn.Read(t.Context())
					if err != nil || !strings.Contains(string(body), `"op":"ping"`) {
						t.Fatalf("frame %d: %s, %v", i, body, err)
					}
					if name == "page" {
						p.say(`{"op":"pong","t_ms":1}`)
					}
				}
			})
		})
	}
}

// TestSlowClient stops reading for longer than it may, and is told so when it comes back.
func TestSlowClient(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("?channels=metrics", nil)
		pass(15 * time.Second)
		if code, _ := p.hearClose(); code != CloseTooSlow {
			t.Errorf("closed with %d", code)
		}
		never := s.dial("?channels=metrics", nil)
		synctest.Wait()
		pass(39 * time.Second)
		if n := s.hub.Clients(); n != 1 {
			t.Errorf("%d clients before the time to come back is over", n)
		}
		pass(2 * time.Second)
		if n := s.hub.Clients(); n != 0 {
			t.Errorf("%d clients after it", n)
		}
		never.conn.CloseNow()
		if n := s.hub.Closed()[CloseTooSlow]; n != 2 {
			t.Errorf("%d clients were counted as too slow", n)
		}
	})
}

func TestDraining(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, stop func()) {
		p := s.dial("?channels=metrics", nil)
		stuck := s.dial("?channels=metrics", nil) // never reads
		p.hearOp("welcome")
		synctest.Wait()
		began := time.Now()
		stop()
		code, last := p.hearClose()
		if code != CloseDraining || last.Op != "goodbye" || last.Code != 4101 || last.Retry < 1000 || last.Retry > 2000 {
			t.Errorf("closed with %d after %+v", code, last)
		}
		s.hub.clients.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("a client that does not read held the hub for %s", took)
		}
		stuck.conn.CloseNow()
	})
}

// TestOpenWindowsAreAskedForWhileSomebodyLooks, and no more often than four times a second.
func TestOpenWindowsAreAskedForWhileSomebodyLooks(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		pass(10 * time.Second)
		if s.asks != 0 {
			t.Errorf("asked %d times while nobody looked", s.asks)
		}
		p := s.dial("", nil)
		p.hearOp("welcome")
		pass(10 * time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.asks < 39 || s.asks > 42 {
			t.Errorf("asked %d times in ten seconds", s.asks)
		}
	})
}
