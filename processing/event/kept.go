package event

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// MaxKept is the longest text, in bytes, that is kept of an event beyond the commit that reads it: as a group's value, as
// a session's key, or in the aggregates of a session. Without a bound, 100,000 groups of a pane could hold any amount.
const MaxKept = 1024

// keptMark stands before the hash of a text that was cut.
const keptMark = '~'

const keptTail = 1 + 16 // the mark and the hash in hexadecimal

// AppendKept appends a text as it is kept: whole if it has at most MaxKept bytes; else as much of it as fits, cut
// between characters, with a mark and the hash of all of it behind, so that different texts stay different.
func AppendKept(dst, text []byte) []byte {
	if len(text) <= MaxKept {
		return append(dst, text...)
	}
	cut := MaxKept - keptTail
	for cut > MaxKept-keptTail-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	dst = append(append(dst, text[:cut]...), keptMark)
	var hash [8]byte
	for i, h := 0, xxhash.Sum64(text); i < len(hash); i++ {
		hash[i] = byte(h >> (56 - 8*i))
	}
	return hex.AppendEncode(dst, hash[:])
}

// KeptHash is the hash of the value as it is kept, given that of all of it.
func (v *Value) KeptHash(hash uint64) uint64 {
	if v.Kind != String || v.num <= MaxKept {
		return hash
	}
	return xxhash.Sum64(AppendKept(make([]byte, 0, MaxKept), v.Bytes()))
}
