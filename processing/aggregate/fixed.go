package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/tidemark/tidemark/processing/event"
)

// unit is how many units of a fixed make one.
const unit = 1_000_000_000

// fixed is a sum in units of 10^-9, two's complement, lowest word first.
//
// A held number needs at most 91 bits. The third word makes room for as many of them as a count can count, because
// arithmetic that saturates at 128 bits would depend on the order: max + max - max.
type fixed [3]uint64

// fixedOf converts a held number: an Int exactly, a Float by its exact binary value, ties to even.
func fixedOf(v *event.Value) (x fixed, ok bool) {
	switch v.Kind {
	case event.Int:
		n := v.Int()
		if n < -limit || n > limit {
			return fixed{}, false
		}
		return fixedInt(n), true
	case event.Float:
		f := v.Float()
		if !(f >= -limit && f <= limit) {
			return fixed{}, false
		}
		if n := int64(f); float64(n) == f {
			return fixedInt(n), true
		}
		return fixedFloat(f), true
	default:
		return fixed{}, false
	}
}

func fixedInt(n int64) fixed {
	sign := uint64(n >> 63)
	hi, lo := bits.Mul64((uint64(n)^sign)-sign, unit)
	return fixed{lo, hi, 0}.withSign(n < 0)
}

// fixedFloat multiplies the mantissa, which is below 2^53, by 10^9, which is below 2^30, and shifts the 83 bits to
// where the exponent wants them.
func fixedFloat(f float64) fixed {
	b := math.Float64bits(f)
	exponent := int(b>>52) & 0x7ff
	if exponent == 0 {
		return fixed{} // subnormal: far below half a unit
	}
	hi, lo := bits.Mul64(b&(1<<52-1)|1<<52, unit)
	switch shift := exponent - 1075; {
	case shift >= 0: // at most 7, for |f| <= 10^18
		hi, lo = hi<<shift|lo>>(64-shift), lo<<shift
	case shift >= -84:
		hi, lo = roundRight(hi, lo, uint(-shift))
	default:
		hi, lo = 0, 0 // below half a unit
	}
	return fixed{lo, hi, 0}.withSign(b>>63 != 0)
}

// roundRight shifts right by 1 to 127 bits and rounds to nearest, ties to even.
func roundRight(hi, lo uint64, shift uint) (qhi, qlo uint64) {
	var rhi, rlo, halfHi, halfLo uint64 // what is shifted out, and half of what one of the result is worth
	if shift > 64 {
		rhi, rlo = hi&(1<<(shift-64)-1), lo
		halfHi = 1 << (shift - 65)
		qlo = hi >> (shift - 64)
	} else {
		rlo = lo & (1<<shift - 1) // a shift of 64 makes all ones
		halfLo = 1 << (shift - 1)
		qhi, qlo = hi>>shift, hi<<(64-shift)|lo>>shift
	}
	over := rhi > halfHi || rhi == halfHi && rlo > halfLo
	tie := rhi == halfHi && rlo == halfLo
	if over || tie && qlo&1 == 1 {
		var carry uint64
		qlo, carry = bits.Add64(qlo, 1, 0)
		qhi += carry
	}
	return qhi, qlo
}

func (x fixed) withSign(negative bool) fixed {
	if !negative {
		return x
	}
	var borrow uint64
	x[0], borrow = bits.Sub64(0, x[0], 0)
	x[1], borrow = bits.Sub64(0, x[1], borrow)
	x[2], _ = bits.Sub64(0, x[2], borrow)
	return x
}

func (x *fixed) add(y *fixed) {
	var carry uint64
	x[0], carry = bits.Add64(x[0], y[0], 0)
	x[1], carry = bits.Add64(x[1], y[1], carry)
	x[2], _ = bits.Add64(x[2], y[2], carry)
}

func (x fixed) negative() bool { return int64(x[2]) < 0 }

// over returns the sum divided by n, correctly rounded.
func (x fixed) over(n uint64) float64 {
	negative := x.negative()
	x = x.withSign(negative)
	f := x.quotient(n)
	if negative {
		return -f
	}
	return f
}

// quotient is over for what is not negative. Nearly all sums take the first way, in which one correctly rounded
// division of two exact numbers does it, or the second, which makes 64 bits of quotient and one that says whether
// anything follows.
func (x fixed) quotient(n uint64) float64 {
	overflow, divisor := bits.Mul64(n, unit)
	if x[2]|x[1] == 0 && x[0] <= 1<<53 && overflow == 0 && divisor <= 1<<53 {
		return float64(x[0]) / float64(divisor)
	}
	if x[2] == 0 && x[1] < divisor && overflow == 0 {
		whole, rest := bits.Div64(x[1], x[0], divisor)
		if whole > 0 {
			fraction, rest := bits.Div64(rest, 0, divisor)
			shift := bits.LeadingZeros64(whole)
			top, below := whole<<shift|fraction>>(64-shift), fraction<<shift
			if below|rest != 0 {
				top |= 1
			}
			return math.Ldexp(float64(top), -shift)
		}
	}
	var b [24]byte
	x.putMagnitude(&b)
	d := new(big.Int).Mul(new(big.Int).SetUint64(n), big.NewInt(unit))
	f, _ := new(big.Rat).SetFrac(new(big.Int).SetBytes(b[:]), d).Float64()
	return f
}

func (x fixed) putMagnitude(b *[24]byte) {
	binary.BigEndian.PutUint64(b[0:], x[2])
	binary.BigEndian.PutUint64(b[8:], x[1])
	binary.BigEndian.PutUint64(b[16:], x[0])
}

// fixedSign marks a negative sum in the byte that says how many bytes of magnitude follow, most significant first.
const fixedSign = 0x80

func (x fixed) appendTo(dst []byte) []byte {
	negative := x.negative()
	x = x.withSign(negative)
	size := 24 - bits.LeadingZeros64(x[2])/8
	if x[2] == 0 {
		size = 16 - bits.LeadingZeros64(x[1])/8
		if x[1] == 0 {
			size = 8 - bits.LeadingZeros64(x[0])/8
		}
	}
	head := byte(size)
	if negative {
		head |= fixedSign
	}
	var b [24]byte
	x.putMagnitude(&b)
	return append(append(dst, head), b[24-size:]...)
}

func readFixed(src []byte) (x fixed, rest []byte, err error) {
	if len(src) == 0 {
		return fixed{}, nil, fmt.Errorf("sum is missing: %w", ErrCorrupt)
	}
	head, src := src[0], src[1:]
	size := int(head &^ fixedSign)
	if size > 24 || size > len(src) {
		return fixed{}, nil, fmt.Errorf("sum of %d bytes: %w", size, ErrCorrupt)
	}
	var b [24]byte
	copy(b[24-size:], src)
	x = fixed{binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[0:])}
	negative := head&fixedSign != 0
	if size == 0 && negative || size > 0 && src[0] == 0 || int64(x[2]) < 0 {
		return fixed{}, nil, fmt.Errorf("sum is not canonical: %w", ErrCorrupt)
	}
	return x.withSign(negative), src[size:], nil
}
