package wire

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// The errors of the two estimators: the standard error of a HyperLogLog of precision 14, and the accuracy that a
// DDSketch guarantees.
var (
	uniquesError  = math.Round(1.04/math.Sqrt(1<<14)*1e4) / 1e4
	quantileError = 0.01
)

// Shape turns the results of one metric into rows.
type Shape struct {
	Metric        *definition.Metric // nil: the definition is no longer in force
	Estimate      bool               // the value is made of an estimate
	RelativeError float64            // 0 when it is not

	name    string
	empty   window.Row // of a window without events
	implies bool       // such windows are shown
}

// NewShape returns the shape of a metric of the plan.
func NewShape(m *definition.Metric) *Shape {
	s := &Shape{Metric: m, name: m.Name}
	s.RelativeError = relativeError(m)
	s.Estimate = s.RelativeError > 0
	s.empty, s.implies = window.Empty(m, m.Size)
	s.implies = s.implies && len(m.Keys) == 0
	return s
}

// ImpliesEmpty reports whether windows without events are shown: those of a metric without groups, unless its `having`
// withholds them.
func (s *Shape) ImpliesEmpty() bool { return s.implies }

// Retired returns the shape of a metric that is no longer in force.
func Retired(name string) *Shape { return &Shape{name: name} }

// Row is the outside of a result.
func (s *Shape) Row(r *window.Result) Row {
	row := Row{
		Metric:        s.name,
		Group:         s.Group(r.Group),
		WindowStart:   r.Start,
		WindowEnd:     r.End,
		Kind:          r.Kind.String(),
		Revision:      r.Revision,
		Value:         NumberOf(r.Value),
		Aggregates:    make(map[string]Number, len(r.Aggregates)),
		Count:         r.Count,
		Estimate:      s.Estimate,
		RelativeError: s.RelativeError,
		Truncated:     r.Truncated,
	}
	for i, n := range r.Aggregates {
		row.Aggregates[s.aggregateName(i)] = NumberOf(n)
	}
	return row
}

// Group names the values of a group; without keys it is empty and never null.
func (s *Shape) Group(values []string) map[string]string {
	g := make(map[string]string, len(values))
	for i, v := range values {
		if s.Metric != nil && i < len(s.Metric.Keys) {
			g[s.Metric.Keys[i]] = v
		} else {
			g[strconv.Itoa(i+1)] = v
		}
	}
	return g
}

// Empty is the result of an ungrouped window in which nothing happened: such windows are implied, never stored.
func (s *Shape) Empty(start event.Millis) window.Result {
	m := s.Metric
	return window.Result{
		Metric:     m.Name,
		Definition: m.Hash,
		Start:      start,
		End:        start + m.Size,
		Kind:       window.Final,
		Revision:   1,
		Value:      s.empty.Value,
		Aggregates: s.empty.Aggregates,
	}
}

func (s *Shape) aggregateName(i int) string {
	if s.Metric != nil && i < len(s.Metric.Aggregates) {
		return s.Metric.Aggregates[i].Name
	}
	return strconv.Itoa(i + 1)
}

// relativeError adds the errors of the estimates in the formula as independent ones: to first order that is right for
// products and ratios, and exact for a formula that is one aggregate.
func relativeError(m *definition.Metric) float64 {
	used := identifiers(m.FormulaText)
	var squares float64
	for _, a := range m.Aggregates {
		if len(m.Aggregates) > 1 && !used[a.Name] {
			continue
		}
		switch a.Kind {
		case aggregate.Uniques:
			squares += uniquesError * uniquesError
		case aggregate.Quantile:
			squares += quantileError * quantileError
		}
	}
	return math.Round(math.Sqrt(squares)*1e4) / 1e4
}

func identifiers(formula string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.FieldsFunc(formula, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		set[word] = true
	}
	return set
}
