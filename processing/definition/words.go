package definition

import (
	"fmt"
	"strings"

	"github.com/tidemark/tidemark/processing/aggregate"
)

// words says in a sentence or two what a metric computes, for metrics without a description of their own.
func (m *checkedMetric) words(c *compiler) string {
	var b strings.Builder
	spec := m.spec
	subject := "the events"
	if m.from != FromEvents {
		subject = fmt.Sprintf("the sessions (%s) that closed", c.sessions[m.from].spec.name)
	}
	if spec.slide == spec.size {
		fmt.Fprintf(&b, "Of %s in each window of %s", subject, spanText(spec.size))
	} else {
		fmt.Fprintf(&b, "Of %s in the last %s, every %s", subject, spanText(spec.size), spanText(spec.slide))
	}
	for i, k := range spec.keys {
		lead := ", "
		if i == 0 {
			lead = ", by "
		}
		fmt.Fprintf(&b, "%s%s", lead, k.name)
		if text := m.keys[i].String(); text != k.name {
			fmt.Fprintf(&b, " (%s)", text)
		}
	}
	for i, a := range m.aggregates {
		lead := "; "
		if i == 0 {
			lead = ": "
		}
		fmt.Fprintf(&b, "%s%s is %s", lead, spec.aggregates[i].name, a.words(&spec.aggregates[i]))
	}
	fmt.Fprintf(&b, ". The value is %s.", m.value)
	if m.having != nil {
		fmt.Fprintf(&b, " Published where %s.", m.having)
	}
	return b.String()
}

func (a checkedAggregate) words(spec *aggregateSpec) string {
	var text string
	switch spec.kind {
	case aggregate.Count:
		text = "their number"
	case aggregate.Sum:
		text = fmt.Sprintf("the sum of %s", a.input)
	case aggregate.Avg:
		text = fmt.Sprintf("the mean of %s", a.input)
	case aggregate.Min:
		text = fmt.Sprintf("the least %s", a.input)
	case aggregate.Max:
		text = fmt.Sprintf("the greatest %s", a.input)
	case aggregate.Uniques:
		text = fmt.Sprintf("the number of distinct %s", a.input)
	case aggregate.Quantile:
		text = fmt.Sprintf("the %g quantile of %s", spec.quantile, a.input)
	case aggregate.First:
		text = fmt.Sprintf("the first %s", a.input)
	case aggregate.Last:
		text = fmt.Sprintf("the last %s", a.input)
	default:
		panic(fmt.Sprintf("BUG: aggregate kind %d", spec.kind))
	}
	if a.where != nil {
		text += fmt.Sprintf(" where %s", a.where)
	}
	if spec.total {
		text += " over all groups"
	}
	return text
}
