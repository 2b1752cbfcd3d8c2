package processing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// rebuild folds a log as it is now into a new store, up to where Retarget says.
func rebuild(t *testing.T, log *memory.Log, old *memory.Store) *memory.Store {
	t.Helper()
	state, err := old.Load(rigPlan(t, rigMetrics))
	if err != nil {
		t.Fatal(err)
	}
	reader := log.Reader()
	topic, err := reader.Open(t.Context(), func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	ends, err := reader.Ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	target, err := processing.Retarget(state, topic, ends)
	if err != nil {
		t.Fatal(err)
	}
	into := memory.NewStore()
	into.Follow(true)
	r := start(t, log, into, rigMetrics, func(o *processing.Options) { o.Target, o.Silent = target, true })
	if err := <-r.ended; err != nil {
		t.Fatalf("fold: %v", err)
	}
	r.stop()
	into.Resume()
	return into
}

// same compares two stores that have folded the same log.
func same(t *testing.T, got, want *memory.Store) {
	t.Helper()
	byHash := func(s *memory.Store) (out []string) {
		for _, d := range s.Digests() {
			out = append(out, fmt.Sprint(d.Name, " ", d.Facts, " ", d.Sum))
		}
		slices.Sort(out)
		return out
	}
	if g, w := byHash(got), byHash(want); !slices.Equal(g, w) {
		t.Errorf("digests %v, want %v", g, w)
	}
}

// A batch that was left out is left out by every other fold: the gap is in the journal, and nothing else was lost.
func TestRebuildLeavesOutWhatWasLeftOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		log.Choke(1, 15, 18)
		more(log, 10, 10)
		r := start(t, log, store, rigMetrics)
		pass(5 * time.Second)
		r.accept(1)
		more(log, 20, 100)
		pass(time.Second)
		r.end()
		again := rebuild(t, log, store)
		same(t, again, store)
		r = start(t, log, again, rigMetrics)
		pass(time.Second)
		r.want("phase", r.Status().Phase, processing.Running)
		r.want("consumed", r.Status().Counters.Consumed, 237)
		r.end()
	})
}

// A topic that was made anew gives a state of what the new one holds, and reading goes on from there.
func TestRebuildOfANewTopic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		log.Recreate()
		log.Empty()
		more(log, 100, 30)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		r.want("kind", r.partition(0).FaultKind, processing.TopicRecreated)
		r.end()
		again := rebuild(t, log, store)
		r = start(t, log, again, rigMetrics)
		more(log, 130, 30)
		pass(time.Second)
		r.want("fault", r.partition(0).Fault, "")
		r.want("consumed", r.Status().Counters.Consumed, 120)
		r.want("windows", r.windows("views"), "[100s /a=10 100s /b=10 110s /a=10 110s /b=10 120s /a=10 120s /b=10 130s /a=10 130s /b=10 140s /a=10 140s /b=10]")
		r.end()
	})
}

// Where retention has passed the beginning, the new state begins where the log does.
func TestRebuildOfAShorterLog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := twoPartitions(t)
		r := start(t, log, store, rigMetrics)
		more(log, 10, 50)
		pass(time.Second)
		r.end()
		for id := range event.PartitionID(2) {
			log.Retain(id, 20)
		}
		again := rebuild(t, log, store)
		r = start(t, log, again, rigMetrics)
		pass(time.Second)
		r.want("fault", r.partition(0).Fault, "")
		r.want("consumed", r.Status().Counters.Consumed, 80)
		r.want("windows", r.windows("views"), "[20s /a=10 20s /b=10 30s /a=10 30s /b=10 40s /a=10 40s /b=10]")
		r.end()
	})
}
