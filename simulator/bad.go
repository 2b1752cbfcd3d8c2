package simulator

import "github.com/tidemark/tidemark/processing/event"

// badKind is a way in which a record can be of no use.
type badKind int

const (
	undecodable badKind = iota // bytes that are no encoding of anything
	truncated                  // a good record, cut off
	brokenJSON                 // begins like JSON and isn't
	fromFuture                 // its time is far ahead of its Kafka timestamp
	implausible                // its time lies before the year 2000
	badKinds
)

// spoil makes a bad record to go beside a good one: same partition, key and Kafka timestamp, a value of its own.
func (s *Simulator) spoil(good *event.Record) event.Record {
	bad := *good
	switch badKind(s.dice.IntN(int(badKinds))) {
	case undecodable:
		bad.Value = make([]byte, 16+s.dice.IntN(64))
		for i := range bad.Value {
			bad.Value[i] = byte(s.dice.Uint32())
		}
		for i := range 11 {
			bad.Value[i] = 0xff // a length that never ends
		}
	case truncated:
		cut := 1 + s.dice.IntN(len(good.Value)-1)
		bad.Value = good.Value[:cut:cut]
	case brokenJSON:
		bad.Value = []byte(`{"eventId":"` + string(s.message.id[:]) + `","timestamp":}`)
	case fromFuture:
		bad.Value = s.atAnotherTime(s.message.time + 10*minute + event.Millis(s.dice.Int64N(int64(day))))
	case implausible:
		const year2000 = 946_684_800_000
		bad.Value = s.atAnotherTime(event.Millis(s.dice.Int64N(year2000)))
	}
	return bad
}

// atAnotherTime is the event just made, with an id and a time of its own.
func (s *Simulator) atAnotherTime(t event.Millis) []byte {
	m := s.message
	m.id = makeUUID(s.dice.Uint64(), s.dice.Uint64())
	m.time = t
	return s.appendValue(nil, &m)
}
