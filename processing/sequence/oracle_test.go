package sequence

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

// oracle is a sequencer that keeps everything in one list and sorts it with a general sort.
type oracle struct {
	rows []held
	w    event.Millis
}

func (o *oracle) release(w event.Millis) []held {
	slices.SortFunc(o.rows, func(a, b held) int { return a.order.Compare(b.order) })
	n, _ := slices.BinarySearchFunc(o.rows, w+1, func(h held, t event.Millis) int { return cmp.Compare(h.order.Time, t) })
	out := o.rows[:n:n]
	o.rows, o.w = o.rows[n:], w
	return out
}

// checkHeldFrom holds what the sequencer says about where to read again against all rows ever held.
func (o *oracle) checkHeldFrom(t *rapid.T, s *Sequencer, all []held, p event.PartitionID) {
	from, before, ok := s.HeldFrom(p)
	lowest, row := event.Offset(math.MaxInt64), held{}
	for _, h := range o.rows {
		if h.order.Partition == p {
			lowest = min(lowest, h.order.Offset)
		}
	}
	if lowest != math.MaxInt64 && (!ok || from > lowest) {
		t.Fatalf("partition %d is held from %d (%v), but offset %d is held", p, from, ok, lowest)
	}
	if !ok {
		return
	}
	for _, h := range all {
		if h.order.Partition == p && h.order.Offset == from {
			row = h
		}
	}
	if row.maxBefore != before || sliceOf(row.order.Time) < sliceOf(o.w) {
		t.Fatalf("partition %d is held from %d with max %d, which is not of %+v at W = %d", p, from, before, row, o.w)
	}
}

// heldOf makes an event behind w, the next of its partition, out of one random number.
func heldOf(random int, w event.Millis, span int, next *[6]event.Offset) held {
	p := event.PartitionID(random % len(next))
	next[p] += event.Offset(1 + random%3)
	return held{
		order:     event.Order{Time: w + 1 + event.Millis(random/7%span), Coordinate: event.Coordinate{Partition: p, Offset: next[p]}},
		maxBefore: event.Millis(random % 1000),
		key:       "key " + strconv.Itoa(random%17),
		number:    int64(random),
		text:      strings.Repeat("x", random%5*(random%40)),
	}
}

// TestAgainstSort holds, adds and releases at random, and compares every release with a general sort.
func TestAgainstSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.IntRange(1, 3).Draw(t, "lanes")
		span := rapid.SampledFrom([]int{3, 900, 5000, 40_000}).Draw(t, "span")
		s := NewSequencer(plainShape, lanes)
		oracles := make([]oracle, lanes)
		for i := range oracles {
			oracles[i].w = -2000
		}
		var all []held
		batches := []*Batch{s.NewBatch(), s.NewBatch()}
		var next [6]event.Offset
		w := event.Millis(-2000)
		for range rapid.IntRange(1, 12).Draw(t, "commits") {
			seed := rapid.Uint64().Draw(t, "seed")
			for range rapid.SampledFrom([]int{0, 3, 40, 400}).Draw(t, "rows") {
				seed = seed*6364136223846793005 + 1442695040888963407
				h := heldOf(int(seed>>33), w, span, &next)
				p := h.order.Partition
				h.hold(batches[p%2])
				all = append(all, h)
				key := event.StringValue([]byte(h.key))
				o := &oracles[ShardOf(key.Hash())%lanes]
				h.maxBefore = 0
				o.rows = append(o.rows, h)
			}
			for _, b := range batches {
				s.Add(b)
				if b.Len() != 0 {
					t.Fatal("a batch that was added is not empty")
				}
			}
			w += event.Millis(rapid.IntRange(0, span+span/2).Draw(t, "advance"))
			count := 0
			for lane := range oracles {
				var got []held
				s.Release(w, lane, func(r *Row) { got = append(got, released(t, r)) })
				if want := oracles[lane].release(w); !slices.Equal(got, want) {
					t.Fatalf("lane %d to %d:\n got %v\nwant %v", lane, w, got, want)
				}
				count += len(oracles[lane].rows)
			}
			if s.Len() != count {
				t.Fatalf("holds %d rows, want %d", s.Len(), count)
			}
			for p := range next {
				both := oracle{w: w}
				for _, o := range oracles {
					both.rows = append(both.rows, o.rows...)
				}
				both.checkHeldFrom(t, s, all, event.PartitionID(p))
			}
		}
	})
}
