package window

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// testPane is a pane of a few groups, one of them hostile, one of nulls.
func testPane(g *definition.Grouping, from, to int) *Pane {
	table := NewTable(g)
	table.live[paneID{}] = NewPane(g)
	keys := []event.Value{{}, event.StringValue([]byte("a\x00b")), event.StringValue([]byte("/home")), event.IntValue(7)}
	for i := from; i < to; i++ {
		table.Add(testInput(event.Coordinate{Offset: event.Offset(i)}, keys[i%4], keys[i/2%4], event.IntValue(int64(i*i))), 0, false)
	}
	return table.Take()[0].Pane
}

// with returns the grouping with other columns of it, by index.
func with(g *definition.Grouping, columns ...int) *definition.Grouping {
	h := *g
	h.Columns = nil
	for _, i := range columns {
		h.Columns = append(h.Columns, g.Columns[i])
	}
	return &h
}

func TestBlocksMatchColumnsByHash(t *testing.T) {
	g := testGrouping(1, 10)
	all := testPane(g, 0, 40)
	for _, columns := range [][]int{{0, 1, 2, 3, 4}, {4, 2, 0}, {3}, {}} {
		h := with(g, columns...)
		p, err := DecodeBlock(h, all.AppendBlock(nil))
		if err != nil {
			t.Fatal(err)
		}
		for r := range p.Len() {
			from, ok := all.Find(p.Key(r))
			for i, c := range columns {
				want, got := all.Column(c).AppendRow(nil, from), p.Column(i).AppendRow(nil, r)
				if !ok || !bytes.Equal(want, got) {
					t.Errorf("group %q, column %d of %v: %x, want %x", p.Key(r), i, columns, got, want)
				}
			}
		}
		if p.Len() != all.Len() {
			t.Errorf("columns %v: %d groups of %d", columns, p.Len(), all.Len())
		}
		back, err := DecodeBlock(g, p.AppendBlock(nil))
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range g.Columns {
			empty := aggregate.New(c.Kind)
			empty.Grow(1)
			for r := range back.Len() {
				got := back.Column(i).AppendRow(nil, r)
				if had := slices.Contains(columns, i); !had && !bytes.Equal(got, empty.AppendRow(nil, 0)) {
					t.Errorf("column %d, which the block does not have, holds %x", i, got)
				}
			}
		}
	}
}

// A definition that starts later adds columns: blocks of before and after merge into one with all of them.
func TestMergeBlocksUnitesColumns(t *testing.T) {
	g := testGrouping(2, 10)
	older := testPane(with(g, 0, 3), 0, 30).AppendBlock(nil)
	newer := testPane(with(g, 4, 3, 2), 20, 50).AppendBlock(nil)
	a, err := MergeBlocks(older, newer)
	if err != nil {
		t.Fatal(err)
	}
	b, err := MergeBlocks(newer, older)
	if err != nil || !bytes.Equal(a, b) {
		t.Fatalf("the order of blocks matters, or %v", err)
	}
	want := NewPane(with(g, 0, 2, 3, 4))
	for _, block := range [][]byte{newer, older} {
		p, err := DecodeBlock(want.grouping, block)
		if err != nil {
			t.Fatal(err)
		}
		want.Merge(p)
	}
	got, err := DecodeBlock(want.grouping, a)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(rowsOf(want), rowsOf(got)); diff != "" {
		t.Errorf("merged blocks (-want +got):\n%s", diff)
	}
}

func TestBlocksOfOtherGroupingsAreRefused(t *testing.T) {
	g := testGrouping(1, 10)
	block := testPane(g, 0, 9).AppendBlock(nil)
	otherKind := with(g, 0, 1, 2, 3, 4)
	otherKind.Columns[0].Kind = aggregate.Max
	for name, h := range map[string]*definition.Grouping{
		"another number of keys": testGrouping(2, 10),
		"no keys":                testGrouping(0, 10),
		"another max_groups":     testGrouping(1, 11),
		"a column's kind":        otherKind,
	} {
		if _, err := DecodeBlock(h, block); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "a column's kind" {
			continue // MergeBlocks has only hashes to go by, and the kind is part of them
		}
		if _, err := MergeBlocks(block, testPane(h, 0, 9).AppendBlock(nil)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: merged with %v", name, err)
		}
	}
}

// A row for folded groups beside fewer than max_groups of them can't come about.
func TestBlocksThatCanNotBeAreRefused(t *testing.T) {
	g := testGrouping(1, 2)
	for name, keys := range map[string][][]byte{
		"nothing wrong":                 {groupOf("a"), groupOf("b"), otherKey},
		"too few groups beside (other)": {groupOf("a"), otherKey},
		"too many groups":               {groupOf("a"), groupOf("b"), groupOf("c")},
		"groups out of order":           {groupOf("b"), groupOf("a")},
		"a group twice":                 {groupOf("a"), groupOf("a")},
		"a group of two values":         {groupOf("a", "b")},
		"a group that is not UTF-8":     {{tagValue, 0xC3, escape, textEnd}},
	} {
		none := with(g)
		block := NewPane(none).AppendBlock(nil)
		block = append(block[:len(block)-1], byte(len(keys)))
		for _, key := range keys {
			block = append(append(block, byte(len(key))), key...)
		}
		if _, err := DecodeBlock(none, block); errors.Is(err, ErrCorrupt) == (name == "nothing wrong") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeltasOfFewEventsAreSmall(t *testing.T) {
	g := testGrouping(1, 1000)
	table := NewTable(g)
	for i := range 3 {
		table.Add(testInput(event.Coordinate{}, event.StringValue([]byte("/shop")), event.Value{}, event.IntValue(int64(i))), 0, false)
	}
	block := table.Take()[0].Pane.AppendBlock(nil)
	if head := 6 + 17*len(g.Columns); len(block) > head+50 {
		t.Errorf("three events of one group take %d bytes, %d of them to say what the block is", len(block), head)
	}
}

// A small block must not make the decoder ask for much memory, whatever it claims.
func TestHostileClaimsAllocateLittle(t *testing.T) {
	head := func(keys, maxGroups, columns uint64) []byte {
		b := []byte{blockFormat}
		for _, n := range []uint64{keys, maxGroups, columns} {
			b = binary.AppendUvarint(b, n)
		}
		return b
	}
	columns := func(n int) []byte {
		b := head(1, 1<<30, uint64(n))
		for i := range n {
			b = append(b, make([]byte, 16)...)
			binary.BigEndian.PutUint32(b[len(b)-16:], uint32(i))
			b = append(b, byte(aggregate.Quantile))
		}
		return b
	}
	rows := binary.AppendUvarint(columns(500), 500) // 250,000 cells without data
	for i := range 500 {
		key := groupOf(fmt.Sprintf("%04d", i))
		rows = append(append(rows, byte(len(key))), key...)
	}
	for name, block := range map[string][]byte{
		"many columns": head(1, 5, 1<<40),
		"many keys":    head(1<<60, 5, 0),
		"many rows":    append(head(1, 1<<30, 0), 0xff, 0xff, 0xff, 0x7f),
		"many cells":   append(rows, make([]byte, 500)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var m BlockMerger
		if err := m.Add(block); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		n := int(after.TotalAlloc - before.TotalAlloc)
		if n > 40*len(block)+10_000 {
			t.Errorf("%s: %d bytes for a block of %d", name, n, len(block))
		}
	}
}

// FuzzDecodeBlock feeds hostile bytes: what is accepted must be exactly what would be written, and merging it with
// itself must not depend on anything.
func FuzzDecodeBlock(f *testing.F) {
	for keys := range 3 {
		for _, n := range []int{0, 1, 30} {
			f.Add(testPane(testGrouping(keys, 100), 0, n).AppendBlock(nil))
			f.Add(testPane(testGrouping(keys, 2), 0, n).AppendBlock(nil))
		}
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		var m BlockMerger
		if m.Add(block) != nil {
			return
		}
		again, err := m.AppendBlock(nil)
		if err != nil || !bytes.Equal(block, again) {
			t.Fatalf("accepted %x, which is %x, %v", block, again, err)
		}
		p, err := DecodeBlock(m.pane.grouping, block)
		if err != nil {
			t.Fatalf("merger accepts what the decoder refuses: %v", err)
		}
		for r := range p.Len() {
			AppendGroup(nil, p.Key(r))
			if found, ok := p.Find(p.Key(r)); !ok || found != r {
				t.Fatalf("row %d is found as %d, %v", r, found, ok)
			}
		}
		left, err := MergeBlocks(block, block)
		if err != nil {
			return // rows that can't be added, like a count of 2^64-1 buckets
		}
		if right, err := MergeBlocks(left, block); err == nil {
			if other, err := MergeBlocks(block, left); err != nil || !bytes.Equal(right, other) {
				t.Fatalf("merging depends on the order: %v", err)
			}
		}
	})
}
