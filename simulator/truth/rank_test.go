package truth

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// 102 pages: the last of those with one view are `(other)`, and one that the final publishes loses its rank to a late event.
func TestRank(t *testing.T) {
	partitions := map[event.PartitionID][]event.Record{}
	view := func(at string, page string) {
		addRecord(t, partitions, "session=a type=PAGE_VIEW t="+at+" url="+page)
	}
	view("0s", "/top")
	view("1s", "/top")
	for i := range 101 {
		view("2s", fmt.Sprintf("/%03d", i))
	}
	view("100s", "/next") // W is 94.999 s now
	view("3s", "/100")    // from the rest to the second rank
	view("300s", "/next")
	e := Compute(Input{Rules: DefaultRules(), Partitions: partitions})
	published := map[string]Window{}
	for _, w := range e.Windows("top_pages") {
		if w.Start == base {
			published[w.Group["url"]] = w
		}
	}
	for _, c := range []struct {
		page        string
		final, last string
	}{
		{"/top", "2 of 2: views=2", "2 of 2: views=2"},
		{"/000", "1 of 1: views=1", "1 of 1: views=1"},
		{"/097", "1 of 1: views=1", "1 of 1: views=1"},
		{"/098", "1 of 1: views=1", "none"},
		{"/099", "none", "none"},
		{"/100", "none", "2 of 2: views=2"},
		{"(other)", "2 of 2: views=2", "2 of 2: views=2"},
	} {
		w := published[c.page]
		if final, last := describeResult(w.Final), describeResult(w.Last); final != c.final || last != c.last {
			t.Errorf("%s: final %s, last %s; expected %s and %s", c.page, final, last, c.final, c.last)
		}
	}
	if len(published) != 1+99+1+1 {
		t.Errorf("%d groups, expected the hundred of the final, the one that moved up, and (other)", len(published))
	}
}

func TestInBillionths(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want string
	}{
		{0.1, "100000000"}, {10.1, "10100000000"}, {-10.1, "-10100000000"}, {1e18, "1000000000000000000000000000"},
		{0x1p-10, "976562"}, // 976562.5, a tie: to even
		{0x3p-10, "2929688"}, {-0x1p-10, "-976562"}, {-0x3p-10, "-2929688"},
		{0x1p-40, "0"},
	} {
		if got := inBillionths(c.x).String(); got != c.want {
			t.Errorf("%v is %s billionths, expected %s", c.x, got, c.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	var hundred []float64
	for i := range 101 {
		hundred = append(hundred, float64(i))
	}
	slices.Sort(hundred)
	for q, want := range map[float64]float64{0: 0, 0.5: 50, 0.95: 95, 0.99: 99, 1: 100} {
		if got := *quantile(hundred, q); got != want {
			t.Errorf("quantile %v is %v, expected %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != nil {
		t.Error("a quantile of nothing is not null")
	}
}
