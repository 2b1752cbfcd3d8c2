package window

import (
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// routeCount is how many routes are kept. One that another has replaced is laid again when it is needed.
const (
	routeBits  = 6
	routeCount = 1 << routeBits
)

// route is where the events go that pass the same filters.
type route struct {
	index  int
	laid   bool
	sifted uint64 // by the sieve
	pass   []bool // by filter
	hashed []int  // the slots whose hash is always needed, ascending
	stops  []stop // only those where some column takes the event
}

// stop is what an event adds to the panes of one clock.
type stop struct {
	clock *definition.Clock
	adds  []addition
}

// addition is what an event adds to one table.
type addition struct {
	table    *Table
	grouping int // of the plan
	steps    []step
}

// route tells which filters an event passes and where that takes it.
func (f *Fold) route(row []event.Value) *route {
	sifted := f.sieve.sift(row)
	r := &f.routes[sifted*0x9E3779B97F4A7C15>>(64-routeBits)]
	if !r.laid || r.sifted != sifted || !f.sieve.exact && !slices.Equal(r.pass, f.sieve.pass) {
		f.lay(r, sifted)
	}
	return r
}

// lay makes the route of what has just been sifted, in the place of another one.
func (f *Fold) lay(r *route, sifted uint64) {
	f.timeline.closeRoute(r.index)
	r.laid, r.sifted = true, sifted
	r.pass = f.sieve.appendPass(r.pass[:0], sifted)
	r.hashed = append(r.hashed[:0], f.keySlots...)
	r.stops = r.stops[:0]
	for c := range f.timeline.clocks {
		s := stop{clock: &f.timeline.clocks[c]}
		for g, t := range f.tables {
			if t == nil || t.grouping.Clock != c {
				continue
			}
			if steps := appendSteps(nil, t.grouping, r.pass); len(steps) > 0 {
				s.adds = append(s.adds, addition{t, g, steps})
				r.hashed = appendHashed(r.hashed, t.grouping, steps)
			}
		}
		if len(s.adds) > 0 {
			r.stops = append(r.stops, s)
		}
	}
	slices.Sort(r.hashed)
	r.hashed = slices.Compact(r.hashed)
}

// appendHashed appends the slots of a grouping whose hash some steps need. A lone key is hashed when its group is looked
// up, because a symbol's row is found without.
func appendHashed(dst []int, g *definition.Grouping, steps []step) []int {
	if len(g.Keys) > 1 {
		for i := range g.Keys {
			dst = append(dst, g.Keys[i].Slot)
		}
	}
	for _, s := range steps {
		if s.kind == aggregate.Uniques {
			dst = append(dst, s.slot)
		}
	}
	return dst
}
