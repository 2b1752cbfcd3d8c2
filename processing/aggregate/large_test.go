package aggregate

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// Rows that have left their small form behave like small ones: parts merge in every combination of forms, as columns
// and as bytes, and a row that is used again remembers nothing.
func TestLargeRows(t *testing.T) {
	for _, kind := range []Kind{Uniques, Quantile} {
		for _, n := range []int{1, 20, 600, 4500, 5200, 40_000} {
			t.Run(fmt.Sprintf("%v of %d", kind, n), func(t *testing.T) {
				ins := make([]input, n)
				for i := range ins {
					ins[i].value = event.FloatValue(math.Sqrt(float64(i)) * float64(1-i%3)) // both signs and zero
				}
				want := column(kind, ins).AppendRow(nil, 0)
				used := column(kind, of(1e9, 2e9, 3e9))
				for i := range 5000 {
					used.Add(0, &Input{Value: &event.Value{Kind: event.Int}, Hash: uint64(i) << 50})
				}
				for _, cut := range []int{0, 1, n / 40, n / 2, n - 1, n} {
					used.Clear(0)
					fill(used, 0, ins[:cut])
					a, rest := used.AppendRow(nil, 0), column(kind, ins[cut:])
					used.Merge(0, rest, 0)
					if got := used.AppendRow(nil, 0); !bytes.Equal(got, want) {
						t.Errorf("%d merged with %d is not the whole", cut, n-cut)
					}
					if _, err := rest.MergeRow(0, a); err != nil {
						t.Fatal(err)
					}
					if got := rest.AppendRow(nil, 0); !bytes.Equal(got, want) {
						t.Errorf("%d merged with %d as bytes is not the whole", n-cut, cut)
					}
					used.Reset()
					used.Grow(1)
				}
			})
		}
	}
}

// A row that many groups had before is given up by Reset, and one that has never been used is empty.
func TestResetOfManyRows(t *testing.T) {
	for _, kind := range allKinds {
		c, empty := New(kind), column(kind, nil).AppendRow(nil, 0)
		for round := range 3 {
			c.Grow(keptRows * (2 + round))
			for row := range c.Len() {
				if got := c.AppendRow(nil, row); !bytes.Equal(got, empty) {
					t.Fatalf("%v: row %d of round %d is %x", kind, row, round, got)
				}
				fill(c, row, of(row, 3.5, "x"))
			}
			c.Reset()
		}
	}
}

// Where collapsing begins depends on the buckets alone, to the bucket.
func TestBucketsCollapseAtTheirSpan(t *testing.T) {
	for _, tc := range []struct {
		add  []int
		want string
	}{
		{[]int{0, 2047}, "[{0 1} {2047 1}]"},
		{[]int{0, 2048}, "[{1 1} {2048 1}]"},
		{[]int{2048, 0}, "[{1 1} {2048 1}]"},
		{[]int{0, 1, 2048}, "[{1 2} {2048 1}]"},
		{[]int{2048, 1, 0, -5000}, "[{1 3} {2048 1}]"},
		{[]int{-5000, 9000, -4999}, "[{6953 2} {9000 1}]"},
		{[]int{5, 6, 5000, 10_000}, "[{7953 3} {10000 1}]"},
	} {
		var b buckets
		for _, i := range tc.add {
			b.add(i, 1)
		}
		var got []bucket
		b.each(func(index int, n uint64) { got = append(got, bucket{index, n}) })
		if fmt.Sprint(got) != tc.want {
			t.Errorf("adding %v makes %v, want %v", tc.add, got, tc.want)
		}
	}
}

// Every rank survives both written forms, on both sides of where one gives way to the other.
func TestRegistersAreWrittenByContent(t *testing.T) {
	for n, size := range map[int]int{
		sparseLimit - 1: 2 + 2*(sparseLimit-1), sparseLimit: 2 + 2*sparseLimit,
		sparseLimit + 1: 2 + packedSize, registerCount: 3 + packedSize,
	} {
		var r, again registers
		for i := range n {
			r.add(uint32(i), uint8(i/4%maxRank+1))
		}
		b, _ := r.appendTo(nil, nil)
		if n <= sparseLimit && len(b) > size || n > sparseLimit && len(b) != size {
			t.Errorf("%d registers take %d bytes, want %d", n, len(b), size)
		}
		if rest, err := again.mergeBytes(b); err != nil || len(rest) > 0 {
			t.Fatalf("%d registers: %d bytes left, %v", n, len(rest), err)
		}
		if again.toDense(); *again.dense != *r.dense {
			t.Errorf("%d registers differ after a round trip", n)
		}
	}
}
