package truth

import (
	"github.com/tidemark/tidemark/processing/event"
)

// Rule is an alert rule on an ungrouped metric.
type Rule struct {
	Name   string
	Metric string
	Holds  func(value float64) bool
	For    event.Millis
	// Samples names the aggregate that must be at least Least, or is empty: then it is the count.
	Samples string
	Least   float64
}

// DefaultAlerts are the rules on metrics that a server starts with.
func DefaultAlerts() []Rule {
	return []Rule{
		{Name: "conversion_breach", Metric: "conversion_rate", Holds: func(v float64) bool { return v < 0.01 }, For: 3 * minute, Samples: "sessions", Least: 200},
		{Name: "high_bounce_rate", Metric: "bounce_rate", Holds: func(v float64) bool { return v > 0.65 }, For: 5 * minute, Least: 50},
		{Name: "slow_pages", Metric: "page_load_time", Holds: func(v float64) bool { return v > 3000 }, For: minute, Samples: "n", Least: 50},
	}
}

// Alert is one stretch of firing.
type Alert struct {
	Rule      string
	Metric    string
	StartedAt event.Millis // end of the window at which it began to fire
	EndedAt   event.Millis // end of the window at which it was resolved; 0 while it fires
	Window    Window       // at which it began to fire
}

// judge watches the finals of a rule's metric, in the order of window ends.
type judge struct {
	rule  *Rule
	slide event.Millis
	next  event.Millis // end of the window that comes next, once there was one
	since event.Millis // end of the first window of those in a row at which the condition held; 0: it does not hold
	alert *Alert       // that fires
}

// window takes the next window with a final, and returns an alert that is resolved by it, or by an empty one before it. One
// empty window is as good as many: without samples the condition does not hold, and that is all there is to remember.
func (j *judge) window(w *Window) *Alert {
	if w.Final == nil {
		return nil
	}
	var resolved *Alert
	if j.next != 0 && j.next < w.End {
		resolved = j.empty()
	}
	j.next = w.End + j.slide
	if !j.holds(w.Final) {
		if resolved == nil {
			resolved = j.resolve(w.End)
		}
		return resolved
	}
	if j.since == 0 {
		j.since = w.End
	}
	if j.alert == nil && w.End-j.since >= j.rule.For {
		j.alert = &Alert{Rule: j.rule.Name, Metric: j.rule.Metric, StartedAt: w.End, Window: *w}
	}
	return resolved
}

func (j *judge) holds(r *Result) bool {
	return r.Value != nil && j.rule.enough(r) && j.rule.Holds(*r.Value)
}

// enough reports whether a result has as many samples as the rule asks for.
func (r *Rule) enough(of *Result) bool {
	samples := float64(of.Count)
	if r.Samples != "" {
		samples = *of.Aggregates[r.Samples]
	}
	return samples >= r.Least
}

// empty takes the empty window that comes next.
func (j *judge) empty() *Alert { return j.resolve(j.next) }

func (j *judge) resolve(at event.Millis) *Alert {
	resolved := j.alert
	j.since, j.alert = 0, nil
	if resolved != nil {
		resolved.EndedAt = at
	}
	return resolved
}

// end takes the empty windows up to W, and returns the alert that they resolve or that fires still.
func (j *judge) end(w event.Millis) *Alert {
	if j.alert != nil && j.next-1 <= w {
		return j.empty()
	}
	return j.alert
}
