package definition

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/processing/event"
)

// alertTypes and severities are the symbols of the Avro enums of alerts.
var (
	alertTypes = []string{
		"HIGH_BOUNCE_RATE", "CONVERSION_FUNNEL_BREACH", "TRAFFIC_ANOMALY", "FRAUD_DETECTED", "PERFORMANCE_DEGRADATION", customPattern,
	}
	severities = []string{"LOW", mediumSeverity, "HIGH", "CRITICAL"}
)

const (
	customPattern  = "CUSTOM_PATTERN"
	mediumSeverity = "MEDIUM"
)

// alertSpec is an alert rule as it was written.
type alertSpec struct {
	name        string
	at          spot
	typ         string
	severity    string
	on          string // a metric
	onAt        spot
	when        *expression
	hold        event.Millis // `for`
	keep        event.Millis // `keep_firing_for`
	least       []leastSpec  // by name
	groups      []choiceSpec // by key
	title       *expression  // templates
	description *expression
	action      *expression
	builtin     bool // a default that a file extends
}

// leastSpec is an entry of `min_samples`.
type leastSpec struct {
	of    string // an aggregate, or nothing: the count
	at    spot
	bound int64
}

// choiceSpec is an entry of `groups`.
type choiceSpec struct {
	key    string
	at     spot
	values []item // item.key is the text
}

// alertKeys are the keys of a rule.
var alertKeys = []string{
	"name", "type", "severity", "on", "when", "for", "keep_firing_for", "min_samples", "groups", "title", "description", "recommended_action",
}

// Keys that definitions of later versions have.
var (
	laterInFile  = map[string]string{"patterns": "patterns are not in this version"}
	laterInAlert = map[string]string{
		"pattern":  "rules on patterns are not in this version: a rule watches a metric, with `on` and `when`",
		"baseline": "baselines are not in this version: compare with a number or with `previous`",
		"no_data":  "rules on missing data are not in this version; an ungrouped metric has windows without events too: try `when: count == 0`",
	}
)

// withoutLater reports the keys that are not in this version, and returns the mapping without them.
func (r *reader) withoutLater(n *yaml.Node, at spot, later map[string]string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return n
	}
	rest := *n
	rest.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if message := later[k.Value]; message != "" && k.Kind == yaml.ScalarNode {
			r.faults.add(r.spot(k, strings.TrimPrefix(at.path+"."+k.Value, ".")), "%s", message)
			continue
		}
		rest.Content = append(rest.Content, k, n.Content[i+1])
	}
	return &rest
}

func (r *reader) alert(name string, e item) *alertSpec {
	o := r.object(r.withoutLater(e.node, e.at, laterInAlert), e.at, alertKeys...)
	a := &alertSpec{
		name: name, at: e.at,
		typ:      o.symbol("type", "alert type", customPattern, alertTypes),
		severity: o.symbol("severity", "severity", mediumSeverity, severities),
		on:       o.text("on"), when: o.expression("when"),
		hold: o.span("for", 0, 0), keep: o.span("keep_firing_for", 0, 0),
		title: o.template("title"), description: o.template("description"), action: o.template("recommended_action"),
	}
	ofPattern := slices.ContainsFunc(e.node.Content, func(n *yaml.Node) bool { return n.Value == "pattern" })
	if on := o.find("on"); on != nil {
		a.onAt = on.at
	} else if !ofPattern {
		r.faults.add(e.at, "the key `on` is missing: which metric does the rule watch?")
	}
	if o.find("when") == nil && !ofPattern {
		r.faults.add(e.at, "the key `when` is missing: write a condition such as `when: value > 100`")
	}
	if m := o.find("min_samples"); m != nil {
		a.least = r.least(m)
	}
	if g := o.find("groups"); g != nil {
		a.groups = r.choices(g)
	}
	return a
}

// template reads an optional text with places to fill.
func (o *object) template(key string) *expression {
	e := o.find(key)
	if e == nil {
		return nil
	}
	s, ok := o.r.scalar(e, "text")
	if !ok {
		return nil
	}
	return &expression{text: s, at: e.at, node: o.r.locate(e.node)}
}

// symbol reads an optional word out of some.
func (o *object) symbol(key, what, otherwise string, symbols []string) string {
	e := o.find(key)
	if e == nil {
		return otherwise
	}
	s, ok := o.r.scalar(e, "one of "+strings.Join(symbols, ", "))
	if ok && !slices.Contains(symbols, s) {
		o.r.faults.add(e.at, "unknown %s %s%s", what, s, hint(s, symbols))
	}
	return s
}

// least reads `min_samples`: a number, which is one of the count, or a mapping of aggregates to numbers.
func (r *reader) least(e *item) []leastSpec {
	if e.node.Kind != yaml.MappingNode {
		if n, ok := r.samples(e); ok && n > 0 {
			return []leastSpec{{at: e.at, bound: n}}
		}
		return nil
	}
	var out []leastSpec
	for _, a := range r.entries(e.node, e.at) {
		if n, ok := r.samples(&a); ok && n > 0 {
			out = append(out, leastSpec{of: a.key, at: a.keyAt, bound: n})
		}
	}
	slices.SortFunc(out, func(a, b leastSpec) int { return cmp.Compare(a.of, b.of) })
	return out
}

func (r *reader) samples(e *item) (int64, bool) {
	const want = "a whole number such as 50, or {AGGREGATE: 50}"
	s, ok := r.scalar(e, want)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil || n < 0 || n > 1<<53 {
		r.wrong(e.node, e.at, want)
		return 0, false
	}
	return n, true
}

// choices reads `groups`: a mapping of keys to a value or a list of values.
func (r *reader) choices(e *item) []choiceSpec {
	entries := r.entries(e.node, e.at)
	if len(entries) == 0 && e.node.Kind == yaml.MappingNode {
		r.faults.add(e.at, "groups names no key: leave it out to watch all groups")
	}
	var out []choiceSpec
	for _, k := range entries {
		c := choiceSpec{key: k.key, at: k.keyAt}
		values := []item{k}
		if k.node.Kind == yaml.SequenceNode {
			if values = r.list(&k); len(values) == 0 {
				r.faults.add(k.at, "the list has no value: no group would be watched")
			}
		}
		for _, v := range values {
			if s, ok := r.scalar(&v, fmt.Sprintf("a value of %s, or a list of them", k.key)); ok {
				v.key = s
				c.values = append(c.values, v)
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b choiceSpec) int { return cmp.Compare(a.key, b.key) })
	return out
}
