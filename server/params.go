package server

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/wire"
)

// params reads the parameters of a query and gathers what is wrong with them. Each reader returns a harmless value when
// there is a fault; the caller asks for the problem once everything is read.
type params struct {
	values url.Values
	known  map[string]bool // the parameters that there are
	told   map[string]bool // those that are not and that a fault names already
	now    event.Millis    // one moment for the whole request
	faults []wire.Fault
}

func (s *Server) params(r *http.Request) *params {
	p := &params{known: map[string]bool{}, told: map[string]bool{}, now: event.Millis(s.now().UnixMilli())}
	var err error
	if p.values, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		p.faults = append(p.faults, wire.Fault{Pointer: "/query", Detail: err.Error()})
	}
	return p
}

func (p *params) fault(name, format string, args ...any) {
	p.faults = append(p.faults, wire.Fault{Pointer: "/query/" + pointerToken(name), Detail: fmt.Sprintf(format, args...)})
}

// pointerToken escapes a name as RFC 6901 says.
func pointerToken(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// text returns a parameter, ok is false where it is not given.
func (p *params) text(name string) (value string, ok bool) {
	p.known[name] = true
	switch given := p.values[name]; len(given) {
	case 0:
		return "", false
	case 1:
		return given[0], true
	default:
		p.fault(name, "given %d times", len(given))
		return "", false
	}
}

func (p *params) integer(name string, byDefault, low, high int64) int64 {
	text, ok := p.text(name)
	if !ok {
		return byDefault
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		p.fault(name, "%q is not a whole number from %d to %d", text, low, high)
		return byDefault
	}
	return n
}

// choice returns one of some words.
func (p *params) choice(name, byDefault string, words ...string) string {
	text, ok := p.text(name)
	if !ok {
		return byDefault
	}
	if !slices.Contains(words, text) {
		p.fault(name, "%q is not one of %s", text, strings.Join(words, ", "))
		return byDefault
	}
	return text
}

// choices returns some of the words, separated by commas; none where the parameter is not given.
func (p *params) choices(name string, words ...string) (chosen []string) {
	text, ok := p.text(name)
	if !ok {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		if !slices.Contains(words, word) {
			p.fault(name, "%q is not one of %s", word, strings.Join(words, ", "))
		}
		chosen = append(chosen, word)
	}
	return chosen
}

// openRange reads from and to; where they are not given everything is meant.
func (p *params) openRange() (from, to event.Millis) {
	faults := len(p.faults)
	from, to = minTime, maxTime+1
	if _, ok := p.text("from"); ok {
		from = p.time("from", "")
	}
	if _, ok := p.text("to"); ok {
		to = p.time("to", "")
	}
	if from > to && len(p.faults) == faults {
		p.fault("from", "is later than `to`")
	}
	return from, to
}

// timeRange reads from and to.
func (p *params) timeRange(fromDefault string) (from, to event.Millis) {
	faults := len(p.faults)
	from, to = p.time("from", fromDefault), p.time("to", "now")
	if from > to && len(p.faults) == faults {
		p.fault("from", "is later than `to`")
	}
	return from, to
}

// The times that can be asked for: years 0 to 9999, so that arithmetic with them can't overflow.
const (
	minTime event.Millis = -62167219200000
	maxTime event.Millis = 253402300799999
)

// time reads a moment: milliseconds since the epoch, RFC 3339, `now`, or a span before now ("-15m").
func (p *params) time(name, byDefault string) event.Millis {
	text, ok := p.text(name)
	if !ok {
		text = byDefault
	}
	t, err := parseTime(text, p.now)
	if err != nil || t < minTime || t > maxTime {
		p.fault(name, "%q is not a time: milliseconds since the epoch, RFC 3339, `now`, or a span before now such as `-15m`", text)
		return p.now
	}
	return t
}

func parseTime(text string, now event.Millis) (event.Millis, error) {
	if text == "now" {
		return now, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return event.Millis(n), nil
	}
	if span, ok := strings.CutPrefix(text, "-"); ok {
		d, err := wire.ParseSpan(span)
		return now - event.Millis(d.Milliseconds()), err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, err
	}
	return event.Millis(t.UnixMilli()), nil
}

// groupFilter is what the values of a metric's keys must be; nil where any will do.
type groupFilter []*string

func (f groupFilter) takes(group []string) bool {
	for i, want := range f {
		if want != nil && group[i] != *want {
			return false
		}
	}
	return true
}

// groups reads group.KEY=VALUE.
func (p *params) groups(m *definition.Metric) groupFilter {
	f := make(groupFilter, len(m.Keys))
	for i, key := range m.Keys {
		if value, ok := p.text("group." + key); ok {
			f[i] = &value
		}
	}
	for _, name := range p.names() {
		if key, ok := strings.CutPrefix(name, "group."); ok && !p.known[name] {
			p.told[name] = true
			p.fault(name, "%s is not grouped by %q; its keys are: %s", m.Name, key, listOr(m.Keys, "none"))
		}
	}
	return f
}

func (p *params) names() []string { return slices.Sorted(maps.Keys(p.values)) }

func listOr(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

// problem is every fault, unknown parameters included: a typo must not return other data.
func (p *params) problem() error {
	known := listOr(slices.Sorted(maps.Keys(p.known)), "none")
	for _, name := range p.names() {
		if !p.known[name] && !p.told[name] {
			p.fault(name, "there is no such parameter here; there are: %s", known)
		}
	}
	if len(p.faults) == 0 {
		return nil
	}
	return wire.Invalid(p.faults)
}

// metric finds the metric that the path names.
func (s *Server) metric(name string) (*definition.Metric, error) {
	for i := range s.Plan.Metrics {
		if s.Plan.Metrics[i].Name == name {
			return &s.Plan.Metrics[i], nil
		}
	}
	return nil, notFound("there is no metric %q", name)
}
