package window

import (
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// way is what the events of one route add to the panes around one moment:
//
//  1. Rows without a group never move, so that the way leads straight to them.
//  2. What only counts is settled when the way closes: it is enough to know how many events came along, and, where a
//     symbol is the group, how many with each.
//  3. Other groups are looked up for each event.
type way struct {
	open    bool
	events  int64 // not settled
	counts  []*aggregate.CountColumn
	uniques []uniquesStep
	others  []otherStep
	tallies []tally
	grouped []groupedStep
	input   aggregate.Input // scratch of add
}

type uniquesStep struct {
	column *aggregate.UniquesColumn
	slot   int
}

type otherStep struct {
	column aggregate.Column
	slot   int
}

// tally counts the events of a grouping by one key, and nothing else of them.
type tally struct {
	pane    *Pane
	slot    int     // of the key
	columns []int   // counts
	symbols []int64 // events by symbol, not settled
}

type groupedStep struct {
	table *Table
	pane  *Pane
	steps []step
}

// lead opens the way to the panes around a time.
func (w *way) lead(stops []stop, at event.Millis) {
	w.open = true
	w.counts, w.uniques, w.others, w.grouped = w.counts[:0], w.uniques[:0], w.others[:0], w.grouped[:0]
	w.tallies = w.tallies[:0]
	for _, s := range stops {
		id := paneID{start: s.clock.PaneStart(at)}
		for i := range s.adds {
			w.leadTo(s.adds[i].table.livePane(id), &s.adds[i])
		}
	}
}

func (w *way) leadTo(p *Pane, a *addition) {
	switch {
	case len(a.table.grouping.Keys) == 0:
		w.leadToLoneRow(a.steps, p)
	case a.table.key != definition.NoSlot && !slices.ContainsFunc(a.steps, isNoCount):
		w.leadToTally(a, p)
	default:
		w.grouped = append(w.grouped, groupedStep{a.table, p, a.steps})
	}
}

func isNoCount(s step) bool { return s.kind != aggregate.Count }

func (w *way) leadToLoneRow(steps []step, p *Pane) {
	for _, s := range steps {
		switch c := p.columns[s.column].(type) {
		case *aggregate.CountColumn:
			w.counts = append(w.counts, c)
		case *aggregate.UniquesColumn:
			w.uniques = append(w.uniques, uniquesStep{c, s.slot})
		default:
			w.others = append(w.others, otherStep{c, s.slot})
		}
	}
}

func (w *way) leadToTally(a *addition, p *Pane) {
	n := len(w.tallies)
	w.tallies = slices.Grow(w.tallies, 1)[:n+1]
	t := &w.tallies[n] // its symbols have been settled, and its memory can be used again
	t.pane, t.slot, t.columns = p, a.table.key, t.columns[:0]
	for _, s := range a.steps {
		t.columns = append(t.columns, s.column)
	}
}

// close settles what was counted.
func (w *way) close() {
	w.open = false
	for _, c := range w.counts {
		c.IncrementBy(0, w.events)
	}
	w.events = 0
	for i := range w.tallies {
		w.tallies[i].settle()
	}
}

// add adds an event and returns how many of its values could not be held.
func (w *way) add(in *Input) (bad int) {
	w.events++
	for _, u := range w.uniques {
		if !in.Row[u.slot].IsNull() {
			u.column.AddHash(0, in.Hash[u.slot])
		}
	}
	for _, o := range w.others {
		w.input.Value, w.input.At = &in.Row[o.slot], event.Order{Time: in.Time, Coordinate: in.At}
		if !o.column.Add(0, &w.input) {
			bad++
		}
	}
	for i := range w.tallies {
		t := &w.tallies[i]
		if n := in.Row[t.slot].Symbol(); n != 0 && n < len(t.symbols) {
			t.symbols[n]++
		} else {
			t.add(in, n)
		}
	}
	for i := range w.grouped {
		g := &w.grouped[i]
		bad += g.table.addHashing(g.pane, g.steps, in)
	}
	return bad
}

// add counts an event whose key is no symbol, or one that is new here.
func (t *tally) add(in *Input, symbol int) {
	if symbol != 0 {
		t.symbols = append(t.symbols, make([]int64, symbol+1-len(t.symbols))...)
		t.symbols[symbol]++
		return
	}
	in.hashKey(t.slot)
	t.count(t.pane.rowOfText(in, t.slot), 1)
	t.pane.trimSoon()
}

func (t *tally) count(row int, events int64) {
	for _, i := range t.columns {
		t.pane.columns[i].(*aggregate.CountColumn).IncrementBy(row, events)
	}
}

func (t *tally) settle() {
	for n, events := range t.symbols {
		if events == 0 {
			continue
		}
		t.symbols[n] = 0
		v := event.Symbol(n)
		t.count(t.pane.rowOfValue(&v), events)
	}
}
