package definition

import "github.com/tidemark/tidemark/processing/aggregate"

// Summary is what a plan computes and about how much state that takes: what Describe prints, for programs.
type Summary struct {
	Metrics  []MetricSummary
	Sessions []SessionSummary
	Held     int64 // bytes of events that are held for their order
	Total    int64 // bytes of everything; metrics that share a grouping are counted once
	Budget   int64
}

// MetricSummary is what computes one metric.
type MetricSummary struct {
	Name         string
	Hash         Hash
	Grouping     int
	Panes        int64    // of one window
	Groups       int64    // rows of a pane, as assumed for the estimate
	OpenPanes    int64    // held at once
	Accumulators []string // of its grouping, which others may share, and of its total, as they are in words
	Bytes        int64    // by itself, also where it shares a grouping
}

// SessionSummary is what computes one kind of session.
type SessionSummary struct {
	Name         string
	Hash         Hash
	Open         int64 // at once, as assumed for the estimate
	Accumulators []string
	Bytes        int64
}

// Summary sums up a plan.
func (p *Plan) Summary() Summary {
	s := Summary{Held: p.held(), Total: p.total(), Budget: p.Budget}
	for i := range p.Metrics {
		s.Metrics = append(s.Metrics, p.metricSummary(&p.Metrics[i]))
	}
	for i := range p.Sessions {
		k := &p.Sessions[i]
		one := SessionSummary{Name: k.Name, Hash: k.Hash, Open: k.open(), Bytes: k.estimate()}
		for j := range k.Aggregates {
			one.Accumulators = append(one.Accumulators, p.Events.accumulator(&k.Aggregates[j].Column))
		}
		s.Sessions = append(s.Sessions, one)
	}
	return s
}

func (p *Plan) metricSummary(m *Metric) MetricSummary {
	g := &p.Groupings[m.Grouping]
	u := g.estimate(m.Size, p.ahead())
	s := MetricSummary{
		Name: m.Name, Hash: m.Hash, Grouping: m.Grouping, Panes: int64(m.Size / g.Width), Groups: u.groups, OpenPanes: u.panes, Bytes: p.metricBytes(m),
	}
	space := p.space(g.From)
	for _, a := range m.Aggregates {
		from := g
		if a.Total {
			from = &p.Groupings[m.Total]
		}
		s.Accumulators = append(s.Accumulators, a.Name+" = "+space.accumulator(&from.Columns[a.Column]))
	}
	return s
}

// Funnel returns the aggregates of a metric that can be shown as steps of which each is a part of the one before: those
// that count distinct values of the same thing, if the metric is not split and there are at least two of them. Whether their
// conditions follow from each other nobody can tell from their text: it is for whoever writes them.
func (p *Plan) Funnel(m *Metric) []string {
	if len(m.Keys) > 0 {
		return nil
	}
	columns := p.Groupings[m.Grouping].Columns
	var counted []int           // what there are distinct values of, in the order of the aggregates
	steps := map[int][]string{} // by that
	for _, a := range m.Aggregates {
		if a.Kind == aggregate.Uniques && !a.Total {
			slot := columns[a.Column].Slot
			counted, steps[slot] = append(counted, slot), append(steps[slot], a.Name)
		}
	}
	for _, slot := range counted {
		if len(steps[slot]) > 1 {
			return steps[slot]
		}
	}
	return nil
}
