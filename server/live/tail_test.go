package live

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/event"
)

// memoryLog is a feed in memory. It stays when servers come and go.
type memoryLog struct {
	mu      sync.Mutex
	head    uint64
	dropped uint64 // up to here nothing is kept
	alerts  []processing.Entry
	reads   int
	fail    error
	short   bool // pages end early
}

func (l *memoryLog) Alerts(after uint64, limit int) (LogPage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	p := LogPage{Head: l.head, First: l.dropped + 1}
	p.Truncated = limit > 0 && after < l.dropped
	for _, e := range l.alerts {
		if e.Seq > max(after, l.dropped) && len(p.Entries) < limit && !p.Truncated && !(l.short && len(p.Entries) == 3) {
			p.Entries = append(p.Entries, e)
		}
	}
	return p, l.fail
}

// drop forgets the entries up to a sequence.
func (l *memoryLog) drop(upTo uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = upTo
}

// reach takes up what is no alert, up to a sequence.
func (l *memoryLog) reach(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = max(l.head, seq)
}

// append makes a commit of an alert after some results.
func (l *memoryLog) append(results uint64) *processing.Committed {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head += results + 1
	e := processing.Entry{Seq: l.head, Type: processing.AlertEntry, Alert: &alert.Alert{
		ID: fmt.Sprint("a", l.head), State: alert.Firing, EndedAt: event.NoTime, Title: "<hot>",
		Transitions: []alert.Transition{{State: alert.Firing, Seq: l.head}},
	}}
	l.alerts = append(l.alerts, e)
	entries := append(make([]processing.Entry, 0, 2), e)
	return &processing.Committed{Seq: l.head, Entries: append(entries, processing.Entry{Seq: l.head + 1, Type: processing.LateEntry})[:1]}
}

// seqs are those of the alerts after a sequence.
func (l *memoryLog) seqs(after uint64) (seqs []uint64) {
	for _, e := range l.alerts {
		if e.Seq > after {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// raise commits alerts, each in a commit of its own.
func (s *stage) raise(n int) {
	for range n {
		c := s.feed.append(2)
		c.Watermark = s.store.watermark
		s.store.commit(c)
		s.hub.Committed(c)
	}
}

func (p *person) hearEntries(n int) (seqs []uint64) {
	p.t.Helper()
	for range n {
		f := p.hearOp("entry")
		if f.Sub != "a1" || f.Alert == nil || f.Alert.ID != fmt.Sprint("a", f.Seq) || f.Alert.Seq != f.Seq {
			p.t.Fatalf("entry %+v", f)
		}
		seqs = append(seqs, f.Seq)
	}
	return seqs
}

func TestTail(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		s.raise(2) // 3, 6
		p := s.dial("", nil)
		p.hearOp("welcome")
		p.say(`{"op":"subscribe","sub":"a1","channel":"alerts"}`)
		if f := p.hearOp("ack"); f.Seq != 6 {
			t.Errorf("ack %+v", f)
		}
		s.raise(200)
		if diff := gocmp.Diff(s.feed.seqs(6), p.hearEntries(200)); diff != "" {
			t.Error(diff)
		}
		p.say(`{"op":"unsubscribe","sub":"a1"}`)
		p.hearOp("ack")
		s.raise(1)
		p.say(`{"op":"subscribe","sub":"a1","channel":"alerts","after":5,"epoch":"epoch-1"}`)
		if f := p.hearOp("ack"); f.Seq != 5 {
			t.Errorf("ack %+v", f)
		}
		if diff := gocmp.Diff(s.feed.seqs(5), p.hearEntries(202)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTailIsReadWhenThereIsSomething: commits without alerts, most of them, cost no reading.
func TestTailIsReadWhenThereIsSomething(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("?channels=alerts", nil)
		p.hearOp("welcome")
		p.hearOp("ack")
		synctest.Wait()
		before := s.feed.reads
		for i := range 50 {
			s.commit(uint64(i+1), event.Millis(i))
			synctest.Wait()
		}
		if n := s.feed.reads - before; n > 0 {
			t.Errorf("read %d times", n)
		}
	})
}

func TestTailThatCanNotGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		subscribe string
		want      frame
		first     uint64 // of the entries that follow
	}{
		"what is gone":         {`"after":2`, frame{Op: "reset", Sub: "a1", Reason: "gap", Seq: 7}, 9},
		"just what is kept":    {`"after":7`, frame{}, 9},
		"another epoch":        {`"after":12,"epoch":"epoch-0"`, frame{Op: "reset", Sub: "a1", Reason: "epoch_changed", Seq: 7}, 9},
		"beyond the head":      {`"after":4711`, frame{Op: "reset", Sub: "a1", Reason: "epoch_changed", Seq: 7}, 9},
		"nothing, at the head": {`"after":12`, frame{}, 15},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, s *stage, _ func()) {
				s.raise(4) // 3, 6, 9, 12
				s.feed.drop(7)
				p := s.dial("", nil)
				p.hearOp("welcome")
				p.say(`{"op":"subscribe","sub":"a1","channel":"alerts",` + c.subscribe + `}`)
				p.hearOp("ack")
				if c.want.Op != "" {
					if diff := gocmp.Diff(c.want, p.hear()); diff != "" {
						t.Error(diff)
					}
				}
				s.raise(1)
				if diff := gocmp.Diff(s.feed.seqs(c.first-1), p.hearEntries(len(s.feed.seqs(c.first-1)))); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestTailThatCanNotBeRead(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("", nil)
		p.hearOp("welcome")
		s.feed.fail = errors.New("disk on fire")
		for _, more := range []string{``, `,"after":0`} {
			p.say(`{"op":"subscribe","sub":"a1","channel":"alerts"` + more + `}`)
			f := p.hear()
			if f.Op == "ack" {
				f = p.hear()
			}
			if f.Op != "error" || f.Problem.Status != 500 || strings.Contains(f.Problem.Detail, "fire") {
				t.Errorf("%+v", f)
			}
		}
		if !strings.Contains(s.log.String(), "disk on fire") {
			t.Errorf("the log does not say why: %q", s.log.String())
		}
	})
}

// TestSlowTail: what a client does not take stays in the feed; a page is all that waits in memory for it. One that takes
// frames, however slowly, gets them all; one that doesn't is closed by the write deadline and by nothing else.
func TestSlowTail(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		p := s.dial("?channels=metrics,alerts", nil)
		for _, op := range []string{"welcome", "ack", "ack", "snapshot"} {
			p.hearOp(op)
		}
		s.raise(2*tailPage + 9)
		synctest.Wait()
		if s.feed.reads > 3 {
			t.Errorf("%d pages were read for a client that takes nothing", s.feed.reads)
		}
		var got []uint64
		for len(got) < 2*tailPage+9 {
			pass(9100 * time.Millisecond) // never together with a ping
			if f := p.hear(); f.Op == "entry" {
				got = append(got, f.Seq)
			}
		}
		if diff := gocmp.Diff(s.feed.seqs(0), got); diff != "" {
			t.Error(diff)
		}
		s.raise(1)
		pass(15 * time.Second)
		if code, _ := p.hearClose(); code != CloseTooSlow {
			t.Errorf("closed with %d", code)
		}
	})
}

// follower is a client that resumes by the last sequence that it saw.
type follower struct {
	person *person // nil: not connected
	after  uint64
	got    []uint64
}

func (f *follower) connect(s *stage, rng *rand.Rand) {
	f.person = s.dial("", nil)
	f.person.hearOp("welcome")
	if rng.IntN(2) == 0 { // another subscription beside it
		f.person.say(`{"op":"subscribe","sub":"m","channel":"metrics"}`)
		f.person.hearOp("ack")
		f.person.hearOp("snapshot")
	}
	f.person.say(fmt.Sprintf(`{"op":"subscribe","sub":"a1","channel":"alerts","after":%d,"epoch":"epoch-1"}`, f.after))
	f.hearOf(1)
}

// hearOf reads frames of the subscription of alerts.
func (f *follower) hearOf(n int) {
	for n > 0 {
		switch fr := f.person.hear(); {
		case fr.Sub != "a1":
			continue
		case fr.Op == "entry":
			f.after, f.got = fr.Seq, append(f.got, fr.Seq)
		case fr.Op != "ack":
			f.person.t.Fatalf("heard %+v", fr)
		}
		n--
	}
}

// TestEveryEntryOnceAndInOrder lets clients come, read some, and break off at random, while alerts are raised and servers
// are stopped and started again on the same feed. Each client gets every entry exactly once, in order.
func TestEveryEntryOnceAndInOrder(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		feed := &memoryLog{short: seed%2 == 1}
		followers := []*follower{{}, {}, {}}
		for range 4 {
			playOn(t, feed, nil, func(t *testing.T, s *stage, stop func()) {
				for range 40 {
					f := followers[rng.IntN(len(followers))]
					switch missing := len(feed.seqs(f.after)); {
					case rng.IntN(3) == 0:
						s.raise(rng.IntN(tailPage))
					case f.person == nil:
						f.connect(s, rng)
					case rng.IntN(4) == 0:
						f.person.conn.CloseNow()
						f.person = nil
					default:
						f.hearOf(rng.IntN(missing + 1))
					}
				}
				stop()
				for _, f := range followers {
					if f.person != nil {
						f.person.conn.CloseNow()
						f.person = nil
					}
				}
			})
		}
		playOn(t, feed, nil, func(t *testing.T, s *stage, _ func()) {
			for i, f := range followers {
				f.connect(s, rng)
				f.hearOf(len(feed.seqs(f.after)))
				if !slices.Equal(f.got, feed.seqs(0)) {
					t.Errorf("seed %d: client %d got %v of %v", seed, i, f.got, feed.seqs(0))
				}
			}
		})
	}
}

func TestTailsBesideEachOther(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		s.raise(3)
		p := s.dial("", nil)
		p.hearOp("welcome")
		got := map[string][]uint64{}
		for i, after := range []int{0, 3, 6} {
			p.say(fmt.Sprintf(`{"op":"subscribe","sub":"s%d","channel":"alerts","after":%d}`, i, after))
			p.hearOp("ack")
			for range 3 - i {
				f := p.hearOp("entry")
				got[f.Sub] = append(got[f.Sub], f.Seq)
			}
		}
		s.raise(1)
		for range 3 {
			f := p.hearOp("entry")
			got[f.Sub] = append(got[f.Sub], f.Seq)
		}
		if diff := gocmp.Diff(map[string][]uint64{"s0": {3, 6, 9, 12}, "s1": {6, 9, 12}, "s2": {9, 12}}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestDrainingBehind: a client that still has much to get is told goodbye all the same.
func TestDrainingBehind(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, stop func()) {
		s.raise(20 * tailPage)
		p := s.dial("", nil)
		p.hearOp("welcome")
		p.say(`{"op":"subscribe","sub":"a1","channel":"alerts","after":0}`)
		p.hearOp("ack")
		p.hearEntries(1)
		stop()
		if code, last := p.hearClose(); code != CloseDraining || last.Op != "goodbye" {
			t.Errorf("closed with %d after %+v", code, last)
		}
	})
}
