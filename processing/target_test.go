package processing_test

import (
	"cmp"
	"fmt"
	"os"
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
// restarts, and folds it again up to one of the points that it has passed and up to its end: from the beginning, and from
// that point.
func TestReplayIsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		traffic := randomTraffic(rt)
		steps := rapid.SliceOfN(rapid.Custom(randomStep), 1, 8).Draw(rt, "steps")
		for i := range steps {
			steps[i].Wait += time.Duration(rapid.SampledFrom([]int{0, 0, 5, 40, 70, 200}).Draw(rt, "quiet")) * time.Second
		}
		round := rapid.IntRange(1, 40).Draw(rt, "round")
		workers := rapid.IntRange(1, 4).Draw(rt, "workers")
		stop := rapid.IntRange(0, len(steps)).Draw(rt, "stop")
		synctest.Test(t, func(t *testing.T) { replayInSteps(t, rt, traffic, steps, round, workers, stop) })
	})
}

// point is a place that a run has passed.
type point struct {
	store  *memory.Store
	target *processing.Target
	is     standing
}

func replayInSteps(t *testing.T, rt *rapid.T, traffic [][]event.Record, steps []step, round, workers, stop int) {
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
	stop %= len(points)
	for name, fold := range map[string]struct {
		from *memory.Store
		to   *point
	}{
		"to a point": {memory.NewStore(), &points[stop]}, "to the end": {memory.NewStore(), last}, "from the point to the end": {points[stop].store, last},
	} {
		again, err := foldTo(t, log, fold.from, replayMetrics, fold.to.target, allEncodings, func(o *processing.Options) { o.Workers = workers })
		if err != nil {
			rt.Fatalf("%s: %v", name, err)
		}
		if diff := gocmp.Diff(fold.to.is, again.standing()); diff != "" {
			rt.Fatalf("folded again %s it is something else (-was +is):\n%s", name, diff)
		}
	}
}

// Definitions come, go and come back while a log is read. Those in force at the end make of the whole log what they have
// made of their parts of it.
func TestReplayAfterDefinitionsChanged(t *testing.T) {
	const (
		base   = plain + alsoA
		edited = plain + alsoB
		carts  = `
  - {name: lasted, from: carts, window: {size: 10s}, aggregates: {n: {count: true}, events: {sum: events}}, value: events / n}
sessions:
  - {name: carts, key: user, gap: 5s, max_duration: 20s}`
		more = `
  - {name: longest, from: carts, window: {size: 10s}, aggregates: {d: {max: duration}}, value: d}`
		rules = `
alerts:
  - {name: busy, on: all, when: value > 15, for: 10s}
  - {name: rising, on: all, when: value > previous, keep_firing_for: 15s}
  - {name: nothing, on: some, when: value < 10}`
	)
	both := plain + alsoA + more + carts
	for name, phases := range map[string][]string{
		"a metric is added":            {plain, base, base},
		"a metric is edited and back":  {base, edited, base, base},
		"a kind is added":              {plain, plain + carts, plain + carts},
		"a kind leaves and comes back": {plain + carts, plain, plain + carts, plain + carts},
		"a metric of an old kind":      {plain + carts, both, both},
		"rules are added":              {base, base + rules, base + rules},
		"rules leave and come back":    {base + rules, base, base + rules, base + rules},
		"all of it":                    {base + rules, plain + carts, edited + carts, both + rules, plain, both + rules, both + rules},
	} {
		for _, quiet := range []time.Duration{0, 3 * time.Minute} {
			t.Run(fmt.Sprint(name, ", quiet for ", quiet), func(t *testing.T) {
				inBubble(t, func(t *testing.T) { replayPhases(t, phases, quiet) })
			})
		}
	}
}

func replayPhases(t *testing.T, phases []string, quiet time.Duration) {
	log, store := memory.NewLog(2, 40), memory.NewStore()
	var r *rig
	at := 0
	for i, definitions := range phases {
		r = start(t, log, store, definitions, func(o *processing.Options) { o.Workers = 1 + i%3 })
		for range 47 {
			feed(log, at, at+1)
			log.Append(rec(1, time.Duration(at-3)*time.Second, "user=v", "url=/a"))
			at++
		}
		if i == 0 && quiet > 0 {
			log.Append(rec(1, time.Duration(at)*time.Second, "user=w", "url=/b"))
		}
		pass(time.Second + quiet)
		at += int(quiet.Seconds())
		r.end()
	}
	want := r.standing()
	for _, workers := range []int{1, 4} {
		again, err := foldTo(t, log, memory.NewStore(), phases[len(phases)-1], r.target(), func(o *processing.Options) { o.Workers = workers })
		if err != nil {
			t.Fatal(err)
		}
		got := again.standing()
		inForce := make(map[string]processing.DefinitionDigest)
		for _, d := range got.Digests {
			inForce[d.Name] = d
		}
		for _, d := range want.Digests {
			if is, ok := inForce[d.Name]; ok && is.Hash == d.Hash && is != d {
				t.Errorf("%d workers: %s was %d facts %s, is %d facts %s", workers, d.Name, d.Facts, d.Sum, is.Facts, is.Sum)
			}
		}
		if got.Watermark != want.Watermark || got.Counters.Consumed != want.Counters.Consumed || got.Sessions != want.Sessions {
			t.Errorf("%d workers: W, records, open sessions were %s %d %d, are %s %d %d", workers, clock(want.Watermark), want.Counters.Consumed, want.Sessions,
				clock(got.Watermark), got.Counters.Consumed, got.Sessions)
		}
	}
}

// A restored store folds silently to where the one that was lost had got: nothing enters the feed, and from there on it says
// what the lost one would have said.
func TestSilentFold(t *testing.T) {
	loss := rapid.Custom(func(t *rapid.T) loss {
		l := loss{traffic: randomTraffic(t), backup: rapid.IntRange(0, 100).Draw(t, "backup"), workers: rapid.IntRange(1, 4).Draw(t, "workers")}
		l.at = rapid.IntRange(l.backup, 100).Draw(t, "lost")
		return l
	})
	for seed := range seeds(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { silentFold(t, loss.Example(seed)) })
		})
	}
}

// seeds is how many cases are tried: a few, or with TIDEMARK_SOAK many.
func seeds(few int) int {
	switch {
	case os.Getenv("TIDEMARK_SOAK") != "":
		return 40 * few
	case testing.Short():
		return few / 3
	default:
		return few
	}
}

// loss is a store that is lost when a part of the traffic has been read, of a hundred, and the backup that there is of it.
type loss struct {
	traffic    [][]event.Record
	backup, at int
	workers    int
}

func silentFold(t *testing.T, l loss) {
	log, store := memory.NewLog(len(l.traffic), 20), memory.NewStore()
	appendTo := func(from, to int) {
		for _, list := range l.traffic {
			log.Append(list[len(list)*from/100 : len(list)*to/100]...)
		}
	}
	read := func(store *memory.Store, wait time.Duration) *rig {
		r := start(t, log, store, replayMetrics, allEncodings)
		pass(wait)
		r.end()
		return r
	}
	appendTo(0, l.backup)
	read(store, 5*time.Second)
	restored := store.Clone()
	appendTo(l.backup, l.at)
	lost := read(store, 5*time.Second)
	target, published := lost.target(), len(store.Entries())
	heard := make(map[string]int)
	for _, e := range store.Entries() {
		if e.Result != nil {
			heard[windowText(e.Result)] = e.Result.Revision
			target.Revision = max(target.Revision, e.Result.Revision)
		}
	}
	appendTo(l.at, 100)
	whole := read(store, untilSettled)

	head := len(restored.Entries())
	silent, err := foldTo(t, log, restored, replayMetrics, target, allEncodings, func(o *processing.Options) { o.Workers, o.Silent = l.workers, true })
	if err != nil {
		t.Fatal(err)
	}
	if n := len(restored.Entries()); n != head {
		t.Fatalf("%d entries came of a silent fold", n-head)
	}
	if seq := silent.Status().Commit.Seq; seq != uint64(head) {
		t.Fatalf("the head went from %d to %d", head, seq)
	}
	restored.Resume()
	goesOn := read(restored, untilSettled)
	if diff := gocmp.Diff(saidAfter(store.Entries(), published), saidAfter(restored.Entries(), head)); diff != "" {
		t.Fatalf("what is said after the loss (-by the lost one +by the restored one):\n%s", diff)
	}
	for _, e := range restored.Entries()[head:] {
		if e.Result == nil {
			continue
		}
		if before, after := heard[windowText(e.Result)], e.Result.Revision; after <= before {
			t.Fatalf("%s: revision %d was heard before the loss, and %d after it", windowText(e.Result), before, after)
		}
		heard[windowText(e.Result)] = e.Result.Revision
	}
	want, got := whole.standing(), goesOn.standing()
	want.Finals, got.Finals, want.DeadLetters, got.DeadLetters = nil, nil, nil, nil
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("in the end (-lost +restored):\n%s", diff)
	}
}

// saidAfter is what a feed says behind an entry: finals and alerts in their order, and the last word on each window.
func saidAfter(entries []processing.Entry, after int) (said []string) {
	for _, e := range entries[after:] {
		switch {
		case e.Result != nil && e.Result.Kind == window.Final:
			said = append(said, "final "+windowText(e.Result)+": "+numbersText(e.Result))
		case e.Alert != nil:
			said = append(said, fmt.Sprint("alert ", e.Alert.ID, " ", e.Alert.State))
		case e.DeadLetter != nil:
			said = append(said, fmt.Sprint("dead letter ", e.DeadLetter.Partition, " ", e.DeadLetter.Offset))
		}
	}
	slices.Sort(said)
	return said
}
