package definition

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/event"
)

// layout is a plan in the making.
type layout struct {
	*compiler
	plan      *Plan
	events    *spaceBuilder
	closed    []*spaceBuilder // of each session kind
	groupings map[Hash]int
}

// compile lays out the plan of a document without faults.
func (c *compiler) compile() *Plan {
	paths := c.eventPaths()
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = pathText(p)
	}
	l := &layout{compiler: c, events: newSpace(names), groupings: map[Hash]int{}}
	l.plan = &Plan{Source: c.doc.source, Paths: paths, TimeSlot: 0}
	for _, s := range c.sessions {
		l.session(s)
	}
	for _, m := range c.metrics {
		l.metric(m)
	}
	for _, r := range l.rules {
		l.rule(r)
	}
	l.plan.LeftOut = l.leftOut
	l.plan.Events = l.events.build()
	for i := range l.closed {
		l.plan.Sessions[i].Closed = l.closed[i].build()
	}
	l.plan.YAML = c.doc.yaml()
	return l.plan
}

func (l *layout) session(s *checkedSession) {
	k := SessionKind{
		Name:        s.spec.name,
		Hash:        l.sessionHash(s),
		KeySlot:     l.events.hashedSlot(s.key),
		Gap:         s.spec.gap,
		MaxDuration: s.spec.maxDuration,
		EndWhen:     l.events.filter(s.endWhen),
		MaxOpen:     s.spec.maxOpen / sessionShards,
	}
	names := slices.Clone(sessionFieldNames[:])
	for i, a := range s.spec.aggregates {
		names = append(names, a.name)
		k.Aggregates = append(k.Aggregates, SessionAggregate{
			Name:     a.name,
			Column:   column(l.events, a.kind, s.aggregates[i]),
			Quantile: a.quantile,
		})
	}
	l.plan.Sessions = append(l.plan.Sessions, k)
	l.closed = append(l.closed, newSpace(names))
}

// column is the column of an aggregate, over the slots and filters of a space.
func column(b *spaceBuilder, k aggregate.Kind, a checkedAggregate) Column {
	c := Column{Hash: columnHash(k, a.input, a.where), Kind: k, Slot: NoSlot, Where: b.filter(a.where)}
	switch {
	case a.input == nil:
	case k == aggregate.Uniques:
		c.Slot = b.hashedSlot(a.input)
	default:
		c.Slot = b.slot(a.input)
	}
	return c
}

func (l *layout) metric(m *checkedMetric) {
	spec := m.spec
	width := gcd(spec.size, spec.slide)
	grouping := Grouping{
		From: m.from, Clock: NoClock, Width: width, Offset: spec.offset % width, Lateness: spec.lateness, MaxGroups: spec.maxGroups,
	}
	metric := Metric{
		Name: spec.name, Type: spec.typ, Title: cmp.Or(spec.title, titleOf(spec.name)), Description: cmp.Or(spec.description, m.words(l.compiler)),
		Unit: spec.unit, Hash: l.metricHash(m),
		Size: spec.size, Slide: spec.slide, Offset: spec.offset, Lateness: spec.lateness,
		From: m.from, Total: -1, Limit: spec.limit, FormulaText: m.value.String(),
	}
	space := l.space(m.from)
	ungrouped := grouping
	ungrouped.MaxGroups = 1
	for i, k := range m.keys {
		grouping.Keys = append(grouping.Keys, Key{Name: spec.keys[i].name, Slot: space.hashedSlot(k), Values: k.values()})
		metric.Keys = append(metric.Keys, spec.keys[i].name)
	}
	metric.Grouping = l.grouping(grouping, m.keys)
	var names []string
	for i, a := range spec.aggregates {
		in := metric.Grouping
		if a.total {
			metric.Total = l.grouping(ungrouped, nil)
			in = metric.Total
		}
		metric.Aggregates = append(metric.Aggregates, Aggregate{
			Name: a.name, Kind: a.kind, Total: a.total, Quantile: a.quantile,
			Column: l.share(in, column(space, a.kind, m.aggregates[i])),
		})
		names = append(names, a.name)
	}
	metric.Count = l.share(metric.Grouping, m.count(space))
	formula, err := compileFormula(m.value, names)
	if err != nil {
		panic(fmt.Sprintf("BUG: metric %s: a checked formula: %v", spec.name, err))
	}
	metric.Formula = formula
	l.having(&metric, m.having, names)
	l.plan.Metrics = append(l.plan.Metrics, metric)
}

func (l *layout) space(from int) *spaceBuilder {
	if from == FromEvents {
		return l.events
	}
	return l.closed[from]
}

// grouping returns the grouping that is like this one, or makes it. A grouping of events has a clock.
func (l *layout) grouping(g Grouping, keys []*term) int {
	g.Hash = l.groupingHash(&g, keys)
	if i, ok := l.groupings[g.Hash]; ok {
		return i
	}
	if g.From == FromEvents {
		clock := Clock{Width: g.Width, Offset: g.Offset, Lateness: g.Lateness}
		if g.Clock = slices.Index(l.plan.Clocks, clock); g.Clock < 0 {
			g.Clock = len(l.plan.Clocks)
			l.plan.Clocks = append(l.plan.Clocks, clock)
		}
	}
	i := len(l.plan.Groupings)
	l.groupings[g.Hash] = i
	l.plan.Groupings = append(l.plan.Groupings, g)
	return i
}

// share returns the column of a grouping that is equal to c, or adds it.
func (l *layout) share(grouping int, c Column) int {
	g := &l.plan.Groupings[grouping]
	if i := slices.IndexFunc(g.Columns, func(other Column) bool { return other.Hash == c.Hash }); i >= 0 {
		return i
	}
	g.Columns = append(g.Columns, c)
	return len(g.Columns) - 1
}

// count is the column that counts what any aggregate of the group takes.
func (m *checkedMetric) count(b *spaceBuilder) Column {
	wheres := map[string]*term{}
	for i, a := range m.aggregates {
		if m.spec.aggregates[i].total {
			continue
		}
		if a.where == nil {
			return column(b, aggregate.Count, checkedAggregate{})
		}
		wheres[a.where.String()] = a.where
	}
	texts := slices.Sorted(maps.Keys(wheres))
	if len(texts) == 1 {
		return column(b, aggregate.Count, checkedAggregate{where: wheres[texts[0]]})
	}
	c := Column{Kind: aggregate.Count, Slot: NoSlot, Where: NoFilter}
	var terms []*term
	for _, text := range texts {
		terms = append(terms, wheres[text])
		c.AnyOf = append(c.AnyOf, b.filter(wheres[text]))
	}
	c.Hash = columnHash(aggregate.Count, nil, terms...)
	return c
}

func gcd(a, b event.Millis) event.Millis {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// titleOf makes a title of a name: active_users is "Active users".
func titleOf(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}
