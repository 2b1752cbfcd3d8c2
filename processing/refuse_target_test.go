package processing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// What can't be folded again is refused before anything is: the store is as it was.
func TestTargetsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*memory.Log, *processing.Target)
		is     error
		says   string
	}{
		{"the topic was made anew", func(l *memory.Log, _ *processing.Target) { l.Recreate() }, processing.ErrOtherLog, "partition 0: the log is not the one that the state was made from: the topic was re-created"},
		{"another cluster", func(l *memory.Log, _ *processing.Target) { l.Move("elsewhere") }, processing.ErrOtherLog, `that was in cluster "memory", this is cluster "elsewhere"`},
		{"a partition is gone", func(l *memory.Log, _ *processing.Target) { l.Drop() }, processing.ErrOtherLog, `partition 1: the log is not the one that the state was made from: the topic "events" does not have it`},
		{"the tail was lost", func(l *memory.Log, _ *processing.Target) { l.Truncate(1, 15) }, processing.ErrOtherLog, "it ends at 15, the target had read up to 20"},
		{"retention has passed the start", func(l *memory.Log, _ *processing.Target) { l.Retain(1, 1) }, processing.ErrLogTooShort, "partition 1: the log does not reach back far enough: it starts at 1, and is needed from 0"},
		{"the topic was made anew in between", func(_ *memory.Log, to *processing.Target) {
			to.Gaps = append(to.Gaps, processing.Gap{TopicID: [16]byte{9}, Partition: 1, From: 3, To: 0})
		}, processing.ErrLogTooShort, "the topic was re-created since"},
		{"a tail was lost in between", func(_ *memory.Log, to *processing.Target) {
			to.Gaps = append(to.Gaps, processing.Gap{TopicID: [16]byte{1}, Partition: 1, From: 9, To: 7})
		}, processing.ErrLogTooShort, "records from 7 to 9 were read and then lost from the log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log, store := memory.NewLog(2, 100), memory.NewStore()
				for s := range 20 {
					log.Append(rec(0, time.Duration(s)*time.Second, "user=a"), rec(1, time.Duration(s)*time.Second, "user=b"))
				}
				r := start(t, log, store, rigMetrics)
				pass(time.Second)
				r.end()
				target := r.target()
				c.change(log, target)
				again := memory.NewStore()
				_, err := foldTo(t, log, again, rigMetrics, target)
				if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %q", err, c.says)
				}
				r.want("commits", again.Commits(), 0)
			})
		})
	}
}

// A state that has gone further than the target, in any respect, is no place to start from.
func TestStateThatIsPastItsTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second, "user=a"))
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.end()
		target := r.target()
		log.Add()
		log.Append(rec(0, 20*time.Second, "user=a"), rec(1, 20*time.Second, "user=a"))
		r = start(t, log, store, rigMetrics)
		pass(5 * time.Second)
		r.end()
		_, err := foldTo(t, log, store, rigMetrics, target)
		if !errors.Is(err, processing.ErrPastTarget) {
			t.Errorf("%v", err)
		}
		for _, says := range []string{"its watermark is 14999, the target's 4999", "it has read partition 1, the target has not", "partition 0: the state is past its target: it has read up to 2, the target up to 1"} {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%v, want %q too", err, says)
			}
		}
	})
}

// The records are compared in the end: a log of the same names may hold others.
func TestLogWithOtherRecords(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second, "user=a"), rec(0, 11*time.Second, "user=a"))
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.end()
		log.Truncate(0, 1)
		log.Append(rec(0, 11*time.Second, "user=somebody else"))
		_, err := foldTo(t, log, memory.NewStore(), rigMetrics, r.target())
		if !errors.Is(err, processing.ErrOtherLog) || !strings.Contains(err.Error(), "the last record was that at offset 1, and is another") {
			t.Errorf("%v", err)
		}
	})
}

// A journal that lacks a floor is not that of this log. Nothing of the commit that would need it is made.
func TestJournalWithoutAFloor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		log.Append(rec(0, 100*time.Second, "user=a"), rec(1, 10*time.Second, "user=b"))
		r := start(t, log, store, rigMetrics)
		pass(2 * time.Minute) // 1 is idle, and then all is quiet
		r.end()
		base := store.Clone()
		r = start(t, log, store, rigMetrics)
		log.Append(rec(1, 20*time.Second, "user=b"))
		pass(time.Second)
		r.end()
		target := r.target()
		r.want("floors", len(target.Floors), 1)
		target.Floors = nil
		commits := base.Commits()
		_, err := foldTo(t, log, base, rigMetrics, target)
		if err == nil || !strings.Contains(err.Error(), "partition 1: the journal has no floor for a record that W had passed") {
			t.Errorf("%v", err)
		}
		if n := base.Commits() - commits; n > 1 {
			t.Errorf("%d commits", n) // the first, with nothing but the journal
		}
	})
}

// An error of a partition ends the fold: nobody would decide on it.
func TestFetchErrorEndsAFoldWithATarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second, "user=a"))
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.end()
		log.Fail(0, errors.New("the log is gone"))
		if _, err := foldTo(t, log, memory.NewStore(), rigMetrics, r.target()); err == nil || err.Error() != "partition 0: the log is gone" {
			t.Errorf("%v", err)
		}
	})
}

// A fold that is interrupted says so; what it has committed is a state to go on from to the same target.
func TestInterruptedFoldGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 10), memory.NewStore()
		for s := range 200 {
			log.Append(rec(0, time.Duration(s)*time.Second, "user=a"), rec(1, time.Duration(s)*time.Second, "user=b"))
		}
		r := start(t, log, store, replayMetrics)
		pass(3 * time.Minute)
		log.Append(rec(1, 199*time.Second, "user=b"))
		pass(time.Second)
		r.end()
		target, again := r.target(), memory.NewStore()
		again.Follow(false)
		for range 3 {
			log.Stall(1)
			cut := start(t, log, again, replayMetrics, func(o *processing.Options) { o.Target = target })
			pass(time.Second)
			log.Flow(1)
			pass(30 * time.Millisecond)
			r.want("phase", cut.Status().Phase, processing.CatchingUp)
			cut.stop()
			if err := <-cut.ended; err == nil {
				break // it was quicker
			} else if !strings.Contains(err.Error(), "interrupted on the way to the target") {
				t.Errorf("%v", err)
			}
		}
		whole, err := foldTo(t, log, again, replayMetrics, target)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(r.standing(), whole.standing()); diff != "" {
			t.Errorf("(-was +is):\n%s", diff)
		}
	})
}

// Options that contradict each other are refused.
func TestOptionsOfTargets(t *testing.T) {
	o := processing.DefaultOptions()
	o.Silent = true
	if err := o.Validate(); err == nil || err.Error() != "silent: only a fold with a target can be" {
		t.Errorf("%v", err)
	}
	o.Target = &processing.Target{Cursors: []processing.Cursor{{Topic: "a", Next: 1}, {Topic: "b", Start: 3, Next: 2}}}
	const want = "target: two cursors of partition 0\ntarget: cursors of the topics \"a\" and \"b\"\ntarget: partition 0 starts at 3, behind its position 2"
	if err := o.Validate(); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// An accepted gap is left out again where it was, although the log has records there.
func TestGapsAreLeftOutAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store, full := memory.NewLog(2, 5), memory.NewStore(), memory.NewLog(2, 5)
		for s := range 60 {
			for p := range event.PartitionID(2) {
				at := rec(p, time.Duration(s)*time.Second, "user=a", "url=/a")
				full.Append(at)
				if p == 1 && (s < 3 || s >= 13 && s < 27 || s >= 57) {
					log.Control(p) // there is no record for us
				} else {
					log.Append(at)
				}
			}
		}
		r := start(t, log, store, replayMetrics)
		pass(time.Second)
		r.end()
		target := r.target()
		for _, g := range [][2]event.Offset{{0, 3}, {13, 20}, {20, 27}, {57, 60}} {
			target.Gaps = append(target.Gaps, processing.Gap{TopicID: [16]byte{1}, Topic: "events", Partition: 1, From: g[0], To: g[1], Reason: "batch_too_large"})
		}
		for _, workers := range []int{1, 4} {
			again, err := foldTo(t, full, memory.NewStore(), replayMetrics, target, func(o *processing.Options) { o.Workers = workers })
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(r.standing(), again.standing()); diff != "" {
				t.Errorf("%d workers (-was +is):\n%s", workers, diff)
			}
			if n := again.reader.Fetched(1); n > 60 {
				t.Errorf("%d records were fetched", n)
			}
			state, err := again.store.Load(again.plan)
			if err != nil {
				t.Fatal(err)
			}
			r.want("gaps", len(state.Gaps), 4)
			// Held rows before a gap are read again after a restart; the gap is left out once more.
			on := start(t, full, again.store, replayMetrics)
			pass(5 * time.Minute)
			r.want("consumed", on.Status().Counters.Consumed, r.Status().Counters.Consumed)
			r.want("fault", on.partition(1).Fault, "")
			on.end()
		}
	})
}

// Floors that no fold can need leave the journal: the log no longer has their records, and the state has passed them. The last of
// those stays, as it bounds W_p of what is held.
func TestJournalIsCut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		log.Append(rec(0, time.Second, "user=a"), rec(1, time.Second, "user=b"))
		r := start(t, log, store, replayMetrics)
		at := 1
		for range 4 { // partition 1 falls idle and comes back, again and again
			for range 50 {
				at++
				log.Append(rec(0, time.Duration(at)*time.Second, "user=a"))
				pass(time.Second)
			}
			log.Append(rec(1, time.Duration(at-3)*time.Second, "user=b"))
			pass(time.Second)
		}
		offsets := func() (o []event.Offset) {
			for _, f := range r.target().Floors {
				o = append(o, f.Offset)
			}
			return o
		}
		r.want("floors", offsets(), "[1 2 3 4]")
		log.Retain(1, 3)
		pass(3 * time.Second)
		log.Append(rec(0, time.Duration(at+1)*time.Second, "user=a"))
		pass(time.Second)
		r.want("floors of a log from 3 on", offsets(), "[3 4]")
		base := store.Clone()
		log.Append(rec(1, time.Duration(at+1)*time.Second, "user=b"))
		log.Retain(1, 4)
		pass(3 * time.Second)
		log.Append(rec(0, time.Duration(at+100)*time.Second, "user=a"), rec(1, time.Duration(at+100)*time.Second, "user=b"))
		pass(time.Second)
		r.want("floors of a log from 4 on", offsets(), "[4]")
		r.end()
		again, err := foldTo(t, log, base, replayMetrics, r.target())
		if err != nil {
			t.Fatal(err)
		}
		want, got := r.standing(), again.standing()
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-was +is):\n%s", diff)
		}
	})
}
