package processing_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// A partition without a record holds W until it is idle; then those with records go on alone.
func TestOnePartitionWithDataAmongEmptyOnes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := memory.NewLog(4, 100)
		for s := range 600 {
			log.Append(rec(2, time.Duration(s)*time.Second, "url=/a", "user=u"))
		}
		r := start(t, log, memory.NewStore(), rigMetrics)
		pass(20 * time.Second)
		r.want("W while the others may still speak", r.watermark(), "never")
		pass(20 * time.Second)
		r.want("W once they are idle", r.watermark(), "9m53.999s")
		r.want("position", r.partition(2).Position, 600)
		r.end()
	})
}

// What is hours ahead waits; what is behind is read all the time, and everything comes out in the end.
func TestMaxAheadHoldsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := memory.NewLog(3, 1000)
		log.Stall(0)
		for i := range 7200 {
			at := time.Duration(i) * 100 * time.Millisecond
			log.Append(rec(0, at, "url=/slow"))
			log.Append(rec(1, at+time.Hour, "url=/ahead", "user=u"))
			log.Append(rec(2, at+10*time.Hour, "url=/far", "user=v"))
		}
		r := start(t, log, memory.NewStore(), rigMetrics)
		pass(10 * time.Second)
		if n := r.partition(2).Position; n > 3*2048 {
			t.Errorf("a partition that is hours ahead was folded up to %d", n)
		}
		log.Flow(0)
		pass(20 * time.Second)
		r.want("position of the slow one", r.partition(0).Position, 7200)
		pass(2 * time.Minute) // until it is idle, and so on
		for id := range event.PartitionID(3) {
			r.want("position", r.partition(id).Position, 7200)
		}
		r.want("counters", r.Status().Counters.Applied, 3*7200)
		r.end()
	})
}

// However much waits of partitions that are ahead, the one that W waits for is read.
func TestMuchThatWaitsIsNoDeadlock(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 700,000 records")
	}
	inBubble(t, func(t *testing.T) {
		const partitions, each = 12, 64_000
		log := memory.NewLog(partitions, 40_000)
		log.Stall(0)
		log.Append(rec(0, time.Second, "url=/slow"), rec(0, 3*time.Hour, "url=/slow"))
		for p := range event.PartitionID(partitions - 1) {
			list := slices.Repeat([]event.Record{rec(p+1, 2*time.Hour, "url=/ahead")}, each)
			list[0] = rec(p+1, time.Hour, "url=/ahead")
			log.Append(list...)
		}
		r := start(t, log, memory.NewStore(), "metrics:"+rigViews)
		pass(10 * time.Second)
		log.Flow(0)
		pass(20 * time.Second)
		for p := range event.PartitionID(partitions - 1) {
			r.want("position", r.partition(p+1).Position, each)
		}
		r.want("position of the slow one", r.partition(0).Position, 2)
		r.end()
	})
}

// Control marks take offsets that no record has. A log that ends with some has been read to its end.
func TestControlMarksAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second, "user=u"), rec(1, 10*time.Second, "user=v"))
		log.Control(0)
		log.Control(0)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("W", r.watermark(), "4.999s")
		r.end()
		r = start(t, log, store, rigMetrics)
		pass(3 * time.Second)
		r.want("position", r.partition(0).Position, 3)
		log.Append(rec(0, 20*time.Second, "user=u"), rec(1, 20*time.Second, "user=v"))
		pass(time.Second)
		r.want("W goes on", r.watermark(), "14.999s")
		pass(5 * time.Minute)
		r.want("sessions", r.windows("closed"), "[40s =2]")
		r.end()
	})
}

// After a restart W stands until the rows that were held have been read again, in all partitions.
func TestWatermarkStandsWhileHeldRowsAreReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		for s := range 20 {
			log.Append(rec(0, time.Duration(s)*time.Second, "user=a"), rec(1, time.Duration(s)*time.Second, "user=b"))
		}
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("W", r.watermark(), "13.999s")
		r.end()

		log.Stall(1)
		r = start(t, log, store, rigMetrics)
		for s := range 40 {
			log.Append(rec(0, time.Duration(s+20)*time.Second, "user=a"), rec(1, time.Duration(s+20)*time.Second, "user=b"))
		}
		pass(10 * time.Second)
		r.want("W while partition 1 is not read", r.watermark(), "13.999s")
		r.want("position of the other", r.partition(0).Position, 60)
		r.end() // once more, in the middle of it
		r = start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("W", r.watermark(), "13.999s")
		log.Flow(1)
		pass(time.Second)
		r.want("W", r.watermark(), "53.999s")
		pass(5 * time.Minute)
		r.want("sessions", r.windows("closed"), "[60s =2]")
		r.end()
	})
}

// An added partition is found while running. It comes behind W, which it can't move back: a floor is journaled.
func TestAddedPartition(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		log.Append(rec(0, 100*time.Second, "url=/a"))
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("W", r.watermark(), "1m34.999s")
		log.Add()
		log.Append(rec(1, 10*time.Second, "url=/late"), rec(1, 99*time.Second, "url=/b"))
		pass(3 * time.Second)
		r.want("position", r.partition(1).Position, 2)
		log.Append(rec(0, 200*time.Second, "url=/a"))
		pass(time.Second)
		r.want("W waits for it", r.watermark(), "1m34.999s")
		r.want("late", r.Status().Counters.Late, 1)
		log.Append(rec(1, 200*time.Second, "url=/b"))
		pass(time.Second)
		r.want("W", r.watermark(), "3m14.999s")
		r.want("windows", r.windows("views"), "[90s /b=1 100s /a=1]")
		r.end()
		state, err := store.Load(r.plan)
		if err != nil {
			t.Fatal(err)
		}
		r.want("floors", fmt.Sprint(len(state.Floors), state.Floors[0].Partition, state.Floors[0].Offset, state.Floors[0].Floor), "1 1 0 94999")
	})
}

// Where the reading of a partition starts is kept even if there is nothing to read: what is lost later is noticed.
func TestEmptyPartitionsHaveCursors(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.end()
		log.Append(rec(0, 10*time.Second), rec(0, 11*time.Second))
		log.Retain(0, 1)
		r = start(t, log, store, rigMetrics)
		pass(time.Second)
		if fault := r.partition(0).Fault; !strings.Contains(fault, "retention has passed") {
			t.Errorf("fault %q", fault)
		}
		r.end()
	})
}

// A topic that has never had a record is asleep, also after a restart: its first bulk load makes nobody late.
func TestTopicWithoutARecordStaysAsleepOverRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		r := start(t, log, store, rigMetrics)
		pass(time.Minute)
		r.end()
		r = start(t, log, store, rigMetrics)
		pass(29 * time.Second)
		log.Append(rec(0, 1000*time.Second))
		pass(20 * time.Second)
		log.Append(rec(1, 10*time.Second))
		pass(time.Second)
		r.want("late", r.Status().Counters.Late, 0)
		r.want("W", r.watermark(), "4.999s")
		r.end()
	})
}

// A commit that fails ends the run; nobody hears of what it would have said.
func TestFailedCommitEndsTheRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		before := len(r.seen.all())
		store.Fail(errDisk)
		log.Append(rec(0, 10*time.Second), rec(0, 100*time.Second))
		err := <-r.ended
		var failed *processing.CommitError
		if !errors.As(err, &failed) || !errors.Is(err, errDisk) {
			t.Errorf("run: %v", err)
		}
		r.want("announced", len(r.seen.all()), before)
		if _, err := r.Open(t.Context()); !errors.Is(err, processing.ErrEnded) {
			t.Errorf("open: %v", err)
		}

		store.Fail(nil)
		r = start(t, log, store, rigMetrics)
		pass(2 * time.Minute)
		r.want("windows", r.windows("views"), "[10s (none)=1 100s (none)=1]")
		r.end()
	})
}

// A server that stops commits what it has read and tells the consumer group.
func TestStopCommitsWhatWasRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 7), memory.NewStore()
		for s := range 500 {
			log.Append(rec(event.PartitionID(s%2), time.Duration(s)*time.Second))
		}
		r := start(t, log, store, rigMetrics, func(o *processing.Options) { o.MinCommit, o.MaxCommit = time.Hour, time.Hour })
		pass(time.Second)
		r.want("commits", store.Commits(), 0)
		r.end()
		r.want("commits", store.Commits(), 1)
		r.want("consumed", r.Status().Counters.Consumed > 0, true)
		r.want("reported", r.reader.Reported(0)+r.reader.Reported(1), r.Status().Counters.Consumed)
	})
}

// An idle server does not commit. When it has been quiet for long, W follows the clock, a step a second.
func TestIdleServerDoesNotCommit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		r := start(t, log, store, rigMetrics)
		pass(10 * time.Minute)
		r.want("commits of a topic without a record", store.Commits(), 1)
		log.Append(rec(0, 100*time.Second, "url=/a", "user=u"))
		pass(40 * time.Second)
		before := store.Commits()
		r.want("W", r.watermark(), "1m34.999s")
		pass(40 * time.Second)
		r.want("commits while idle", store.Commits()-before, 0)
		pass(30 * time.Second)
		before = store.Commits()
		pass(10 * time.Second)
		r.want("commits while quiet", store.Commits()-before, 10)
		r.want("windows", r.windows("views"), "[100s /a=1]")
		r.want("sessions", r.windows("closed"), "[120s =1]")
		r.end()
	})
}

// A window that was corrected a moment ago waits for its next correction; nothing is committed meanwhile.
func TestWaitingCorrectionsDoNotCommit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		r := start(t, log, store, "metrics:"+rigViews)
		log.Append(rec(0, time.Second), rec(0, 20*time.Second))
		pass(5 * time.Second)
		log.Append(rec(0, 2*time.Second))
		pass(100 * time.Millisecond)
		log.Append(rec(0, 3*time.Second))
		pass(100 * time.Millisecond)
		before := store.Commits()
		r.want("windows", r.windows("views"), "[0s (none)=2]")
		pass(700 * time.Millisecond)
		r.want("commits while it waits", store.Commits()-before, 0)
		pass(300 * time.Millisecond)
		r.want("windows", r.windows("views"), "[0s (none)=3]")
		r.end()
	})
}

// While a transaction is open nothing moves W, not even the clock of a quiet topic.
func TestOpenTransactionHoldsTheWatermark(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := memory.NewLog(2, 100)
		r := start(t, log, memory.NewStore(), rigMetrics)
		log.Append(rec(0, 100*time.Second), rec(1, 100*time.Second))
		pass(2 * time.Minute)
		log.Begin(1)
		log.Append(rec(1, 110*time.Second, "url=/in a transaction"))
		pass(3 * time.Second)
		w := r.watermark()
		if v := r.Status().Verdict; !strings.Contains(v, "open transaction") {
			t.Errorf("verdict %q", v)
		}
		pass(10 * time.Minute)
		r.want("W", r.watermark(), w)
		log.End(1)
		pass(3 * time.Second)
		r.want("position", r.partition(1).Position, 3)
		r.end()
	})
}
