package processing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// The tests of this file are the cases in which W_p as the log alone tells it would be wrong: W has moved on without a
// partition. What was decided then is in the journal, and a fold that reads it decides the same.

// wantFloors holds the journal to "partition/offset=floor".
func (r *rig) wantFloors(want ...string) {
	r.t.Helper()
	var got []string
	for _, f := range r.target().Floors {
		got = append(got, fmt.Sprintf("%d/%d=%s", f.Partition, f.Offset, clock(f.Floor)))
	}
	wantLines(r.t, "floors", got, want...)
}

// A partition was idle, and W went on without it. What it then brings from behind W is late, in a replay too, where nothing
// is idle and its records may be read before those that W went on by.
func TestPartitionThatReturnsBehindW(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second, "user=a", "url=/a"), rec(1, 10*time.Second, "user=b", "url=/b"))
		r := start(t, log, store, replayMetrics)
		for s := range 80 {
			pass(time.Second)
			log.Append(rec(0, time.Duration(11+s)*time.Second, "user=a", "url=/a"))
		}
		pass(time.Second)
		r.want("W", r.watermark(), "1m24.999s")
		log.Append(rec(1, 12*time.Second, "user=b", "url=/b"), rec(1, 84*time.Second, "user=b", "url=/b"), rec(1, 91*time.Second, "user=b", "url=/b"))
		pass(time.Second)
		r.want("late", r.Status().Counters.Late, 1)
		r.wantFloors("1/1=1m24.999s")
		r.end()
		r.replayed(replayMetrics)
	})
}

// W went on while a partition was idle, then the server was started anew. Its idleness has to be proven again, so that its
// next record finds it active, but not less behind.
func TestRestartWhileAPartitionWasIdle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second, "user=a"), rec(1, 10*time.Second, "user=b"))
		r := start(t, log, store, replayMetrics)
		for s := range 60 {
			pass(time.Second)
			log.Append(rec(0, time.Duration(11+s)*time.Second, "user=a"))
		}
		pass(time.Second)
		w := r.watermark()
		r.end()
		log.Append(rec(1, 20*time.Second, "user=b"), rec(1, 70*time.Second, "user=b"))
		r = start(t, log, store, replayMetrics)
		pass(time.Second)
		r.want("W", r.watermark(), w)
		r.want("late for sessions", r.Status().Counters.LatePartly, 1)
		r.wantFloors("1/1=" + w)
		log.Append(rec(0, 100*time.Second, "user=a"), rec(1, 100*time.Second, "user=b"))
		pass(time.Second)
		r.end()
		r.replayed(replayMetrics)
	})
}

// After a quiet hour, in which W followed the clock, all partitions bring an hour at once, one after the other. Those that
// come second are not late for it, and the journal says where each of them began.
func TestBulkLoadAfterAQuietHour(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(3, 7), memory.NewStore()
		for p := range event.PartitionID(3) {
			log.Append(rec(p, 10*time.Second, "user=a", "url=/a"))
		}
		r := start(t, log, store, replayMetrics)
		pass(time.Hour)
		w := r.watermark()
		r.want("W follows the clock", w, "1h0m4.999s")
		log.Stall(2)
		for p := range event.PartitionID(3) {
			for s := range 40 {
				log.Append(rec(p, time.Hour+time.Duration(10+90*s)*time.Second, "user=a", "url=/a"))
			}
		}
		pass(20 * time.Second)
		r.want("W waits for the slow one", r.watermark(), w)
		log.Flow(2)
		pass(time.Second)
		r.want("late", r.Status().Counters.Late, 0)
		r.wantFloors("0/1="+w, "1/1="+w, "2/1="+w)
		r.end()
		r.replayed(replayMetrics)
	})
}

// A partition is added when W is far ahead of what it brings.
func TestPartitionAddedBehindW(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		log.Append(rec(0, 100*time.Second, "user=a", "url=/a"))
		r := start(t, log, store, replayMetrics)
		pass(time.Second)
		w := r.watermark()
		log.Add()
		log.Append(rec(1, 10*time.Second, "user=b", "url=/b"), rec(1, 99*time.Second, "user=b", "url=/b"))
		pass(3 * time.Second)
		log.Add() // stays empty
		log.Append(rec(0, 200*time.Second, "user=a", "url=/a"), rec(1, 200*time.Second, "user=b", "url=/b"))
		pass(3 * time.Second)
		r.want("late", r.Status().Counters.Late, 1)
		r.wantFloors("1/0=" + w)
		pass(2 * time.Minute)
		r.end()
		r.replayed(replayMetrics)
	})
}

// A transaction is open for long while others go on: it holds W, and what it brings in the end is on time. A replay, which
// finds it closed, has nothing to wait for.
func TestOpenTransactionThatHeldW(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second, "user=a", "url=/a"), rec(1, 10*time.Second, "user=b", "url=/b"))
		r := start(t, log, store, replayMetrics)
		pass(time.Second)
		log.Begin(1)
		log.Append(rec(1, 12*time.Second, "user=b", "url=/b"))
		for s := range 90 {
			pass(time.Second)
			log.Append(rec(0, time.Duration(11+s)*time.Second, "user=a", "url=/a"))
		}
		pass(time.Second)
		r.want("W", r.watermark(), "4.999s")
		r.end()
		r.replayed(replayMetrics) // also with the transaction still open
		r = start(t, log, store, replayMetrics)
		pass(time.Minute)
		r.want("W after a restart", r.watermark(), "4.999s")
		log.End(1)
		pass(time.Second)
		log.Append(rec(1, 100*time.Second, "user=b", "url=/b"))
		pass(time.Second)
		r.want("W", r.watermark(), "1m34.999s")
		r.want("late", r.Status().Counters.Late, 0)
		r.wantFloors()
		pass(2 * time.Minute)
		r.end()
		r.replayed(replayMetrics)
	})
}
