package window

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// The rows of these tests: two slots for keys, one for a number. The only filter is whether the number is odd.
const (
	keySlot = iota
	secondSlot
	numberSlot
	testSlots

	oddFilter = 0
)

func testGrouping(keys, maxGroups int) *definition.Grouping {
	return &definition.Grouping{
		Width:     1000,
		Keys:      []definition.Key{{Name: "a", Slot: keySlot}, {Name: "b", Slot: secondSlot}}[:keys],
		MaxGroups: maxGroups,
		Columns: []definition.Column{
			{Hash: definition.Hash{9}, Kind: aggregate.Count, Slot: definition.NoSlot, Where: definition.NoFilter},
			{Hash: definition.Hash{3}, Kind: aggregate.Sum, Slot: numberSlot, Where: oddFilter},
			{Hash: definition.Hash{7}, Kind: aggregate.Uniques, Slot: numberSlot, Where: definition.NoFilter},
			{Hash: definition.Hash{1}, Kind: aggregate.First, Slot: numberSlot, Where: oddFilter},
			{Hash: definition.Hash{5}, Kind: aggregate.Count, Slot: definition.NoSlot, Where: oddFilter},
		},
	}
}

// testInput computes what a worker would from a row of values.
func testInput(at event.Coordinate, row ...event.Value) *Input {
	in := &Input{Time: event.Millis(at.Offset), At: at, Row: row, Hash: make([]uint64, len(row)), Pass: make([]bool, 1)}
	for i := range row {
		in.Hash[i] = row[i].Hash()
	}
	in.Pass[oddFilter] = row[numberSlot].Int()%2 == 1
	return in
}

// inputsOf draws events whose groups are few, hostile, and of every kind.
func inputsOf(t *rapid.T) []*Input {
	key := rapid.OneOf(
		rapid.Map(hostileText(), func(s string) event.Value { return event.StringValue([]byte(s)) }),
		rapid.SampledFrom([]event.Value{
			{}, event.IntValue(1), event.FloatValue(1), event.StringValue([]byte("1")), event.BoolValue(true),
			event.StringValue([]byte("true")), event.StringValue([]byte("\xff")), event.StringValue([]byte("\uFFFD")),
			event.FloatValue(1e18), event.IntValue(1e18), event.StringValue([]byte("a\x00\xffb")),
			event.StringValue([]byte(longPage)), event.StringValue([]byte(longPage + "1")), event.StringValue([]byte(longPage + "2")),
		}),
	)
	n := rapid.IntRange(0, 80).Draw(t, "events")
	ins := make([]*Input, n)
	for i := range ins {
		ins[i] = testInput(event.Coordinate{Offset: event.Offset(i)},
			key.Draw(t, "key"), key.Draw(t, "second"), event.IntValue(rapid.Int64Range(0, 40).Draw(t, "number")))
	}
	return ins
}

// oracleRows computes a pane from all its events at once: group them, keep the groups of the smallest hashes, fold the
// rest. Each row is the group as read, then the columns in canonical form.
func oracleRows(g *definition.Grouping, ins []*Input) []string {
	groups := map[string][]*Input{}
	for _, in := range ins {
		var key []byte
		for _, k := range g.Keys {
			key = appendPart(key, &in.Row[k.Slot])
		}
		groups[string(key)] = append(groups[string(key)], in)
	}
	var keys []string
	for key := range groups {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(hashGroup([]byte(a)), hashGroup([]byte(b))), strings.Compare(a, b))
	})
	if len(g.Keys) > 0 && len(keys) > g.MaxGroups {
		for _, key := range keys[g.MaxGroups:] {
			groups[string(otherKey)] = append(groups[string(otherKey)], groups[key]...)
		}
		keys = append(keys[:g.MaxGroups], string(otherKey))
	}
	slices.Sort(keys)
	var rows []string
	for _, key := range keys {
		row := fmt.Sprintf("%q", AppendGroup(nil, []byte(key)))
		for _, c := range g.Columns {
			column := aggregate.New(c.Kind)
			column.Grow(1)
			for _, in := range groups[key] {
				if c.Where == definition.NoFilter || in.Pass[c.Where] {
					v := &in.Row[numberSlot]
					column.Add(0, &aggregate.Input{Value: v, Hash: v.Hash(), At: event.Order{Time: in.Time, Coordinate: in.At}})
				}
			}
			row += " " + hex.EncodeToString(column.AppendRow(nil, 0))
		}
		rows = append(rows, row)
	}
	return rows
}

func rowsOf(p *Pane) []string {
	var rows []string
	for _, r := range p.Sorted() {
		row := fmt.Sprintf("%q", AppendGroup(nil, p.Key(r)))
		for i := range p.grouping.Columns {
			row += " " + hex.EncodeToString(p.Column(i).AppendRow(nil, r))
		}
		rows = append(rows, row)
	}
	return rows
}

// However events are spread over tables and commits, and however deltas are merged, as panes or as blocks, the pane is
// the one that sees everything at once.
func TestPaneDoesNotDependOnHowItCame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := testGrouping(rapid.IntRange(0, 2).Draw(t, "keys"), rapid.IntRange(1, 8).Draw(t, "max_groups"))
		ins := inputsOf(t)
		tables := make([]*Table, rapid.IntRange(1, 3).Draw(t, "tables"))
		for i := range tables {
			tables[i] = NewTable(g)
		}
		whole := NewPane(g)
		var blocks [][]byte
		commit := func(table *Table) {
			for _, d := range table.Take() {
				switch rapid.IntRange(0, 2).Draw(t, "merge") {
				case 0:
					whole.Merge(d.Pane)
				case 1:
					blocks = append(blocks, d.Pane.AppendBlock(nil))
				case 2: // what is there and the delta change places
					d.Pane.Merge(whole)
					whole, d.Pane = d.Pane, whole
				}
				table.Recycle(d.Pane)
			}
		}
		for _, in := range rapid.Permutation(ins).Draw(t, "shuffled") {
			table := tables[rapid.IntRange(0, len(tables)-1).Draw(t, "table")]
			table.Add(in, 0, false)
			if rapid.IntRange(0, 9).Draw(t, "commit") == 0 {
				commit(table)
			}
		}
		for _, table := range tables {
			commit(table)
		}
		for len(blocks) > 0 { // like Pebble: any run of operands may be merged first
			last := len(blocks) - 1
			if last > 0 && rapid.Bool().Draw(t, "fold") {
				merged, err := MergeBlocks(blocks[last], blocks[last-1])
				if err != nil {
					t.Fatal(err)
				}
				blocks = append(blocks[:last-1], merged)
				continue
			}
			p, err := DecodeBlock(g, blocks[last])
			if err != nil {
				t.Fatal(err)
			}
			whole.Merge(p)
			blocks = blocks[:last]
		}
		want := oracleRows(g, ins)
		if len(g.Keys) == 0 && len(ins) == 0 {
			want = rowsOf(NewPane(g))
		}
		if diff := gocmp.Diff(want, rowsOf(whole)); diff != "" {
			t.Errorf("rows of the pane (-oracle +ours):\n%s", diff)
		}
		checkFinds(t, whole)
	})
}

// checkFinds holds Find, Len and Truncated to the rows.
func checkFinds(t *rapid.T, p *Pane) {
	other := false
	for r := range p.Len() {
		if got, ok := p.Find(bytes.Clone(p.Key(r))); !ok || got != r {
			t.Errorf("row %d with key %q is found as %d, %v", r, p.Key(r), got, ok)
		}
		other = other || isOther(p.Key(r))
	}
	if p.Truncated() != other {
		t.Errorf("truncated %v, but a row for (other) %v", p.Truncated(), other)
	}
	absent := groupOf("absent", "absent")
	if row, ok := p.Find(absent); ok {
		t.Errorf("a group that never was is row %d", row)
	}
}

func TestPaneWithoutKeysHasItsRowAtOnce(t *testing.T) {
	p := NewPane(testGrouping(0, 1))
	if row, ok := p.Find(nil); p.Len() != 1 || !ok || row != 0 || len(p.Key(0)) != 0 {
		t.Errorf("%d rows, row %d found %v", p.Len(), row, ok)
	}
	if q := NewPane(testGrouping(1, 1)); q.Len() != 0 {
		t.Errorf("%d rows in an empty pane with a key", q.Len())
	}
}

// Groups whose hashes are equal are told apart by their bytes, in the index and in what is folded.
func TestPaneTellsEqualHashesApart(t *testing.T) {
	g := testGrouping(1, 2)
	for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "c", "a"}} {
		p := NewPane(g)
		for _, text := range order {
			row := p.row(groupOf(text), 42)
			p.Column(0).Add(row, &aggregate.Input{})
		}
		p.trim()
		var got []string
		for _, r := range p.Sorted() {
			got = append(got, AppendGroup(nil, p.Key(r))...)
		}
		if diff := gocmp.Diff([]string{"a", "b", "(other)"}, got); diff != "" {
			t.Errorf("groups added as %v (-want +got):\n%s", order, diff)
		}
	}
}
