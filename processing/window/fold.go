package window

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Fold adds events to all tables that a plan feeds with events. The tables end up as if each of them had been asked with
// Table.Add; but what several of them need is found out once:
//
//  1. The sieve tells which filters an event passes.
//  2. They choose a route: the tables and columns that take the event. Few of the many combinations ever occur, so routes
//     are kept.
//  3. What the route needs is hashed, nothing else.
//  4. The timeline finds the moment, around which the panes of all clocks are known.
//  5. The way from that route to that moment knows what to add where.
//
// Events that are late for some pane go to one table after the other.
//
// Not safe for concurrent use: every worker has its own.
type Fold struct {
	space    *definition.Space
	tables   []*Table // by grouping of the plan; nil for those that sessions feed
	timeline *timeline
	sieve    sieve
	routes   [routeCount]route // by a hash of which filters pass
	keySlots []int             // of sessions: hashed for every event
	pass     []bool            // of the last event
	refused  []int             // of the last event
}

// NewFold returns empty tables for a plan.
func NewFold(plan *definition.Plan) *Fold {
	f := &Fold{space: &plan.Events, timeline: newTimeline(plan.Clocks), sieve: newSieve(plan.Events.Filters)}
	for i := range plan.Groupings {
		var t *Table
		if g := &plan.Groupings[i]; g.From == definition.FromEvents {
			t = NewTable(g)
		}
		f.tables = append(f.tables, t)
	}
	for i := range f.routes {
		f.routes[i].index = i
	}
	for i := range plan.Sessions {
		f.keySlots = append(f.keySlots, plan.Sessions[i].KeySlot)
	}
	return f
}

// NewInput returns an input for rows of a space.
func NewInput(space *definition.Space) Input {
	return Input{
		Row: make([]event.Value, space.Slots), Hash: make([]uint64, space.Slots), Pass: make([]bool, len(space.Filters)),
	}
}

// Add adds an event whose Time, At and first slots of Row are set. It derives the rest of Row, and of Hash what it needs
// itself and the keys of sessions. The watermark is W_p as it stood before the event. Took tells whether any grouping took
// the event, bad how many of its values could not be held; Pass and Refused tell more.
func (f *Fold) Add(in *Input, watermark event.Millis) (took bool, bad int) {
	for i := range f.space.Derived {
		d := &f.space.Derived[i]
		if from := d.Either; from != nil { // most of what is derived, at the price of a copy
			v := &in.Row[from[0]]
			if v.IsNull() {
				v = &in.Row[from[1]]
			}
			in.Row[d.Slot] = *v
			continue
		}
		in.Row[d.Slot] = d.Eval(in.Row)
	}
	r := f.route(in.Row)
	f.pass, f.refused = r.pass, f.refused[:0]
	in.hash(r.hashed)
	m := f.timeline.find(in.Time, watermark)
	if m == nil {
		return f.addLate(in, r, watermark)
	}
	w := m.ways[r.index]
	if w == nil || !w.open {
		w = m.pave(r)
	}
	return len(r.stops) > 0, w.add(in)
}

// addLate adds an event that some pane around it may have passed, each clock judging for itself.
func (f *Fold) addLate(in *Input, r *route, watermark event.Millis) (took bool, bad int) {
	for i := range r.stops {
		s := &r.stops[i]
		start := s.clock.PaneStart(in.Time)
		verdict := Judge(s.clock, start, watermark)
		for j := range s.adds {
			a := &s.adds[j]
			if verdict == TooLate {
				f.refused = append(f.refused, a.grouping)
				continue
			}
			bad += a.table.addHashing(a.table.pane(paneID{start, verdict == LateAllowed}), a.steps, in)
			took = true
		}
	}
	return took, bad
}

// Pass tells for each filter whether the last event passed it. It is valid until the next Add.
func (f *Fold) Pass() []bool { return f.pass }

// Refused are the groupings of the plan that would have taken the last event, had it come earlier. It is valid until the
// next Add.
func (f *Fold) Refused() []int { return f.refused }

// Take hands over the deltas since the last Take, by grouping of the plan.
func (f *Fold) Take() [][]Delta {
	f.timeline.forget()
	deltas := make([][]Delta, len(f.tables))
	for g, t := range f.tables {
		if t != nil {
			deltas[g] = t.Take()
		}
	}
	return deltas
}

// Bytes is about how long the blocks of the deltas would be: keys, and what rows have at least.
func (f *Fold) Bytes() int64 {
	const bytesOfRow = 32
	n := 0
	for _, t := range f.tables {
		if t == nil {
			continue
		}
		for _, p := range t.live {
			n += len(p.arena) + bytesOfRow*len(p.rows)
		}
	}
	return int64(n)
}

// Recycle takes back the pane of a grouping's delta that nobody needs any more.
func (f *Fold) Recycle(grouping int, p *Pane) { f.tables[grouping].Recycle(p) }
