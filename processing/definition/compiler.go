package definition

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/event"
)

const (
	eventField   = "field of the event schema"
	sessionField = "field of a closed session"
)

// compiler makes a plan of a document in two steps: check turns every expression into a term and collects faults;
// compile, which runs only without faults, lays out slots, columns and groupings.
type compiler struct {
	faults   *faults
	doc      *document
	events   *scope
	sessions []*checkedSession // by name
	metrics  []*checkedMetric  // by name
	rules    []*checkedRule    // by name
	leftOut  []LeftOut
}

type checkedSession struct {
	spec       *sessionSpec
	key        *term
	endWhen    *term // nil: none
	aggregates []checkedAggregate
	closed     *scope
}

type checkedMetric struct {
	spec       *metricSpec
	from       int // FromEvents or an index into compiler.sessions
	keys       []*term
	aggregates []checkedAggregate
	value      *term
	having     *term // nil: none
}

// checkedAggregate holds the terms of an aggregate; nil: none.
type checkedAggregate struct {
	input *term
	where *term
}

func newCompiler(f *faults, doc *document, schema *eventSchema) *compiler {
	lets := map[string]*let{}
	for _, l := range doc.lets {
		lets[l.name] = l
	}
	return &compiler{faults: f, doc: doc, events: &scope{schema: schema, lets: lets, noun: eventField}}
}

func (c *compiler) check() {
	c.sourceFields()
	for _, name := range slices.Sorted(maps.Keys(c.events.lets)) {
		l := c.events.lets[name]
		if _, err := c.events.schema.at(event.Path{name}); !errors.Is(err, event.ErrUnknownField) {
			c.faults.add(l.value.at, "the event schema has a field of this name: take another")
		}
		(&checker{scope: c.events, faults: c.faults}).expand(l, 0)
	}
	slices.SortStableFunc(c.doc.sessions, func(a, b *sessionSpec) int { return cmp.Compare(a.name, b.name) })
	slices.SortStableFunc(c.doc.metrics, func(a, b *metricSpec) int { return cmp.Compare(a.name, b.name) })
	for _, s := range c.doc.sessions {
		c.sessions = append(c.sessions, c.session(s))
	}
	for _, m := range c.doc.metrics {
		before := len(c.faults.all)
		c.metrics = append(c.metrics, c.metric(m))
		if m.at.file.builtIn && len(c.faults.all) > before {
			c.blame(m, before)
		}
	}
	c.alerts()
}

// blame reports what is wrong with a built-in metric where the file replaces what the metric uses.
func (c *compiler) blame(m *metricSpec, before int) {
	fault := c.faults.all[before].Message
	c.faults.all = c.faults.all[:before]
	var at spot
	for _, l := range c.doc.lets {
		if !l.value.at.file.builtIn {
			at = l.value.at
		}
	}
	for _, s := range c.doc.sessions {
		if s.name == m.from {
			at = s.at
		}
	}
	c.faults.add(at, "the built-in metric %s does not go with this: %s; keep what it uses, or disable it", m.name, fault)
}

// sourceFields resolves the fields that the source names.
func (c *compiler) sourceFields() {
	if info, path, ok := c.sourceField(c.doc.time); ok {
		c.doc.source.TimeField = path
		if info.Kind != event.Int || info.Nullable {
			c.faults.add(c.doc.time.at, "the event time must be a whole number that is never null, and %s is not", path)
		}
	}
	if info, path, ok := c.sourceField(c.doc.id); ok {
		c.doc.source.IDField = path
		if info.Kind != event.String && info.Kind != event.Int {
			c.faults.add(c.doc.id.at, "an id must be a text or a whole number, and %s is not", path)
		}
	}
}

func (c *compiler) sourceField(e expression) (event.TypeInfo, string, bool) {
	plain := &scope{schema: c.events.schema, noun: eventField}
	t := plain.check(c.faults, e)
	if t.bad() {
		return event.TypeInfo{}, "", false
	}
	if t.op != opField {
		c.faults.add(e.at, "want the path of a field")
		return event.TypeInfo{}, "", false
	}
	info, err := c.events.schema.at(t.path)
	if err != nil {
		panic("BUG: the path was resolved before: " + err.Error())
	}
	return info, strings.Join(t.path, "."), true
}

func (c *compiler) session(spec *sessionSpec) *checkedSession {
	s := &checkedSession{spec: spec, key: badTerm}
	if spec.key != nil {
		s.key = c.events.checkKind(c.faults, *spec.key, "value", kind.simple)
	}
	if spec.endWhen != nil {
		s.endWhen = c.condition(c.events, *spec.endWhen)
	}
	for i := range spec.aggregates {
		s.aggregates = append(s.aggregates, c.aggregate(c.events, &spec.aggregates[i], kind.simple))
	}
	s.closed = &scope{fields: s.closedFields(), noun: sessionField, missing: map[string]string{}}
	for name := range c.events.lets {
		s.closed.missing[name] = "the let " + name + " is about events: a metric from sessions sees fields of closed sessions only"
	}
	return s
}

func (c *compiler) metric(spec *metricSpec) *checkedMetric {
	m := &checkedMetric{spec: spec, from: FromEvents}
	sees := c.events
	if spec.from != "" {
		m.from = slices.IndexFunc(c.sessions, func(s *checkedSession) bool { return s.spec.name == spec.from })
		if m.from < 0 {
			off := slices.ContainsFunc(c.doc.disabled, func(i item) bool { return i.key == spec.from })
			if off {
				c.faults.add(spec.fromAt, "the session kind %s is disabled", spec.from)
			} else {
				c.faults.add(spec.fromAt, "no session kind is called %q%s", spec.from, hint(spec.from, c.sessionNames()))
			}
			return m
		}
		sees = c.sessions[m.from].closed
	}
	for _, k := range spec.keys {
		m.keys = append(m.keys, sees.checkKind(c.faults, k.value, "value to group by", kind.simple))
	}
	for i := range spec.aggregates {
		m.aggregates = append(m.aggregates, c.aggregate(sees, &spec.aggregates[i], kind.number))
	}
	m.value = c.formula(spec)
	m.having = c.having(spec, m.value)
	return m
}

func (c *compiler) sessionNames() []string {
	var names []string
	for _, s := range c.sessions {
		names = append(names, s.spec.name)
	}
	return names
}

func (c *compiler) condition(sees *scope, e expression) *term {
	return sees.checkKind(c.faults, e, "condition, true or false", func(k kind) bool { return k == boolKind })
}

// aggregate checks the input and the filter of an aggregate; keeps says what first and last may keep.
func (c *compiler) aggregate(sees *scope, spec *aggregateSpec, keeps func(kind) bool) checkedAggregate {
	var a checkedAggregate
	if spec.where != nil {
		a.where = c.condition(sees, *spec.where)
	}
	if spec.input == nil {
		return a
	}
	switch spec.kind {
	case aggregate.Uniques:
		a.input = sees.checkKind(c.faults, *spec.input, "value", kind.simple)
	case aggregate.First, aggregate.Last:
		want := "value"
		if !keeps(textKind) {
			want = "number (text is kept by sessions only)"
		}
		a.input = sees.checkKind(c.faults, *spec.input, want, keeps)
	default:
		a.input = sees.checkKind(c.faults, *spec.input, "number", kind.number)
	}
	return a
}

// sessionFieldNames are the names of the slots of a closed session.
var sessionFieldNames = [SessionFields]string{"key", "duration", "start", "end", "closed_at", "reason", "events"}

// closedFields are what a metric from sessions sees.
func (s *checkedSession) closedFields() map[string]field {
	fields := map[string]field{}
	for i, name := range sessionFieldNames {
		switch i {
		case SessionKey:
			fields[name] = field{kind: s.key.kind, symbols: s.key.symbols}
		case SessionDuration:
			fields[name] = field{kind: floatKind}
		case SessionReason:
			fields[name] = field{kind: textKind, symbols: []string{"gap", "end", "max_duration", "evicted"}}
		default:
			fields[name] = field{kind: intKind}
		}
	}
	for i, a := range s.spec.aggregates {
		fields[a.name] = s.aggregates[i].result(a.kind)
	}
	return fields
}

// result is what a metric from sessions sees of a session's aggregate.
func (a checkedAggregate) result(k aggregate.Kind) field {
	switch {
	case k == aggregate.Count:
		return field{kind: intKind}
	case (k == aggregate.First || k == aggregate.Last) && a.input != nil:
		return field{kind: a.input.kind, symbols: a.input.symbols}
	default:
		return field{kind: floatKind}
	}
}

// formula checks a metric's `value`; without one the value is the only aggregate of the group.
func (c *compiler) formula(spec *metricSpec) *term {
	if spec.value != nil {
		return formulaScope(spec.aggregates).checkKind(c.faults, *spec.value, "number", kind.number)
	}
	var grouped []string
	for _, a := range spec.aggregates {
		if !a.total {
			grouped = append(grouped, a.name)
		}
	}
	if len(grouped) != 1 {
		if len(grouped) > 1 {
			c.faults.add(spec.at, "the key value is missing: which of %d aggregates is it?", len(grouped))
		}
		return badTerm
	}
	return &term{op: opField, kind: floatKind, path: grouped}
}
