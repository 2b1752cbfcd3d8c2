package window

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Pane holds one row of accumulators for each group of one pane, or of several panes merged.
//
//  1. A grouping without keys has exactly one row, 0, from the start; its key is empty.
//  2. Otherwise at most MaxGroups groups have rows of their own: those with the smallest (hash, key) of all that the
//     pane has ever seen. The others are folded into one row, which stands for all of them.
//
// Rule 2 makes the pane independent of order and of how it was merged: a group that is among the smallest of all is
// among the smallest of every part, so nothing of it is ever folded. Evicting the newest or the rarest groups would
// depend on what else a part has seen.
//
// Between two calls from outside rule 2 holds. Inside, a pane may grow to twice as many groups before it is trimmed,
// so that trimming costs each new group a constant.
type Pane struct {
	grouping *definition.Grouping
	columns  []aggregate.Column // as in grouping.Columns
	rows     []rowKey
	arena    []byte   // the keys, one after the other
	index    []slot   // open addressing, a power of two long; empty without keys
	bySymbol []uint32 // of a grouping with one key: one more than the row of a symbol, 0 where it isn't known
	other    int      // the row of what was folded, or noRow
	bound    int      // the row with the largest (hash, key) that may stay: what is larger is folded at once; or noRow
	spare    []byte   // scratch for keys
	into     []int    // scratch of Merge
}

// rowKey is where a row's key stands in the arena.
type rowKey struct {
	hash       uint64
	start, end int
	plain      bool // see isPlain
}

// slot is one place of the index. Row is one more than the row's number; 0 is a free slot.
type slot struct {
	tag   uint32 // the high half of the hash
	row   uint32
	start uint32 // of the key
	text  uint32 // the length of the key's only text, or noText
}

// noText says that a key is not one text alone that stands there as it is, or stands too far back in the arena.
const noText = math.MaxUint32

const (
	noRow     = -1
	firstSize = 16 // slots of the smallest index
)

// NewPane returns an empty pane of a grouping.
func NewPane(g *definition.Grouping) *Pane {
	p := &Pane{grouping: g, columns: make([]aggregate.Column, len(g.Columns))}
	for i := range g.Columns {
		p.columns[i] = aggregate.New(g.Columns[i].Kind)
	}
	p.start()
	return p
}

// start makes the rows that an empty pane has.
func (p *Pane) start() {
	p.other, p.bound = noRow, noRow
	if len(p.grouping.Keys) == 0 {
		p.newRow(nil, 0)
	}
}

// reset empties the pane and keeps its memory, but not an index that has become much too large: clearing it would
// cost more than the rows.
func (p *Pane) reset() {
	if len(p.index) > firstSize && len(p.index) > 8*len(p.rows) {
		p.index = nil
	}
	clear(p.index)
	clear(p.bySymbol)
	for _, c := range p.columns {
		c.Reset()
	}
	p.rows, p.arena = p.rows[:0], p.arena[:0]
	p.start()
}

// Reset empties the pane, so that it can be used again.
func (p *Pane) Reset() { p.reset() }

// Len is the number of rows.
func (p *Pane) Len() int { return len(p.rows) }

// Key is the encoded group of a row. It is valid until the pane changes.
func (p *Pane) Key(row int) []byte {
	k := &p.rows[row]
	return p.arena[k.start:k.end:k.end]
}

// Column is the column of grouping.Columns[i].
func (p *Pane) Column(i int) aggregate.Column { return p.columns[i] }

// Truncated reports whether groups were folded.
func (p *Pane) Truncated() bool { return p.other != noRow }

// Find returns the row of an encoded group.
func (p *Pane) Find(key []byte) (row int, ok bool) {
	switch {
	case len(p.grouping.Keys) == 0:
		return 0, len(key) == 0
	case isOther(key):
		return p.other, p.other != noRow
	case checkGroup(key, len(p.grouping.Keys)) != nil:
		return noRow, false
	}
	row = p.lookup(key, hashGroup(key))
	return row, row != noRow
}

// Merge adds all rows of another pane of the same grouping. It keeps nothing of o.
func (p *Pane) Merge(o *Pane) {
	p.mergeRows(o)
	for i := range p.columns {
		p.mergeColumn(o, i)
	}
	p.trim()
}

// MergeColumns is Merge for some of the columns: the others stay as they are.
func (p *Pane) MergeColumns(o *Pane, columns []int) {
	p.mergeRows(o)
	for _, i := range columns {
		p.mergeColumn(o, i)
	}
	p.trim()
}

// mergeRows makes the rows that another pane's rows go into.
func (p *Pane) mergeRows(o *Pane) {
	p.into = p.into[:0]
	for r := range o.rows {
		p.into = append(p.into, p.rowFor(o, r))
	}
}

func (p *Pane) mergeColumn(o *Pane, i int) {
	c, from := p.columns[i], o.columns[i]
	for r, row := range p.into {
		c.Merge(row, from, r)
	}
}

// rowFor returns the row that takes what row r of another pane holds.
func (p *Pane) rowFor(o *Pane, r int) int {
	switch {
	case len(p.grouping.Keys) == 0:
		return 0
	case r == o.other:
		return p.otherRow()
	default:
		return p.row(o.Key(r), o.rows[r].hash)
	}
}

// MergeRow adds row src of another pane of the same columns to row into.
func (p *Pane) MergeRow(from *Pane, src int, into int) {
	for i, c := range p.columns {
		c.Merge(into, from.columns[i], src)
	}
}

// Sorted returns the rows in the order of their keys; the row of what was folded comes last.
func (p *Pane) Sorted() []int {
	rows := make([]int, len(p.rows))
	for i := range rows {
		rows[i] = i
	}
	slices.SortFunc(rows, func(a, b int) int { return bytes.Compare(p.Key(a), p.Key(b)) })
	return rows
}

// row returns the row of a group: its own, made if it is missing, or the one of what is folded.
func (p *Pane) row(key []byte, hash uint64) int {
	if row := p.lookup(key, hash); row != noRow {
		return row
	}
	if p.bound != noRow && p.compare(p.bound, key, hash) < 0 {
		return p.otherRow()
	}
	return p.newRow(key, hash)
}

// rowOf is row for the group of an event's values.
func (p *Pane) rowOf(values []event.Value) int {
	p.spare = p.spare[:0]
	for i := range p.grouping.Keys {
		p.spare = appendPart(p.spare, &values[p.grouping.Keys[i].Slot])
	}
	return p.row(p.spare, hashGroup(p.spare))
}

// rowOfValue is row for the group of a single value.
func (p *Pane) rowOfValue(v *event.Value) int {
	p.spare = appendPart(p.spare[:0], v)
	return p.row(p.spare, hashGroup(p.spare))
}

// compare orders a row before or after a group by what decides which of them stays.
func (p *Pane) compare(row int, key []byte, hash uint64) int {
	if c := cmp.Compare(p.rows[row].hash, hash); c != 0 {
		return c
	}
	return bytes.Compare(p.Key(row), key)
}

func (p *Pane) lookup(key []byte, hash uint64) int {
	if len(p.index) == 0 {
		return noRow
	}
	mask := uint64(len(p.index) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		s := p.index[at]
		if s.row == 0 {
			return noRow
		}
		if s.tag == uint32(hash>>32) && bytes.Equal(p.Key(int(s.row-1)), key) {
			return int(s.row - 1)
		}
	}
}

func (p *Pane) newRow(key []byte, hash uint64) int {
	row := len(p.rows)
	start := len(p.arena)
	p.arena = append(p.arena, key...)
	p.rows = append(p.rows, rowKey{hash: hash, start: start, end: len(p.arena), plain: isPlain(key)})
	for _, c := range p.columns {
		c.Grow(row + 1)
	}
	if len(p.grouping.Keys) > 0 && !isOther(key) {
		p.enter(row)
	}
	return row
}

// enter puts a row into the index, which is kept at most half full.
func (p *Pane) enter(row int) {
	if 2*(len(p.rows)+1) <= len(p.index) {
		p.place(row)
		return
	}
	p.index = make([]slot, max(firstSize, 2*len(p.index)))
	for r := range p.rows {
		if r != p.other {
			p.place(r)
		}
	}
}

func (p *Pane) place(row int) {
	hash := p.rows[row].hash
	mask := uint64(len(p.index) - 1)
	at := hash & mask
	for p.index[at].row != 0 {
		at = (at + 1) & mask
	}
	p.index[at] = slot{tag: uint32(hash >> 32), row: uint32(row + 1), text: noText}
	if k := &p.rows[row]; len(p.grouping.Keys) == 1 && k.plain && p.arena[k.start] == tagValue && k.end < math.MaxUint32 {
		p.index[at].start, p.index[at].text = uint32(k.start), uint32(k.end-k.start-textFrame)
	}
}

// otherRow returns the row of what is folded and makes it if need be.
func (p *Pane) otherRow() int {
	if p.other == noRow {
		p.other = p.newRow(otherKey, 0)
	}
	return p.other
}

// named is the number of groups that have a row of their own.
func (p *Pane) named() int {
	if p.other != noRow {
		return len(p.rows) - 1
	}
	return len(p.rows)
}

// trimSoon trims a pane that has grown to twice its groups.
func (p *Pane) trimSoon() {
	if len(p.rows) > 2*p.grouping.MaxGroups {
		p.trim()
	}
}

// trim folds the groups beyond MaxGroups.
func (p *Pane) trim() {
	if len(p.grouping.Keys) == 0 || p.named() <= p.grouping.MaxGroups {
		return
	}
	order := make([]int, 0, len(p.rows))
	for r := range p.rows {
		if r != p.other {
			order = append(order, r)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return p.compare(a, p.Key(b), p.rows[b].hash) })
	trimmed := NewPane(p.grouping)
	for i, r := range order {
		var into int
		if i < p.grouping.MaxGroups {
			into = trimmed.newRow(p.Key(r), p.rows[r].hash)
			trimmed.bound = into
		} else {
			into = trimmed.otherRow()
		}
		trimmed.MergeRow(p, r, into)
	}
	if p.other != noRow {
		trimmed.MergeRow(p, p.other, trimmed.otherRow())
	}
	*p = *trimmed
}
