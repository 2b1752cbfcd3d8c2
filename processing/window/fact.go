package window

import (
	"encoding/binary"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// A fact is one published row of a window:
//
//	the words "window 1", the metric's hash
//	start and end (eight bytes each, the high ones first)
//	the length of the group's key, the key
//	1 if groups beyond max_groups were folded, else 0
//	the row's count, then its aggregates in the order of their names, each as aggregate.AppendFact has it
//
// What is computed of these (value, formulas) is not in it, nor is what depends on the way here: kind, revision, sequence.
const factHead = "window 1"

// count makes the window count in the metric's digest with the rows of an evaluation, in place of what it counted with
// before. It reports whether that makes a difference.
func (b *Book) count(pg *page, start event.Millis, ev *evaluation) (changed bool) {
	var sum digest.Sum
	for i := range ev.rows {
		b.fact = appendFact(b.fact[:0], b.metric, start, &ev.rows[i], ev)
		sum = sum.Plus(digest.Of(b.fact))
	}
	if sum == pg.digest {
		return false
	}
	b.tally.Replace(pg.digest, sum)
	pg.digest = sum
	return true
}

// TakeDigest returns how the metric's digest has changed since it was called last. Its facts are windows with rows.
func (b *Book) TakeDigest() digest.Tally {
	t := b.tally
	b.tally = digest.Tally{}
	return t
}

func appendFact(dst []byte, m *definition.Metric, start event.Millis, row *Row, ev *evaluation) []byte {
	dst = append(append(dst, factHead...), m.Hash[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(start))
	dst = binary.BigEndian.AppendUint64(dst, uint64(start+m.Size))
	dst = append(binary.AppendUvarint(dst, uint64(len(row.Key))), row.Key...)
	if ev.truncated {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	dst = aggregate.AppendFact(dst, row.from.Column(m.Count), row.at)
	for _, a := range m.Aggregates {
		switch {
		case !a.Total:
			dst = aggregate.AppendFact(dst, row.from.Column(a.Column), row.at)
		case ev.totals != nil && ev.totals.Len() > 0:
			dst = aggregate.AppendFact(dst, ev.totals.Column(a.Column), 0)
		default:
			c := aggregate.New(a.Kind)
			c.Grow(1)
			dst = aggregate.AppendFact(dst, c, 0)
		}
	}
	return dst
}
