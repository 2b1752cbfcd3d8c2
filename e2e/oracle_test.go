package e2e

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/simulator"
	"github.com/tidemark/tidemark/simulator/truth"
	"github.com/tidemark/tidemark/store"
)

// spoilt is traffic with everything that goes wrong: disorder, late events, duplicates and records that are none.
func spoilt(o *simulator.Options) {
	o.Count, o.Rate, o.Partitions = lessUnderRace(24_000), 15, 4
	o.Late, o.Duplicates, o.Bad = 0.02, 0.01, 0.005
}

// lessUnderRace is a third of a size under the race detector, which looks for other things than numbers, and takes its time.
func lessUnderRace(n int64) int64 {
	if raceDetector {
		return n / 3
	}
	return n
}

func TestEveryWindowIsWhatTheOracleSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		workers  int
		round    int
		encoding simulator.Encoding
		idle     time.Duration // that the server stood idle before the records came
	}{
		{name: "one worker", workers: 1, round: 700, encoding: simulator.Avro},
		{name: "two workers", workers: 2, round: 97, encoding: simulator.Avro},
		{name: "JSON", workers: 2, round: 5000, encoding: simulator.JSON},
		{name: "a bulk load after two idle minutes", workers: 2, round: 300, encoding: simulator.Avro, idle: 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if raceDetector && (c.workers == 1 || c.encoding == simulator.JSON) {
				t.Skip("the detector finds no more in it than in the others")
			}
			synctest.Test(t, func(t *testing.T) {
				records := traffic(t, func(o *simulator.Options) { spoilt(o); o.Encoding = c.encoding })
				log := memory.NewLog(4, c.round)
				plan := defaults(t)
				e := start(t, plan, log, vfs.NewMem(), c.workers)
				pass(c.idle)
				log.Append(records...)
				pass(2 * time.Hour) // all windows and sessions close
				compare(t, e, plan, log)
				e.end()
			})
		})
	}
}

// compare holds everything that the engine says against the truth.
func compare(t *testing.T, e *engine, plan *definition.Plan, log *memory.Log) {
	t.Helper()
	wantLively(t, compareWith(t, e, plan, byPartition(log, 4)))
}

// wantLively says whether enough has happened for a comparison to prove anything.
func wantLively(t *testing.T, want *truth.Expected) {
	t.Helper()
	if want.Counters.DeadLetters == 0 || want.Counters.Late == 0 || want.Counters.LatePartly == 0 || len(want.Sessions) == 0 {
		t.Errorf("the traffic is too tame to prove anything: %+v", want.Counters)
	}
}

func compareWith(t *testing.T, e *engine, plan *definition.Plan, records map[event.PartitionID][]event.Record) *truth.Expected {
	t.Helper()
	want := truth.Compute(truth.Input{
		Partitions: records, Rules: truth.DefaultRules(), Watermark: e.pipeline.Status().Watermark, Floors: e.floors(),
	})
	finals, last := e.rows(plan)
	t.Logf("%d finals, %d last revisions, %d floors, counters %+v", len(finals), len(last), len(e.floors()), want.Counters)
	for _, fault := range want.DiffFinals(finals) {
		t.Errorf("final: %s", fault)
	}
	for _, fault := range want.DiffLast(last) {
		t.Errorf("last revision: %s", fault)
	}
	got := e.pipeline.Status().Counters
	counters := truth.Counters{
		Consumed: got.Consumed, Applied: got.Applied, Filtered: got.Filtered, Late: got.Late,
		DeadLetters: got.DeadLetters, LatePartly: got.LatePartly,
	}
	if counters != want.Counters {
		t.Errorf("counters: %+v, want %+v", counters, want.Counters)
	}
	if sum := got.Applied + got.Filtered + got.Late + got.DeadLetters + got.Duplicates; sum != got.Consumed {
		t.Errorf("counters add up to %d, consumed are %d", sum, got.Consumed)
	}
	if dead := e.deadLetters(); !slices.Equal(dead, want.DeadLetters) {
		t.Errorf("%d dead letters, want %d: %v, want %v", len(dead), len(want.DeadLetters), first(dead, 5), first(want.DeadLetters, 5))
	}
	return want
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }

func byPartition(log *memory.Log, partitions int) map[event.PartitionID][]event.Record {
	out := make(map[event.PartitionID][]event.Record)
	for id := range event.PartitionID(partitions) {
		out[id] = log.Records(id)
	}
	return out
}

// floors are those that the engine has journaled.
func (e *engine) floors() []truth.Floor {
	e.t.Helper()
	var out []truth.Floor
	e.view(func(v *store.View) error {
		floors, err := v.Floors()
		for _, f := range floors {
			out = append(out, truth.Floor{Partition: f.Partition, Offset: f.Offset, Floor: f.Floor})
		}
		return err
	})
	return out
}

func (e *engine) view(read func(*store.View) error) {
	e.t.Helper()
	v, err := e.store.View()
	if err != nil {
		e.t.Fatal(err)
	}
	defer v.Close()
	if err := read(v); err != nil {
		e.t.Fatal(err)
	}
}

// entries are all entries of the feed.
func (e *engine) entries() []processing.Entry {
	e.t.Helper()
	var out []processing.Entry
	e.view(func(v *store.View) error {
		page, err := v.Feed(0, 1<<30, store.AllTypes)
		out = page.Entries
		return err
	})
	for i, entry := range out {
		if entry.Seq != uint64(i+1) {
			e.t.Fatalf("entry %d of the feed has sequence %d", i, entry.Seq)
		}
	}
	return out
}

// rows are the finals as the feed has them, and the last revisions as the windows have them.
func (e *engine) rows(plan *definition.Plan) (finals, last []truth.Row) {
	e.t.Helper()
	metrics := make(map[definition.Hash]*definition.Metric)
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		metrics[m.Hash] = m
		e.view(func(v *store.View) error {
			results, err := v.Windows(m.Hash, -1<<60, 1<<60, nil, 1<<30)
			for _, r := range results {
				last = append(last, rowOf(m, &r))
			}
			return err
		})
	}
	for _, entry := range e.entries() {
		if r := entry.Result; r != nil && r.Kind == window.Final {
			finals = append(finals, rowOf(metrics[r.Definition], r))
		}
	}
	return finals, last
}

func rowOf(m *definition.Metric, r *window.Result) truth.Row {
	row := truth.Row{Metric: r.Metric, Start: r.Start, End: r.End, Group: map[string]string{}}
	for i, key := range m.Keys {
		row.Group[key] = r.Group[i]
	}
	row.Value, row.Count = pointer(r.Value), r.Count
	row.Aggregates = make(map[string]*float64)
	for i, a := range m.Aggregates {
		row.Aggregates[a.Name] = pointer(r.Aggregates[i])
	}
	return row
}

func pointer(n definition.Number) *float64 {
	if !n.Valid {
		return nil
	}
	return &n.Float
}

func (e *engine) deadLetters() []truth.DeadLetter {
	var out []truth.DeadLetter
	for _, entry := range e.entries() {
		if d := entry.DeadLetter; d != nil {
			out = append(out, truth.DeadLetter{Coordinate: event.Coordinate{Partition: d.Partition, Offset: d.Offset}, Reason: d.Reason})
		}
	}
	slices.SortFunc(out, func(a, b truth.DeadLetter) int {
		return event.Order{Coordinate: a.Coordinate}.Compare(event.Order{Coordinate: b.Coordinate})
	})
	return out
}
