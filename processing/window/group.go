package window

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark/tidemark/processing/event"
)

// A group is encoded so that the order of bytes is the order of the values: for each key a null, or a value with its
// text and an end mark that no text contains; or, alone, the byte of the group that stands for all that were folded.
const (
	tagNull  = 0x01
	tagValue = 0x02
	tagOther = 0xFF
	escape   = 0x00 // in a text: escape escaped; after it: escape textEnd
	escaped  = 0xFF
	textEnd  = 0x01

	textFrame = 3 // bytes around a text: its tag and the end mark
)

// The words for what is no value.
const (
	noneText  = "(none)"
	otherText = "(other)"
)

// otherKey is the group that stands for all groups beyond max_groups.
var otherKey = []byte{tagOther}

func isOther(key []byte) bool { return len(key) == 1 && key[0] == tagOther }

// AppendGroup appends the values of an encoded group as users read them, one for each key: null reads `(none)`, and a
// real value that reads so is escaped with a backslash. The group of what was folded has one value, `(other)`,
// however many keys there are.
func AppendGroup(dst []string, key []byte) []string {
	if isOther(key) {
		return append(dst, otherText)
	}
	for len(key) > 0 {
		text, null, rest, err := cutPart(key)
		switch {
		case err != nil:
			panic("BUG: render group: " + err.Error())
		case null:
			dst = append(dst, noneText)
		case reserved(string(text)):
			dst = append(dst, `\`+string(text))
		default:
			dst = append(dst, string(text))
		}
		key = rest
	}
	return dst
}

// reserved reports whether a text reads `(none)` or `(other)`, perhaps behind backslashes: with one more of them it
// can be told apart.
func reserved(text string) bool {
	text = strings.TrimLeft(text, `\`)
	return text == noneText || text == otherText
}

// GroupValue is one value of a group as users write it.
type GroupValue struct {
	Kind GroupKind
	Text string // only of a GroupText
}

// GroupKind tells a real value of a group from what only reads like one.
type GroupKind uint8

// The kinds of group values.
const (
	GroupText  GroupKind = iota // a real value
	GroupNone                   // null
	GroupOther                  // the group of what was folded
)

// ParseGroupValue is the inverse of what AppendGroup does to each value. A text that is longer than a group's can be is
// cut as that was.
func ParseGroupValue(text string) GroupValue {
	switch {
	case text == noneText:
		return GroupValue{Kind: GroupNone}
	case text == otherText:
		return GroupValue{Kind: GroupOther}
	case reserved(text):
		text = text[1:]
	}
	if len(text) > event.MaxKept {
		text = string(event.AppendKept(nil, []byte(text)))
	}
	return GroupValue{Text: text}
}

// appendPart appends the encoding of one value, as event.AppendKept cuts it. Bytes that are not UTF-8 get replacement
// characters, so that what reads the same is the same group.
func appendPart(dst []byte, v *event.Value) []byte {
	if v.IsNull() {
		return append(dst, tagNull)
	}
	dst = append(dst, tagValue)
	start := len(dst)
	dst = v.AppendText(dst)
	if text := dst[start:]; !utf8.Valid(text) {
		dst = append(dst[:start], bytes.ToValidUTF8(text, []byte("\uFFFD"))...)
	}
	if text := dst[start:]; len(text) > event.MaxKept {
		dst = append(dst[:start], event.AppendKept(nil, text)...)
	}
	if text := dst[start:]; bytes.IndexByte(text, escape) >= 0 {
		dst = append(dst[:start], bytes.ReplaceAll(text, []byte{escape}, []byte{escape, escaped})...)
	}
	return append(dst, escape, textEnd)
}

// isPlain reports whether a key holds its texts as they are, none of them escaped.
func isPlain(key []byte) bool { return !bytes.Contains(key, []byte{escape, escaped}) }

// cutText removes a text from the start of a plain key, if it is what stands there.
func cutText(key, text []byte) (rest []byte, ok bool) {
	n := len(text) + 1
	if len(key) < n+2 || key[0] != tagValue || key[n] != escape || key[n+1] != textEnd || string(key[1:n]) != string(text) {
		return nil, false
	}
	return key[n+2:], true
}

// cutPart reads the first value of an encoded group. The text aliases the key unless it contains an escape.
func cutPart(key []byte) (text []byte, null bool, rest []byte, err error) {
	switch {
	case len(key) == 0:
		return nil, false, nil, fmt.Errorf("group ends early: %w", ErrCorrupt)
	case key[0] == tagNull:
		return nil, true, key[1:], nil
	case key[0] != tagValue:
		return nil, false, nil, fmt.Errorf("group with tag %#x: %w", key[0], ErrCorrupt)
	}
	key = key[1:]
	var joined []byte // what stands before the last escape, if there is one
	for {
		at := bytes.IndexByte(key, escape)
		switch {
		case at < 0 || at+1 == len(key):
			return nil, false, nil, fmt.Errorf("group value ends early: %w", ErrCorrupt)
		case key[at+1] == textEnd && joined == nil:
			return key[:at], false, key[at+2:], nil
		case key[at+1] == textEnd:
			return append(joined, key[:at]...), false, key[at+2:], nil
		case key[at+1] != escaped:
			return nil, false, nil, fmt.Errorf("group value with escape %#x: %w", key[at+1], ErrCorrupt)
		}
		joined = append(joined, key[:at+1]...)
		key = key[at+2:]
	}
}

// checkGroup reports whether a key is an encoded group of n values, all of them text.
func checkGroup(key []byte, n int) error {
	if n > 0 && isOther(key) {
		return nil
	}
	for range n {
		text, _, rest, err := cutPart(key)
		if err != nil {
			return err
		}
		if !utf8.Valid(text) {
			return fmt.Errorf("group value is not UTF-8: %w", ErrCorrupt)
		}
		key = rest
	}
	if len(key) > 0 {
		return fmt.Errorf("group of more than %d values: %w", n, ErrCorrupt)
	}
	return nil
}

// nullHash is the hash of a null; any odd number would do.
const nullHash = 0x8EBC6AF09C88C6E3

// joinHash adds the hash of a further value to that of the ones before. The order matters.
func joinHash(h, part uint64) uint64 {
	hi, lo := bits.Mul64(h^nullHash, part|1)
	return bits.RotateLeft64(hi^lo, 29) ^ part
}

// hashGroup is the stable hash of an encoded group, by which groups stay or are folded. It is made of the hashes of
// the texts, so that those of an event's fields can be used as they are.
func hashGroup(key []byte) uint64 {
	h, key := hashPart(key)
	for len(key) > 0 {
		var part uint64
		part, key = hashPart(key)
		h = joinHash(h, part)
	}
	return h
}

func hashPart(key []byte) (hash uint64, rest []byte) {
	text, null, rest, err := cutPart(key)
	switch {
	case err != nil:
		panic("BUG: hash group: " + err.Error())
	case null:
		return nullHash, rest
	default:
		return xxhash.Sum64(text), rest
	}
}
