package alert

import "github.com/tidemark/tidemark/processing/event"

// machine is where a rule stands with one group. It moves at window ends, in their order:
//
//	Inactive  the condition holds     Pending, or Firing if the rule does not wait
//	Pending   it holds for long       Firing
//	          it does not hold        Inactive
//	Firing    it holds                Firing
//	          it is gone for long     Inactive; the alert is resolved
//
// The machine is that of Prometheus' alerting rules (rules/alerting.go), with window ends in the place of evaluations.
type machine struct {
	state State // Inactive, Pending or Firing
	// since is, while pending, the window end at which the condition first held; while firing, that at which it first did
	// not hold, or event.NoTime while it holds.
	since event.Millis
}

// idle is a machine that remembers nothing.
var idle = machine{state: Inactive, since: event.NoTime}

// timing is what a rule asks of time.
type timing struct {
	hold event.Millis // `for`
	keep event.Millis // `keep_firing_for`
}

// next is the transition at window end t. The second result is Firing when an alert begins there, Resolved when one ends, and
// otherwise Inactive: nothing happens.
func (m machine) next(r timing, t event.Millis, holds bool) (machine, State) {
	switch {
	case m.state == Firing && holds:
		return machine{Firing, event.NoTime}, Inactive
	case m.state == Firing:
		if m.since == event.NoTime {
			m.since = t
		}
		if t-m.since < r.keep {
			return m, Inactive
		}
		return idle, Resolved
	case !holds:
		return idle, Inactive
	case m.state == Inactive:
		m = machine{Pending, t}
	}
	if t-m.since < r.hold {
		return m, Inactive
	}
	return machine{Firing, event.NoTime}, Firing
}

// lapse is next at each of the window ends first, first + slide, ... last, where the condition does not hold. at is where
// the alert ends, if it does.
func (m machine) lapse(r timing, slide, first, last event.Millis) (_ machine, at event.Millis, ends bool) {
	if m.state != Firing {
		return idle, 0, false
	}
	if m.since == event.NoTime {
		m.since = first
	}
	// The first window end that is far enough from since, which is one itself.
	at = m.since + (r.keep+slide-1)/slide*slide
	if at = max(at, first); at > last {
		return m, 0, false
	}
	return idle, at, true
}
