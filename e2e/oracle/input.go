package oracle

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
	}
}

// Floor is a lower bound of a partition's watermark for the records from Offset on.
type Floor struct {
	Partition event.PartitionID
	Offset    event.Offset
	Floor     event.Millis
}

// Input is what Compute reads.
type Input struct {
	Partitions map[event.PartitionID][]event.Record // each in offset order
	Floors     []Floor
	Rules      Rules
	// Watermark is the W up to which windows and sessions close. When it is zero, W is the lowest watermark of the
	// partitions that hold an event.
	Watermark event.Millis
}

// Expected is what the engine must have computed.
type Expected struct {
	Watermark   event.Millis
	Counters    Counters
	DeadLetters []DeadLetter // by partition, then offset
	Sessions    []Session    // closed ones, by ClosedAt, then key
	rules       Rules
	windows     map[string][]Window // by metric
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

// Compute computes all of it.
func Compute(in Input) *Expected {
	e := &Expected{rules: in.Rules, windows: map[string][]Window{}}
	facts := e.judge(&in)
	e.cutSessions(facts)
	for _, m := range eventMetrics {
		e.windows[m.name] = windowsOf(&m, eventRows(&m, facts, in.Rules.AllowedLateness), in.Rules.AllowedLateness, e.Watermark)
	}
	for _, m := range sessionMetrics {
		e.windows[m.name] = windowsOf(&m, sessionRows(e.Sessions), 0, e.Watermark)
	}
	return e
}

// Metrics lists the names of the default metrics.
func (e *Expected) Metrics() []string {
	var names []string
	for _, m := range eventMetrics {
		names = append(names, m.name)
	}
	for _, m := range sessionMetrics {
		names = append(names, m.name)
	}
	return names
}

// Windows lists the windows of a metric that have a row and have ended, by start, then group.
func (e *Expected) Windows(metric string) []Window { return e.windows[metric] }
