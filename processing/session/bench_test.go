package session

import (
	"testing"

	"github.com/tidemark/tidemark/bench"
	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// The traffic: a hundred thousand open sessions, fifty events a millisecond, commits of fifty thousand events.
const (
	benchEvents   = 1_000_000
	benchSessions = 100_000
	benchPerMilli = 50
	benchCommit   = 50_000
	benchDelay    = 2500 // W is behind the newest event
	benchGap      = 30 * 60_000
)

// BenchmarkSessions takes events from the sequencer into sessions like those of the default definitions; ns/op is for
// one event, from Hold on. "stored" also makes the blocks of every commit. The naive way is a general sort and a map.
func BenchmarkSessions(b *testing.B) {
	traffic := bench.Visitors(benchEvents, benchSessions, benchPerMilli)
	length := int64(benchEvents / benchPerMilli)
	kind := &definition.SessionKind{
		Gap: benchGap, MaxDuration: 12 * 3_600_000, EndWhen: 0, MaxOpen: 10_000,
		Aggregates: []definition.SessionAggregate{{Name: "page_views", Column: definition.Column{
			Kind: aggregate.Count, Slot: definition.NoSlot, Where: 1}}},
	}
	engine := func(commit func(*Table)) func(b *testing.B) {
		return func(b *testing.B) {
			hashes := hashesOf(traffic)
			table := New(kind, 1)
			s := sequence.NewSequencer(table.Shape(), 1)
			batch, closed := s.NewBatch(), 0
			row, pass := make([]event.Value, 1), make([]bool, 2)
			each := func(*Closed) { closed++ }
			apply := func(rows []sequence.Row) { table.ApplyGroup(rows, each) }
			defer reportCPU(b)()
			for i := range b.N {
				e := &traffic[i%benchEvents]
				round := int64(i / benchEvents)
				t := event.Millis(e.Time + round*length)
				at := event.Coordinate{Partition: event.PartitionID(e.Partition), Offset: event.Offset(e.Offset + round*benchEvents)}
				row[0], pass[0], pass[1] = event.StringValue(e.Session), e.End, e.View
				batch.Hold(t, at, t, hashes[i%benchEvents], row, pass)
				if i%benchCommit == benchCommit-1 {
					w := event.Millis(int64(i/benchPerMilli) - benchDelay)
					s.Add(batch)
					s.ReleaseGroups(w, 0, apply)
					table.Advance(w, 0, each)
					commit(table)
				}
			}
		}
	}
	b.Run("tidemark", engine(func(*Table) {}))
	b.Run("stored", engine(func(t *Table) { t.TakeChanges(0) }))
	b.Run("naive", func(b *testing.B) {
		var o bench.Order
		v := bench.Visits{Gap: benchGap}
		defer reportCPU(b)()
		for i := range b.N {
			e := traffic[i%benchEvents]
			round := int64(i / benchEvents)
			e.Time += round * length
			e.Offset += round * benchEvents
			o.Hold(e)
			if i%benchCommit == benchCommit-1 {
				w := int64(i/benchPerMilli) - benchDelay
				o.Release(w, v.Apply)
				v.Advance(w)
			}
		}
	})
}

// reportCPU adds CPU time, which other work on the machine disturbs less, from here to when the result is called.
func reportCPU(b *testing.B) func() {
	b.ReportAllocs()
	b.ResetTimer()
	before := bench.CPUTime()
	return func() { b.ReportMetric(float64(bench.CPUTime()-before)/float64(b.N), "cpu-ns/op") }
}

// hashesOf are the hashes of the keys, which are computed for other purposes too.
func hashesOf(traffic []bench.Held) []uint64 {
	hashes := make([]uint64, len(traffic))
	for i := range traffic {
		key := event.StringValue(traffic[i].Session)
		hashes[i] = key.Hash()
	}
	return hashes
}
