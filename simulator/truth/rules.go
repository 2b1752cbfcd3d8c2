package truth

import (
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// Rules are the numbers that the default definitions give to time.
type Rules struct {
	OutOfOrderness  event.Millis // default 5 s
	AllowedLateness event.Millis // default 1 min
	MaxFutureSkew   event.Millis // default 5 min
	MinTime         event.Millis // default 2000-01-01
	SessionGap      event.Millis // default 30 min
	MaxDuration     event.Millis // of a session, default 12 h
	Alerts          []Rule       // default the rules on metrics that a server starts with
}

// DefaultRules returns the rules that a server starts with.
func DefaultRules() Rules {
	return Rules{
		OutOfOrderness:  5 * second,
		AllowedLateness: minute,
		MaxFutureSkew:   5 * minute,
		MinTime:         946_684_800_000,
		SessionGap:      30 * minute,
		MaxDuration:     12 * 60 * minute,
		Alerts:          DefaultAlerts(),
	}
}

// Floor is a lower bound of a partition's watermark for the records from Offset on.
type Floor struct {
	Partition event.PartitionID
	Offset    event.Offset
	Floor     event.Millis
}

// Counters count records as the interface's counters of the same names do.
type Counters struct {
	Consumed, Applied, Filtered, Late, DeadLetters, LatePartly int64
}

// DeadLetter is a record that is no event.
type DeadLetter struct {
	event.Coordinate
	Reason string
}

// Session is a closed session.
type Session struct {
	Key         string
	First, Last event.Millis
	ClosedAt    event.Millis
	Reason      string // gap, end or max_duration
	PageViews   int
	Events      int
}

// Window is one window and group of a metric. Times are as in the interface, [Start, End).
type Window struct {
	Start, End event.Millis
	Group      map[string]string
	Final      *Result // nil when the group was not published by the final
	Last       *Result // nil when the group is not published any more
	Settled    bool    // nothing can change it any more
}

// Result is a value and what it was computed from. Nil numbers are null.
type Result struct {
	Value      *float64
	Aggregates map[string]*float64
	Count      int64
}

const (
	second event.Millis = 1000
	minute              = 60 * second
	noTime event.Millis = math.MinInt64
)

// EndOfTime is a watermark that has passed everything.
const EndOfTime event.Millis = math.MaxInt64

// Metrics lists the names of the default metrics.
func Metrics() []string {
	var names []string
	for _, m := range eventMetrics {
		names = append(names, m.name)
	}
	for _, m := range sessionMetrics {
		names = append(names, m.name)
	}
	return names
}
