package window

import (
	"math"
	"math/bits"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// moment is a span of time in which no pane of any clock begins or ends, so that all events in it fall into the same
// panes. The ways to these panes are kept; they serve events that are on time for all of them, as nearly all are.
type moment struct {
	from   event.Millis
	span   uint64
	onTime event.Millis     // as long as the watermark is below this
	ways   [routeCount]*way // by route; nil before the first event that took it
}

// momentCount is how many moments are at hand, a power of two. Events come nearly in order.
const momentCount = 8

// timeline finds the moment of an event.
type timeline struct {
	clocks  []definition.Clock
	finest  definition.Clock // of the least width
	inverse uint64           // 2^64 / its width
	moments [momentCount]moment
}

func newTimeline(clocks []definition.Clock) *timeline {
	l := &timeline{clocks: clocks, finest: definition.Clock{Width: math.MaxInt64}}
	for _, c := range clocks {
		if c.Width < l.finest.Width {
			l.finest = c
		}
	}
	l.inverse = math.MaxUint64 / uint64(l.finest.Width)
	return l
}

// find returns the moment of an event of time t, nil if some pane around it has passed.
func (l *timeline) find(t, watermark event.Millis) *moment {
	// Which pane of the finest clock it is chooses the place, by a product that may fall short of the quotient by one:
	// what matters is that neighbours have places of their own, and that a moment checks its bounds.
	number, _ := bits.Mul64(uint64(t-l.finest.Offset), l.inverse)
	m := &l.moments[number%momentCount]
	if uint64(t-m.from) >= m.span {
		l.move(m, t)
	}
	if watermark >= m.onTime {
		return nil
	}
	return m
}

// move makes a moment that of another time.
func (l *timeline) move(m *moment, t event.Millis) {
	m.close()
	from, until := event.Millis(math.MinInt64), event.Millis(math.MaxInt64)
	for _, c := range l.clocks {
		start := c.PaneStart(t)
		from, until = max(from, start), min(until, start+c.Width)
	}
	m.from, m.span, m.onTime = from, uint64(until-from), until-1
}

// forget closes all ways: the panes belong to others now.
func (l *timeline) forget() {
	for i := range l.moments {
		l.moments[i].close()
	}
}

// closeRoute closes the ways of a route.
func (l *timeline) closeRoute(route int) {
	for i := range l.moments {
		if w := l.moments[i].ways[route]; w != nil && w.open {
			w.close()
		}
	}
}

func (m *moment) close() {
	for _, w := range m.ways {
		if w != nil && w.open {
			w.close()
		}
	}
}

// pave opens the way of a route.
func (m *moment) pave(r *route) *way {
	w := m.ways[r.index]
	if w == nil {
		w = new(way)
		m.ways[r.index] = w
	}
	w.lead(r.stops, m.from)
	return w
}
