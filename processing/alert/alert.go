package alert

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// State is what an alert or the watch over one group is in.
type State uint8

// The states. Only Firing and Resolved are states of an alert: before that there is none. The numbers are stored on disk.
const (
	Inactive State = iota // the condition does not hold
	Pending               // it holds, but not yet for as long as the rule asks
	Firing                // it held for long enough
	Resolved              // it has ended
)

func (s State) String() string {
	return [...]string{Inactive: "inactive", Pending: "pending", Firing: "firing", Resolved: "resolved"}[s]
}

// Alert is one stretch of firing of one rule and group, as of its last transition. Once resolved it never changes.
type Alert struct {
	ID                string          // of rule, group and StartedAt: the same in every process
	Definition        string          // name of the rule
	Hash              definition.Hash // of the rule
	Type              string          // a symbol of the Avro enum of alert types
	Severity          string          // a symbol of the Avro enum of severities
	State             State           // Firing or Resolved
	Title             string
	Description       string
	PatternMatched    string // the condition as written
	RecommendedAction string // empty: none
	Group             []Label
	StartedAt         event.Millis      // end of the window at which it began to fire
	EndedAt           event.Millis      // end of the window at which it was resolved; event.NoTime while it fires
	Value             definition.Number // of the metric, in the window at which it began to fire
	Metrics           []Reading         // value and aggregates of that window, by name
	Context           []Label           // what else helps to understand it, by name
	AffectedUsers     []string          // of patterns
	Window            Window            // the window at which it began to fire; zero for patterns
	Records           []Record          // that a pattern matched
	Transitions       []Transition      // in order: firing, then resolved
}

// Label is a named text.
type Label struct{ Name, Text string }

// Reading is a named number.
type Reading struct {
	Name   string
	Number definition.Number
}

// Window names the window that an alert rests on.
type Window struct {
	Metric     string
	Definition definition.Hash // of the metric
	Start, End event.Millis
}

// Record is where a record stands that an alert rests on.
type Record struct {
	Topic string
	event.Coordinate
}

// Transition is a change of an alert's state.
type Transition struct {
	State State // Firing or Resolved
	At    event.Millis
	Seq   uint64 // of its entry in the feed
}

// Seq is the sequence of the last transition.
func (a *Alert) Seq() uint64 { return a.Transitions[len(a.Transitions)-1].Seq }
