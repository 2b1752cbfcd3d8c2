package sequence

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// Shape says what is kept of an event: what one definition needs of it.
type Shape struct {
	KeySlot int   // slot of the key
	Slots   []int // slots whose values are kept: Row.Values[i] is Slots[i]
	Filters []int // filters whose results are kept: Row.Passed(i) is Filters[i]
}

// Row is an event that has been released. It and all that it refers to are valid until the function that it was given
// to returns.
type Row struct {
	At      event.Order
	KeyHash uint64
	Key     []byte        // in canonical form, see AppendKey
	Values  []event.Value // in the order of Shape.Slots
	pass    []byte        // bit i: filter i passed
}

// Passed reports whether the event passed filter i of the shape.
func (r *Row) Passed(i int) bool { return r.pass[i>>3]>>(i&7)&1 != 0 }

// passBytes is the number of bytes that the results of the filters take.
func (s *Shape) passBytes() int { return (len(s.Filters) + 7) / 8 }

// appendPayload appends what a row holds beyond its fixed part: filters, the length of the key, the key, values.
func (s *Shape) appendPayload(dst []byte, row []event.Value, pass []bool) []byte {
	for i := 0; i < len(s.Filters); i += 8 {
		var b byte
		for j, f := range s.Filters[i:min(i+8, len(s.Filters))] {
			if pass[f] {
				b |= 1 << j
			}
		}
		dst = append(dst, b)
	}
	dst = appendSizedKey(dst, &row[s.KeySlot])
	for _, slot := range s.Slots {
		dst = appendValue(dst, &row[slot])
	}
	return dst
}

// appendSizedKey appends a key behind its length. Most keys are shorter than 128 bytes, so that one byte is left for
// the length and a longer key is moved.
func appendSizedKey(dst []byte, key *event.Value) []byte {
	at := len(dst)
	dst = AppendKey(append(dst, 0), key)
	n := len(dst) - at - 1
	if n < 0x80 {
		dst[at] = byte(n)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	return slices.Replace(dst, at, at+1, length[:binary.PutUvarint(length[:], uint64(n))]...)
}

// parsePayload points r at the parts of a payload.
func (s *Shape) parsePayload(r *Row, payload []byte) {
	n := s.passBytes()
	r.pass, payload = payload[:n], payload[n:]
	length, size := binary.Uvarint(payload)
	end := size + int(length)
	r.Key = payload[size:end:end]
	if len(r.Values) == 0 {
		return
	}
	rest := payload[end:]
	for i := range r.Values {
		r.Values[i], rest = parseValue(rest)
	}
}

// appendValue appends a value behind a byte for its kind, a text as it is kept.
func appendValue(dst []byte, v *event.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case event.String:
		b := v.Bytes()
		if len(b) > event.MaxKept {
			b = event.AppendKept(nil, b)
		}
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		return append(dst, b...)
	case event.Int:
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Int()))
	case event.Float:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case event.Bool:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	default:
		return dst
	}
}

// parseValue reads a value that appendValue wrote, and returns what follows it.
func parseValue(b []byte) (event.Value, []byte) {
	kind, b := event.Kind(b[0]), b[1:]
	switch kind {
	case event.String:
		n, size := binary.Uvarint(b)
		end := size + int(n)
		return event.StringValue(b[size:end:end]), b[end:]
	case event.Int:
		return event.IntValue(int64(binary.LittleEndian.Uint64(b))), b[8:]
	case event.Float:
		return event.FloatValue(math.Float64frombits(binary.LittleEndian.Uint64(b))), b[8:]
	case event.Bool:
		return event.BoolValue(b[0] != 0), b[1:]
	default:
		return event.Value{}, b
	}
}
