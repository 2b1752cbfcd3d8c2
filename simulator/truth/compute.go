package truth

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// Input is what Compute reads.
type Input struct {
	Partitions map[event.PartitionID][]event.Record // each in offset order
	Floors     []Floor
	Rules      Rules
	Watermark  event.Millis // as in Options
}

// Expected is all that a Fold finds.
type Expected struct {
	Watermark   event.Millis
	Counters    Counters
	DeadLetters []DeadLetter // by partition, then offset
	Sessions    []Session    // closed ones, by ClosedAt, then key
	Alerts      []Alert      // by rule, then StartedAt
	windows     map[string][]Window
}

// Compute folds all records at once.
func Compute(in Input) *Expected {
	e := &Expected{windows: map[string][]Window{}}
	partitions := 0
	for id := range in.Partitions {
		partitions = max(partitions, int(id)+1)
	}
	f := NewFold(Options{Rules: in.Rules, Partitions: partitions, Floors: in.Floors, Watermark: in.Watermark}, Sink{
		Window:     func(metric string, w Window) { e.windows[metric] = append(e.windows[metric], w) },
		Session:    func(s Session) { e.Sessions = append(e.Sessions, s) },
		DeadLetter: func(d DeadLetter) { e.DeadLetters = append(e.DeadLetters, d) },
		Alert:      func(a Alert) { e.Alerts = append(e.Alerts, a) },
	})
	for _, id := range slices.Sorted(maps.Keys(in.Partitions)) {
		for i := range in.Partitions[id] {
			f.Add(&in.Partitions[id][i])
		}
	}
	e.Watermark, e.Counters = f.End()
	slices.SortFunc(e.Alerts, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.StartedAt, b.StartedAt))
	})
	return e
}

// Windows lists the windows of a metric that have a row and have ended, by start, then group.
func (e *Expected) Windows(metric string) []Window { return e.windows[metric] }
