package processing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/memory"
)

// A log that is not provably the one that the state was made from is not read. The others go on, W waits.
func TestMismatchesFault(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*memory.Log)
		reason string
		others bool // only partition 1 is faulted
	}{
		{"the topic was made anew", func(l *memory.Log) { l.Recreate() }, "re-created", false},
		{"another cluster", func(l *memory.Log) { l.Move("elsewhere") }, `from cluster "memory", this is cluster "elsewhere"`, false},
		{"the tail was lost", func(l *memory.Log) { l.Truncate(1, 9) }, "ends at offset 9, before the position 10", true},
		{"retention has passed what is held", func(l *memory.Log) { l.Retain(1, 8) }, "retention has passed it", true},
		{"the partition is gone", func(l *memory.Log) { l.Drop() }, "no partition 1 any more", true},
		{"another record stands where the last was read", func(l *memory.Log) {
			l.Truncate(1, 9)
			l.Append(rec(1, 9*time.Second, "user=somebody else"))
		}, "offset 9 is not the one that was read there", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log, store := memory.NewLog(2, 100), memory.NewStore()
				for s := range 10 {
					log.Append(rec(0, time.Duration(s)*time.Second, "user=a"), rec(1, time.Duration(s)*time.Second, "user=b"))
				}
				r := start(t, log, store, rigMetrics)
				pass(time.Second)
				r.end()
				w, consumed := r.watermark(), r.Status().Counters.Consumed

				c.change(log)
				r = start(t, log, store, rigMetrics)
				pass(time.Second)
				for s := range 10 {
					log.Append(rec(0, time.Duration(20+s)*time.Second, "user=a"))
					if !strings.Contains(c.name, "gone") {
						log.Append(rec(1, time.Duration(20+s)*time.Second, "user=b"))
					}
				}
				pass(5 * time.Minute)
				if fault := r.partition(1).Fault; !strings.Contains(fault, c.reason) {
					t.Errorf("fault %q, want %q", fault, c.reason)
				}
				r.want("phase", r.Status().Phase, processing.Faulted)
				r.want("W", r.watermark(), w)
				if c.others {
					r.want("the other partition", fmt.Sprint(r.partition(0).Position, r.partition(0).Fault), "20")
					consumed += 10
				}
				r.want("consumed", r.Status().Counters.Consumed, consumed)
				r.end()
			})
		})
	}
}

// Only the record is compared that was read last; if retention has taken it, and nothing is held, reading goes on.
func TestRetentionMayTakeTheLastRecordRead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		log.Append(rec(0, 10*time.Second), rec(0, 11*time.Second))
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.end()
		log.Retain(0, 2)
		log.Append(rec(0, 30*time.Second))
		r = start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("fault", r.partition(0).Fault, "")
		r.want("W", r.watermark(), "24.999s")
		r.end()
	})
}

// An error of one partition faults it alone, for good; also an idle one holds W from then on.
func TestFetchErrorFaultsOnePartition(t *testing.T) {
	for _, idle := range []bool{false, true} {
		t.Run(fmt.Sprint("idle before ", idle), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log := memory.NewLog(2, 100)
				log.Append(rec(0, 10*time.Second), rec(1, 20*time.Second))
				r := start(t, log, memory.NewStore(), rigMetrics)
				pass(time.Second)
				if idle {
					for range 40 {
						pass(time.Second)
						log.Append(rec(0, 11*time.Second))
					}
					r.want("idle", r.partition(1).Idle, true)
				}
				log.Fail(1, errors.New("the log is gone"))
				pass(time.Second)
				log.Append(rec(0, 30*time.Second), rec(1, 30*time.Second))
				pass(5 * time.Minute)
				r.want("fault", r.partition(1).Fault, "the log is gone")
				r.want("holds", r.partition(1).HoldsBack, true)
				r.want("W", r.watermark(), "14.999s")
				r.want("position", r.partition(1).Position, 1)
				r.end()
			})
		})
	}
}

// A partition that the cluster names but can't tell of yet holds W: its records must not become late meanwhile.
func TestPartitionThatIsNotThereYetHoldsTheWatermark(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := memory.NewLog(2, 100)
		log.Append(rec(0, 100*time.Second, "url=/a"), rec(1, 10*time.Second, "url=/b"))
		log.Hide(1, errors.New("no leader"))
		r := start(t, log, memory.NewStore(), rigMetrics)
		pass(3 * time.Minute)
		r.want("W", r.watermark(), "never")
		if v := r.Status().Verdict; !strings.Contains(v, "Partition 1 can't be read yet") {
			t.Errorf("verdict %q", v)
		}
		log.Stall(1)
		log.Hide(1, nil)
		pass(3 * time.Minute)
		r.want("W while what is there is not read", r.watermark(), "never")
		log.Flow(1)
		pass(3 * time.Second)
		r.want("W", r.watermark(), "4.999s")
		r.want("late", r.Status().Counters.Late, 0)
		r.end()
	})
}

// A cluster that does not answer is waited for, and the verdict tells why. What is known of the ends gets old meanwhile, so
// that nothing becomes idle.
func TestAClusterThatDoesNotAnswerIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log := memory.NewLog(2, 100)
		log.Append(rec(0, 100*time.Second, "url=/a"), rec(1, 10*time.Second, "url=/b"))
		log.Leave(errors.New("wrong password"))
		r := start(t, log, memory.NewStore(), rigMetrics)
		pass(time.Minute)
		r.want("verdict", r.Status().Verdict, "Starting: waiting for Kafka: wrong password")
		r.want("verified", r.Status().Verified, false)
		log.Leave(nil)
		pass(3 * time.Second)
		r.want("W", r.watermark(), "4.999s")
		r.want("verdict", r.Status().Verdict, "Healthy")

		log.Leave(errors.New("connection refused"))
		pass(3 * time.Minute)
		r.want("phase", r.Status().Phase, processing.CatchingUp)
		r.want("verdict", r.Status().Verdict, "Kafka does not answer, and the watermark waits: connection refused")
		r.want("W", r.watermark(), "4.999s")
		log.Leave(nil)
		log.Append(rec(1, 50*time.Second, "url=/b"))
		pass(3 * time.Second)
		r.want("verdict", r.Status().Verdict, "Healthy")
		r.want("W", r.watermark(), "44.999s")
		r.want("late", r.Status().Counters.Late, 0)
		r.end()
	})
}
