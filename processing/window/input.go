package window

import (
	"github.com/cespare/xxhash/v2"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Input is a row with everything that is computed from it once, however many tables it goes to.
type Input struct {
	Time event.Millis
	At   event.Coordinate
	Row  []event.Value
	Hash []uint64 // by slot; valid for some, at most the space's HashSlots
	Pass []bool   // by filter
}

// Derive computes all but Time, At and the first slots of Row, which must be set.
func (in *Input) Derive(space *definition.Space) {
	row := in.Row
	for i := range space.Derived {
		row[space.Derived[i].Slot] = space.Derived[i].Eval(row)
	}
	for i := range space.Filters {
		in.Pass[i] = space.Filters[i].Eval(row)
	}
	in.hash(space.HashSlots)
}

// hash hashes some slots.
func (in *Input) hash(slots []int) {
	var last []byte // the text hashed last, and its hash
	var hash uint64
	for _, s := range slots {
		v := &in.Row[s]
		if v.Kind != event.String || v.Symbol() != 0 {
			in.Hash[s] = v.Hash()
			continue
		}
		// A derived slot is often one of two others: `userId ?? sessionId`. The same bytes are not hashed twice.
		if text := v.Bytes(); len(text) == 0 || len(text) != len(last) || &text[0] != &last[0] {
			last, hash = text, xxhash.Sum64(text)
		}
		in.Hash[s] = hash
	}
}

// hashKey hashes a slot unless it is a symbol.
func (in *Input) hashKey(slot int) {
	v := &in.Row[slot]
	switch {
	case v.Symbol() != 0:
	case v.Kind == event.String:
		in.Hash[slot] = xxhash.Sum64(v.Bytes())
	default:
		in.Hash[slot] = v.Hash()
	}
}
