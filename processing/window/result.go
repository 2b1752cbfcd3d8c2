package window

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Kind says what a result is. The numbers are stored on disk.
type Kind uint8

// The kinds of results.
const (
	Provisional Kind = 1 // of an open window: never durable
	Final       Kind = 2 // once, when W has reached the window's end
	Correction  Kind = 3 // late but allowed events changed it
	Retract     Kind = 4 // a published group lost its rank, or no longer passes `having`
)

func (k Kind) String() string {
	switch k {
	case Provisional:
		return "provisional"
	case Final:
		return "final"
	case Correction:
		return "correction"
	case Retract:
		return "retract"
	default:
		return "unknown"
	}
}

// Result is the value of one metric, window and group.
type Result struct {
	Metric     string
	Definition definition.Hash
	Start      event.Millis
	End        event.Millis
	Group      []string // values, in the order of Metric.Keys; as users read them, `(other)` and `(none)` included
	Kind       Kind
	Revision   int
	Value      definition.Number
	Aggregates []definition.Number // in the order of Metric.Aggregates; first and last of text are null here
	Count      int64
	Truncated  bool // groups beyond max_groups were folded into (other)
	Seq        uint64
}

// Withheld reports whether this is no result, but the word that a window without groups has events and `having` lets
// nothing of it be published: whoever supplies empty windows must leave it out. It is in no feed.
func (r *Result) Withheld() bool { return r.Kind == Retract && r.Revision == 0 }

// ID is the same for every revision of a window's group, in every process: a hash of what identifies the result.
func (r *Result) ID() string {
	b := make([]byte, 0, 128)
	b = appendText(b, r.Metric)
	b = append(b, r.Definition[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Start))
	b = binary.BigEndian.AppendUint64(b, uint64(r.End))
	for _, g := range r.Group {
		b = appendText(b, g)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// appendText puts the length first: ("ab", "c") and ("a", "bc") must differ.
func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}
