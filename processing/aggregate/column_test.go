package aggregate

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

var allKinds = []Kind{Count, Sum, Avg, Min, Max, Uniques, Quantile, First, Last}

// input is one event of a test.
type input struct {
	value event.Value
	at    event.Order
}

func (in input) add(c Column, row int) bool {
	return c.Add(row, &Input{Value: &in.value, Hash: in.value.Hash(), At: in.at})
}

func of(values ...any) []input {
	ins := make([]input, len(values))
	for i, v := range values {
		ins[i].at = event.Order{Time: event.Millis(100 + i), Coordinate: event.Coordinate{Offset: event.Offset(i)}}
		switch v := v.(type) {
		case nil:
		case int:
			ins[i].value = event.IntValue(int64(v))
		case float64:
			ins[i].value = event.FloatValue(v)
		case string:
			ins[i].value = event.StringValue([]byte(v))
		case bool:
			ins[i].value = event.BoolValue(v)
		}
	}
	return ins
}

func fill(c Column, row int, ins []input) (refused int) {
	for _, in := range ins {
		if !in.add(c, row) {
			refused++
		}
	}
	return refused
}

func column(kind Kind, ins []input) Column {
	c := New(kind)
	c.Grow(1)
	fill(c, 0, ins)
	return c
}

func text(v event.Value) string {
	if v.IsNull() {
		return "null"
	}
	return string(v.AppendText(nil))
}

func TestResults(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tc := range []struct {
		name    string
		kind    Kind
		in      []input
		q       float64
		want    string
		refused int
	}{
		{name: "count of nothing", kind: Count, want: "0"},
		{name: "count", kind: Count, in: of(1, "x", nil), want: "3"},
		{name: "sum of nothing", kind: Sum, want: "0"},
		{name: "sum to the cent", kind: Sum, in: of(0.1, 0.2, 0.3), want: "0.6"},
		{name: "sum keeps small beside large", kind: Sum, in: of(1e17, 0.25, -1e17), want: "0.25"},
		{name: "sum of what can't be held", kind: Sum, in: of(nan, inf, -inf, 1.1e18, 2_000_000_000_000_000_000, "12", true, 7), want: "7", refused: 7},
		{name: "sum of nulls", kind: Sum, in: of(nil, nil), want: "0"},
		{name: "sum at the limit", kind: Sum, in: of(1e18, 1e18, -1e18), want: "1000000000000000000"},
		{name: "avg of nothing", kind: Avg, want: "null"},
		{name: "avg of nulls", kind: Avg, in: of(nil), want: "null"},
		{name: "avg", kind: Avg, in: of(1, 2, nil, 4.5), want: "2.5"},
		{name: "avg rounds once", kind: Avg, in: of(0.1, 0.2, 0.4), want: "0.23333333333333334"},
		{name: "avg of what can't be held", kind: Avg, in: of(nan, "x"), want: "null", refused: 2},
		{name: "min of nothing", kind: Min, want: "null"},
		{name: "min", kind: Min, in: of(3, -2.5, nil, 7), want: "-2.5"},
		{name: "min of zeros has one sign", kind: Min, in: of(math.Copysign(0, -1), 0.0), want: "0"},
		{name: "min of what can't be held", kind: Min, in: of(-inf, nan, -1.0000001e18, "a"), want: "null", refused: 4},
		{name: "max of nothing", kind: Max, want: "null"},
		{name: "max", kind: Max, in: of(3, -2.5, nil, 7), want: "7"},
		{name: "uniques of nothing", kind: Uniques, want: "0"},
		{name: "uniques of nulls", kind: Uniques, in: of(nil, nil), want: "0"},
		{name: "uniques", kind: Uniques, in: of("a", "b", "a", 1, 1.0, true, nil), want: "4"},
		{name: "quantile of nothing", kind: Quantile, q: 0.5, want: "null"},
		{name: "quantile of zeros", kind: Quantile, q: 0.5, in: of(0, 0.0, 1e-310), want: "0"},
		{name: "quantile of what can't be held", kind: Quantile, q: 0.5, in: of(nan, inf, "x"), want: "null", refused: 3},
		{name: "first of nothing", kind: First, want: "null"},
		{name: "first", kind: First, in: of(nil, "a", 2), want: "a"},
		{name: "last", kind: Last, in: of("a", 2, nil), want: "2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := New(tc.kind)
			c.Grow(2)
			if refused := fill(c, 1, tc.in); refused != tc.refused {
				t.Errorf("refused %d values, want %d", refused, tc.refused)
			}
			if got := text(c.Result(1, tc.q)); got != tc.want {
				t.Errorf("result %s, want %s", got, tc.want)
			}
			if got, want := c.AppendRow(nil, 0), column(tc.kind, nil).AppendRow(nil, 0); !bytes.Equal(got, want) {
				t.Errorf("the row beside it reads %x, want %x", got, want)
			}
		})
	}
}

// A row's String must not change when the memory it was read from is used again.
func TestFirstCopiesText(t *testing.T) {
	buf := []byte("/entry")
	in := input{value: event.StringValue(buf)}
	c := New(First)
	c.Grow(1)
	in.add(c, 0)
	copy(buf, "/other")
	if got := text(c.Result(0, 0)); got != "/entry" {
		t.Errorf("first is %q after its source changed", got)
	}
}

// inputs draws events; the values of a kind that takes numbers collide often, and so do places in the order.
func inputs(most int) *rapid.Generator[[]input] {
	value := rapid.Custom(func(t *rapid.T) event.Value {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return event.Value{}
		case 1:
			return event.BoolValue(rapid.Bool().Draw(t, "bool"))
		case 2, 3:
			return event.StringValue([]byte(rapid.StringN(0, 6, -1).Draw(t, "text")))
		case 4, 5:
			return event.IntValue(rapid.Int64().Draw(t, "int"))
		case 6:
			return event.FloatValue(rapid.Float64().Draw(t, "float"))
		case 7:
			return event.FloatValue(rapid.Float64Range(-1000, 1000).Draw(t, "small"))
		default:
			return event.IntValue(rapid.Int64Range(-3, 5000).Draw(t, "whole"))
		}
	})
	one := rapid.Custom(func(t *rapid.T) input {
		return input{value.Draw(t, "value"), event.Order{
			Time:       event.Millis(rapid.Int64Range(-2, 5).Draw(t, "time")),
			Coordinate: event.Coordinate{Partition: event.PartitionID(rapid.Int32Range(0, 2).Draw(t, "partition")), Offset: 7},
		}}
	})
	return rapid.SliceOfN(one, 0, most)
}

// The state must not depend on the order of events, on how they were split, on what a column's memory was used for
// before, nor on whether parts were merged as columns or as bytes.
func TestOrderAndPartitionDoNotMatter(t *testing.T) {
	for _, kind := range allKinds {
		t.Run(kind.String(), rapid.MakeCheck(func(t *rapid.T) {
			ins := inputs(120).Draw(t, "inputs")
			want := column(kind, ins).AppendRow(nil, 0)

			shuffled := rapid.Permutation(ins).Draw(t, "shuffled")
			cut := rapid.IntRange(0, len(ins)).Draw(t, "cut")
			used := column(kind, rapid.Permutation(ins).Draw(t, "before"))
			if rapid.Bool().Draw(t, "clear") {
				used.Clear(0)
			} else {
				used.Reset()
				used.Grow(1)
			}
			fill(used, 0, shuffled[:cut])
			rest := column(kind, shuffled[cut:])
			a, b := used.AppendRow(nil, 0), rest.AppendRow(nil, 0)

			used.Merge(0, rest, 0)
			if got := used.AppendRow(nil, 0); !bytes.Equal(got, want) {
				t.Fatalf("merged columns: %x, want %x", got, want)
			}
			merged := New(kind)
			merged.Grow(3)
			for _, part := range [][]byte{b, a} {
				if tail, err := merged.MergeRow(1, append(part, "tail"...)); err != nil || string(tail) != "tail" {
					t.Fatalf("merge bytes: tail %q, error %v", tail, err)
				}
			}
			if got := merged.AppendRow(nil, 1); !bytes.Equal(got, want) {
				t.Fatalf("merged bytes: %x, want %x", got, want)
			}
			if got, want := text(merged.Result(1, 0.9)), text(column(kind, ins).Result(0, 0.9)); got != want {
				t.Fatalf("result %s, want %s", got, want)
			}
		}))
	}
}

func TestMergeIsACommutativeMonoid(t *testing.T) {
	merge := func(kind Kind, parts ...[]byte) []byte {
		c := New(kind)
		c.Grow(1)
		for _, p := range parts {
			if _, err := c.MergeRow(0, p); err != nil {
				panic(err)
			}
		}
		return c.AppendRow(nil, 0)
	}
	for _, kind := range allKinds {
		t.Run(kind.String(), rapid.MakeCheck(func(t *rapid.T) {
			var x [3][]byte
			for i := range x {
				x[i] = column(kind, inputs(40).Draw(t, "inputs")).AppendRow(nil, 0)
			}
			empty := column(kind, nil).AppendRow(nil, 0)
			left := merge(kind, merge(kind, x[0], x[1]), x[2])
			right := merge(kind, x[0], merge(kind, x[2], x[1]))
			if diff := cmp.Diff(left, right); diff != "" {
				t.Errorf("(a+b)+c and a+(c+b) differ:\n%s", diff)
			}
			if diff := cmp.Diff(x[0], merge(kind, empty, x[0], empty)); diff != "" {
				t.Errorf("a and 0+a+0 differ:\n%s", diff)
			}
		}))
	}
}

// Results against the plainest computation there is.
func TestResultsAgainstSlowOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ins := inputs(80).Draw(t, "inputs")
		var first, last *input
		low, high, numbers := math.Inf(1), math.Inf(-1), 0
		distinct := map[string]bool{}
		for i := range ins {
			v := &ins[i].value
			if v.IsNull() {
				continue
			}
			distinct[string(rune('0'+v.Kind))+string(v.AppendText(nil))] = true
			if first == nil || ins[i].at.Compare(first.at) < 0 {
				first = &ins[i]
			}
			if last == nil || ins[i].at.Compare(last.at) > 0 {
				last = &ins[i]
			}
			if f, ok := v.Number(); ok && math.Abs(f) <= 1e18 {
				low, high = min(low, f), max(high, f)
				numbers++
			}
		}
		if got := column(Min, ins).Result(0, 0); numbers == 0 != got.IsNull() || numbers > 0 && got.Float() != low {
			t.Errorf("min %s, want %v", text(got), low)
		}
		if got := column(Max, ins).Result(0, 0); numbers == 0 != got.IsNull() || numbers > 0 && got.Float() != high {
			t.Errorf("max %s, want %v", text(got), high)
		}
		if got := column(First, ins); first != nil && got.(*firstColumn).rows[0].at != first.at {
			t.Errorf("first is at %v, want %v", got.(*firstColumn).rows[0].at, first.at)
		}
		if got := column(Last, ins); last != nil && got.(*lastColumn).rows[0].at != last.at {
			t.Errorf("last is at %v, want %v", got.(*lastColumn).rows[0].at, last.at)
		}
		got := column(Uniques, ins).Result(0, 0)
		if off := got.Float() - float64(len(distinct)); math.Abs(off) > 3 {
			t.Errorf("uniques %v of %d", got.Float(), len(distinct))
		}
	})
}

// What a few events add must take a few bytes: it is written with every commit.
func TestSmallRowsAreSmall(t *testing.T) {
	for kind, most := range map[Kind]int{
		Count: 1, Sum: 6, Avg: 7, Min: 3, Max: 3, Uniques: 13, Quantile: 15, First: 8, Last: 8,
	} {
		if got := len(column(kind, of(120, 95, 250, 49)).AppendRow(nil, 0)); got > most {
			t.Errorf("%v of four events takes %d bytes, want at most %d", kind, got, most)
		}
		if got := len(column(kind, nil).AppendRow(nil, 0)); got != 1 {
			t.Errorf("an empty %v takes %d bytes, want 1", kind, got)
		}
	}
}

// FuzzMergeRow feeds hostile bytes: whatever is accepted must be canonical, and skipping must agree with reading.
func FuzzMergeRow(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, kind := range allKinds {
		for _, n := range []int{0, 1, 40, 9000} {
			ins := make([]input, n)
			for i := range ins {
				ins[i].value = event.FloatValue(random.NormFloat64() * 1000)
			}
			f.Add(byte(kind), column(kind, ins).AppendRow(nil, 0))
		}
	}
	f.Add(byte(First), column(First, of("text")).AppendRow(nil, 0))
	f.Fuzz(func(t *testing.T, k byte, src []byte) {
		kind := Kind(k)
		skipped, skipErr := SkipRow(kind, src)
		if !kind.Valid() {
			if skipErr == nil {
				t.Fatalf("skipped a row of %v", kind)
			}
			return
		}
		c := New(kind)
		c.Grow(1)
		rest, err := c.MergeRow(0, src)
		if err != nil {
			return
		}
		if skipErr != nil || len(skipped) != len(rest) {
			t.Fatalf("reading leaves %d bytes, skipping %d, %v", len(rest), len(skipped), skipErr)
		}
		if again := c.AppendRow(nil, 0); !bytes.Equal(again, src[:len(src)-len(rest)]) {
			t.Fatalf("accepted %x, which is %x", src[:len(src)-len(rest)], again)
		}
	})
}
