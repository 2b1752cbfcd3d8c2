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
	bytesOfPane             = 512 // what a pane takes up beside its rows
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

// estimate returns what a grouping takes up when the longest window over it has the given size; ahead is how far events
// may be ahead of W.
func (g *Grouping) estimate(size, ahead event.Millis) usage {
	perSecond := int64(assumedEvents)
	if g.From != FromEvents {
		perSecond /= assumedEventsOfSession
		ahead = 0 // W closes sessions
	}
	events := max(perSecond*int64(g.Width)/1000, 1)
	u := usage{groups: min(g.mostGroups(), events)}
	// A pane is held from its first event until the last window that contains it has settled.
	u.panes = int64((size + g.Lateness + ahead + g.Width - 1) / g.Width)
	pane := int64(bytesOfPane)
	if len(g.Keys) > 0 {
		pane += u.groups * assumedKeyBytes
	}
	for _, c := range g.Columns {
		pane += columnBytes(c.Kind, u.groups, events)
	}
	u.bytes = u.panes * pane
	return u
}

// mostGroups is how many groups a pane can hold: as many as its keys have values, at most max_groups.
func (g *Grouping) mostGroups() int64 {
	most := int64(1)
	for _, k := range g.Keys {
		if k.Values == 0 {
			return int64(g.MaxGroups)
		}
		most = min(most*int64(k.Values), int64(g.MaxGroups))
	}
	return most
}

// usage is the estimated state of a grouping with all metrics that share it.
func (p *Plan) usage(grouping int) usage {
	return p.Groupings[grouping].estimate(p.longest(grouping), p.ahead())
}

// ahead is how far events may be ahead of W.
func (p *Plan) ahead() event.Millis { return p.Source.OutOfOrderness + p.Source.MaxAhead }

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

// bytesASession is what an open session takes up before its uniques and quantiles grow.
func (k *SessionKind) bytesASession() int64 {
	n := int64(bytesOfSession + assumedKeyBytes)
	for _, a := range k.Aggregates {
		n += fixedBytes(a.Kind)
	}
	return n
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
	rows := int64(assumedEvents) * int64(p.ahead()) / 1000
	return rows * bytesOfHeldRowOverEvent * int64(p.Events.Slots) / 4
}

// metricBytes is the estimated state of a metric by itself, also where it shares a grouping.
func (p *Plan) metricBytes(m *Metric) int64 {
	n := p.Groupings[m.Grouping].estimate(m.Size, p.ahead()).bytes
	if m.Total >= 0 {
		n += p.Groupings[m.Total].estimate(m.Size, p.ahead()).bytes
	}
	return n
}

// total is the estimated state of everything.
func (p *Plan) total() int64 {
	n := p.held()
	for i := range p.Groupings {
		n += p.usage(i).bytes
	}
	for i := range p.Sessions {
		n += p.Sessions[i].estimate()
	}
	return n
}

// checkBudget refuses definitions whose estimated state exceeds the budget: each by itself, or else all together. What
// is built in is not the user's to change: the fault is at the budget.
func checkBudget(f *faults, p *Plan, d *document) {
	p.Budget = d.budget
	over := func(at spot, what string, bytes int64, made, advice string) {
		if bytes <= d.budget {
			return
		}
		whose := "its"
		if at.file.builtIn {
			at, whose = d.budgetAt, "the built-in "+what+"'s"
			advice = "raise state_budget, or disable it"
		}
		f.add(at, "%s estimated state, %s, exceeds the state_budget of %s (%s): %s", whose, approximate(bytes), bytesText(d.budget), made, advice)
	}
	for i, m := range d.metrics {
		u := p.Groupings[p.Metrics[i].Grouping].estimate(m.size, p.ahead())
		made := fmt.Sprintf("%d panes of %s, %d groups in each", u.panes, spanText(p.Groupings[p.Metrics[i].Grouping].Width), u.groups)
		over(m.at, "metric "+m.name, p.metricBytes(&p.Metrics[i]), made, "lower max_groups, shorten the window, or raise state_budget")
	}
	for i, s := range d.sessions {
		made := fmt.Sprintf("%d open sessions", p.Sessions[i].open())
		over(s.at, "session kind "+s.name, p.Sessions[i].estimate(), made, "lower gap or max_open, or raise state_budget")
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
