package processing_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/processing/window"
)

// standing is what a state must be wherever it was folded: all of it is a function of the log, of the journal and of W.
type standing struct {
	Watermark, Newest event.Millis
	Counters          processing.Counters
	Cursors           []string
	Floors            []processing.Floor
	Settled           []string // last revisions of the windows that have settled
	Finals            []string
	Alerts            []string // what each has become
	Watches           int
	Sessions          int64 // open
	Digests           []processing.DefinitionDigest
	Definitions       []string
	DeadLetters       []string
	Schemas           int
}

func (r *rig) standing() standing {
	r.t.Helper()
	state, err := r.store.Load(r.plan)
	if err != nil {
		r.t.Fatal(err)
	}
	s := standing{
		Watermark: state.Watermark, Newest: state.Newest, Counters: state.Counters, Floors: state.Floors,
		Watches: r.store.Watches(), Sessions: r.Status().OpenSessions, Schemas: len(state.Schemas), Digests: state.Digests,
	}
	for _, c := range state.Cursors {
		s.Cursors = append(s.Cursors, fmt.Sprint(c.Partition, " ", c.Start, " ", c.Next, " ", c.Max, " ", c.Anchor))
	}
	for i := range r.plan.Metrics {
		m := &r.plan.Metrics[i]
		for _, w := range r.store.Windows(m.Hash) {
			if w.End-1+m.Lateness <= state.Watermark {
				s.Settled = append(s.Settled, windowText(&w)+": "+numbersText(&w))
			}
		}
	}
	for _, e := range r.store.Entries() {
		switch {
		case e.Result != nil && e.Result.Kind == window.Final:
			s.Finals = append(s.Finals, windowText(e.Result)+": "+numbersText(e.Result))
		case e.DeadLetter != nil:
			s.DeadLetters = append(s.DeadLetters, fmt.Sprint(e.DeadLetter.Partition, " ", e.DeadLetter.Offset, " ", e.DeadLetter.Reason))
		}
	}
	for _, a := range r.store.Alerts() {
		s.Alerts = append(s.Alerts, fmt.Sprint(a.ID, " ", a.State, " ", a.StartedAt, " ", a.EndedAt, " ", a.Value, a.Metrics, a.Context))
	}
	for _, d := range state.Definitions {
		s.Definitions = append(s.Definitions, fmt.Sprint(d))
	}
	for _, list := range [][]string{s.Finals, s.DeadLetters, s.Definitions} {
		slices.Sort(list)
	}
	slices.SortFunc(s.Floors, func(a, b processing.Floor) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return s
}

// target is where the store stands.
func (r *rig) target() *processing.Target {
	r.t.Helper()
	state, err := r.store.Load(r.plan)
	if err != nil {
		r.t.Fatal(err)
	}
	return processing.TargetOf(state)
}

// foldTo folds the log into a store up to a target and returns what came of it.
func foldTo(t *testing.T, log *memory.Log, store *memory.Store, definitions string, target *processing.Target, change ...func(*processing.Options)) (*rig, error) {
	t.Helper()
	silent := false
	r := start(t, log, store, definitions, append(change, func(o *processing.Options) {
		o.Target, silent = target, o.Silent
		store.Follow(silent)
	})...)
	return r, <-r.ended
}

// replayed folds the log again up to where a run has come, with one worker and with four, and compares.
func (r *rig) replayed(definitions string, change ...func(*processing.Options)) {
	r.t.Helper()
	want, target := r.standing(), r.target()
	for _, workers := range []int{1, 4} {
		again, err := foldTo(r.t, r.log, memory.NewStore(), definitions, target, append(change, func(o *processing.Options) { o.Workers = workers })...)
		if err != nil {
			r.t.Errorf("%d workers: %v", workers, err)
			continue
		}
		if diff := gocmp.Diff(want, again.standing()); diff != "" {
			r.t.Errorf("replayed with %d workers it is something else (-was +is):\n%s", workers, diff)
		}
	}
}

// TestReplayIsTheSame reads a random log whose partitions fall idle, come back and are added, with open transactions and
// restarts, and folds it again up to several of the points that it has passed: from the beginning, and from one of the
// earlier points.
func TestReplayIsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		traffic := randomTraffic(rt)
		steps := rapid.SliceOfN(rapid.Custom(randomStep), 1, 8).Draw(rt, "steps")
		for i := range steps {
			steps[i].Wait += time.Duration(rapid.SampledFrom([]int{0, 0, 5, 40, 70, 200}).Draw(rt, "quiet")) * time.Second
		}
		round := rapid.IntRange(1, 40).Draw(rt, "round")
		workers := rapid.IntRange(1, 4).Draw(rt, "workers")
		from := rapid.IntRange(0, len(steps)).Draw(rt, "from")
		synctest.Test(t, func(t *testing.T) { replayInSteps(t, rt, traffic, steps, round, workers, from) })
	})
}

// point is a place that a run has passed.
type point struct {
	store  *memory.Store
	target *processing.Target
	is     standing
}

func replayInSteps(t *testing.T, rt *rapid.T, traffic [][]event.Record, steps []step, round, workers, from int) {
	log, store := memory.NewLog(1, round), memory.NewStore()
	run := func(s *step) *rig {
		return start(t, log, store, replayMetrics, allEncodings, func(o *processing.Options) {
			o.Workers, o.MinCommit, o.MaxCommit = s.Workers, s.MinCommit, s.MaxTime
		})
	}
	left := slices.Clone(traffic)
	var points []point
	r := run(&steps[0])
	added := 1
	for i := range steps {
		for p := range left {
			if p >= added && i > 0 && steps[i].Parts[p] > 50 {
				log.Add()
				added++
			}
			if p >= added {
				continue
			}
			n := len(left[p]) * steps[i].Parts[p] / 100
			half := n / 2
			log.Append(left[p][:half]...)
			if steps[i].Parts[p]%3 == 0 {
				log.Begin(event.PartitionID(p))
				pass(steps[i].Wait / 2)
				log.Append(left[p][half:n]...)
				pass(time.Second)
				log.End(event.PartitionID(p))
			} else {
				log.Append(left[p][half:n]...)
			}
			left[p] = left[p][n:]
		}
		pass(steps[i].Wait)
		if steps[i].Restart || i == len(steps)-1 {
			r.end()
			points = append(points, point{store.Clone(), r.target(), r.standing()})
			if i < len(steps)-1 {
				r = run(&steps[i])
			}
		}
	}
	last := &points[len(points)-1]
	rt.Logf("%d points, %d floors, W %s, %d finals, %d alerts, %+v", len(points), len(last.is.Floors), clock(last.is.Watermark), len(last.is.Finals), len(last.is.Alerts), last.is.Counters)
	for n, to := range points {
		for _, base := range []int{-1, from} {
			at := memory.NewStore()
			if base >= 0 {
				if base >= n {
					continue
				}
				at = points[base].store.Clone()
			}
			again, err := foldTo(t, log, at, replayMetrics, to.target, allEncodings, func(o *processing.Options) { o.Workers, o.Registry = workers, nil })
			if err != nil {
				rt.Fatalf("from %d to %d: %v", base, n, err)
			}
			if diff := gocmp.Diff(to.is, again.standing()); diff != "" {
				rt.Fatalf("folded from %d to %d it is something else (-was +is):\n%s", base, n, diff)
			}
		}
	}
}
