package sequence

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

// Whatever is dropped when, the other partitions' rows are handed on as they would have been.
func TestDropLeavesTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.IntRange(1, 3).Draw(t, "lanes")
		s := NewSequencer(plainShape, lanes)
		var want []held // not released yet
		next := make([]event.Offset, 3)
		w := event.Millis(0)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				b := s.NewBatch()
				for range rapid.IntRange(1, 300).Draw(t, "rows") {
					p := rapid.IntRange(0, 2).Draw(t, "partition")
					h := held{key: rapid.StringN(1, 3, -1).Draw(t, "key"), maxBefore: event.NoTime}
					h.order.Time = w + 1 + event.Millis(rapid.IntRange(0, 4000).Draw(t, "time"))
					h.order.Partition, h.order.Offset = event.PartitionID(p), next[p]
					next[p]++
					h.hold(b)
					h.maxBefore = 0
					want = append(want, h)
				}
				s.Add(b)
			case 1:
				w += event.Millis(rapid.IntRange(0, 3000).Draw(t, "passes"))
				want = releasedUpTo(t, s, w, want)
			case 2:
				p := event.PartitionID(rapid.IntRange(0, 2).Draw(t, "dropped"))
				s.Drop(p)
				next[p] = 0 // another log
				want = slices.DeleteFunc(want, func(h held) bool { return h.order.Partition == p })
			}
			if s.Len() != len(want) {
				t.Fatalf("%d rows are held, want %d", s.Len(), len(want))
			}
		}
		if left := releasedUpTo(t, s, w+10_000, want); len(left) > 0 {
			t.Fatalf("%d rows were never handed on", len(left))
		}
	})
}

// releasedUpTo releases all lanes, compares what comes with what is wanted, and returns what is wanted later.
func releasedUpTo(t *rapid.T, s *Sequencer, w event.Millis, want []held) []held {
	var got []held
	for lane := range s.Lanes() {
		s.Release(w, lane, func(r *Row) {
			h := released(t, r)
			h.number, h.text = 0, ""
			got = append(got, h)
		})
	}
	var due, later []held
	for _, h := range want {
		if h.order.Time <= w {
			due = append(due, h)
		} else {
			later = append(later, h)
		}
	}
	byOrder := func(a, b held) int { return a.order.Compare(b.order) }
	slices.SortFunc(got, byOrder)
	slices.SortFunc(due, byOrder)
	if !slices.Equal(got, due) {
		t.Fatalf("released %v, want %v", got, due)
	}
	return later
}
