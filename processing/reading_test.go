package processing_test

import (
	"testing"
	"time"
)

// An answer, or an error, that was fetched before an operator's decision belongs to a reading that was given up, whether it
// arrives before the decision or after it: nothing of it is folded, and it faults nothing again.
func TestAnswersFromBeforeADecision(t *testing.T) {
	for _, c := range []struct {
		name string
		old  int // records of the old log that are on their way
		late bool
	}{
		{"records before the decision", 20, false},
		{"records after the decision", 20, true},
		{"an error before the decision", 0, false},
		{"an error after the decision", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log, store := twoPartitions(t)
				r := start(t, log, store, rigMetrics)
				pass(time.Second)
				r.reader.Hold()
				more(log, 40, c.old)
				pass(time.Second)
				log.Recreate()
				log.Empty()
				pass(5 * time.Second)
				r.want("phase", r.partition(1).FaultKind, "topic_recreated")
				if !c.late {
					r.reader.Release()
					pass(time.Second)
				}
				r.want("gaps", len(r.accept()), 2)
				if c.late {
					r.reader.Release()
				}
				pass(time.Second)
				r.want("fault", r.partition(0).Fault+r.partition(1).Fault, "")
				r.want("position", r.partition(1).Position, 0)
				more(log, 20, 20)
				pass(2 * time.Minute)
				r.want("windows", r.windows("views"), "[0s /a=10 0s /b=10 20s /a=10 20s /b=10 30s /a=10 30s /b=10]")
				r.want("consumed", r.Status().Counters.Consumed, 60)
				r = r.restart()
				r.end()
			})
		})
	}
}

// A look at the cluster from before a decision says nothing of what was decided, and faults no partition again.
func TestLooksFromBeforeADecision(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.reader.HoldLook()
		pass(3 * time.Second)
		log.Recreate()
		log.Empty()
		pass(time.Second)
		r.want("kind", r.partition(1).FaultKind, "topic_recreated") // a fetch has said so
		r.want("gaps", len(r.accept()), 2)
		r.reader.Release()
		pass(time.Second)
		r.want("fault", r.partition(0).Fault+r.partition(1).Fault, "")
		more(log, 20, 20)
		pass(2 * time.Minute)
		r.want("consumed", r.Status().Counters.Consumed, 60)
		r.end()
	})
}
