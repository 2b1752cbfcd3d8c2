package definition

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/processing/aggregate"
)

// metricTypes are the symbols of the Avro enum of metric types.
var metricTypes = []string{
	"PAGE_VIEWS_PER_SECOND", "ACTIVE_USERS", "BOUNCE_RATE", "AVERAGE_SESSION_DURATION", "CONVERSION_RATE",
	"REVENUE_PER_USER", "TOP_PAGES", "GEOGRAPHIC_DISTRIBUTION", "DEVICE_BREAKDOWN", customMetric,
}

const customMetric = "CUSTOM_METRIC"

func (r *reader) session(name string, e item) *sessionSpec {
	o := r.object(e.node, e.at, "name", "key", "gap", "max_duration", "end_when", "max_open", "aggregates")
	s := &sessionSpec{
		name: name, at: e.at,
		key:         o.expression("key"),
		gap:         o.span("gap", 1, defaultGap),
		maxDuration: o.span("max_duration", 1, defaultDuration),
		endWhen:     o.expression("end_when"),
		maxOpen:     o.whole("max_open", 256, defaultMaxOpen),
	}
	if o.find("key") == nil {
		r.faults.add(e.at, "the key `key` is missing: which field tells sessions apart?")
	}
	if a := o.find("aggregates"); a != nil {
		s.aggregates = r.aggregates(a, false)
	}
	for _, a := range s.aggregates {
		if slices.Contains(sessionFieldNames[:], a.name) {
			r.faults.add(a.at, "every session has a field of this name already")
		}
	}
	return s
}

func (r *reader) metric(name string, e item) *metricSpec {
	o := r.object(e.node, e.at, "name", "type", "title", "description", "window", "allowed_lateness", "group_by", "limit",
		"max_groups", "from", "aggregates", "value", "having", "unit")
	m := &metricSpec{
		name: name, at: e.at,
		typ: customMetric, title: o.text("title"), description: o.text("description"), unit: o.text("unit"),
		limit: 1, maxGroups: 1,
		value: o.expression("value"), having: o.expression("having"),
	}
	if t := o.find("type"); t != nil {
		m.typ = o.text("type")
		if m.typ != "" && !slices.Contains(metricTypes, m.typ) {
			r.faults.add(t.at, "unknown metric type %s%s", m.typ, hint(m.typ, metricTypes))
		}
	}
	r.window(m, o)
	if f := o.find("from"); f != nil {
		m.from, m.fromAt = o.text("from"), f.at
	}
	r.lateness(m, o)
	r.groups(m, o)
	a := o.find("aggregates")
	if a == nil {
		r.faults.add(e.at, "the key aggregates is missing: what is counted?")
		return m
	}
	m.aggregates = r.aggregates(a, true)
	r.totals(m, a.at)
	return m
}

func (r *reader) window(m *metricSpec, o *object) {
	e := o.find("window")
	if e == nil {
		r.faults.add(o.at, "the key window is missing: write `window: {size: 1m}`")
		return
	}
	w := r.object(e.node, e.at, "size", "slide", "offset")
	if w.find("size") == nil {
		if e.node.Kind == yaml.MappingNode {
			r.faults.add(e.at, "the key size is missing")
		}
		return
	}
	m.size = w.span("size", 1, 0)
	m.slide = w.span("slide", 1, m.size)
	m.offset = w.span("offset", 0, 0)
	if m.size == 0 || m.slide == 0 {
		return
	}
	if m.slide > m.size {
		r.faults.add(w.find("slide").at, "the slide %s is longer than the window %s: events between windows would be lost", spanText(m.slide), spanText(m.size))
	} else if pane := gcd(m.size, m.slide); m.size/pane > maxPanes {
		r.faults.add(w.find("slide").at, "the window %s is made of %d panes of %s (what size and slide are both multiples of), and may have %d: take a longer slide",
			spanText(m.size), m.size/pane, spanText(pane), maxPanes)
	}
	if m.offset >= m.slide {
		r.faults.add(w.find("offset").at, "the offset %s is not shorter than the slide %s", spanText(m.offset), spanText(m.slide))
	}
}

func (r *reader) lateness(m *metricSpec, o *object) {
	e := o.find("allowed_lateness")
	switch {
	case m.from == "":
		m.lateness = o.span("allowed_lateness", 0, defaultLateness)
	case e != nil:
		r.faults.add(e.at, "a closed session is never late: a metric from sessions has no allowed lateness")
	}
}

// groups reads `group_by`, which is a mapping of names to expressions or a list of paths, and the limits that only
// groups have.
func (r *reader) groups(m *metricSpec, o *object) {
	e := o.find("group_by")
	if e == nil {
		for _, key := range []string{"limit", "max_groups"} {
			if l := o.find(key); l != nil {
				r.faults.add(l.at, "without group_by there are no groups to limit")
			}
		}
		return
	}
	m.limit = o.whole("limit", 1, defaultLimit)
	m.maxGroups = o.whole("max_groups", 1, defaultMaxGroups)
	switch e.node.Kind {
	case yaml.SequenceNode:
		for _, path := range r.list(e) {
			if x := r.expression(&path); x != nil {
				r.key(m, pathName(x.text), *x)
			}
		}
	case yaml.MappingNode:
		for _, k := range r.entries(e.node, e.at) {
			if x := r.expression(&k); x != nil {
				r.name(k.key, k.keyAt)
				r.key(m, k.key, *x)
			}
		}
	default:
		r.wrong(e.node, e.at, "a list of paths, or a mapping of names to expressions")
		return
	}
	if len(m.keys) == 0 && len(e.node.Content) == 0 {
		r.faults.add(e.at, "group_by names no key: leave it out")
	}
	slices.SortFunc(m.keys, func(a, b keySpec) int { return cmp.Compare(a.name, b.name) })
}

func (r *reader) key(m *metricSpec, name string, value expression) {
	if !nameSyntax.MatchString(name) {
		r.faults.add(value.at, "a list of keys holds paths; give %q a name: `group_by: {name: EXPRESSION}`", value.text)
		return
	}
	for _, k := range m.keys {
		if k.name == name {
			r.faults.add(value.at, "two keys are called %q: write `group_by: {name: EXPRESSION}`", name)
			return
		}
	}
	m.keys = append(m.keys, keySpec{name: name, value: value})
}

// pathName is the name of a key that is a path: `sessionData.deviceType` is called device_type.
func pathName(path string) string {
	var b strings.Builder
	for i, c := range path[strings.LastIndexByte(path, '.')+1:] {
		if unicode.IsUpper(c) {
			if i > 0 {
				b.WriteByte('_')
			}
			c = unicode.ToLower(c)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// kindNames are the keys that say what an aggregate does.
var kindNames = map[string]aggregate.Kind{
	"count": aggregate.Count, "sum": aggregate.Sum, "avg": aggregate.Avg, "min": aggregate.Min, "max": aggregate.Max,
	"uniques": aggregate.Uniques, "quantile": aggregate.Quantile, "first": aggregate.First, "last": aggregate.Last,
}

// kindOrder is how faults list them.
var kindOrder = []string{"count", "sum", "avg", "min", "max", "uniques", "quantile", "first", "last"}

func kindName(k aggregate.Kind) string {
	for name, kind := range kindNames {
		if kind == k {
			return name
		}
	}
	panic("BUG: aggregate without a name: " + strconv.Itoa(int(k)))
}

func (r *reader) aggregates(e *item, inMetric bool) []aggregateSpec {
	entries := r.entries(e.node, e.at)
	if len(entries) == 0 && e.node.Kind == yaml.MappingNode {
		r.faults.add(e.at, "there is no aggregate")
	}
	specs := make([]aggregateSpec, 0, len(entries))
	for i := range entries {
		r.name(entries[i].key, entries[i].keyAt)
		specs = append(specs, r.aggregate(&entries[i], inMetric))
	}
	slices.SortFunc(specs, func(a, b aggregateSpec) int { return cmp.Compare(a.name, b.name) })
	return specs
}

func (r *reader) aggregate(e *item, inMetric bool) aggregateSpec {
	known := append(slices.Clone(kindOrder), "q", "where")
	if inMetric {
		known = append(known, "total")
	}
	o := r.object(e.node, e.at, known...)
	a := aggregateSpec{name: e.key, at: e.keyAt, where: o.expression("where")}
	found := 0
	for i := range o.items {
		kind, ok := kindNames[o.items[i].key]
		if !ok {
			continue
		}
		if found++; found == 2 {
			r.faults.add(o.items[i].keyAt, "an aggregate does one thing, and this is %s already", kindName(a.kind))
		}
		if found == 1 {
			a.kind = kind
			r.input(&a, &o.items[i], o)
		}
	}
	if found == 0 && e.node.Kind == yaml.MappingNode {
		r.faults.add(e.at, "say what to compute: one of %s", strings.Join(kindOrder, ", "))
	}
	r.quantile(&a, o)
	if inMetric {
		a.total = o.flag("total", false)
	}
	return a
}

// input reads what an aggregate is taken of. A count is given its filter, `true` or nothing.
func (r *reader) input(a *aggregateSpec, e *item, o *object) {
	if a.kind != aggregate.Count {
		a.input = r.expression(e)
		return
	}
	if e.node.Kind == yaml.ScalarNode && (e.node.Tag == "!!null" || e.node.Tag == "!!bool" && strings.EqualFold(e.node.Value, "true")) {
		return
	}
	if w := o.find("where"); w != nil {
		r.faults.add(w.at, "count has a filter already: join them with `and`")
		return
	}
	a.where = r.expression(e)
}

func (r *reader) quantile(a *aggregateSpec, o *object) {
	q := o.find("q")
	switch {
	case a.kind == aggregate.Quantile && q == nil:
		r.faults.add(o.at, "the key q is missing: which quantile? 0.95, say")
	case q == nil:
	case a.kind != aggregate.Quantile:
		r.faults.add(q.at, "only a quantile has a q")
	default:
		const want = "a number between 0 and 1, both excluded"
		s, ok := r.scalar(q, want)
		if !ok {
			return
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f > 0 && f < 1) {
			r.wrong(q.node, q.at, want)
			return
		}
		a.quantile = f
	}
}

// totals checks that `total` has a meaning where it is used.
func (r *reader) totals(m *metricSpec, at spot) {
	grouped := 0
	for _, a := range m.aggregates {
		switch {
		case !a.total:
			grouped++
		case len(m.keys) == 0:
			r.faults.add(a.at, "without group_by every aggregate is a total: leave total out")
		}
	}
	if grouped == 0 && len(m.aggregates) > 0 {
		r.faults.add(at, "at least one aggregate must not be a total: it makes the groups")
	}
}
