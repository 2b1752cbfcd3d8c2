package session

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// Closed is a session that has closed. It is valid until the function that it was given to returns.
type Closed struct {
	// At is the session's place in the total order of sessions: when it closed, and the coordinates of its last event.
	At event.Order
	// Row has the session's fields and aggregates in the slots of SessionKind.Closed; the derived slots behind them
	// are for the receiver to fill.
	Row []event.Value
}

// Reason is why a session closed.
type Reason uint8

// The reasons.
const (
	Gap         Reason = iota // nothing came for the length of the gap
	End                       // an end marker came
	MaxDuration               // it had lasted as long as a session may
	Evicted                   // its shard was full and its last event the oldest
)

// reasons are the words that definitions see.
var reasons = [...][]byte{Gap: []byte("gap"), End: []byte("end"), MaxDuration: []byte("max_duration"), Evicted: []byte("evicted")}

func (r Reason) String() string { return string(reasons[r]) }

const millisPerSecond = 1000

// close hands an open session on and forgets it.
func (t *Table) close(s *shard, l *lane, slot int32, at event.Millis, reason Reason, closed func(*Closed)) {
	x, counts := &s.sessions[slot], s.countsOf(slot)
	key, err := sequence.ParseKey(s.key(slot), &l.text)
	if err != nil {
		panic("BUG: a session has a key that is none: " + err.Error())
	}
	row := l.closed.Row
	row[definition.SessionKey] = key
	row[definition.SessionDuration] = event.FloatValue(float64(x.last-x.first) / millisPerSecond)
	row[definition.SessionStart] = event.IntValue(int64(x.first))
	row[definition.SessionEnd] = event.IntValue(int64(x.last))
	row[definition.SessionClosedAt] = event.IntValue(int64(at))
	row[definition.SessionReason] = event.StringValue(reasons[reason])
	row[definition.SessionEvents] = event.IntValue(counts[eventCount])
	for i := range t.parts {
		p := &t.parts[i]
		if p.plain {
			row[definition.SessionFields+i] = event.IntValue(counts[p.index])
		} else {
			row[definition.SessionFields+i] = s.columns[p.index].Result(int(slot), p.Quantile)
		}
	}
	l.fact = t.appendFact(l.fact[:0], s, slot, at, reason)
	l.tally.Add(digest.Of(l.fact))
	l.closed.At = event.Order{Time: at, Coordinate: event.Coordinate{Partition: x.partition, Offset: x.offset}}
	closed(&l.closed)
	s.remove(slot)
}
