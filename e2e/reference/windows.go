package reference

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// paneEnd is the end of the pane of a time: panes are as wide as the widest that size and slide are both multiples of.
func (m *metric) paneEnd(t event.Millis) event.Millis {
	width := m.slide
	for m.size%width != 0 || m.slide%width != 0 {
		width--
	}
	return alignedTo(t, width, m.offset) + width
}

// alignedTo is the last time at or before t that is a multiple of width, and an offset.
func alignedTo(t, width, offset event.Millis) event.Millis {
	since := (t - offset) % width
	if since < 0 {
		since += width
	}
	return t - since
}

// windows lists the rows of the metric's windows that have ended by W.
func (r *run) windows(m *metric, e evaluator, items []*item) {
	inWindow := map[event.Millis][]*item{}
	for _, it := range items {
		if it.judged(m.paneEnd(it.order.Time), m.lateness) == late {
			continue
		}
		for start := alignedTo(it.order.Time, m.slide, m.offset); start+m.size > it.order.Time; start -= m.slide {
			if start+m.size-1 <= r.in.Watermark {
				inWindow[start] = append(inWindow[start], it)
			}
		}
	}
	for start, all := range inWindow {
		end := start + m.size
		// What is late is in the final only if its pane ended long enough before the window.
		timely := slices.DeleteFunc(slices.Clone(all), func(it *item) bool {
			paneEnd := m.paneEnd(it.order.Time)
			return it.judged(paneEnd, m.lateness) == lateButAllowed && paneEnd+m.lateness > end
		})
		finals, lasts := r.publish(m, e, timely), r.publish(m, e, all)
		union := maps.Clone(finals)
		maps.Copy(union, lasts)
		for name, g := range union {
			row := Row{Metric: m.name, Start: start, End: end, Group: g.group, Settled: r.in.Watermark >= end-1+m.lateness}
			if f := finals[name]; f != nil {
				row.Final = &f.Result
			}
			if l := lasts[name]; l != nil {
				row.Last = &l.Result
			}
			r.expected.Rows = append(r.expected.Rows, row)
		}
	}
}

func compareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Start, b.Start), slices.Compare(a.Group, b.Group))
}

// group is one group of a window.
type group struct {
	group []string
	rank  string // its values in an order where null comes first
	items []*item
	Result
}

// publish computes the groups that a window publishes, by name.
func (r *run) publish(m *metric, e evaluator, all []*item) map[string]*group {
	groups := map[string]*group{}
	for _, it := range all {
		wants := slices.ContainsFunc(m.aggregates, func(a aggregate) bool {
			return !a.total && len(a.taken(e, []*item{it})) > 0
		})
		if !wants {
			continue
		}
		g := m.groupOf(e, it)
		if groups[g.rank] == nil {
			groups[g.rank] = g
		}
		groups[g.rank].items = append(groups[g.rank].items, it)
	}
	var ranked []*group
	for _, g := range groups {
		if r.evaluate(m, e, g, all); m.having == nil || r.formulas.holds(m.having, r.havingSees(m, g)) {
			ranked = append(ranked, g)
		}
	}
	slices.SortFunc(ranked, func(a, b *group) int {
		return cmp.Or(compareValues(a.Value, b.Value), cmp.Compare(a.rank, b.rank))
	})
	if len(m.keys) > 0 && len(ranked) > m.limit {
		rest := &group{}
		for range m.keys {
			rest.group = append(rest.group, "(other)")
		}
		for _, g := range ranked[m.limit:] {
			rest.items = append(rest.items, g.items...)
		}
		r.evaluate(m, e, rest, all)
		if ranked = ranked[:m.limit]; m.additive() {
			ranked = append(ranked, rest)
		}
	}
	published := map[string]*group{}
	for _, g := range ranked {
		name := ""
		for _, v := range g.group {
			name += v + "\x00"
		}
		published[name] = g
	}
	return published
}

// groupOf is the group of an item.
func (m *metric) groupOf(e evaluator, it *item) *group {
	g := &group{}
	for _, k := range m.keys {
		v := e.value(k.of, it.fields)
		if v == nil {
			g.group, g.rank = append(g.group, "(none)"), g.rank+"\x00"
			continue
		}
		shown := text(v)
		g.rank += "\x01" + shown + "\x00"
		if bare := trimBackslashes(shown); bare == "(none)" || bare == "(other)" {
			shown = `\` + shown
		}
		g.group = append(g.group, shown)
	}
	return g
}

func trimBackslashes(s string) string {
	for s != "" && s[0] == '\\' {
		s = s[1:]
	}
	return s
}

// compareValues orders the largest first, null last.
func compareValues(a, b *float64) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	default:
		return cmp.Compare(*b, *a)
	}
}

// additive reports whether the groups beyond the limit can be added up.
func (m *metric) additive() bool {
	return !slices.ContainsFunc(m.aggregates, func(a aggregate) bool { return !a.total && a.does != "count" && a.does != "sum" })
}

// evaluate computes the numbers of a group; totals are of everything in the window.
func (r *run) evaluate(m *metric, e evaluator, g *group, all []*item) {
	sees := fields{"size": float64(m.size) / 1000}
	g.Aggregates = map[string]*float64{}
	for i := range m.aggregates {
		a := &m.aggregates[i]
		of := g.items
		if a.total {
			of = all
		}
		if f, ok := float(a.compute(e, of)); ok {
			g.Aggregates[a.name], sees[a.name] = &f, f
		} else {
			g.Aggregates[a.name] = nil
		}
	}
	if f, ok := float(r.formulas.value(m.value, sees)); ok {
		g.Value = &f
	}
	g.Count = int64(len(g.items))
}

// havingSees is what `having` can name.
func (r *run) havingSees(m *metric, g *group) fields {
	sees := fields{"size": float64(m.size) / 1000, "count": float64(g.Count)}
	if g.Value != nil {
		sees["value"] = *g.Value
	}
	for name, f := range g.Aggregates {
		if sees[name] = nil; f != nil {
			sees[name] = *f
		}
	}
	return sees
}
