package definition

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
	d.line("Metrics\n  name\twindow\tby\tvalue\tunit\tgrouping\thash")
	for i := range d.plan.Metrics {
		m := &d.plan.Metrics[i]
		window := spanText(m.Size)
		if m.Slide != m.Size {
			window += " every " + spanText(m.Slide)
		}
		if m.From != FromEvents {
			window += ", from " + d.plan.Sessions[m.From].Name
		}
		grouping := fmt.Sprint(m.Grouping)
		if m.Total >= 0 {
			grouping += fmt.Sprintf(", total %d", m.Total)
		}
		d.line("  %s\t%s\t%s\t%s\t%s\t%s\t%s", m.Name, window, dash(strings.Join(m.Keys, ", ")), m.FormulaText, dash(m.Unit), grouping, m.Hash)
	}
}

func dash(s string) string { return cmp.Or(s, "-") }

func (d *describer) sessions() {
	if len(d.plan.Sessions) == 0 {
		return
	}
	d.line("\nSessions\n  name\tkey\tgap\tat most\tends when\topen\tstate\thash")
	for i := range d.plan.Sessions {
		k := &d.plan.Sessions[i]
		d.line("  %s\t%s\t%s\t%s\t%s\t%d\t%s\t%s", k.Name, d.plan.Events.Names[k.KeySlot], spanText(k.Gap), spanText(k.MaxDuration),
			d.plan.Events.where(k.EndWhen), k.open(), approximate(k.estimate()), k.Hash)
		for _, a := range k.Aggregates {
			d.line("    %s = %s", a.Name, d.plan.Events.accumulator(&a.Column))
		}
		if len(k.Closed.Derived) > 0 {
			d.rows("  computed from a closed session", &k.Closed, int(SessionFields)+len(k.Aggregates))
		}
	}
}

func (d *describer) groupings() {
	d.line("\nGroupings: metrics that share one share its rows")
	for i := range d.plan.Groupings {
		g := &d.plan.Groupings[i]
		space := d.plan.space(g.From)
		keys := make([]string, len(g.Keys))
		for j, k := range g.Keys {
			keys[j] = k.Name + " = " + space.Names[k.Slot]
		}
		u := g.estimate(d.plan.longest(i))
		from := "events"
		if g.From != FromEvents {
			from = d.plan.Sessions[g.From].Name
		}
		offset := ""
		if g.Offset != 0 {
			offset = " + " + spanText(g.Offset)
		}
		d.line("  %d: panes of %s%s from %s, lateness %s, by %s", i, spanText(g.Width), offset, from, spanText(g.Lateness), dash(strings.Join(keys, ", ")))
		d.line("     %d B a group, at most %d group(s) a pane; estimated %d x %d pane(s): %s", g.bytesAGroup(), g.MaxGroups, u.groups, u.panes, approximate(u.bytes))
		for j := range g.Columns {
			d.line("     [%d] %s", j, space.accumulator(&g.Columns[j]))
		}
	}
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
	d.line("\nEstimated state at %d events a second, %d in each session, every event its own group up to max_groups:", assumedEvents, assumedEventsOfSession)
	d.line("  %s of %s (state_budget); of that, held for order: %s", approximate(d.plan.total()), bytesText(d.plan.Budget), approximate(d.plan.held()))
}
