package definition

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/event"
)

// document is a definitions file as it was written, its expressions not yet understood.
type document struct {
	source   Source
	time     expression // a path
	id       expression // a path
	budget   int64
	budgetAt spot
	defaults bool
	disabled []item
	lets     []*let
	sessions []*sessionSpec
	metrics  []*metricSpec
	alerts   []*alertSpec
}

type sessionSpec struct {
	name        string
	at          spot
	key         *expression
	gap         event.Millis
	maxDuration event.Millis
	endWhen     *expression
	maxOpen     int
	aggregates  []aggregateSpec
}

type metricSpec struct {
	name        string
	at          spot
	typ         string
	title       string
	description string
	unit        string
	size        event.Millis
	slide       event.Millis
	offset      event.Millis
	lateness    event.Millis
	keys        []keySpec // by name
	limit       int
	maxGroups   int
	from        string // a session kind, or nothing: events
	fromAt      spot
	aggregates  []aggregateSpec // by name
	value       *expression
	having      *expression // nil: every group is published
}

type keySpec struct {
	name  string
	value expression
}

type aggregateSpec struct {
	name     string
	at       spot
	kind     aggregate.Kind
	input    *expression // nil for a count
	where    *expression // also what `count` was given
	quantile float64
	total    bool
}

// The values of what a definition leaves out.
const (
	defaultLateness  = event.Millis(60_000)
	defaultLimit     = 100
	defaultMaxGroups = 100_000
	defaultGap       = event.Millis(30 * 60_000)
	defaultDuration  = event.Millis(12 * 3_600_000)
	defaultMaxOpen   = 256 * 10_000
)

// maxPanes bounds the panes of a window: all of them are held, and merged for every window. It allows a week every minute.
const maxPanes = 11_000

// read turns the root of a YAML document into a document; base supplies the source rules and the budget that the file
// does not set.
func (r *reader) read(root *yaml.Node, base *document) *document {
	d := &document{defaults: true}
	if base != nil {
		d.source, d.time, d.id, d.budget, d.budgetAt = base.source, base.time, base.id, base.budget, base.budgetAt
	}
	at := r.spot(root, "")
	o := r.object(r.withoutLater(root, at, laterInFile), at, "version", "source", "state_budget", "defaults", "disable", "let", "sessions", "metrics", "alerts")
	r.version(o)
	if e := o.find("source"); e != nil {
		r.source(d, e)
	}
	r.budget(d, o.find("state_budget"))
	d.defaults = o.flag("defaults", true)
	if e := o.find("disable"); e != nil {
		for _, name := range r.list(e) {
			if s, ok := r.scalar(&name, "a name"); ok {
				name.key = s
				d.disabled = append(d.disabled, name)
			}
		}
	}
	if e := o.find("let"); e != nil {
		r.lets(d, e)
	}
	if e := o.find("sessions"); e != nil {
		r.named(e, "session kind", func(name string, e item) { d.sessions = append(d.sessions, r.session(name, e)) })
	}
	if e := o.find("metrics"); e != nil {
		r.named(e, "metric", func(name string, e item) { d.metrics = append(d.metrics, r.metric(name, e)) })
	}
	if e := o.find("alerts"); e != nil {
		r.named(e, "rule", func(name string, e item) { d.alerts = append(d.alerts, r.alert(name, e)) })
	}
	return d
}

func (r *reader) version(o *object) {
	e := o.find("version")
	if e == nil {
		r.faults.add(o.at, "the key version is missing: write `version: 1`")
		return
	}
	if s, ok := r.scalar(e, "1"); ok && s != "1" {
		r.faults.add(e.at, "version %s is unknown: this program reads version 1", s)
	}
}

func (r *reader) source(d *document, e *item) {
	o := r.object(e.node, e.at, "time", "id", "out_of_orderness", "idle_timeout", "close_when_idle", "max_future_skew", "max_ahead", "min_time")
	s := &d.source
	if x := o.expression("time"); x != nil {
		d.time = *x
	}
	if x := o.expression("id"); x != nil {
		d.id = *x
	}
	s.OutOfOrderness = o.span("out_of_orderness", 0, s.OutOfOrderness)
	s.IdleTimeout = o.span("idle_timeout", 1, s.IdleTimeout)
	s.CloseWhenIdle = o.span("close_when_idle", 1, s.CloseWhenIdle)
	s.MaxFutureSkew = o.span("max_future_skew", 0, s.MaxFutureSkew)
	s.MaxAhead = o.span("max_ahead", 1, s.MaxAhead)
	if f := o.find("min_time"); f != nil {
		s.MinTime = r.instant(f, s.MinTime)
	}
}

// instant reads a date or a time in UTC.
func (r *reader) instant(e *item, otherwise event.Millis) event.Millis {
	const want = "a time such as 2000-01-01 or 2000-01-01T00:00:00Z"
	s, ok := r.scalar(e, want)
	if !ok {
		return otherwise
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return event.Millis(t.UnixMilli())
		}
	}
	r.wrong(e.node, e.at, want)
	return otherwise
}

// budget reads a number of bytes: 4GiB, 512MiB.
func (r *reader) budget(d *document, e *item) {
	if e == nil {
		return
	}
	const want = "a size such as 512MiB or 4GiB"
	s, ok := r.scalar(e, want)
	if !ok {
		return
	}
	d.budgetAt = e.at
	for _, unit := range byteUnits {
		if digits, ok := strings.CutSuffix(s, unit.name); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 20)
			if err == nil && n > 0 {
				d.budget = int64(n) * unit.size
				return
			}
		}
	}
	r.wrong(e.node, e.at, want)
}

var byteUnits = []struct {
	name string
	size int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func (r *reader) lets(d *document, e *item) {
	for _, l := range r.entries(e.node, e.at) {
		r.name(l.key, l.keyAt)
		if x := r.expression(&l); x != nil {
			d.lets = append(d.lets, &let{name: l.key, value: *x})
		}
	}
}

// named reads a list of things with a `name` each, which must differ.
func (r *reader) named(e *item, what string, read func(name string, e item)) {
	seen := map[string]int{}
	for _, element := range r.list(e) {
		if element.node.Kind != yaml.MappingNode {
			r.wrong(element.node, element.at, "a "+what)
			continue
		}
		node, name := nameOf(element.node)
		if name == "" {
			r.faults.add(element.at, "a %s needs a name", what)
		} else {
			element.at.path = e.at.path + "." + name
			at := r.spot(node, element.at.path+".name")
			r.name(name, at)
			if line, ok := seen[name]; ok {
				r.faults.add(at, "there are two of this name, the first in line %d", line)
			}
			seen[name] = node.Line
		}
		read(name, element)
	}
}

func nameOf(n *yaml.Node) (*yaml.Node, string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := n.Content[i+1]; n.Content[i].Value == "name" && v.Kind == yaml.ScalarNode && v.Tag != "!!null" {
			return v, v.Value
		}
	}
	return nil, ""
}

var nameSyntax = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// reserved are the words that an expression would not read as a name.
var reserved = []string{"and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "not", "or", "size", "true"}

// name checks the syntax of a name that users give.
func (r *reader) name(name string, at spot) {
	switch {
	case !nameSyntax.MatchString(name):
		r.faults.add(at, "%q is no name: write small letters, digits and _, a letter first", name)
	case len(name) > 64:
		r.faults.add(at, "the name is longer than 64 characters")
	case slices.Contains(reserved, name):
		r.faults.add(at, "%q means something in expressions: take another name", name)
	}
}
