package definition

import "github.com/tidemark/tidemark/processing/event"

// Rule is an alert rule on a metric: when the finals of a group raise an alert.
type Rule struct {
	Name              string
	Type              string // a symbol of the Avro enum of alert types
	Severity          string // a symbol of the Avro enum of severities
	Hash              Hash   // of everything that decides when it fires
	Metric            int    // index into Plan.Metrics
	Holds             func(s *Sample) bool
	When              string // the condition as written
	UsesPrevious      bool   // Holds or a text reads Sample.Previous
	For               event.Millis
	KeepFiringFor     event.Millis
	MinSamples        []Least
	Groups            [][]string // by key of the metric: the values that the rule watches, ascending; nil: all
	Title             Template
	Description       Template
	RecommendedAction Template
}

// Sample is what the final of one window shows of one group.
type Sample struct {
	Start, End event.Millis
	Group      []string // in the order of Metric.Keys
	Value      Number
	Aggregates []Number // in the order of Metric.Aggregates
	Count      int64
	Previous   Number // the value of the same group one slide earlier
}

// OfCount is the Least.Aggregate of a bound on Sample.Count.
const OfCount = -1

// Least is a lower bound of an aggregate: below it there is no data.
type Least struct {
	Aggregate int // index into Metric.Aggregates, or OfCount
	Bound     int64
}

// Enough reports whether the sample is data: its value is not null, and it has as many samples as the rule asks for.
func (r *Rule) Enough(s *Sample) bool {
	if !s.Value.Valid {
		return false
	}
	for _, l := range r.MinSamples {
		n := Number{Float: float64(s.Count), Valid: true}
		if l.Aggregate != OfCount {
			n = s.Aggregates[l.Aggregate]
		}
		if !n.Valid || n.Float < float64(l.Bound) {
			return false
		}
	}
	return true
}

// LeftOut is a built-in rule that can't be in force, because the metric that it watches is not there or is another.
type LeftOut struct {
	Name string
	Why  string
}
