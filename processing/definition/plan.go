package definition

import (
	"encoding/hex"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/event"
)

// Hash identifies a definition, a grouping or a session kind by everything that its numbers depend on.
type Hash [16]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Plan is what a set of definitions compiles to: which fields to decode, what to compute from them once an event,
// and which dense rows to update.
type Plan struct {
	Source    Source
	Paths     []event.Path  // what the decoder fills: slot i of an event's row is Paths[i]
	TimeSlot  int           // the slot of the event time
	Events    Space         // rows of events
	Groupings []Grouping    // the tables of dense rows
	Clocks    []Clock       // the distinct ways in which a record is judged; see Grouping.Clock
	Sessions  []SessionKind // in the order of their names
	Metrics   []Metric      // in the order of their names
	Rules     []Rule        // in the order of their names
	LeftOut   []LeftOut     // built-in rules that have no place among these metrics
	Budget    int64         // bytes of state that all definitions may be estimated at
	YAML      []byte        // the definitions in force, defaults merged in, canonical
}

// Source holds the rules of time.
type Source struct {
	TimeField      string
	IDField        string
	OutOfOrderness event.Millis
	IdleTimeout    event.Millis
	CloseWhenIdle  event.Millis
	MaxFutureSkew  event.Millis
	MaxAhead       event.Millis
	MinTime        event.Millis
}

// Space is a kind of row: its slots and what is computed from them. The first slots are filled by whoever makes the
// row (the decoder, or a closed session); Derived fills the rest.
type Space struct {
	Slots     int       // all of them, derived ones included
	Names     []string  // of the slots, for people
	Derived   []Derived // in the order of evaluation
	Filters   []Filter  // each distinct `where` once
	HashSlots []int     // slots whose hash some grouping or `uniques` needs
}

// Derived computes one slot from earlier ones.
type Derived struct {
	Slot   int
	Eval   func(row []event.Value) event.Value
	Either *[2]int // if not nil, Eval gives the first of these slots that is not null, or else the second
}

// Filter is one distinct `where`.
type Filter struct {
	Text  string
	Reads []int // the slots on which Eval depends, ascending
	Eval  func(row []event.Value) bool
	OfNil bool // Eval depends on nothing but whether the one slot that it reads is null
}

// Clock is one way in which a record is judged: by pane width, offset and lateness.
type Clock struct {
	Width    event.Millis
	Offset   event.Millis // of the panes against the epoch, in [0, Width)
	Lateness event.Millis
}

// PaneStart returns the start of the pane that t falls into.
func (c Clock) PaneStart(t event.Millis) event.Millis {
	r := (t - c.Offset) % c.Width
	if r < 0 {
		r += c.Width
	}
	return t - r
}

// FromEvents is the Grouping.From of a grouping that is fed by events.
const FromEvents = -1

// NoClock is the Grouping.Clock of a grouping that is fed by closed sessions: they are never late.
const NoClock = -1

// Grouping is one table of dense rows: everything that shares pane width, offset, lateness, keys and max_groups.
type Grouping struct {
	Hash      Hash // of all of the fields below but the columns: columns are told apart by their own hashes
	From      int  // FromEvents, or the session kind whose closed sessions feed it
	Clock     int  // index into Plan.Clocks, or NoClock
	Width     event.Millis
	Offset    event.Millis
	Lateness  event.Millis
	Keys      []Key // in the order of their names
	MaxGroups int   // 1 when there are no keys
	Columns   []Column
}

// Key is one key of a grouping.
type Key struct {
	Name   string
	Slot   int
	Values int // how many there can be, null included; 0: any number
}

// NoSlot and NoFilter say that a column has no input or takes every row.
const (
	NoSlot   = -1
	NoFilter = -1
)

// Column is one accumulator of each row of a grouping.
type Column struct {
	Hash  Hash // of kind, input and where, as written by the user and with lets expanded
	Kind  aggregate.Kind
	Slot  int   // input, in the grouping's space; NoSlot for a count
	Where int   // filter, in the grouping's space; NoFilter takes every row
	AnyOf []int // only for the hidden counts: the row counts if any of these filters passes; nil: use Where
}

// sessionShards is how many shards the open sessions of a kind are spread over.
const sessionShards = 256

// SessionKind is a way of cutting the events of a key into sessions.
type SessionKind struct {
	Name        string
	Hash        Hash
	KeySlot     int // slot of the events' space
	Gap         event.Millis
	MaxDuration event.Millis
	EndWhen     int // filter of the events' space, or NoFilter
	Aggregates  []SessionAggregate
	MaxOpen     int // open sessions of one of the 256 shards
	// Closed is the space of the closed sessions. Its first slots are those below, then one for each aggregate.
	Closed Space
}

// The slots of a closed session's row.
const (
	SessionKey      = iota
	SessionDuration // seconds, Float: last - first
	SessionStart    // milliseconds, Int: time of the first event
	SessionEnd      // milliseconds, Int: time of the last event
	SessionClosedAt // milliseconds, Int
	SessionReason   // "gap", "end", "max_duration" or "evicted"
	SessionEvents   // Int
	SessionFields   // how many there are; the aggregates follow
)

// SessionAggregate is one accumulator of each open session, over the slots and filters of the events' space.
type SessionAggregate struct {
	Name string
	Column
	Quantile float64 // only for quantiles
}

// Metric is one metric: which rows it reads and how its value comes of them.
type Metric struct {
	Name        string
	Type        string // a symbol of the Avro enum of metric types
	Title       string
	Description string // the definition in words
	Unit        string
	Hash        Hash
	Size        event.Millis
	Slide       event.Millis // equal to Size when tumbling
	Offset      event.Millis
	Lateness    event.Millis // 0 for metrics from sessions
	From        int          // FromEvents or a session kind
	Grouping    int          // index into Plan.Groupings
	Total       int          // the ungrouped grouping that holds the `total: true` aggregates; -1 if there are none
	Keys        []string     // the names of the group keys, in their order
	Aggregates  []Aggregate  // in the order of their names
	Count       int          // the column of Grouping that counts what any non-total aggregate took
	Limit       int          // published groups a window; 1 when there are no keys
	Formula     Formula
	FormulaText string
	Having      Condition // which groups of a window are published; nil: all of them
	HavingText  string
}

// Kind is the word of the REST interface for the metric's windows.
func (m *Metric) Kind() string {
	switch {
	case m.From != FromEvents:
		return "session"
	case m.Slide != m.Size:
		return "sliding"
	default:
		return "tumbling"
	}
}

// Additive reports whether groups past the limit can be shown as `(other)`: all that is not total is a count or a sum.
func (m *Metric) Additive() bool {
	for _, a := range m.Aggregates {
		if !a.Total && a.Kind != aggregate.Count && a.Kind != aggregate.Sum {
			return false
		}
	}
	return true
}

// Aggregate is one named aggregate of a metric.
type Aggregate struct {
	Name     string
	Kind     aggregate.Kind
	Column   int // of Grouping, or of Total
	Total    bool
	Quantile float64 // only for quantiles: 0.95
}

// Number is a float64 or null.
type Number struct {
	Float float64
	Valid bool
}

// Formula computes a metric's value. Aggregates come in the order of Metric.Aggregates; size is the length of the
// range in seconds. A division by zero, or any null operand, makes null. It may be called from several goroutines.
type Formula func(aggregates []Number, size float64) Number
