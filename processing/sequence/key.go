package sequence

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// Shards is the fixed number of parts that the keys of a definition fall into. It is part of what is stored on disk.
const Shards = 256

// ShardOf returns the shard of a key by the key's hash.
func ShardOf(hash uint64) int { return int(hash >> 56) }

// ErrBadKey is returned by ParseKey for bytes that AppendKey does not make.
var ErrBadKey = errors.New("bytes are not a key")

// signBit turns the order of two's complement, and of the exponents of positive floats, into the order of bytes.
const signBit = 1 << 63

// AppendKey appends a key in its canonical form, which has no length of its own: a byte for the kind, then the text, or
// the bytes of a UUID, or the number such that bytes order as numbers do. UUIDs come after other texts. A Float that
// holds a whole number is the same key as that Int, as Value.Hash has it. A long text is cut as event.AppendKept does.
// A null has no form and panics.
func AppendKey(dst []byte, v *event.Value) []byte {
	switch v.Kind {
	case event.String:
		text := v.Bytes()
		if u, ok := parseUUID(text); ok {
			return append(append(dst, uuidKind), u[:]...)
		}
		return event.AppendKept(append(dst, byte(event.String)), text)
	case event.Int:
		return appendInt(dst, v.Int())
	case event.Float:
		f := v.Float()
		if n := int64(f); float64(n) == f && n != math.MaxInt64 {
			return appendInt(dst, n)
		}
		bits := math.Float64bits(f)
		if bits&signBit != 0 {
			bits = ^bits
		} else {
			bits |= signBit
		}
		return binary.BigEndian.AppendUint64(append(dst, byte(event.Float)), bits)
	case event.Bool:
		if v.Bool() {
			return append(dst, byte(event.Bool), 1)
		}
		return append(dst, byte(event.Bool), 0)
	default:
		panic("BUG: a null key was held")
	}
}

func appendInt(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(event.Int)), uint64(n)^signBit)
}

// ParseKey returns the value of a key in canonical form. A String aliases b, or text if it was a UUID.
func ParseKey(b []byte, text *KeyText) (event.Value, error) {
	if len(b) == 0 {
		return event.Value{}, ErrBadKey
	}
	rest := b[1:]
	switch b[0] {
	case byte(event.String):
		if _, ok := parseUUID(rest); !ok && len(rest) <= event.MaxKept { // else it would have been written as a UUID, or cut
			return event.StringValue(rest), nil
		}
	case uuidKind:
		if len(rest) == len(uuid{}) {
			writeUUID(text, (*uuid)(rest))
			return event.StringValue(text[:]), nil
		}
	case byte(event.Int):
		if len(rest) == 8 {
			return event.IntValue(int64(binary.BigEndian.Uint64(rest) ^ signBit)), nil
		}
	case byte(event.Float):
		if len(rest) == 8 {
			return parseFloat(binary.BigEndian.Uint64(rest))
		}
	case byte(event.Bool):
		if len(rest) == 1 && rest[0] <= 1 {
			return event.BoolValue(rest[0] == 1), nil
		}
	}
	return event.Value{}, ErrBadKey
}

func parseFloat(bits uint64) (event.Value, error) {
	if bits&signBit != 0 {
		bits &^= signBit
	} else {
		bits = ^bits
	}
	f := math.Float64frombits(bits)
	if n := int64(f); float64(n) == f && n != math.MaxInt64 {
		return event.Value{}, ErrBadKey // it would have been written as an Int
	}
	return event.FloatValue(f), nil
}
