package definition

import (
	"fmt"
	"strings"
)

// alerts lists the rules, and those of the built-in ones that the definitions in force leave no place for.
func (d *describer) alerts() {
	if len(d.plan.Rules)+len(d.plan.LeftOut) == 0 {
		return
	}
	d.line("\nAlerts")
	if len(d.plan.Rules) > 0 {
		d.line("  name\ton\twhen\tfor\tkeeps\tat least\tgroups\tseverity\ttype\thash")
	}
	for i := range d.plan.Rules {
		r := &d.plan.Rules[i]
		m := &d.plan.Metrics[r.Metric]
		d.line("  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", r.Name, m.Name, r.When, spanText(r.For), spanText(r.KeepFiringFor),
			dash(r.leastText(m)), dash(r.groupsText(m)), r.Severity, r.Type, r.Hash)
	}
	for _, o := range d.plan.LeftOut {
		d.line("  left out: %s, because %s", o.Name, o.Why)
	}
}

func (r *Rule) leastText(m *Metric) string {
	var out []string
	for _, l := range r.MinSamples {
		name := countName
		if l.Aggregate != OfCount {
			name = m.Aggregates[l.Aggregate].Name
		}
		out = append(out, fmt.Sprintf("%s %d", name, l.Bound))
	}
	return strings.Join(out, ", ")
}

func (r *Rule) groupsText(m *Metric) string {
	var out []string
	for i, values := range r.Groups {
		if values != nil {
			out = append(out, m.Keys[i]+" = "+strings.Join(values, " | "))
		}
	}
	return strings.Join(out, ", ")
}
