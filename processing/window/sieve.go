package window

import (
	"github.com/cespare/xxhash/v2"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// sieve tells which filters of a space a row passes. Most filters read one field, and most of those an enum: what they
// say of a symbol is remembered, for all filters of the field together; and so is what they say of null and of values, if they
// ask for nothing else.
type sieve struct {
	filters []definition.Filter
	meshes  []mesh
	exact   bool   // sift returns a bit for each filter
	pass    []bool // unless exact: by filter, of the last row
}

// mesh are the filters that read one slot.
type mesh struct {
	slot    int          // NoSlot: filters that read several, or none
	filters []meshFilter // ascending
	known   []answer     // by symbol
	ofNil   bool         // all of them only ask whether the slot is null
	nils    [2]answer    // then: of a value, and of null
}

type meshFilter struct {
	bit  int
	eval func(row []event.Value) bool
}

// answer is what the filters of a mesh say of a symbol.
type answer struct {
	given bool
	bits  uint64
}

// maxExact is how many filters have a bit of their own.
const maxExact = 64

func newSieve(filters []definition.Filter) sieve {
	s := sieve{filters: filters, exact: len(filters) <= maxExact}
	if !s.exact {
		s.pass = make([]bool, len(filters))
		return s
	}
	at := map[int]int{} // meshes by slot
	for i := range filters {
		slot := definition.NoSlot
		if reads := filters[i].Reads; len(reads) == 1 {
			slot = reads[0]
		}
		m, ok := at[slot]
		if !ok {
			m = len(s.meshes)
			at[slot] = m
			s.meshes = append(s.meshes, mesh{slot: slot, ofNil: slot != definition.NoSlot})
		}
		s.meshes[m].ofNil = s.meshes[m].ofNil && filters[i].OfNil
		s.meshes[m].filters = append(s.meshes[m].filters, meshFilter{i, filters[i].Eval})
	}
	return s
}

// sift returns a bit for each filter that a row passes, or, if the filters are too many, a hash of which it passes.
func (s *sieve) sift(row []event.Value) (sifted uint64) {
	for i := range s.meshes {
		m := &s.meshes[i]
		if m.ofNil {
			null := 0 // set without a branch, as below
			if row[m.slot].IsNull() {
				null = 1
			}
			if !m.nils[null].given {
				m.nils[null] = answer{true, m.evaluate(row)}
			}
			sifted |= m.nils[null].bits
			continue
		}
		if m.slot != definition.NoSlot {
			if n := row[m.slot].Symbol(); n != 0 {
				if n >= len(m.known) || !m.known[n].given {
					m.learn(n, m.evaluate(row))
				}
				sifted |= m.known[n].bits
				continue
			}
		}
		sifted |= m.evaluate(row)
	}
	if !s.exact {
		return s.siftMany(row)
	}
	return sifted
}

func (m *mesh) evaluate(row []event.Value) (bits uint64) {
	for i := range m.filters {
		f := &m.filters[i]
		var bit uint64 // set without a branch, which would be mispredicted as often as events differ
		if f.eval(row) {
			bit = 1
		}
		bits |= bit << f.bit
	}
	return bits
}

func (m *mesh) learn(symbol int, bits uint64) {
	if symbol >= len(m.known) {
		m.known = append(m.known, make([]answer, symbol+1-len(m.known))...)
	}
	m.known[symbol] = answer{true, bits}
}

func (s *sieve) siftMany(row []event.Value) uint64 {
	hash := xxhash.New()
	for i := range s.filters {
		s.pass[i] = s.filters[i].Eval(row)
		b := [1]byte{'-'}
		if s.pass[i] {
			b[0] = '+'
		}
		_, _ = hash.Write(b[:])
	}
	return hash.Sum64()
}

// appendPass appends what the sieve has just said, filter by filter.
func (s *sieve) appendPass(dst []bool, sifted uint64) []bool {
	if !s.exact {
		return append(dst, s.pass...)
	}
	for i := range s.filters {
		dst = append(dst, sifted>>i&1 == 1)
	}
	return dst
}
