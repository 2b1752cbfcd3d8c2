package definition

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/processing/event"
)

// What rules call the value one slide earlier, unless an aggregate has that name. Value and count are called as in `having`.
const samplePrevious = "previous"

// checkedRule is an alert rule without faults.
type checkedRule struct {
	spec   *alertSpec
	metric int
	when   *term
	reads  map[string]func(*Sample) Number // what the condition may name
	least  []Least
	groups [][]string
	title  Template
	text   Template
	action Template
	before bool // it uses `previous`
}

// alerts checks all rules. A built-in one that does not fit the metrics in force is left out; the user did not write it.
func (c *compiler) alerts() {
	slices.SortStableFunc(c.doc.alerts, func(a, b *alertSpec) int { return cmp.Compare(a.name, b.name) })
	var kept []*alertSpec
	for _, spec := range c.doc.alerts {
		check := ruleChecker{compiler: c, faults: c.faults, spec: spec}
		if spec.builtin {
			check.faults = &faults{}
		}
		r := check.rule()
		if spec.builtin && len(check.faults.all) > 0 {
			c.leftOut = append(c.leftOut, LeftOut{Name: spec.name, Why: check.faults.all[0].Message})
			continue
		}
		kept = append(kept, spec)
		if r != nil {
			c.rules = append(c.rules, r)
		}
	}
	c.doc.alerts = kept
}

// ruleChecker checks one rule.
type ruleChecker struct {
	*compiler
	faults *faults // those of the compiler, or of a built-in rule alone
	spec   *alertSpec
	metric *checkedMetric
	reads  map[string]func(*Sample) Number
}

// rule returns nil where the metric is not known.
func (c *ruleChecker) rule() *checkedRule {
	i := slices.IndexFunc(c.metrics, func(m *checkedMetric) bool { return m.spec.name == c.spec.on })
	if i < 0 {
		c.noMetric()
		return nil
	}
	c.metric = c.metrics[i]
	c.reads = c.metric.reads()
	r := &checkedRule{spec: c.spec, metric: i, reads: c.reads, when: c.when(), least: c.least(), groups: c.choices()}
	t := &templateScope{faults: c.faults, metric: c.spec.on, numbers: maps.Clone(c.reads), used: map[string]bool{}}
	size := float64(c.metric.spec.size) / 1000
	t.numbers[sizeName] = func(*Sample) Number { return Number{Float: size, Valid: true} }
	for _, k := range c.metric.spec.keys {
		t.keys = append(t.keys, k.name)
	}
	r.title, r.text, r.action = t.compile(c.spec.title), t.compile(c.spec.description), t.compile(c.spec.action)
	r.when.walk(func(t2 *term) {
		if t2.op == opField {
			t.used[t2.path[0]] = true
		}
	})
	if t.used[valueName] && c.metric.hides(valueName) && !c.metric.value.bad() && c.metric.value.String() != valueName {
		c.faults.add(c.spec.at, "value is an aggregate of %s, and the metric's value is another number: rename the aggregate", c.spec.on)
	}
	r.before = t.used[samplePrevious] && !c.metric.hides(samplePrevious)
	return r
}

func (c *ruleChecker) noMetric() {
	on := c.spec.on
	switch {
	case on == "": // reported where it was read
	case slices.ContainsFunc(c.doc.disabled, func(e item) bool { return e.key == on }):
		c.faults.add(c.spec.onAt, "the metric %q is disabled", on)
	default:
		var names []string
		for _, m := range c.metrics {
			names = append(names, m.spec.name)
		}
		c.faults.add(c.spec.onAt, "no metric is called %q%s", on, didYouMean(on, names))
	}
}

func (m *checkedMetric) hides(name string) bool {
	return slices.ContainsFunc(m.spec.aggregates, func(a aggregateSpec) bool { return a.name == name })
}

// reads are the numbers of a sample of the metric, by name. An aggregate hides what has the same name.
func (m *checkedMetric) reads() map[string]func(*Sample) Number {
	reads := map[string]func(*Sample) Number{
		valueName:      func(s *Sample) Number { return s.Value },
		countName:      func(s *Sample) Number { return Number{Float: float64(s.Count), Valid: true} },
		samplePrevious: func(s *Sample) Number { return s.Previous },
	}
	for i, a := range m.spec.aggregates {
		reads[a.name] = func(s *Sample) Number { return s.Aggregates[i] }
	}
	return reads
}

// when checks the condition.
func (c *ruleChecker) when() *term {
	if c.spec.when == nil {
		return badTerm
	}
	sees := formulaScope(c.metric.spec.aggregates)
	sees.noun = "aggregate of " + c.spec.on + ", nor value, count, previous or size"
	for name := range c.reads {
		sees.fields[name] = field{kind: floatKind}
	}
	if c.reads[c.spec.on] == nil {
		sees.aliases = map[string]string{c.spec.on: valueName} // `bounce_rate > 0.65` reads well
	}
	sees.missing = map[string]string{}
	for _, name := range []string{"mean", "stddev", "zscore"} {
		sees.missing[name] = name + " is of a baseline, and " + laterInAlert["baseline"]
	}
	t := sees.checkKind(c.faults, *c.spec.when, "condition, true or false", func(k kind) bool { return k == boolKind })
	t.walk(func(t *term) {
		if t.op == "==" && t.args[1].isNil() && t.args[0].String() == valueName {
			c.faults.add(c.spec.when.at, "value is never nil here: where it is null there is no data, and the condition is not asked")
		}
	})
	return t
}

func (c *ruleChecker) least() []Least {
	var out []Least
	aggregates := c.metric.spec.aggregates
	for _, l := range c.spec.least {
		of := OfCount
		if l.of != "" && (l.of != countName || c.metric.hides(countName)) {
			of = slices.IndexFunc(aggregates, func(a aggregateSpec) bool { return a.name == l.of })
		}
		if of < 0 && l.of != "" && l.of != countName {
			var names []string
			for _, a := range aggregates {
				names = append(names, a.name)
			}
			c.faults.add(l.at, "%s is no aggregate of %s%s", l.of, c.spec.on, hint(l.of, names))
			continue
		}
		out = append(out, Least{Aggregate: of, Bound: l.bound})
	}
	return out
}

// choices are the values that the rule watches, by key of the metric.
func (c *ruleChecker) choices() [][]string {
	if len(c.spec.groups) == 0 {
		return nil
	}
	keys := c.metric.spec.keys
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	out := make([][]string, len(keys))
	for _, choice := range c.spec.groups {
		i := slices.Index(names, choice.key)
		switch {
		case len(keys) == 0:
			c.faults.add(choice.at, "%s has no groups", c.spec.on)
			continue
		case i < 0:
			c.faults.add(choice.at, "%q is no key of %s%s", choice.key, c.spec.on, hint(choice.key, names))
			continue
		case i >= len(c.metric.keys): // the metric has faults of its own
			continue
		}
		for _, v := range choice.values {
			text, fault := groupText(c.metric.keys[i], v.key)
			if fault != "" {
				c.faults.add(v.at, "%s is never %q%s", choice.key, v.key, fault)
			}
			out[i] = append(out[i], text)
		}
		slices.Sort(out[i])
		out[i] = slices.Compact(out[i])
	}
	return out
}

// groupText is how results write a value of a key; fault says why it can't be one, and begins after "never".
func groupText(key *term, text string) (as, fault string) {
	if text == "(none)" || text == "(other)" {
		return text, ""
	}
	switch {
	case len(key.symbols) > 0 && !slices.Contains(key.symbols, text):
		return text, hint(text, key.symbols)
	case key.kind == boolKind:
		text = strings.ToLower(text)
		if text != "true" && text != "false" {
			return text, "; it is true or false"
		}
	case key.kind == intKind:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return text, "; it is a whole number"
		}
		return strconv.FormatInt(n, 10), ""
	case key.kind == floatKind:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return text, "; it is a number"
		}
		v := event.FloatValue(f)
		return string(v.AppendText(nil)), ""
	}
	return text, ""
}

// rule lays out a checked rule.
func (l *layout) rule(r *checkedRule) {
	spec, m := r.spec, &l.plan.Metrics[r.metric]
	rule := Rule{
		Name: spec.name, Type: spec.typ, Severity: spec.severity, Hash: l.ruleHash(r, m), Metric: r.metric,
		Holds: r.holds(m), When: spec.when.words(), UsesPrevious: r.before,
		For: spec.hold, KeepFiringFor: spec.keep, MinSamples: r.least, Groups: r.groups,
		Title: r.title, Description: r.text, RecommendedAction: r.action,
	}
	if spec.title == nil {
		rule.Title = ownTitle(spec.name, m)
	}
	if spec.description == nil {
		rule.Description = ownDescription(spec, m)
	}
	l.plan.Rules = append(l.plan.Rules, rule)
}

// holds compiles the condition. Formulas make numbers, so it is one that makes 1 or 0.
func (r *checkedRule) holds(m *Metric) func(*Sample) bool {
	whole := func(n int64) *term { return &term{op: opLiteral, kind: intKind, literal: event.IntValue(n)} }
	used := map[string]bool{}
	r.when.walk(func(t *term) {
		if t.op == opField && t.path[0] != sizeName {
			used[t.path[0]] = true
		}
	})
	names := slices.Sorted(maps.Keys(used))
	formula, err := compileFormula(&term{op: opChoose, kind: intKind, args: []*term{r.when, whole(1), whole(0)}}, names)
	if err != nil {
		panic(fmt.Sprintf("BUG: rule %s: a checked condition: %v", r.spec.name, err))
	}
	size := float64(m.Size) / 1000
	return func(s *Sample) bool {
		numbers := make([]Number, len(names))
		for i, name := range names {
			numbers[i] = r.reads[name](s)
		}
		return formula(numbers, size).Float == 1
	}
}

// words is the expression on one line: formulas hold no text whose spaces would count.
func (e *expression) words() string { return strings.Join(strings.Fields(e.text), " ") }

// ownTitle is the title of a rule without one: its name and its group.
func ownTitle(name string, m *Metric) Template {
	t := Template{parts: []part{{text: titleOf(name)}}}
	if len(m.Keys) > 0 {
		t.parts = append(t.parts, part{text: ": ", read: func(s *Sample) string { return strings.Join(s.Group, ", ") }})
	}
	return t
}

// ownDescription puts a rule without a description in words.
func ownDescription(spec *alertSpec, m *Metric) Template {
	unit := ""
	if m.Unit != "" && m.Unit != "ratio" {
		unit = " " + m.Unit
	}
	asks := ". The rule fires when " + spec.when.words()
	if spec.hold > 0 {
		asks += " has held for " + spanText(spec.hold)
	}
	return Template{parts: []part{
		{text: m.Title + " is ", read: func(s *Sample) string { return plainText(s.Value.Float) }},
		{text: unit + " in the window ", read: windowText},
		{text: asks + "."},
	}}
}

// ruleHash covers what decides when a rule fires; its texts are not part of it.
func (l *layout) ruleHash(r *checkedRule, m *Metric) Hash {
	id := newIdentity("alert", &l.doc.source)
	id.add(r.spec.name, m.Hash.String(), r.spec.typ, r.spec.severity)
	id.term(r.when)
	id.span(r.spec.hold, r.spec.keep)
	id.number(len(r.least))
	for _, least := range r.least {
		name := ""
		if least.Aggregate != OfCount {
			name = m.Aggregates[least.Aggregate].Name
		}
		id.add(name, strconv.FormatInt(least.Bound, 10))
	}
	id.number(len(r.groups))
	for _, values := range r.groups {
		id.number(len(values))
		id.add(values...)
	}
	return id.hash()
}
