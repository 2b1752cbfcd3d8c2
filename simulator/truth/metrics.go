package truth

import (
	"github.com/tidemark/tidemark/processing/event"
)

// metric is one of the defaults. T is what its windows are filled with: events or closed sessions.
type metric[T any] struct {
	name        string
	size, slide event.Millis
	width       event.Millis // of its panes
	key         string       // of the group; empty when ungrouped
	group       func(T) *string
	total       bool         // evaluate looks at everything in the window, not only at what the group took
	takes       func(T) bool // some aggregate of the group takes it
	// evaluate computes the named aggregates and the value from what a group took and, for totals, from all.
	evaluate  func(taken, all []T) (value *float64, aggregates map[string]*float64)
	tolerance map[string]estimate // by aggregate, "value" for the value; others are exact
	empty     *float64            // the value of a window without a row, when ungrouped
}

// limit is how many groups of a window are published; the rest is `(other)`.
const limit = 100

var rankError = estimate{relative: quantileError}

var eventMetrics = []metric[*fact]{
	{
		name: "events_per_second", size: 5 * second, slide: 5 * second, width: 5 * second,
		key: "event_type", group: func(f *fact) *string { return &f.eventType }, takes: every,
		evaluate: func(taken, _ []*fact) (*float64, map[string]*float64) {
			return ratio(count(taken), number(5)), named{"events": count(taken)}
		},
	},
	{
		name: "page_views_per_second", size: 5 * second, slide: 5 * second, width: 5 * second, takes: ofType("PAGE_VIEW"), empty: number(0),
		evaluate: func(taken, _ []*fact) (*float64, map[string]*float64) {
			return ratio(count(taken), number(5)), named{"views": count(taken)}
		},
	},
	{
		name: "active_users", size: 5 * minute, slide: 10 * second, width: 10 * second, takes: every, empty: number(0),
		evaluate: func(taken, _ []*fact) (*float64, map[string]*float64) {
			visitors := distinct(taken, (*fact).visitorOf)
			return visitors, named{"visitors": visitors}
		},
		tolerance: estimates{"value": {above: "visitors"}, "visitors": {above: "visitors"}},
	},
	{
		name: "conversion_rate", size: minute, slide: 10 * second, width: 10 * second, takes: every,
		evaluate: func(taken, _ []*fact) (*float64, map[string]*float64) {
			converted := distinct(where(taken, ofType("CONVERSION")), (*fact).sessionOf)
			sessions := distinct(taken, (*fact).sessionOf)
			return ratio(converted, sessions), named{"converted": converted, "sessions": sessions}
		},
		tolerance: estimates{
			"value": {above: "converted", below: "sessions"}, "converted": {above: "converted"}, "sessions": {above: "sessions"},
		},
	},
	{
		name: "revenue_per_user", size: minute, slide: 10 * second, width: 10 * second,
		key: "currency", group: (*fact).currencyOf, takes: ofType("CONVERSION"), total: true,
		evaluate: func(taken, all []*fact) (*float64, map[string]*float64) {
			revenue, visitors := sum(taken, (*fact).moneyOf), distinct(all, (*fact).visitorOf)
			return ratio(revenue, visitors), named{"revenue": revenue, "visitors": visitors}
		},
		tolerance: estimates{"value": {below: "visitors"}, "visitors": {above: "visitors"}},
	},
	{
		name: "top_pages", size: minute, slide: minute, width: minute,
		key: "url", group: (*fact).urlOf, takes: ofType("PAGE_VIEW"), evaluate: counted("views"),
	},
	{
		name: "geographic_distribution", size: minute, slide: minute, width: minute,
		key: "country", group: (*fact).countryOf, takes: ofType("SESSION_START"), evaluate: counted("starts"),
	},
	{
		name: "device_breakdown", size: minute, slide: minute, width: minute,
		key: "device_type", group: (*fact).deviceOf, takes: ofType("SESSION_START"), evaluate: counted("starts"),
	},
	{
		name: "page_load_time", size: 10 * second, slide: 10 * second, width: 10 * second,
		takes: func(f *fact) bool { return f.loadTime != nil },
		evaluate: func(taken, _ []*fact) (*float64, map[string]*float64) {
			times := sorted(taken, (*fact).loadTimeOf)
			p95 := quantile(times, 0.95)
			return p95, named{"p50": quantile(times, 0.5), "p95": p95, "p99": quantile(times, 0.99), "n": count(taken)}
		},
		tolerance: estimates{"value": rankError, "p50": rankError, "p95": rankError, "p99": rankError},
	},
}

var sessionMetrics = []metric[*Session]{
	{
		name: "bounce_rate", size: 5 * minute, slide: minute, width: minute, takes: anySession,
		evaluate: func(taken, _ []*Session) (*float64, map[string]*float64) {
			bounced := count(where(taken, func(s *Session) bool { return s.PageViews <= 1 }))
			return ratio(bounced, count(taken)), named{"bounced": bounced, "sessions": count(taken)}
		},
	},
	{
		name: "average_session_duration", size: 5 * minute, slide: minute, width: minute, takes: anySession,
		evaluate: func(taken, _ []*Session) (*float64, map[string]*float64) {
			mean := ratio(sum(taken, (*Session).duration), count(taken))
			return mean, named{"duration": mean, "sessions": count(taken)}
		},
	},
}

type (
	named     = map[string]*float64
	estimates = map[string]estimate
)

func every(*fact) bool         { return true }
func anySession(*Session) bool { return true }

func ofType(name string) func(*fact) bool {
	return func(f *fact) bool { return f.is(name) }
}

// counted evaluates to the number of events, under the name of the only aggregate.
func counted(name string) func(taken, all []*fact) (*float64, map[string]*float64) {
	return func(taken, _ []*fact) (*float64, map[string]*float64) {
		return count(taken), named{name: count(taken)}
	}
}

func (f *fact) visitorOf() *name     { return f.visitor }
func (f *fact) sessionOf() *name     { return f.session }
func (f *fact) urlOf() *string       { return f.url }
func (f *fact) countryOf() *string   { return f.country }
func (f *fact) deviceOf() *string    { return f.device }
func (f *fact) currencyOf() *string  { return f.currency }
func (f *fact) moneyOf() *float64    { return f.money }
func (f *fact) loadTimeOf() *float64 { return f.loadTime }

// duration is in seconds.
func (s *Session) duration() *float64 { return number(float64(s.Last-s.First) / 1000) }

// slideOf is the time from one window of a metric to the next.
func slideOf(name string) event.Millis {
	for i := range eventMetrics {
		if eventMetrics[i].name == name {
			return eventMetrics[i].slide
		}
	}
	for i := range sessionMetrics {
		if sessionMetrics[i].name == name {
			return sessionMetrics[i].slide
		}
	}
	panic("BUG: no metric " + name)
}
