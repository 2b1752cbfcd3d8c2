package window

import (
	"cmp"
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Table holds one worker's deltas of one grouping between two commits. It is owned by one goroutine.
type Table struct {
	grouping *definition.Grouping
	key      int      // the slot of the only key, or NoSlot
	filters  []int    // that decide which columns take an event
	steps    [][]step // what to do, by which of filters pass: bit i is filters[i]; nil if they are too many
	scratch  []step   // what to do for one event, if steps is nil
	live     map[paneID]*Pane
	recent   [8]recent       // panes looked up lately: events come nearly in order
	free     []*Pane         // recycled
	input    aggregate.Input // scratch of Add
}

// step adds an event to one column.
type step struct {
	column int
	slot   int // NoSlot for a count
	kind   aggregate.Kind
}

// Delta is what the events since the last commit add to one pane.
type Delta struct {
	Start event.Millis
	Late  bool // rows that were late but allowed: kept apart
	Pane  *Pane
}

type paneID struct {
	start event.Millis
	late  bool
}

type recent struct {
	paneID
	pane *Pane // nil: nothing here
}

// maxFilters bounds the filters of which every combination gets its steps beforehand.
const maxFilters = 8

// NewTable returns an empty table of a grouping.
func NewTable(g *definition.Grouping) *Table {
	t := &Table{grouping: g, key: definition.NoSlot, live: make(map[paneID]*Pane)}
	if len(g.Keys) == 1 {
		t.key = g.Keys[0].Slot
	}
	for i := range g.Columns {
		t.filters = append(t.filters, filtersOf(&g.Columns[i])...)
	}
	slices.Sort(t.filters)
	t.filters = slices.Compact(t.filters)
	if len(t.filters) > maxFilters {
		return t
	}
	pass := make([]bool, slices.Max(append(t.filters, 0))+1)
	for mask := range 1 << len(t.filters) {
		for i, f := range t.filters {
			pass[f] = mask>>i&1 == 1
		}
		t.steps = append(t.steps, appendSteps(nil, g, pass))
	}
	return t
}

func filtersOf(c *definition.Column) []int {
	switch {
	case c.AnyOf != nil:
		return c.AnyOf
	case c.Where != definition.NoFilter:
		return []int{c.Where}
	default:
		return nil
	}
}

// appendSteps appends a step for every column that takes an event that passes some filters.
func appendSteps(dst []step, g *definition.Grouping, pass []bool) []step {
	for i := range g.Columns {
		if c := &g.Columns[i]; takes(c, pass) {
			dst = append(dst, step{i, c.Slot, c.Kind})
		}
	}
	return dst
}

// Add adds an event to the row of its group in the pane that starts at start. Took is false if no column takes the
// event, which then makes no group; bad counts the values that could not be held.
func (t *Table) Add(in *Input, start event.Millis, late bool) (took bool, bad int) {
	steps := t.stepsFor(in.Pass)
	if len(steps) == 0 {
		return false, 0
	}
	return true, t.add(t.pane(paneID{start, late}), steps, in)
}

// addHashing is add for an input in which a lone key is not hashed yet.
func (t *Table) addHashing(p *Pane, steps []step, in *Input) (bad int) {
	if t.key != definition.NoSlot {
		in.hashKey(t.key)
	}
	return t.add(p, steps, in)
}

// add adds an event to the row of its group in a pane.
func (t *Table) add(p *Pane, steps []step, in *Input) (bad int) {
	row := 0
	switch {
	case t.key != definition.NoSlot:
		row = p.rowOfText(in, t.key)
	case len(t.grouping.Keys) > 0:
		row = p.rowFast(in)
	}
	for i := range steps {
		s := &steps[i]
		column := p.columns[s.column]
		switch s.kind { // the commonest without the interface between
		case aggregate.Count:
			column.(*aggregate.CountColumn).Increment(row)
		case aggregate.Uniques:
			if !in.Row[s.slot].IsNull() {
				column.(*aggregate.UniquesColumn).AddHash(row, in.Hash[s.slot])
			}
		default:
			t.input.Value = &in.Row[s.slot]
			t.input.At = event.Order{Time: in.Time, Coordinate: in.At}
			if !column.Add(row, &t.input) {
				bad++
			}
		}
	}
	p.trimSoon()
	return bad
}

func (t *Table) stepsFor(pass []bool) []step {
	if t.steps == nil {
		t.scratch = appendSteps(t.scratch[:0], t.grouping, pass)
		return t.scratch
	}
	which := 0
	for i, f := range t.filters {
		bit := 0 // set without a branch, which would be mispredicted as often as events differ
		if pass[f] {
			bit = 1
		}
		which |= bit << i
	}
	return t.steps[which]
}

// takes reports whether a column takes an event.
func takes(c *definition.Column, pass []bool) bool {
	if c.AnyOf == nil {
		return c.Where == definition.NoFilter || pass[c.Where]
	}
	for _, f := range c.AnyOf {
		if pass[f] {
			return true
		}
	}
	return false
}

// Take hands over the deltas since the last Take, by start, on time before late.
func (t *Table) Take() []Delta {
	if len(t.live) == 0 {
		return nil
	}
	deltas := make([]Delta, 0, len(t.live))
	for id, p := range t.live {
		p.trim()
		deltas = append(deltas, Delta{Start: id.start, Late: id.late, Pane: p})
	}
	slices.SortFunc(deltas, func(a, b Delta) int {
		if a.Start != b.Start || a.Late == b.Late {
			return cmp.Compare(a.Start, b.Start)
		}
		if b.Late {
			return -1
		}
		return 1
	})
	clear(t.live)
	t.recent = [len(t.recent)]recent{}
	return deltas
}

// freePanes is how many recycled panes a table keeps: as many as are live when events are nearly in order.
const freePanes = 8

// Recycle takes back the pane of a delta that nobody needs any more. It must be called by the table's owner.
func (t *Table) Recycle(p *Pane) {
	if p.grouping != t.grouping {
		panic("BUG: pane recycled into the table of another grouping")
	}
	if len(t.free) < freePanes {
		p.reset()
		t.free = append(t.free, p)
	}
}

func (t *Table) pane(id paneID) *Pane {
	h := uint64(id.start) * 0x9E3779B97F4A7C15 >> 61
	if id.late {
		h ^= 1
	}
	r := &t.recent[h]
	if r.pane == nil || r.paneID != id {
		*r = recent{id, t.livePane(id)}
	}
	return r.pane
}

func (t *Table) livePane(id paneID) *Pane {
	p := t.live[id]
	if p != nil {
		return p
	}
	if n := len(t.free); n > 0 {
		p, t.free = t.free[n-1], t.free[:n-1]
	} else {
		p = NewPane(t.grouping)
	}
	t.live[id] = p
	return p
}
