package processing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// twoPartitions is a log that has ten events of user a in partition 0 and ten of user b in partition 1, and what a first run
// has made of it. Sessions hold the last events of both.
func twoPartitions(t *testing.T) (*memory.Log, *memory.Store) {
	t.Helper()
	log, store := memory.NewLog(2, 100), memory.NewStore()
	for s := range 10 {
		at := time.Duration(s) * time.Second
		log.Append(rec(0, at, "user=a", "url=/a"), rec(1, at, "user=b", "url=/b"))
	}
	r := start(t, log, store, rigMetrics)
	pass(time.Second)
	r.end()
	return log, store
}

// accept decides on a partition, or on all, and returns what came of it.
func (r *rig) accept(only ...event.PartitionID) []string {
	r.t.Helper()
	var one *event.PartitionID
	if len(only) > 0 {
		one = &only[0]
	}
	gaps, err := r.AcceptGap(r.t.Context(), "events", one)
	if err != nil {
		r.t.Fatal(err)
	}
	var said []string
	for i := range gaps {
		said = append(said, gaps[i].String())
	}
	return said
}

// restart ends a run, and starts another: a decision holds across the restart, and nothing is faulted any more.
func (r *rig) restart() *rig {
	r.t.Helper()
	pass(time.Second)
	r.end()
	next := start(r.t, r.log, r.store, rigMetrics)
	pass(time.Second)
	for _, p := range next.Status().Partitions {
		next.want(fmt.Sprint("fault of ", p.Partition, " after the restart"), p.Fault, "")
	}
	next.want("faults in the store", len(r.store.Faults()), 0)
	return next
}

// more adds events of both users from a time on.
func more(log *memory.Log, from, n int) {
	for s := range n {
		at := time.Duration(from+s) * time.Second
		log.Append(rec(0, at, "user=a", "url=/a"), rec(1, at, "user=b", "url=/b"))
	}
}

// TestAcceptedGaps holds each kind of fault: how it is named, what advice there is, where reading goes on, and that the
// decision holds across restarts.
func TestAcceptedGaps(t *testing.T) {
	for _, c := range []struct {
		name    string
		kind    processing.FaultKind
		change  func(*memory.Log)
		decides string
		next    event.Offset // of partition 1, once 30 more events were written
		windows string
	}{
		{
			name: "tail lost", kind: processing.TailLost, change: func(l *memory.Log) { l.Truncate(1, 8) },
			decides: "events/1 goes on at offset 8; what was read there before, up to 10, stays counted; sessions do without what they had not taken yet of the offsets 4 to 9", next: 38,
			windows: "0s /a=10 0s /b=10 20s /a=10 20s /b=10 30s /a=10 30s /b=10",
		},
		{
			name: "another leader", kind: processing.Diverged, change: func(l *memory.Log) {
				l.Lead(1, 7)
				for s := range 5 {
					l.Append(rec(1, time.Duration(20+s)*time.Second, "user=b", "url=/b"))
				}
			},
			decides: "events/1 goes on at offset 7; what was read there before, up to 10, stays counted; sessions do without what they had not taken yet of the offsets 4 to 9", next: 42,
			windows: "0s /a=10 0s /b=10 20s /a=10 20s /b=15 30s /a=10 30s /b=10",
		},
		{
			name: "retention passed", kind: processing.RetentionPassed, change: func(l *memory.Log) { l.Retain(1, 9) },
			decides: "events/1 goes on at offset 10; sessions do without what they had not taken yet of the offsets 4 to 9", next: 40,
			windows: "0s /a=10 0s /b=10 20s /a=10 20s /b=10 30s /a=10 30s /b=10",
		},
		{
			name: "record replaced", kind: processing.RecordReplaced, change: func(l *memory.Log) {
				l.Truncate(1, 9)
				l.Append(rec(1, 9*time.Second, "user=somebody else"))
			},
			decides: "events/1 goes on at offset 10; sessions do without what they had not taken yet of the offsets 4 to 9", next: 40,
			windows: "0s /a=10 0s /b=10 20s /a=10 20s /b=10 30s /a=10 30s /b=10",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log, store := twoPartitions(t)
				c.change(log)
				r := start(t, log, store, rigMetrics)
				pass(time.Second)
				p := r.partition(1)
				r.want("kind", p.FaultKind, c.kind)
				if want := "tidemark resume --accept-gap events/1"; !strings.Contains(p.Advice, want) || !strings.Contains(r.Status().Verdict, want) {
					t.Errorf("advice %q, verdict %q", p.Advice, r.Status().Verdict)
				}
				r.want("stored", store.Faults()[1].Kind, c.kind)
				r.want("decided", r.accept(1), "["+c.decides+"]")
				r.want("phase", r.Status().Phase, processing.Running)
				gaps := store.Gaps()
				r.want("gaps", len(gaps), 1)
				r.want("reason", gaps[0].Reason, c.kind)

				r = r.restart()
				more(log, 20, 30)
				pass(2 * time.Minute)
				r = r.restart()
				r.want("position", r.partition(1).Position, c.next)
				views := slices.DeleteFunc(r.windows("views"), func(w string) bool { return strings.HasPrefix(w, "40s") })
				r.want("windows", strings.Join(views, " "), c.windows)
				r.want("late", r.Status().Counters.Late, 0)
				r.end()
			})
		})
	}
}

// A topic that was made anew while the server runs stops all of its partitions; one word starts all of them again, at the start
// of the new log.
func TestTopicRecreatedWhileRunning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		w := r.watermark()
		log.Recreate()
		log.Empty()
		more(log, 20, 20)
		pass(5 * time.Second)
		for id := range event.PartitionID(2) {
			r.want("kind", r.partition(id).FaultKind, processing.TopicRecreated)
			r.want("fetches that failed", r.reader.Failed(id) <= 1, true)
		}
		r.want("W", r.watermark(), w)
		r.want("decided", r.accept(), "[events/0 goes on at offset 0, the start of the new log; the old one was read up to 10; "+
			"sessions do without what they had not taken yet of the offsets 4 to 9 "+
			"events/1 goes on at offset 0, the start of the new log; the old one was read up to 10; "+
			"sessions do without what they had not taken yet of the offsets 4 to 9]")
		pass(2 * time.Minute)
		r.want("windows", r.windows("views"), "[0s /a=10 0s /b=10 20s /a=10 20s /b=10 30s /a=10 30s /b=10]")
		r.want("late", r.Status().Counters.Late, 0)
		r = r.restart()
		more(log, 300, 1)
		pass(2 * time.Minute)
		r.want("consumed", r.Status().Counters.Consumed, 62)
		r.end()
	})
}

// Events of a new log that W has passed are late: its partitions come back like any that was away.
func TestNewLogComesBackBehindAFloor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		log.Recreate()
		log.Empty()
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.accept()
		pass(5 * time.Minute) // long enough to close everything
		more(log, 1, 3)
		pass(time.Second)
		r.want("late", r.Status().Counters.Late, 6)
		r = r.restart()
		more(log, 2, 1)
		pass(time.Second)
		r.want("late", r.Status().Counters.Late, 8)
		r.end()
	})
}

// A fetch out of range pauses the partition and alarms once; a look at the log tells on which side it was.
func TestOutOfRangeWhileRunning(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		log.Stall(1)
		more(log, 20, 30)
		log.Retain(1, 25)
		log.Flow(1)
		pass(time.Minute)
		r.want("fetches that failed", r.reader.Failed(1), 1)
		p := r.partition(1)
		r.want("kind", p.FaultKind, processing.RetentionPassed)
		r.want("fault", p.Fault, "the log starts at offset 25, the next to be read was 10: retention has passed it")
		r.want("stored", store.Faults()[1].Kind, processing.RetentionPassed)
		r.want("decided", r.accept(), "[events/1 goes on at offset 25 without the offsets 10 to 24; sessions do without what they had not taken yet of the offsets 4 to 9]")
		pass(2 * time.Minute)
		r.want("windows", r.windows("views"), "[0s /a=10 0s /b=10 20s /a=10 30s /a=10 30s /b=5 40s /a=10 40s /b=10]")
		r = r.restart()
		r.end()
	})
}

// A batch that can't be read is left out. What is held of the records before it is not lost: a restart reads them again and
// passes over the batch.
func TestBatchTooLargeIsLeftOut(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log, store := twoPartitions(t)
				r := start(t, log, store, rigMetrics)
				pass(time.Second)
				log.Choke(1, 15, 18)
				more(log, 10, 10)
				pass(5 * time.Second)
				r.want("kind", r.partition(1).FaultKind, processing.BatchTooLarge)
				r.want("position", r.partition(1).Position, 15)
				r.want("fetches that failed", r.reader.Failed(1), 1)
				r.want("decided", r.accept(1), "[events/1 goes on at offset 18 without the offsets 15 to 17]")
				if restart {
					r = r.restart()
				}
				more(log, 100, 1)
				pass(10 * time.Minute)
				r.want("windows", r.windows("views"), "[0s /a=10 0s /b=10 10s /a=10 10s /b=7 100s /a=1 100s /b=1]")
				r.want("sessions", r.windows("closed"), "[20s =2 120s =2]")
				events := 0.0
				for _, b := range store.Windows(r.plan.Metrics[0].Hash) {
					events += b.Aggregates[0].Float
				}
				r.want("events in sessions", events, 39)
				r.end()
			})
		})
	}
}

// A partition that is gone is forgotten, and doesn't hold W any more.
func TestPartitionGoneIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		log.Drop()
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("kind", r.partition(1).FaultKind, processing.PartitionGone)
		r.want("decided", r.accept(), "[events/1 is forgotten: the topic has no such partition any more; sessions do without what they had not taken yet of the offsets 4 to 9]")
		for s := range 30 {
			log.Append(rec(0, time.Duration(20+s)*time.Second, "user=a", "url=/a"))
		}
		pass(time.Second)
		r.want("W", r.watermark(), "43.999s")
		r = r.restart()
		r.want("partitions", len(r.Status().Partitions), 1)
		pass(10 * time.Minute)
		r.want("phase", r.Status().Phase, processing.Running)
		r.end()
	})
}

// Another cluster's log is read from its start once somebody says so.
func TestClusterChangedIsAccepted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		log.Move("elsewhere")
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("kind", r.partition(0).FaultKind, processing.ClusterChanged)
		r.want("decided", len(r.accept()), 2)
		r = r.restart()
		r.want("consumed", r.Status().Counters.Consumed, 40)
		r.end()
	})
}

// A cluster that is the right one again needs no decision: the fault is cleared.
func TestAFaultThatHasGoneIsCleared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		log.Move("elsewhere")
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.end()
		r.want("faults", len(store.Faults()), 2)
		log.Move("memory")
		r = start(t, log, store, rigMetrics).restart()
		r.end()
	})
}

// There must be something to decide.
func TestNothingToAccept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		zero, nine := event.PartitionID(0), event.PartitionID(9)
		for _, c := range []struct {
			topic string
			only  *event.PartitionID
			want  string
		}{
			{"events", nil, "nothing to decide: all partitions of events are read"},
			{"events", &zero, "nothing to decide: events/0 is read"},
			{"events", &nine, "nothing to decide: events has no partition 9"},
			{"other", nil, `nothing to decide: the topic that is read is "events", not "other"`},
		} {
			_, err := r.AcceptGap(t.Context(), c.topic, c.only)
			if !errors.Is(err, processing.ErrNotFaulted) || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		}
		r.end()
	})
}

// A decision waits until what was read before the fault is folded, or nobody waits for it any more.
func TestDecisionThatNobodyWaitsFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		log.Truncate(1, 8)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.AcceptGap(ctx, "events", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		pass(time.Second)
		r.want("kind", r.partition(1).FaultKind, processing.TailLost)
		r.end()
	})
}
