package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

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

// Move makes a transition. Firing is the first, Resolved the last.
func (a *Alert) Move(t Transition) {
	if t.State != Firing && t.State != Resolved || len(a.Transitions) > 0 && (a.State != Firing || t.State != Resolved) {
		panic("BUG: alert " + a.ID + " goes from " + a.State.String() + " to " + t.State.String())
	}
	a.State = t.State
	a.Transitions = append(a.Transitions, t)
	if t.State == Resolved {
		a.EndedAt = t.At
	}
}

// AsOf is the alert as it is now, sharing nothing that a later transition changes.
func (a *Alert) AsOf() Alert {
	now := *a
	now.Context = slices.Clone(a.Context)
	now.Transitions = slices.Clone(a.Transitions)
	return now
}

// Explain adds to the alert's context.
func (a *Alert) Explain(name, text string) {
	a.Context = append(a.Context, Label{Name: name, Text: text})
	slices.SortStableFunc(a.Context, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
}

// Values are the values of the group.
func (a *Alert) Values() []string {
	values := make([]string, len(a.Group))
	for i := range a.Group {
		values[i] = a.Group[i].Text
	}
	return values
}

// idOf is the identity of the alert that a rule raises for a group at a window end.
func idOf(rule definition.Hash, group []string, at event.Millis) string {
	b := append(make([]byte, 0, 128), rule[:]...)
	b = appendGroup(b, group)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// appendGroup puts the length first: ("ab", "c") and ("a", "bc") must differ.
func appendGroup(dst []byte, group []string) []byte {
	for _, g := range group {
		dst = binary.AppendUvarint(dst, uint64(len(g)))
		dst = append(dst, g...)
	}
	return dst
}

// Seq is the sequence of the last transition.
func (a *Alert) Seq() uint64 { return a.Transitions[len(a.Transitions)-1].Seq }
