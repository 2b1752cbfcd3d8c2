package processing_test

import (
	"fmt"
	"maps"
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
	"github.com/tidemark/tidemark/schemas"
)

// outcome is everything that must not depend on how a log was read.
type outcome struct {
	Finals, Last map[string]string
	Alerts       []string // in the order of the feed
	Counters     processing.Counters
	Late         map[string]int64
	DeadLetters  map[event.Coordinate]string
	Digests      map[string]string
}

// replayMetrics have everything: both ways, sliding windows, totals and a limit, and rules on all of them.
const replayMetrics = rigVisits + `
  - {name: views, window: {size: 10s}, allowed_lateness: 7s, group_by: {url: url}, limit: 2, aggregates: {n: {count: true}}}
  - {name: users, window: {size: 20s, slide: 5s}, allowed_lateness: 10s, aggregates: {n: {uniques: user}}}
  - {name: share, window: {size: 10s, slide: 5s}, group_by: {url: url}, value: n / all,
     aggregates: {n: {count: 'user != "a"'}, all: {count: true, total: true}}}
  - {name: narrow, window: {size: 20s, slide: 10s}, group_by: {url: url, user: user}, limit: 2, max_groups: 3,
     aggregates: {n: {count: true}, first: {first: time}, last: {last: time}}, value: n}
alerts:
  - {name: busy, on: views, when: value >= 2, keep_firing_for: 15s}
  - {name: busier, on: views, when: value > previous, groups: {url: [/a, (none), (other)]}}
  - {name: few, on: users, when: value <= 1, for: 12s}
  - {name: rising, on: users, when: value > previous and n > 1, keep_firing_for: 5s}
  - {name: most, on: share, when: value > 0.5, for: 5s, min_samples: {all: 3}}
  - {name: visited, on: closed, when: events > 2}`

// TestStateIsAFunctionOfTheLog reads a random log twice: in one go, and with other workers, answers, commits, arrivals and
// restarts. Everything that counts must be the same. No partition falls idle before the end: floors are no function of
// the log.
func TestStateIsAFunctionOfTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		traffic := randomTraffic(rt)
		var want, got outcome
		synctest.Test(t, func(t *testing.T) {
			log, store := memory.NewLog(len(traffic), 1000), memory.NewStore()
			for _, list := range traffic {
				log.Append(list...)
			}
			r := start(t, log, store, replayMetrics, allEncodings, func(o *processing.Options) { o.Workers, o.MinCommit = 1, 200*time.Millisecond })
			pass(untilSettled)
			r.end()
			want = r.outcome()
			rt.Logf("%d entries of alerts, %d finals, %d last, late %v, %+v", len(want.Alerts), len(want.Finals), len(want.Last), want.Late, want.Counters)
		})
		steps := rapid.SliceOfN(rapid.Custom(randomStep), 1, 12).Draw(rt, "steps")
		round := rapid.IntRange(1, 40).Draw(rt, "round")
		synctest.Test(t, func(t *testing.T) {
			got = readInSteps(t, traffic, steps, round)
		})
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Errorf("read otherwise, it is something else (-in one go +in steps):\n%s", diff)
		}
	})
}

// replayRefs are the schemas that records are written with: 7 is in the registry, 8 is JSON Schema, 9 is unknown.
var replayRefs = []schemas.Ref{{}, {}, {}, schemas.Registered(7), schemas.Registered(7), schemas.Registered(8), schemas.Registered(9), newerRef}

var newerRef = func() schemas.Ref {
	fingerprint, err := schemas.Fingerprint(newerSchema)
	if err != nil {
		panic(err)
	}
	return schemas.Fingerprinted(fingerprint)
}()

// allEncodings has events of all encodings read.
func allEncodings(o *processing.Options) {
	reg := newRegistry(map[int32]string{7: newerSchema, 8: "{}"})
	reg.types[8] = "JSON"
	o.Encoding, o.Registry, o.WriterSchemas = event.Auto, reg, []string{newerSchema}
	o.RegistryTries, o.RegistryPause = 2, 300*time.Millisecond
}

// untilSettled is as long as it takes until the log has been idle and quiet, and every window and session has closed.
const untilSettled = 4 * time.Minute

// randomTraffic is what arrives, by partition.
func randomTraffic(t *rapid.T) [][]event.Record {
	traffic := make([][]event.Record, rapid.IntRange(1, 3).Draw(t, "partitions"))
	for p := range traffic {
		id := event.PartitionID(p)
		at := rapid.IntRange(0, 60).Draw(t, "start")
		for range rapid.IntRange(1, 60).Draw(t, "records") {
			if rapid.IntRange(0, 19).Draw(t, "bad") == 0 {
				traffic[p] = append(traffic[p], event.Record{Partition: id, Value: []byte("{")})
				continue
			}
			at += rapid.IntRange(0, 4).Draw(t, "passes")
			back := max(0, rapid.IntRange(-10, 25).Draw(t, "back"))
			url := rapid.SampledFrom([]string{"/a", "/b", "/c", "(none)"}).Draw(t, "url")
			fields := []string{"url=" + url}
			user := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "user")
			if user != "" {
				fields = append(fields, "user="+user)
			}
			r := rec(id, time.Duration(max(0, at-back))*time.Second, fields...)
			if ref := rapid.SampledFrom(replayRefs).Draw(t, "framing"); ref.Framing != schemas.NoFraming {
				r = shop(ref, id, time.Duration(max(0, at-back))*time.Second, user, url)
			}
			r.Timestamp -= event.Millis(rapid.SampledFrom([]int{0, 0, 0, 8000}).Draw(t, "clock"))
			r.Timestamp = max(r.Timestamp, 0)
			traffic[p] = append(traffic[p], r)
		}
	}
	return traffic
}

// step is something that happens to a server: a part of what is left arrives, then it may be started anew.
type step struct {
	Parts              [3]int // of a hundred, by partition
	Wait               time.Duration
	Restart            bool
	Workers            int
	MinCommit, MaxTime time.Duration
}

func randomStep(t *rapid.T) step {
	s := step{
		Wait:    time.Duration(rapid.IntRange(0, 900).Draw(t, "wait")) * time.Millisecond,
		Restart: rapid.Bool().Draw(t, "restart"), Workers: rapid.IntRange(1, 3).Draw(t, "workers"),
		MinCommit: time.Duration(rapid.IntRange(100, 400).Draw(t, "commit")) * time.Millisecond,
	}
	s.MaxTime = s.MinCommit + time.Duration(rapid.IntRange(0, 300).Draw(t, "longest"))*time.Millisecond
	for i := range s.Parts {
		s.Parts[i] = rapid.IntRange(0, 100).Draw(t, "part")
	}
	return s
}

func readInSteps(t *testing.T, traffic [][]event.Record, steps []step, round int) outcome {
	log, store := memory.NewLog(len(traffic), round), memory.NewStore()
	left := slices.Clone(traffic)
	run := func(s *step) *rig {
		return start(t, log, store, replayMetrics, allEncodings, func(o *processing.Options) {
			o.Workers, o.MinCommit, o.MaxCommit = s.Workers, s.MinCommit, s.MaxTime
		})
	}
	// Every partition has its first record at the start: which of them are idle then would be chance.
	for p := range left {
		log.Append(left[p][0])
		left[p] = left[p][1:]
	}
	r := run(&steps[0])
	for i := range steps {
		for p := range left {
			n := len(left[p]) * steps[i].Parts[p] / 100
			log.Append(left[p][:n]...)
			left[p] = left[p][n:]
		}
		pass(steps[i].Wait)
		if steps[i].Restart {
			r.end()
			r = run(&steps[i])
		}
	}
	for p := range left {
		log.Append(left[p]...)
	}
	pass(untilSettled)
	r.end()
	return r.outcome()
}

// outcome collects what a run has left in the store.
func (r *rig) outcome() outcome {
	o := outcome{
		Finals: make(map[string]string), Last: make(map[string]string), Counters: r.Status().Counters,
		Late: make(map[string]int64), DeadLetters: make(map[event.Coordinate]string), Digests: byName(r.store),
	}
	for i := range r.plan.Metrics {
		for _, w := range r.store.Windows(r.plan.Metrics[i].Hash) {
			o.Last[windowText(&w)] = numbersText(&w)
		}
	}
	for _, e := range r.store.Entries() {
		switch {
		case e.Result != nil && e.Result.Kind == window.Final:
			if _, twice := o.Finals[windowText(e.Result)]; twice {
				r.t.Errorf("%s has two finals", windowText(e.Result))
			}
			o.Finals[windowText(e.Result)] = numbersText(e.Result)
		case e.Alert != nil:
			a := e.Alert
			o.Alerts = append(o.Alerts, fmt.Sprint(a.ID, " ", a.Definition, a.Values(), " ", a.State, " ", a.StartedAt, " ", a.EndedAt, " ", a.Value, a.Metrics, a.Context))
		case e.Late != nil:
			for name, n := range e.Late.ByDefinition {
				o.Late[name] += n
			}
			o.Late["records"] += e.Late.Count
		case e.DeadLetter != nil:
			o.DeadLetters[event.Coordinate{Partition: e.DeadLetter.Partition, Offset: e.DeadLetter.Offset}] = e.DeadLetter.Reason
		}
	}
	state, err := r.store.Load(r.plan)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(state.Floors) > 0 {
		r.t.Errorf("floors: %+v", state.Floors)
	}
	// All that is open once everything has settled is what has been lost sight of.
	r.want("open panes", len(state.Panes), 0)
	r.want("open sessions", len(state.Sessions), 0)
	r.want("consumed", o.Counters.Consumed, o.Counters.Applied+o.Counters.Filtered+o.Counters.Late+o.Counters.DeadLetters)
	if len(o.Last) < len(slices.Collect(maps.Keys(o.Finals))) {
		r.t.Errorf("%d finals, but %d last revisions", len(o.Finals), len(o.Last))
	}
	return o
}

func windowText(w *window.Result) string { return fmt.Sprint(w.Metric, " ", w.Start, " ", w.Group) }

func numbersText(w *window.Result) string { return fmt.Sprint(w.Value, w.Aggregates, w.Count) }
