package server

import (
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// firing is an alert on the final of a window of a metric of testDefinitions.
func (e *engine) firing(id, metric string, start event.Millis, severity string, group ...string) *alert.Alert {
	i := slices.IndexFunc(e.plan.Metrics, func(m definition.Metric) bool { return m.Name == metric })
	m := &e.plan.Metrics[i]
	end := start + m.Size
	a := &alert.Alert{
		ID: id, Definition: "too_many_" + metric, Hash: definition.Hash{1}, Type: "CUSTOM_PATTERN", Severity: severity, State: alert.Firing,
		Title: "Too many " + metric, Description: "<b>more</b> than there should be", PatternMatched: "value > 1",
		StartedAt: end, EndedAt: event.NoTime, Value: definition.Number{Float: 2, Valid: true},
		Metrics:     []alert.Reading{{Name: "n", Number: definition.Number{Float: 20, Valid: true}}, {Name: "value", Number: definition.Number{Float: 2, Valid: true}}},
		Window:      alert.Window{Metric: metric, Definition: m.Hash, Start: start, End: end},
		Transitions: []alert.Transition{{State: alert.Firing, At: end}},
	}
	for i, value := range group {
		a.Group = append(a.Group, alert.Label{Name: m.Keys[i], Text: value})
	}
	return a
}

// resolved is the alert once it has ended.
func resolved(a *alert.Alert, at event.Millis) *alert.Alert {
	r := *a
	r.State, r.EndedAt = alert.Resolved, at
	r.Transitions = append(slices.Clip(r.Transitions), alert.Transition{State: alert.Resolved, At: at})
	return &r
}

// raise commits alerts, each with an entry in the feed.
func (e *engine) raise(alerts ...*alert.Alert) {
	e.t.Helper()
	var entries []processing.Entry
	for _, a := range alerts {
		entries = append(entries, processing.Entry{Type: processing.AlertEntry, Alert: a})
	}
	e.commit(e.w, event.NoTime, nil, entries...)
}

// someAlerts are one of every kind: resolved, on a value that was corrected since, on a group that lost its rank since, on
// nothing that changed, and of a pattern.
func someAlerts(e *engine) {
	early := e.firing("a1", "views", 10_000, "LOW")
	corrected := e.firing("b2", "views", 40_000, "HIGH")
	corrected.RecommendedAction = "Look at <the> pages"
	corrected.Context = []alert.Label{{Name: "why", Text: "no data for 5m"}}
	retracted := e.firing("c3", "pages", 40_000, "MEDIUM", "/never")
	kept := e.firing("d4", "pages", 10_000, "MEDIUM", "/a")
	pattern := &alert.Alert{
		ID: "e5", Definition: "card_trials", Hash: definition.Hash{2}, Type: "FRAUD_DETECTED", Severity: "CRITICAL", State: alert.Firing,
		Title: "Cards are tried", Description: "5 purchases", PatternMatched: "A{5}", StartedAt: 52_000, EndedAt: event.NoTime,
		AffectedUsers: []string{"u9"}, Records: []alert.Record{{Topic: "events", Coordinate: event.Coordinate{Partition: 3, Offset: 98}}},
		Transitions: []alert.Transition{{State: alert.Firing, At: 52_000}},
	}
	e.raise(early, kept)
	e.raise(corrected, retracted, pattern, resolved(early, 40_000))
}

// manyAlerts makes alerts that fire, one a second.
func (e *engine) manyAlerts(from, n int) {
	for i := from; i < from+n; i++ {
		e.raise(e.firing(fmt.Sprintf("m%04d", i), "views", event.Millis(i*1_000), "LOW"))
	}
}
