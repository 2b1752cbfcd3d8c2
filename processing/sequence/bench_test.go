package sequence

import (
	"testing"

	"github.com/tidemark/tidemark/bench"
	"github.com/tidemark/tidemark/processing/event"
)

// The traffic: a hundred thousand open sessions, fifty events a millisecond, commits of fifty thousand events.
const (
	benchEvents   = 1_000_000
	benchSessions = 100_000
	benchPerMilli = 50
	benchCommit   = 50_000
	benchDelay    = 2500 // W is behind the newest event
)

// BenchmarkSequence holds and releases; ns/op is for one event. The naive way is a general sort.
func BenchmarkSequence(b *testing.B) {
	traffic := bench.Visitors(benchEvents, benchSessions, benchPerMilli)
	length := int64(benchEvents / benchPerMilli)
	b.Run("tidemark", func(b *testing.B) {
		hashes := hashesOf(traffic)
		s := NewSequencer(Shape{KeySlot: 0, Filters: []int{0, 1}}, 1)
		batch, n := s.NewBatch(), 0
		row, pass := make([]event.Value, 1), make([]bool, 2)
		each := func(rows []Row) { n += len(rows) }
		defer reportCPU(b)()
		for i := range b.N {
			e := &traffic[i%benchEvents]
			round := int64(i / benchEvents)
			t := event.Millis(e.Time + round*length)
			at := event.Coordinate{Partition: event.PartitionID(e.Partition), Offset: event.Offset(e.Offset + round*benchEvents)}
			row[0], pass[0], pass[1] = event.StringValue(e.Session), e.End, e.View
			batch.Hold(t, at, t, hashes[i%benchEvents], row, pass)
			if i%benchCommit == benchCommit-1 {
				s.Add(batch)
				s.ReleaseGroups(event.Millis(int64(i/benchPerMilli)-benchDelay), 0, each)
			}
		}
	})
	b.Run("naive", func(b *testing.B) {
		var o bench.Order
		n := 0
		each := func(*bench.Held) { n++ }
		defer reportCPU(b)()
		for i := range b.N {
			e := traffic[i%benchEvents]
			round := int64(i / benchEvents)
			e.Time += round * length
			e.Offset += round * benchEvents
			o.Hold(e)
			if i%benchCommit == benchCommit-1 {
				o.Release(int64(i/benchPerMilli)-benchDelay, each)
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
