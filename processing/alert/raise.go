package alert

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// raise makes the alert that begins with a sample. began is the window end at which the condition first held.
func (w *Watcher) raise(s *definition.Sample, began event.Millis) *Alert {
	r, m := w.rule, w.metric
	a := &Alert{
		ID: idOf(r.Hash, s.Group, s.End), Definition: r.Name, Hash: r.Hash, Type: r.Type, Severity: r.Severity,
		Title: r.Title.Render(s), Description: r.Description.Render(s), RecommendedAction: r.RecommendedAction.Render(s),
		PatternMatched: r.When, StartedAt: s.End, EndedAt: event.NoTime, Value: s.Value,
		Window: Window{Metric: m.Name, Definition: m.Hash, Start: s.Start, End: s.End},
	}
	for i, value := range s.Group {
		a.Group = append(a.Group, Label{Name: m.Keys[i], Text: value})
	}
	a.Metrics = []Reading{{Name: "value", Number: s.Value}}
	for i := range m.Aggregates {
		if name := m.Aggregates[i].Name; name != "value" { // one word can't name two numbers
			a.Metrics = append(a.Metrics, Reading{Name: name, Number: s.Aggregates[i]})
		}
	}
	slices.SortFunc(a.Metrics, func(a, b Reading) int { return cmp.Compare(a.Name, b.Name) })
	a.Explain("count", strconv.FormatInt(s.Count, 10))
	if r.For > 0 {
		a.Explain("held_since_ms", strconv.FormatInt(int64(began), 10))
	}
	if r.UsesPrevious && s.Previous.Valid {
		a.Explain("previous", strconv.FormatFloat(s.Previous.Float, 'g', -1, 64))
	}
	return a
}
