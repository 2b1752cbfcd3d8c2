package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Sum is a number mod 2^128. The zero value is the digest of nothing.
type Sum struct{ Hi, Lo uint64 }

// Of is the term of one fact, given in a canonical form of its own: the first 16 bytes of its SHA-256.
func Of(fact []byte) Sum {
	h := sha256.Sum256(fact)
	return Sum{Hi: binary.BigEndian.Uint64(h[:]), Lo: binary.BigEndian.Uint64(h[8:])}
}

// Plus adds.
func (s Sum) Plus(o Sum) Sum {
	lo, carry := bits.Add64(s.Lo, o.Lo, 0)
	hi, _ := bits.Add64(s.Hi, o.Hi, carry)
	return Sum{hi, lo}
}

// Minus takes back what Plus added.
func (s Sum) Minus(o Sum) Sum {
	lo, borrow := bits.Sub64(s.Lo, o.Lo, 0)
	hi, _ := bits.Sub64(s.Hi, o.Hi, borrow)
	return Sum{hi, lo}
}

// IsZero reports whether it is the digest of nothing.
func (s Sum) IsZero() bool { return s == Sum{} }

// String is 32 hexadecimal digits.
func (s Sum) String() string { return hex.EncodeToString(s.Append(nil)) }

// Append appends 16 bytes, the high ones first.
func (s Sum) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, s.Hi), s.Lo)
}

// From reads what Append has written.
func From(b [16]byte) Sum {
	return Sum{Hi: binary.BigEndian.Uint64(b[:]), Lo: binary.BigEndian.Uint64(b[8:])}
}
