package event

import (
	"math"
	"math/bits"
)

// The readers here take a buffer and a position, and return the position past what they read. A negative position is
// a fault's code. The machine does the most common cases by itself.

// Codes of faults, as positions.
const (
	faultShort    = -1  // the bytes end inside of the value
	faultLong     = -2  // a varint of more than 10 bytes, or of more than 64 bits
	faultInt      = -3  // the same for 5 bytes and 32 bits
	faultNegative = -4  // a length below zero
	faultTooLong  = -5  // a length of more than what is left
	faultBranch   = -6  // a union's branch that it does not have
	faultSymbol   = -7  // an enum's symbol that it does not have
	faultBoolean  = -8  // a boolean that is neither 0 nor 1
	faultDepth    = -9  // nested deeper than maxDepth
	faultNoted    = -10 // the machine knows
)

var faultTexts = map[int]string{
	faultShort:    "the record ends inside of it",
	faultLong:     "its varint does not fit into 64 bits",
	faultInt:      "its varint does not fit into 32 bits",
	faultNegative: "its length is negative",
	faultTooLong:  "its length is more than what is left of the record",
	faultBranch:   "its union has no such branch",
	faultSymbol:   "its enum has no such symbol",
	faultBoolean:  "a boolean is 0 or 1",
	faultDepth:    "it nests too deep",
}

// shortVarint reads a varint of up to 8 bytes from the 8 bytes in x, or n is 9. It takes the length from the first byte
// without its high bit, and then moves seven bits of each byte together: in pairs, in pairs of pairs, and in halves.
func shortVarint(x uint64) (u uint64, n int) {
	stops := ^x & 0x8080808080808080
	n = bits.TrailingZeros64(stops)/8 + 1
	x &= stops ^ (stops - 1)
	x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
	x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
	return x&0x000000000fffffff | x&0x0fffffff00000000>>4, n
}

// varint reads an unsigned number of up to 64 bits.
func varint(buf []byte, pos int) (uint64, int) {
	var u uint64
	for shift := uint(0); shift < 63; shift += 7 {
		if pos >= len(buf) {
			return 0, faultShort
		}
		b := buf[pos]
		pos++
		if b < 0x80 {
			return u | uint64(b)<<shift, pos
		}
		u |= uint64(b&0x7f) << shift
	}
	if pos >= len(buf) {
		return 0, faultShort
	}
	if buf[pos] > 1 {
		return 0, faultLong
	}
	return u | uint64(buf[pos])<<63, pos + 1
}

// varint32 reads an unsigned number of up to 32 bits, in 5 bytes at most.
func varint32(buf []byte, pos int) (uint64, int) {
	u, next := varint(buf, pos)
	if next == faultLong || next-pos > 5 || u > math.MaxUint32 {
		return 0, faultInt
	}
	return u, next
}

// zigzag makes a signed number of what a varint holds.
func zigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// text reads the bounds of a string or of bytes.
func text(buf []byte, pos int) (start, end int) {
	u, next := varint(buf, pos)
	if next < 0 {
		return 0, next
	}
	n := zigzag(u)
	if n < 0 {
		return 0, faultNegative
	}
	if n > int64(len(buf)-next) {
		return 0, faultTooLong
	}
	return next, next + int(n)
}

// nullable reads the branch of a union of two, of which the varint `null` says null.
func nullable(buf []byte, pos int, null byte) (isValue bool, next int) {
	u, next := varint32(buf, pos)
	if next >= 0 && u != 0 && u != 2 {
		return false, faultBranch
	}
	return u != uint64(null), next
}

// ordinal reads the index of a symbol or a branch of which there are n.
func ordinal(buf []byte, pos, n, missing int) (index, next int) {
	u, next := varint32(buf, pos)
	if next < 0 {
		return 0, next
	}
	if u&1 != 0 || u>>1 >= uint64(n) {
		return 0, missing
	}
	return int(u >> 1), next
}

// fixed steps over n bytes.
func fixed(buf []byte, pos, n int) int {
	if n > len(buf)-pos {
		return faultShort
	}
	return pos + n
}

func boolean(buf []byte, pos int) (bool, int) {
	if pos >= len(buf) {
		return false, faultShort
	}
	if buf[pos] > 1 {
		return false, faultBoolean
	}
	return buf[pos] == 1, pos + 1
}
