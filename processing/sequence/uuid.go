package sequence

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/tidemark/tidemark/processing/event"
)

// uuidKind marks the key of a text that is a UUID as most programs write one: sixteen bytes instead of thirty-six.
// Session ids are little else, and a key is held, looked up and stored more often than it is read as text.
const uuidKind = byte(event.String) + 1

type uuid [16]byte

// KeyText is room for a key that is a text but is not kept as one.
type KeyText [36]byte

// parseUUID reads a UUID with dashes and small letters; ok is false for any other text. It takes eight digits at a
// time: this is done for every event that is held.
func parseUUID(text []byte) (u uuid, ok bool) {
	if len(text) != len(KeyText{}) || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return u, false
	}
	four := func(at int) uint64 { return uint64(binary.BigEndian.Uint32(text[at:])) }
	a, strayA := hexDigits(binary.BigEndian.Uint64(text))
	b, strayB := hexDigits(four(9)<<32 | four(14))
	c, strayC := hexDigits(four(19)<<32 | four(24))
	d, strayD := hexDigits(binary.BigEndian.Uint64(text[28:]))
	binary.BigEndian.PutUint32(u[0:], a)
	binary.BigEndian.PutUint32(u[4:], b)
	binary.BigEndian.PutUint32(u[8:], c)
	binary.BigEndian.PutUint32(u[12:], d)
	return u, strayA|strayB|strayC|strayD == 0
}

// everyByte times a byte is a word of that byte.
const everyByte = 0x0101010101010101

// hexDigits reads eight hexadecimal digits, the first in the highest byte; stray is 0 if they are digits and small
// letters. No step carries from one byte into the next.
func hexDigits(text uint64) (value uint32, stray uint64) {
	letters := text >> 6 & everyByte // 1 in the bytes that may be letters
	v := text&(0x0f*everyByte) + 9*letters
	fromTen := (v + 6*everyByte) >> 4 & everyByte
	written := v + '0'*everyByte + ('a'-'0'-10)*fromTen
	stray = written ^ text | v&(0xf0*everyByte)
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16), stray
}

func writeUUID(text *KeyText, u *uuid) {
	hex.Encode(text[0:], u[0:4])
	hex.Encode(text[9:], u[4:6])
	hex.Encode(text[14:], u[6:8])
	hex.Encode(text[19:], u[8:10])
	hex.Encode(text[24:], u[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
}
