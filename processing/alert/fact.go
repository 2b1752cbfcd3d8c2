package alert

import (
	"encoding/binary"

	"github.com/tidemark/tidemark/processing/digest"
)

// factHead begins a fact, which is one transition: after these words come the rule's hash, the group (each value behind its
// length), the window end at which the alert began to fire and that of the transition (eight bytes each, the high ones
// first), and the state, a byte. Numbers are not in it: they are the metric's facts.
const factHead = "alert 1"

// Digest is the term of the transition in the rule's digest.
func (t *Turn) Digest() digest.Sum {
	a := t.Alert
	fact := append(append(make([]byte, 0, 128), factHead...), a.Hash[:]...)
	fact = appendGroup(fact, a.Values())
	fact = binary.BigEndian.AppendUint64(fact, uint64(a.StartedAt))
	fact = binary.BigEndian.AppendUint64(fact, uint64(t.At))
	return digest.Of(append(fact, byte(t.State)))
}
