package window

import (
	"fmt"
	"math"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

func TestTableTakesWhatItsFiltersTake(t *testing.T) {
	g := testGrouping(1, 10)
	g.Columns = []definition.Column{
		{Hash: definition.Hash{1}, Kind: aggregate.Sum, Slot: numberSlot, Where: 0},
		{Hash: definition.Hash{2}, Kind: aggregate.Max, Slot: numberSlot, Where: 1},
		{Hash: definition.Hash{3}, Kind: aggregate.Count, Slot: definition.NoSlot, Where: definition.NoFilter, AnyOf: []int{0, 1}},
	}
	nan := event.FloatValue(math.NaN())
	for _, tc := range []struct {
		name string
		pass []bool
		in   event.Value
		took bool
		bad  int
		want string // sum, max, count; no row: ""
	}{
		{"no filter passes: no group", []bool{false, false}, event.IntValue(5), false, 0, ""},
		{"one filter passes", []bool{true, false}, event.IntValue(5), true, 0, "5 null 1"},
		{"the other passes", []bool{false, true}, event.IntValue(5), true, 0, "0 5 1"},
		{"both pass", []bool{true, true}, event.IntValue(5), true, 0, "5 5 1"},
		{"a null makes the group", []bool{true, true}, event.Value{}, true, 0, "0 null 1"},
		{"what can't be held is null and counted", []bool{true, true}, nan, true, 2, "0 null 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := NewTable(g)
			in := testInput(event.Coordinate{}, event.StringValue([]byte("x")), event.Value{}, tc.in)
			in.Pass = tc.pass
			if took, bad := table.Add(in, 0, false); took != tc.took || bad != tc.bad {
				t.Errorf("took %v with %d bad values, want %v with %d", took, bad, tc.took, tc.bad)
			}
			got := ""
			for _, d := range table.Take() {
				for i := range g.Columns {
					v := d.Pane.Column(i).Result(0, 0)
					text := string(v.AppendText(nil))
					if v.IsNull() {
						text = "null"
					}
					got += text + " "
				}
			}
			if want := tc.want; got != want && got != want+" " {
				t.Errorf("row %q, want %q", got, want)
			}
		})
	}
}

func TestTableKeepsPanesAndLateRowsApart(t *testing.T) {
	table := NewTable(testGrouping(0, 1))
	in := testInput(event.Coordinate{}, event.Value{}, event.Value{}, event.IntValue(1))
	for round := range 2 { // the second is made in recycled memory
		for range round + 1 {
			table.Add(in, 2000, false)
			table.Add(in, -1000, false)
			table.Add(in, 1000, true)
			table.Add(in, 1000, false)
			table.Add(in, 1000, true)
		}
		var got []string
		deltas := table.Take()
		for _, d := range deltas {
			n := d.Pane.Column(0).Result(0, 0)
			got = append(got, fmt.Sprint(d.Start, d.Late, n.Int()/int64(round+1)))
		}
		want := []string{"-1000 false 1", "1000 false 1", "1000 true 2", "2000 false 1"}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("deltas of round %d (-want +got):\n%s", round, diff)
		}
		for _, d := range deltas {
			table.Recycle(d.Pane)
		}
	}
	if d := table.Take(); len(d) != 0 {
		t.Errorf("%d deltas of nothing", len(d))
	}
}

// More panes than the table remembers as recent, and more groups than an index starts with.
func TestTableWithManyPanesAndGroups(t *testing.T) {
	g := testGrouping(1, 1000)
	table := NewTable(g)
	for i := range 200 {
		for pane := range 40 {
			in := testInput(event.Coordinate{}, event.StringValue(fmt.Append(nil, "group ", i*(pane+1)%150)), event.Value{}, event.IntValue(1))
			table.Add(in, event.Millis(pane)*1000, pane%3 == 0)
		}
	}
	deltas := table.Take()
	if len(deltas) != 40 {
		t.Fatalf("%d deltas", len(deltas))
	}
	for pane, d := range deltas {
		want := map[string]int64{}
		for i := range 200 {
			want[fmt.Sprint("group ", i*(pane+1)%150)]++
		}
		got := map[string]int64{}
		for r := range d.Pane.Len() {
			n := d.Pane.Column(0).Result(r, 0)
			got[AppendGroup(nil, d.Pane.Key(r))[0]] = n.Int()
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("pane %d (-want +got):\n%s", pane, diff)
		}
	}
}

func TestTableAddsWithoutAllocating(t *testing.T) {
	table := NewTable(testGrouping(2, 100))
	var ins []*Input
	for i := range 50 {
		ins = append(ins, testInput(event.Coordinate{Offset: event.Offset(i)},
			event.StringValue(fmt.Append(nil, "g", i%7)), event.Value{}, event.IntValue(int64(i))))
	}
	for _, in := range ins {
		table.Add(in, 0, false)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, in := range ins {
			table.Add(in, 0, false)
		}
	}); n != 0 {
		t.Errorf("%v allocations in 50 events", n)
	}
}

// A hash that collides, by chance or by design, must not put an event into another group's row.
func TestTableTellsEqualHashesApart(t *testing.T) {
	for keys := 1; keys <= 2; keys++ {
		table := NewTable(testGrouping(keys, 10))
		texts := []string{"a\x00b", "a\x00\xffb", "plain", "plaim", "", "a"}
		for _, text := range texts {
			table.Add(testInput(event.Coordinate{}, event.StringValue([]byte(text)), event.Value{}, event.IntValue(1)), 0, false)
		}
		for _, text := range texts { // each in the disguise of every other
			for _, as := range texts {
				in := testInput(event.Coordinate{}, event.StringValue([]byte(text)), event.Value{}, event.IntValue(1))
				disguise := event.StringValue([]byte(as))
				in.Hash[keySlot] = disguise.Hash()
				table.Add(in, 0, false)
			}
		}
		p := table.Take()[0].Pane
		for r := range p.Len() {
			if n := p.Column(0).Result(r, 0); n.Int() != int64(1+len(texts)) {
				t.Errorf("%d keys: group %q has %d events, want %d", keys, AppendGroup(nil, p.Key(r)), n.Int(), 1+len(texts))
			}
		}
		if p.Len() != len(texts) {
			t.Errorf("%d keys: %d groups of %d", keys, p.Len(), len(texts))
		}
	}
}

// Beyond the filters of which every combination is prepared, a table asks each column.
func TestTableWithManyFilters(t *testing.T) {
	g := &definition.Grouping{MaxGroups: 1}
	for i := range 2 * maxFilters {
		g.Columns = append(g.Columns, definition.Column{
			Hash: definition.Hash{byte(i)}, Kind: aggregate.Count, Slot: definition.NoSlot, Where: i,
		})
	}
	table := NewTable(g)
	in := &Input{Pass: make([]bool, len(g.Columns))}
	if took, _ := table.Add(in, 0, false); took {
		t.Error("took what no filter passes")
	}
	for i := range g.Columns {
		in.Pass[i] = true // column i is there for this event and all that follow
		table.Add(in, 0, false)
	}
	p := table.Take()[0].Pane
	for i := range g.Columns {
		if n := p.Column(i).Result(0, 0); n.Int() != int64(len(g.Columns)-i) {
			t.Errorf("column %d counts %d, want %d", i, n.Int(), len(g.Columns)-i)
		}
	}
}
