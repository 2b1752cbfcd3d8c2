package definition

import (
	"fmt"
	"slices"
)

// Condition decides whether a row is published: by its value, its aggregates in the order of Metric.Aggregates, the
// number of events (or sessions) that it took, and the length of the range in seconds. A null condition is false. It may
// be called from several goroutines.
type Condition func(value Number, aggregates []Number, count int64, size float64) bool

// What `having` and rules call a row's value and the number of events in it, unless an aggregate has that name.
const (
	valueName = "value"
	countName = "count"
)

// having checks a metric's `having`; nil without one.
func (c *compiler) having(spec *metricSpec, value *term) *term {
	if spec.having == nil {
		return nil
	}
	sees := formulaScope(spec.aggregates)
	sees.noun = "aggregate of this metric, nor value, count or size"
	for _, name := range []string{valueName, countName} {
		if _, ok := sees.fields[name]; !ok {
			sees.fields[name] = field{kind: floatKind}
		}
	}
	t := c.condition(sees, *spec.having)
	named := slices.ContainsFunc(spec.aggregates, func(a aggregateSpec) bool { return a.name == valueName })
	if named && !t.bad() && !value.bad() && value.String() != valueName && t.uses(valueName) {
		c.faults.add(spec.having.at, "value is an aggregate here, and the metric's value is another number: rename the aggregate")
		return badTerm
	}
	return t
}

// uses reports whether the term reads a field of that name.
func (t *term) uses(name string) bool {
	found := false
	t.walk(func(t *term) { found = found || t.op == opField && t.path[0] == name })
	return found
}

// having compiles a metric's condition; names are those of its aggregates.
func (l *layout) having(m *Metric, t *term, names []string) {
	if t == nil {
		return
	}
	// An aggregate hides what has the same name.
	own := slices.Clone(names)
	for _, name := range []string{valueName, countName} {
		if !slices.Contains(names, name) {
			own = append(own, name)
		}
	}
	run, err := compileComputation(t, own)
	if err != nil {
		panic(fmt.Sprintf("BUG: metric %s: a checked condition: %v", m.Name, err))
	}
	m.HavingText = t.String()
	m.Having = func(value Number, aggregates []Number, count int64, size float64) bool {
		numbers := make([]Number, 0, len(own))
		numbers = append(numbers, aggregates...)
		for _, name := range own[len(names):] {
			if name == valueName {
				numbers = append(numbers, value)
			} else {
				numbers = append(numbers, Number{Float: float64(count), Valid: true})
			}
		}
		return run(numbers, size) == true
	}
}
