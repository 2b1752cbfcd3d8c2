package event

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of values that definitions can compute with.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String // strings, enums, uuids, bytes and fixed
)

// Value is one field of an event. The zero Value is null. It is three words, because rows are written, held and sorted by
// the million: a String keeps its length where the numbers stand.
type Value struct {
	Kind   Kind
	symbol uint16 // of a String, see Symbol
	num    uint64
	str    *byte
}

// BoolValue returns a Bool.
func BoolValue(b bool) Value {
	if b {
		return Value{Kind: Bool, num: 1}
	}
	return Value{Kind: Bool}
}

// IntValue returns an Int.
func IntValue(n int64) Value { return Value{Kind: Int, num: uint64(n)} }

// FloatValue returns a Float.
func FloatValue(f float64) Value { return Value{Kind: Float, num: math.Float64bits(f)} }

// StringValue returns a String that aliases b.
func StringValue(b []byte) Value {
	return Value{Kind: String, num: uint64(len(b)), str: unsafe.SliceData(b)}
}

// IsNull reports whether the value is null.
func (v *Value) IsNull() bool { return v.Kind == Null }

// Bool is the value of a Bool.
func (v *Value) Bool() bool { return v.num != 0 }

// Int is the value of an Int.
func (v *Value) Int() int64 { return int64(v.num) }

// Float is the value of a Float.
func (v *Value) Float() float64 { return math.Float64frombits(v.num) }

// Bytes is the text of a String. It aliases what the value was made from.
func (v *Value) Bytes() []byte {
	if v.Kind != String {
		return nil
	}
	return unsafe.Slice(v.str, int(v.num))
}

// Number is the value of an Int or a Float as a float64; ok is false for every other kind.
func (v *Value) Number() (f float64, ok bool) {
	switch v.Kind {
	case Int:
		return float64(int64(v.num)), true
	case Float:
		return math.Float64frombits(v.num), true
	default:
		return 0, false
	}
}

// AppendText appends the value as users read it, null as nothing. A Float is written as JSON writes it: 1500000, 0.25,
// 1e+21.
func (v *Value) AppendText(dst []byte) []byte {
	switch v.Kind {
	case Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case Int:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case Float:
		return appendFloat(dst, v.Float())
	case String:
		return append(dst, v.Bytes()...)
	default:
		return dst
	}
}

func appendFloat(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0') // also of -0, which is equal to it
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// Hash is the same in every process and version: it picks shards and fills registers that are kept on disk.
// A Float that holds a whole number hashes as that Int does; a null hashes to 0.
func (v *Value) Hash() uint64 {
	switch v.Kind {
	case String:
		if v.symbol != 0 {
			return symbolsByNumber[v.symbol].hash
		}
		return xxhash.Sum64(v.Bytes())
	case Int:
		return hashNumber(v.num, Int)
	case Float:
		f := math.Float64frombits(v.num)
		if n := int64(f); float64(n) == f && n != math.MaxInt64 {
			return hashNumber(uint64(n), Int)
		}
		return hashNumber(v.num, Float)
	case Bool:
		return hashNumber(v.num, Bool)
	default:
		return 0
	}
}

// hashNumber hashes nine bytes, which no string of interest shares: the tag keeps 1, true and 1.0e-323 apart.
func hashNumber(n uint64, tag Kind) uint64 {
	var b [9]byte
	b[0] = byte(tag)
	binary.LittleEndian.PutUint64(b[1:], n)
	return xxhash.Sum64(b[:])
}
