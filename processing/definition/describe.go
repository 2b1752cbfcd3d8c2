package definition

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tidemark/tidemark/processing/aggregate"
)

// Describe prints a plan for people: what is computed, from which rows, and how much state that is estimated to take.
func Describe(w io.Writer, p *Plan) error {
	d := &describer{out: tabwriter.NewWriter(w, 2, 0, 2, ' ', 0), plan: p}
	d.metrics()
	d.sessions()
	d.alerts()
	d.groupings()
	d.rows("Fields of an event", &p.Events, len(p.Paths))
	d.state()
	return d.out.Flush()
}

type describer struct {
	out  *tabwriter.Writer
	plan *Plan
}

// line prints a line; the writer keeps its first error for Flush.
func (d *describer) line(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *describer) metrics() {
	d.line("Metrics\n  name\twindow\tpanes\tby\tvalue\tunit\tgrouping\tstate\thash")
	for i := range d.plan.Metrics {
		m := &d.plan.Metrics[i]
		window := spanText(m.Size)
		if m.Slide != m.Size {
			window += " every " + spanText(m.Slide)
		}
		if m.Offset != 0 {
			window += " + " + spanText(m.Offset)
		}
		if m.From != FromEvents {
			window += ", from " + d.plan.Sessions[m.From].Name
		}
		width := d.plan.Groupings[m.Grouping].Width
		grouping := fmt.Sprint(m.Grouping)
		if m.Total >= 0 {
			grouping += fmt.Sprintf(", total %d", m.Total)
		}
		by := dash(strings.Join(m.Keys, ", "))
		if len(m.Keys) > 0 {
			by += fmt.Sprintf(", limit %d", m.Limit)
		}
		d.line("  %s\t%s\t%d x %s\t%s\t%s\t%s\t%s\t%s\t%s", m.Name, window, m.Size/width, spanText(width), by, m.FormulaText, dash(m.Unit),
			grouping, approximate(d.plan.metricBytes(m)), m.Hash)
	}
	for i := range d.plan.Metrics {
		if m := &d.plan.Metrics[i]; m.Having != nil {
			d.line("  %s is published where %s", m.Name, m.HavingText)
		}
	}
}

func dash(s string) string { return cmp.Or(s, "-") }

func (d *describer) sessions() {
	if len(d.plan.Sessions) == 0 {
		return
	}
	d.line("\nSessions\n  name\tkey\tgap\tat most\tends when\tbytes a session\topen\tstate\thash")
	for i := range d.plan.Sessions {
		k := &d.plan.Sessions[i]
		d.line("  %s\t%s\t%s\t%s\t%s\t%d B\t%d of %d\t%s\t%s", k.Name, d.plan.Events.Names[k.KeySlot], spanText(k.Gap), spanText(k.MaxDuration),
			d.plan.Events.where(k.EndWhen), k.bytesASession(), k.open(), k.MaxOpen*sessionShards, approximate(k.estimate()), k.Hash)
		for _, a := range k.Aggregates {
			d.line("    %s = %s", a.Name, d.plan.Events.accumulator(&a.Column))
		}
		if len(k.Closed.Derived) > 0 {
			d.rows("  computed from a closed session", &k.Closed, int(SessionFields)+len(k.Aggregates))
		}
	}
}

func (d *describer) groupings() {
	d.line("\nGroupings: metrics of equal panes, keys, lateness and max_groups share one and its rows")
	for i := range d.plan.Groupings {
		d.grouping(i)
	}
}

func (d *describer) grouping(i int) {
	g := &d.plan.Groupings[i]
	space := d.plan.space(g.From)
	keys := make([]string, len(g.Keys))
	for j, k := range g.Keys {
		keys[j] = k.Name + " = " + space.Names[k.Slot]
	}
	from := "events"
	if g.From != FromEvents {
		from = d.plan.Sessions[g.From].Name
	}
	offset := ""
	if g.Offset != 0 {
		offset = " + " + spanText(g.Offset)
	}
	d.line("  %d: panes of %s%s from %s, lateness %s, by %s", i, spanText(g.Width), offset, from, spanText(g.Lateness), dash(strings.Join(keys, ", ")))
	d.line("     of %s", strings.Join(d.plan.users(i), ", "))
	for j := range g.Columns {
		d.line("     [%d] %s", j, space.accumulator(&g.Columns[j]))
	}
	u := d.plan.usage(i)
	grows := ""
	if slices.ContainsFunc(g.Columns, func(c Column) bool { return c.Kind == aggregate.Uniques || c.Kind == aggregate.Quantile }) {
		grows = ", more as uniques and quantiles grow"
	}
	of := ""
	if most := g.mostGroups(); most != u.groups {
		of = fmt.Sprintf(" of at most %d", most)
	}
	d.line("     %d B a group%s; assumed: %d group(s)%s in each of %d pane(s): %s", g.bytesAGroup(), grows, u.groups, of, u.panes, approximate(u.bytes))
}

// users are the metrics that read a grouping.
func (p *Plan) users(grouping int) []string {
	var names []string
	for i := range p.Metrics {
		switch m := &p.Metrics[i]; grouping {
		case m.Grouping:
			names = append(names, m.Name)
		case m.Total:
			names = append(names, m.Name+" (total)")
		}
	}
	return names
}

// space is what the columns of a grouping refer to.
func (p *Plan) space(from int) *Space {
	if from == FromEvents {
		return &p.Events
	}
	return &p.Sessions[from].Closed
}

// accumulator says what a column does.
func (s *Space) accumulator(c *Column) string {
	text := kindName(c.Kind)
	if c.Slot != NoSlot {
		text += " of " + s.Names[c.Slot]
	}
	switch {
	case c.AnyOf != nil:
		filters := make([]string, len(c.AnyOf))
		for i, f := range c.AnyOf {
			filters[i] = s.Filters[f].Text
		}
		text += " where any of: " + strings.Join(filters, " | ")
	case c.Where != NoFilter:
		text += " where " + s.where(c.Where)
	}
	return text
}

func (s *Space) where(filter int) string {
	if filter == NoFilter {
		return "-"
	}
	return s.Filters[filter].Text
}

// rows lists the slots of a space, the first of which are given and the others computed, and its filters.
func (d *describer) rows(title string, s *Space, given int) {
	d.line("\n%s: %s", title, strings.Join(s.Names[:given], ", "))
	for _, x := range s.Derived {
		d.line("  computed: %s", s.Names[x.Slot])
	}
	for _, f := range s.Filters {
		d.line("  filter: %s", f.Text)
	}
}

func (d *describer) state() {
	p := d.plan
	var panes, sessions int64
	for i := range p.Groupings {
		panes += p.usage(i).bytes
	}
	for i := range p.Sessions {
		sessions += p.Sessions[i].estimate()
	}
	d.line("\nState, estimated at %d events a second, %d of them in each session, each a group of its own as far as keys and max_groups let it",
		assumedEvents, assumedEventsOfSession)
	d.line("  open panes\t%s", approximate(panes))
	d.line("  open sessions\t%s", approximate(sessions))
	d.line("  events held for order\t%s", approximate(p.held()))
	d.line("  all\t%s of %s (state_budget)", approximate(p.total()), bytesText(p.Budget))
}
