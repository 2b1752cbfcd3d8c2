package definition

import (
	"fmt"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/event"
)

// The load that state is estimated for. Every event of a grouped metric is taken to make a group of its own, as far as
// max_groups lets it.
const (
	assumedEvents           = 10_000 // a second
	assumedEventsOfSession  = 20     // so many in each session
	assumedSessionsLast     = event.Millis(5 * 60_000)
	assumedKeyBytes         = 40  // of a group's or a session's key, with what a table spends on it; event.MaxKept at worst
	bytesOfSession          = 160 // an open session without key and aggregates
	bytesOfSketch           = 4 << 10
	bytesOfRegisters        = 16 << 10
	bytesOfSparse           = 64 // uniques or a quantile that has taken next to nothing
	bytesOfSparseEntry      = 8  // for each further value, until the dense form is smaller
	bytesOfHeldRowOverEvent = 64
)

// fixedBytes is what an accumulator takes up; uniques and quantiles grow.
func fixedBytes(k aggregate.Kind) int64 {
	switch k {
	case aggregate.Count, aggregate.Min, aggregate.Max:
		return 16
	case aggregate.Sum, aggregate.Avg:
		return 32
	case aggregate.First, aggregate.Last:
		return 64
	default:
		return bytesOfSparse
	}
}

// columnBytes is what one column takes up in rows that together took so many events.
func columnBytes(k aggregate.Kind, rows, events int64) int64 {
	var dense int64
	switch k {
	case aggregate.Uniques:
		dense = bytesOfRegisters
	case aggregate.Quantile:
		dense = bytesOfSketch
	default:
		return rows * fixedBytes(k)
	}
	return min(rows*dense, rows*bytesOfSparse+events*bytesOfSparseEntry)
}

// usage is the estimated state of one grouping.
type usage struct {
	groups int64 // in a pane
	panes  int64 // held at once
	bytes  int64 // of all of them
}

// estimate returns what a grouping takes up when the longest window over it has the given size.
func (g *Grouping) estimate(size event.Millis) usage {
	perSecond := int64(assumedEvents)
	if g.From != FromEvents {
		perSecond /= assumedEventsOfSession
	}
	events := max(perSecond*int64(g.Width)/1000, 1)
	u := usage{groups: min(int64(g.MaxGroups), events)}
	// The panes of the windows that are open, of those that wait for late events, and the one that fills.
	u.panes = int64((size+g.Lateness)/g.Width) + 2
	pane := int64(0)
	if len(g.Keys) > 0 {
		pane = u.groups * assumedKeyBytes
	}
	for _, c := range g.Columns {
		pane += columnBytes(c.Kind, u.groups, events)
	}
	u.bytes = u.panes * pane
	return u
}

// bytesAGroup is what a group takes up before its uniques and quantiles grow.
func (g *Grouping) bytesAGroup() int64 {
	n := int64(0)
	if len(g.Keys) > 0 {
		n = assumedKeyBytes
	}
	for _, c := range g.Columns {
		n += fixedBytes(c.Kind)
	}
	return n
}

// longest is the size of the longest window over a grouping.
func (p *Plan) longest(grouping int) event.Millis {
	size := event.Millis(0)
	for i := range p.Metrics {
		if m := &p.Metrics[i]; m.Grouping == grouping || m.Total == grouping {
			size = max(size, m.Size)
		}
	}
	return size
}

// open is the estimated number of open sessions.
func (k *SessionKind) open() int64 {
	started := int64(assumedEvents / assumedEventsOfSession)
	stay := k.Gap + assumedSessionsLast
	return min(started*int64(min(stay, k.MaxDuration))/1000, int64(k.MaxOpen)*sessionShards)
}

func (k *SessionKind) estimate() int64 {
	open := k.open()
	bytes := open * (bytesOfSession + assumedKeyBytes)
	for _, a := range k.Aggregates {
		bytes += columnBytes(a.Kind, open, open*assumedEventsOfSession)
	}
	return bytes
}

// held is what the sequencer holds until W has passed it: rows of the fields that definitions use.
func (p *Plan) held() int64 {
	if len(p.Sessions) == 0 {
		return 0
	}
	rows := int64(assumedEvents) * int64(p.Source.OutOfOrderness+p.Source.MaxAhead) / 1000
	return rows * bytesOfHeldRowOverEvent * int64(p.Events.Slots) / 4
}

// metricBytes is the estimated state of a metric by itself, also where it shares a grouping.
func (p *Plan) metricBytes(m *Metric) int64 {
	n := p.Groupings[m.Grouping].estimate(m.Size).bytes
	if m.Total >= 0 {
		n += p.Groupings[m.Total].estimate(m.Size).bytes
	}
	return n
}

// total is the estimated state of everything.
func (p *Plan) total() int64 {
	n := p.held()
	for i := range p.Groupings {
		n += p.Groupings[i].estimate(p.longest(i)).bytes
	}
	for i := range p.Sessions {
		n += p.Sessions[i].estimate()
	}
	return n
}

// checkBudget refuses definitions whose estimated state exceeds the budget: each by itself, or else all together.
func checkBudget(f *faults, p *Plan, d *document) {
	p.Budget = d.budget
	over := func(at spot, bytes int64, advice string) {
		if bytes > d.budget {
			f.add(at, "its estimated state, %s, exceeds the state_budget of %s: %s", approximate(bytes), bytesText(d.budget), advice)
		}
	}
	for i, m := range d.metrics {
		over(m.at, p.metricBytes(&p.Metrics[i]), "lower max_groups, shorten the window, or raise state_budget")
	}
	for i, s := range d.sessions {
		over(s.at, p.Sessions[i].estimate(), "lower gap or max_open, or raise state_budget")
	}
	if total := p.total(); len(f.all) == 0 && total > d.budget {
		name, largest := p.largest()
		f.add(d.budgetAt, "the estimated state of all definitions, %s, exceeds %s; the largest is %s with %s", approximate(total), bytesText(d.budget), name, approximate(largest))
	}
}

func (p *Plan) largest() (name string, bytes int64) {
	for i := range p.Metrics {
		if n := p.metricBytes(&p.Metrics[i]); n > bytes {
			name, bytes = p.Metrics[i].Name, n
		}
	}
	for i := range p.Sessions {
		if n := p.Sessions[i].estimate(); n > bytes {
			name, bytes = p.Sessions[i].Name, n
		}
	}
	return name, bytes
}

// approximate writes a size for people.
func approximate(n int64) string {
	for _, unit := range byteUnits {
		if n >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
