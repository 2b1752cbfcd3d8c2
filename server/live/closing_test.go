package live

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/tidemark/tidemark/processing/window"
)

// TestGoingAway: a page that is left says 1001, and gets it back.
func TestGoingAway(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("?channels=metrics", nil)
		p.hearOp("welcome")
		// Close fails when another code comes back.
		if err := p.conn.Close(websocket.StatusGoingAway, "left"); err != nil {
			t.Error(err)
		}
		s.hub.clients.Wait()
		if n := s.hub.Clients(); n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
}

// TestGoodbyesAreSpread: those who leave together do not come back together, and none before it may.
func TestGoodbyesAreSpread(t *testing.T) {
	for _, c := range []struct {
		closing     *closing
		first, last int64
	}{{errDraining, 1000, 2000}, {errTooMany, 5000, 10_000}, {errTooFast, 5000, 10_000}} {
		h := New(Default(), Deps{Board: NewBoard(testPlan())})
		seen := map[int64]bool{}
		for range 100 {
			g := h.goodbye(c.closing)
			if g.Code != c.closing.code || g.RetryAfterMs < c.first || g.RetryAfterMs > c.last {
				t.Fatalf("%v: %+v", c.closing, g)
			}
			seen[g.RetryAfterMs] = true
		}
		if len(seen) < 50 {
			t.Errorf("%v: only %d different times", c.closing, len(seen))
		}
	}
}

// TestComingWhileTheServerStops: who comes then is told when to come again, as are those who were there.
func TestComingWhileTheServerStops(t *testing.T) {
	for name, refuse := range map[string]websocket.StatusCode{"refused": CloseDraining, "after the last has left": 0} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, s *stage, stop func()) {
				s.refuse = refuse
				if refuse == 0 {
					stop()
					<-s.hub.abandon.Done()
				}
				code, last := s.dial("?channels=metrics", nil).hearClose()
				if code != CloseDraining || last.Op != "goodbye" || last.Code != 4101 || last.Retry < 1000 {
					t.Errorf("closed with %d after %+v", code, last)
				}
			})
		})
	}
}

// TestReasonsFit: what a client wrote wrong can be longer than what fits beside a code. It is 4400 all the same.
func TestReasonsFit(t *testing.T) {
	digits := strings.Repeat("9", 300)
	for _, text := range []string{
		`{"op":"subscribe","sub":"a","channel":"alerts","after":` + digits + `}`,
		`{"op":"subscribe","sub":"a","channel":"metrics","max_hz":1e` + digits + `}`,
	} {
		play(t, nil, func(t *testing.T, s *stage, _ func()) {
			p := s.dial("", nil)
			p.hearOp("welcome")
			p.say(text)
			if code, _ := p.hearClose(); code != CloseBadMessage {
				t.Errorf("%.60s: closed with %d", text, code)
			}
		})
	}
	for n := range 200 {
		reason := badMessage(strings.Repeat("é", n)).reason
		if len(reason) > 123 || !utf8.ValidString(reason) {
			t.Fatalf("%d letters: %d bytes, %q", n, len(reason), reason)
		}
	}
}

// TestSubscribingAgain: the new subscription takes the place of the one before. What follows its acknowledgement is its
// own, and a refusal leaves the old one as it was.
func TestSubscribingAgain(t *testing.T) {
	play(t, func(o *Options) { o.MaxSubscriptions = 1 }, func(t *testing.T, s *stage, _ func()) {
		views, pages := &s.plan.Metrics[2], &s.plan.Metrics[0]
		p := s.dial("", nil)
		p.hearOp("welcome")
		p.say(`{"op":"subscribe","sub":"s1","channel":"metrics","metrics":["views"],"max_hz":0.5}`)
		p.hearOp("ack")
		p.hearOp("snapshot")
		s.commit(1, 9_999, result(views, 0, window.Final, 4), result(pages, 0, window.Final, 1, "/a"))

		p.say(`{"op":"subscribe","sub":"s1","channel":"metrics","metrics":["pages"],"max_hz":99}`)
		p.hearOp("error")
		if f := p.hearOp("delta"); len(f.Rows) != 1 || f.Rows[0].Metric != "views" {
			t.Errorf("after a refusal: %+v", f)
		}
		p.say(`{"op":"subscribe","sub":"s1","channel":"metrics","metrics":["pages"],"max_hz":10}`)
		p.hearOp("ack")
		if f := p.hearOp("snapshot"); f.Seq != 1 || len(f.Rows) != 1 || f.Rows[0].Metric != "pages" {
			t.Errorf("after the other metrics: %+v", f)
		}
		began := time.Now()
		s.commit(2, 10_000, result(pages, 0, window.Correction, 2, "/a"))
		if f := p.hearOp("delta"); *f.From != 1 || len(f.Rows) != 1 || time.Since(began) > 100*time.Millisecond {
			t.Errorf("at the other pace, after %s: %+v", time.Since(began), f)
		}
		s.raise(1)
		p.say(fmt.Sprintf(`{"op":"subscribe","sub":"s1","channel":"alerts","after":%d}`, s.feed.head-1))
		p.hearOp("ack")
		if f := p.hearOp("entry"); f.Seq != s.feed.head {
			t.Errorf("on the other channel: %+v", f)
		}
		p.say(`{"op":"subscribe","sub":"s2","channel":"metrics"}`)
		if f := p.hearOp("error"); f.Problem.Status != 429 {
			t.Errorf("one too many: %+v", f)
		}
		p.say(`{"op":"unsubscribe","sub":"s1"}`)
		p.hearOp("ack")
	})
}
