package simulator

// stream is a source of random numbers that fits into one word, so that every visitor can have one.
// The algorithm is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
type stream uint64

// Uint64 implements rand.Source.
func (s *stream) Uint64() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uuid is the text of a UUID.
type uuid [36]byte

// makeUUID formats 128 random bits as a UUID of version 4.
func makeUUID(hi, lo uint64) (u uuid) {
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(0b11<<62) | 0b10<<62
	u.hex(0, 8, hi>>32)
	u.hex(9, 4, hi>>16)
	u.hex(14, 4, hi)
	u.hex(19, 4, lo>>48)
	u.hex(24, 12, lo)
	u[8], u[13], u[18], u[23] = '-', '-', '-', '-'
	return u
}

func (u *uuid) hex(at, digits int, bits uint64) {
	const alphabet = "0123456789abcdef"
	for i := at + digits - 1; i >= at; i-- {
		u[i] = alphabet[bits&0xf]
		bits >>= 4
	}
}
