package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// The first byte of every value that this package encodes says how.
const (
	formatV1 = 1
	formatV2 = 2 // results, since they have digests
)

// errDamaged is the cause of every error about bytes that no version of this package has written.
var errDamaged = errors.New("stored value is damaged")

// decoder reads a value front to back. The first fault sticks and makes all later reads return zeros, so that callers
// check once, at the end. It never reads past the value and never allocates more than the value's length justifies.
type decoder struct {
	b   []byte
	err error
}

// decodeValue checks the format byte.
func decodeValue(value []byte) decoder { return decodeFormat(value, formatV1) }

// decodeFormat is decodeValue for a value of another format.
func decodeFormat(value []byte, format byte) decoder {
	if len(value) == 0 {
		return decoder{err: fmt.Errorf("%w: empty", errDamaged)}
	}
	switch f := value[0]; {
	case f > format:
		return decoder{err: fmt.Errorf("%w: value of format %d, this version knows up to %d", ErrNewerFormat, f, format)}
	case f < format: // stores that had such values are refused as a whole
		return decoder{err: fmt.Errorf("%w: format %d", errDamaged, f)}
	}
	return decoder{b: value[1:]}
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", errDamaged, what)
	}
	d.b = nil
}

// end returns the first fault, and one if bytes are left.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("bytes after the end")
	}
	return d.err
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail("number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// int32 reads a varint that has to fit.
func (d *decoder) int32() int32 {
	v := d.varint()
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.fail("number out of range")
		return 0
	}
	return int32(v)
}

// count reads the length of a list whose elements take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail("length")
		return 0
	}
	return int(n)
}

func (d *decoder) byte() byte {
	if len(d.b) < 1 {
		d.fail("end of value")
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.fail("end of value")
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

// bytes returns a part of the value, not a copy.
func (d *decoder) bytes() []byte {
	n := d.count(1)
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) millis() event.Millis { return event.Millis(d.varint()) }

func (d *decoder) hash() (h definition.Hash) {
	if len(d.b) < len(h) {
		d.fail("end of value")
		return h
	}
	copy(h[:], d.b)
	d.b = d.b[len(h):]
	return h
}

func (d *decoder) sum() (s digest.Sum) {
	if len(d.b) < 16 {
		d.fail("end of value")
		return s
	}
	s = digest.From([16]byte(d.b))
	d.b = d.b[16:]
	return s
}

func appendBytes[T string | []byte](dst []byte, v T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	return append(dst, v...)
}

// The tags of numbers.
const (
	numberNull  = 0
	numberInt   = 1 // varint: counts, and most sums, take two or three bytes
	numberFloat = 2
)

func appendNumber(dst []byte, n definition.Number) []byte {
	if !n.Valid {
		return append(dst, numberNull)
	}
	// The bits are compared, not the values: a negative zero and a NaN are not integers.
	if i := int64(n.Float); math.Float64bits(float64(i)) == math.Float64bits(n.Float) && i > -1<<53 && i < 1<<53 {
		return binary.AppendVarint(append(dst, numberInt), i)
	}
	return binary.LittleEndian.AppendUint64(append(dst, numberFloat), math.Float64bits(n.Float))
}

func (d *decoder) number() definition.Number {
	switch d.byte() {
	case numberNull:
		return definition.Number{}
	case numberInt:
		return definition.Number{Float: float64(d.varint()), Valid: true}
	case numberFloat:
		return definition.Number{Float: math.Float64frombits(d.uint64()), Valid: true}
	default:
		d.fail("tag of a number")
		return definition.Number{}
	}
}
