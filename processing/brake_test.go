package processing_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/memory"
)

// brake is a brake that tests pull.
type brake struct{ reason atomic.Value }

func (b *brake) pull(reason string) { b.reason.Store(reason) }

func (b *brake) ask() string {
	reason, _ := b.reason.Load().(string)
	return reason
}

func (b *brake) fit(o *processing.Options) {
	o.Brakes = []processing.Brake{func() string { return "" }, b.ask}
}

// What was taken before a brake is committed, nothing more is taken, and W stays where that brought it. Then all goes on by
// itself, and nothing was lost or became late.
func TestBrakeHoldsWhatWasNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store, b := memory.NewLog(2, 100), memory.NewStore(), &brake{}
		log.Append(rec(0, 10*time.Second, "url=/a"), rec(1, 12*time.Second, "url=/a"))
		r := start(t, log, store, rigMetrics, b.fit)
		pass(2 * time.Second)
		r.want("W", r.watermark(), "4.999s")

		b.pull("the disk is full")
		pass(2 * time.Second)
		commits := store.Commits()
		for s := range 300 {
			log.Append(rec(0, time.Duration(20+s)*time.Second, "url=/b"), rec(1, time.Duration(20+s)*time.Second, "url=/b"))
			pass(time.Second)
		}
		r.want("held", r.Status().Held, "the disk is full")
		r.want("verdict", r.Status().Verdict, "No records are taken: the disk is full")
		r.want("phase", r.Status().Phase, processing.CatchingUp)
		r.want("W", r.watermark(), "4.999s")
		r.want("position", r.partition(0).Position, 1)
		r.want("lag", r.partition(0).Lag, 300)
		r.want("idle", r.partition(0).Idle, false)
		r.want("consumed", r.Status().Counters.Consumed, 2)
		r.want("commits", store.Commits(), commits)
		if n := r.reader.Fetched(0); n > 2 {
			t.Errorf("%d records were fetched", n)
		}

		b.pull("")
		pass(2 * time.Second)
		r.want("held", r.Status().Held, "")
		r.want("verdict", r.Status().Verdict, "Healthy")
		r.want("W", r.watermark(), "5m13.999s")
		c := r.Status().Counters
		r.want("counters", fmt.Sprint(c.Consumed, c.Applied, c.Late), "602 602 0")
		r.end()
	})
}

// A brake that holds at the start lets nothing in; held rows of the run before are read when it lets go.
func TestBrakeHoldsFromTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store, b := memory.NewLog(1, 100), memory.NewStore(), &brake{}
		log.Append(rec(0, 10*time.Second, "user=u"), rec(0, 12*time.Second, "user=u"))
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.end()

		log.Append(rec(0, 50*time.Second, "user=u"))
		b.pull("the disk is full")
		r = start(t, log, store, rigMetrics, b.fit)
		pass(time.Minute)
		r.want("held", r.Status().Held, "the disk is full")
		r.want("verified", r.Status().Verified, true)
		r.want("consumed", r.Status().Counters.Consumed, 2)
		r.end() // also a held pipeline ends in order
		r = start(t, log, store, rigMetrics, b.fit)
		pass(time.Minute)
		b.pull("")
		pass(2 * time.Second)
		r.want("consumed", r.Status().Counters.Consumed, 3)
		r.want("W", r.watermark(), "44.999s")
		pass(2 * time.Minute)
		r.want("sessions that closed", r.windows("closed"), "[20s =1 60s =1]")
		r.end()
	})
}

// A brake in a quiet topic stops W; records that come meanwhile are on time when it lets go, and a partition that is added
// waits like the others.
func TestBrakeInAQuietTopic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store, b := memory.NewLog(1, 100), memory.NewStore(), &brake{}
		log.Append(rec(0, 10*time.Second, "url=/a"))
		r := start(t, log, store, rigMetrics, b.fit)
		pass(3 * time.Minute)
		b.pull("the feed is full")
		pass(2 * time.Second)
		w, commits := r.watermark(), store.Commits()
		pass(time.Hour)
		r.want("W", r.watermark(), w)
		r.want("commits", store.Commits(), commits)
		log.Add()
		log.Append(rec(0, 4*time.Minute, "url=/a"), rec(1, 4*time.Minute, "url=/a"))
		pass(time.Minute)
		r.want("consumed", r.Status().Counters.Consumed, 1)
		r.want("partitions", len(r.Status().Partitions), 2)
		b.pull("")
		pass(3 * time.Second)
		c := r.Status().Counters
		r.want("counters", fmt.Sprint(c.Consumed, c.Applied, c.Late), "3 3 0")
		r.want("W", r.watermark(), "3m54.999s")
		r.end()
	})
}

// A partition that faulted while a brake held stays where it is.
func TestFaultWhileABrakeHolds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, b := memory.NewLog(2, 100), &brake{}
		b.pull("the disk is full")
		r := start(t, log, memory.NewStore(), rigMetrics, b.fit)
		pass(time.Second)
		log.Append(rec(0, 10*time.Second), rec(1, 10*time.Second))
		pass(time.Minute)
		log.Fail(1, errDisk)
		b.pull("")
		pass(2 * time.Second)
		r.want("fault", r.partition(1).Fault, errDisk.Error())
		b.pull("the disk is full")
		pass(2 * time.Second)
		b.pull("")
		pass(2 * time.Second)
		r.want("paused", fmt.Sprint(r.reader.Paused(0), r.reader.Paused(1)), "false true")
		r.want("phase", r.Status().Phase, processing.Faulted)
		r.want("consumed", r.Status().Counters.Consumed, 1)
		r.end()
	})
}
