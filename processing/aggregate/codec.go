package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// limit is the largest magnitude that numeric accumulators hold.
const limit = 1e18

// number returns the number that an accumulator can hold. A negative zero becomes zero: the two are equal, and equal
// accumulators must have equal bytes.
func number(v *event.Value) (f float64, ok bool) {
	switch v.Kind {
	case event.Int:
		n := v.Int()
		return float64(n), n >= -limit && n <= limit
	case event.Float:
		f = v.Float()
		return f + 0, f >= -limit && f <= limit // false for NaN
	default:
		return 0, false
	}
}

// readUvarint reads an unsigned varint and refuses one that is longer than it needs to be: it would not be canonical.
func readUvarint(src []byte) (n uint64, rest []byte, err error) {
	if len(src) > 0 && src[0] < 0x80 {
		return uint64(src[0]), src[1:], nil
	}
	n, size := binary.Uvarint(src)
	if size <= 0 {
		return 0, nil, fmt.Errorf("varint ends early or overflows: %w", ErrCorrupt)
	}
	if src[size-1] == 0 {
		return 0, nil, fmt.Errorf("varint is padded: %w", ErrCorrupt)
	}
	return n, src[size:], nil
}

// readVarint is readUvarint for signed numbers in zigzag order.
func readVarint(src []byte) (n int64, rest []byte, err error) {
	u, rest, err := readUvarint(src)
	return int64(u>>1) ^ -int64(u&1), rest, err
}

// The forms of a number.
const (
	noNumber    = 0
	wholeNumber = 1 // zigzag varint follows
	realNumber  = 2 // the eight bytes of a float64 follow
)

// wholeLimit bounds the numbers that are written as varints: all of them are exact in a float64.
const wholeLimit = 1 << 53

// appendNumber appends a held number; ok false stands for none.
func appendNumber(dst []byte, f float64, ok bool) []byte {
	if !ok {
		return append(dst, noNumber)
	}
	if f > -wholeLimit && f < wholeLimit && f == math.Trunc(f) {
		return binary.AppendVarint(append(dst, wholeNumber), int64(f))
	}
	return binary.BigEndian.AppendUint64(append(dst, realNumber), math.Float64bits(f))
}

func readNumber(src []byte) (f float64, ok bool, rest []byte, err error) {
	if len(src) == 0 {
		return 0, false, nil, fmt.Errorf("number is missing: %w", ErrCorrupt)
	}
	switch form, src := src[0], src[1:]; {
	case form == noNumber:
		return 0, false, src, nil
	case form == wholeNumber:
		n, rest, err := readVarint(src)
		if err == nil && (n <= -wholeLimit || n >= wholeLimit) {
			err = fmt.Errorf("whole number %d is too large: %w", n, ErrCorrupt)
		}
		return float64(n), true, rest, err
	case form == realNumber && len(src) >= 8:
		f := math.Float64frombits(binary.BigEndian.Uint64(src))
		whole := f > -wholeLimit && f < wholeLimit && f == math.Trunc(f)
		if whole || !(f >= -limit && f <= limit) {
			return 0, false, nil, fmt.Errorf("number %v in the wrong form: %w", f, ErrCorrupt)
		}
		return f, true, src[8:], nil
	default:
		return 0, false, nil, fmt.Errorf("number of form %d: %w", form, ErrCorrupt)
	}
}
