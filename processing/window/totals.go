package window

import (
	"slices"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Totals holds the open panes of one grouping: everything folded so far, late rows apart. It is owned by the committer.
type Totals struct {
	grouping *definition.Grouping
	panes    map[event.Millis]*open
	starts   []event.Millis // of panes, ascending
}

// open is one pane; either side is nil while it has no row.
type open struct {
	onTime, late *Pane
}

// Settled is a pane that nothing can change any more.
type Settled struct {
	Start event.Millis
	Pane  *Pane // all rows
}

// NewTotals makes the totals of a grouping.
func NewTotals(g *definition.Grouping) *Totals {
	return &Totals{grouping: g, panes: make(map[event.Millis]*open)}
}

// Merge adds a delta, or a block as loaded. It keeps nothing of d.
func (t *Totals) Merge(d Delta) {
	o := t.panes[d.Start]
	if o == nil {
		o = &open{}
		t.panes[d.Start] = o
		at, _ := slices.BinarySearch(t.starts, d.Start)
		t.starts = slices.Insert(t.starts, at, d.Start)
	}
	side := &o.onTime
	if d.Late {
		side = &o.late
	}
	if *side == nil {
		*side = NewPane(t.grouping)
	}
	(*side).Merge(d.Pane)
}

// Len is the number of open panes.
func (t *Totals) Len() int { return len(t.starts) }

// Starts are the starts of the open panes, ascending.
func (t *Totals) Starts() []event.Millis { return t.starts }

// HasLate reports whether the pane has late rows.
func (t *Totals) HasLate(start event.Millis) bool {
	o := t.panes[start]
	return o != nil && o.late != nil
}

// Rows says which rows of a window's panes are wanted.
type Rows uint8

// A final is made of the rows that must have been read by then; a last revision and a provisional result of all rows.
const (
	FinalRows Rows = iota
	AllRows
)

// Window merges the panes of [start, end), or only the given columns of them. It returns nil when there is no row. The
// pane may be one of the totals' own: it is read, never changed.
func (t *Totals) Window(start, end event.Millis, rows Rows, columns []int) *Pane {
	var parts []*Pane
	from, _ := slices.BinarySearch(t.starts, start)
	for _, s := range t.starts[from:] {
		if s >= end {
			break
		}
		o := t.panes[s]
		if o.onTime != nil {
			parts = append(parts, o.onTime)
		}
		if o.late != nil && (rows == AllRows || t.complete(s, end)) {
			parts = append(parts, o.late)
		}
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	whole := NewPane(t.grouping)
	for _, p := range parts {
		whole.MergeColumns(p, columns)
	}
	return whole
}

// allColumns are the columns of a grouping.
func allColumns(g *definition.Grouping) []int {
	all := make([]int, len(g.Columns))
	for i := range all {
		all[i] = i
	}
	return all
}

// complete reports whether a pane's late rows are all there once W has reached a window's end: whatever the
// interleaving, they can't have been read later.
func (t *Totals) complete(pane, windowEnd event.Millis) bool {
	return pane+t.grouping.Width+t.grouping.Lateness <= windowEnd
}

// Purge removes the panes that no unsettled window needs: those that start before the horizon.
func (t *Totals) Purge(horizon event.Millis) []Settled {
	n, _ := slices.BinarySearch(t.starts, horizon)
	if n == 0 {
		return nil
	}
	settled := make([]Settled, 0, n)
	for _, s := range t.starts[:n] {
		settled = append(settled, Settled{Start: s, Pane: t.Window(s, s+t.grouping.Width, AllRows, allColumns(t.grouping))})
		delete(t.panes, s)
	}
	t.starts = slices.Delete(t.starts, 0, n)
	return settled
}
