package session

import (
	"encoding/binary"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// A fact is one closed session:
//
//	the words "session 1", the kind's hash
//	the length of the key, the key in canonical form
//	times of the first and the last event, and when it closed (eight bytes each, the high ones first)
//	the reason, a byte
//	the number of events, then the aggregates in the order of the definition: plain counts as uvarints, others as
//	aggregate.AppendFact has them
const factHead = "session 1"

func (t *Table) appendFact(dst []byte, s *shard, slot int32, at event.Millis, reason Reason) []byte {
	x, counts, key := &s.sessions[slot], s.countsOf(slot), s.key(slot)
	dst = append(append(dst, factHead...), t.kind[:]...)
	dst = append(binary.AppendUvarint(dst, uint64(len(key))), key...)
	for _, time := range [...]event.Millis{x.first, x.last, at} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(time))
	}
	dst = append(dst, byte(reason))
	dst = binary.AppendUvarint(dst, uint64(counts[eventCount]))
	for i := range t.parts {
		if p := &t.parts[i]; p.plain {
			dst = binary.AppendUvarint(dst, uint64(counts[p.index]))
		} else {
			dst = aggregate.AppendFact(dst, s.columns[p.index], int(slot))
		}
	}
	return dst
}

// TakeDigest returns how the kind's digest has changed since it was called last. Its facts are closed sessions.
func (t *Table) TakeDigest() digest.Tally {
	var sum digest.Tally
	for i := range t.lanes {
		sum = sum.Plus(t.lanes[i].tally)
		t.lanes[i].tally = digest.Tally{}
	}
	return sum
}
