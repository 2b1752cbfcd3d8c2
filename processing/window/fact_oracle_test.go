package window

import (
	"encoding/binary"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// digest is that of the windows that have closed by w: of the final's rows until they settle, of all rows from then on.
func (spec sampleSpec) digest(m *definition.Metric, taken []sample, w event.Millis) (tally digest.Tally) {
	for start := -100_000 + spec.offset; start+spec.size-1 <= min(w, 300_000); start += spec.slide {
		end := start + spec.size
		rows, sums := make(map[string][]sample), make(map[string]float64) // by group
		for _, s := range taken {
			if s.t >= start && s.t < end && (w >= end-1+spec.lateness || spec.inFinal(&s, end)) {
				rows[s.url] = append(rows[s.url], s)
				sums[s.url] += float64(s.amount)
			}
		}
		var window digest.Sum
		var rest []sample
		names := spec.rank(sums)
		for rank, name := range names {
			if rank < spec.limit {
				window = window.Plus(spec.term(m, start, keyOfURL(name), rows[name]))
			} else {
				rest = append(rest, rows[name]...)
			}
		}
		if len(rest) > 0 {
			window = window.Plus(spec.term(m, start, []byte{0xFF}, rest))
		}
		if len(names) > 0 {
			tally.Add(window)
		}
	}
	return tally
}

// keyOfURL is the group of a URL.
func keyOfURL(url string) []byte {
	if url == "" {
		return []byte{1}
	}
	return append(append([]byte{2}, url...), 0, 1)
}

// term is that of one row, written down by hand.
func (spec sampleSpec) term(m *definition.Metric, start event.Millis, key []byte, rows []sample) digest.Sum {
	sum := aggregate.New(aggregate.Sum)
	sum.Grow(1)
	for _, s := range rows {
		v := event.FloatValue(float64(s.amount))
		sum.Add(0, &aggregate.Input{Value: &v})
	}
	fact := append([]byte("window 1"), m.Hash[:]...)
	fact = binary.BigEndian.AppendUint64(fact, uint64(start))
	fact = binary.BigEndian.AppendUint64(fact, uint64(start+spec.size))
	fact = append(append(fact, byte(len(key))), key...)
	fact = append(fact, 0, byte(len(rows)))
	return digest.Of(sum.AppendRow(fact, 0))
}
