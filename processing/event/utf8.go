package event

import (
	"encoding/binary"
	"unicode/utf8"
)

// gap is a part of a value that is no text.
type gap struct{ from, to int }

// maxGaps is how many gaps wait until the text between them is checked; an event without arrays or maps has fewer.
const maxGaps = 16

// noBadText is machine.badText while none is known.
const noBadText = -1

// begin takes a value to read, and the program for it.
func (m *machine) begin(p *program, row []Value, value []byte) {
	m.program, m.row, m.buf = p, row, value
	m.checked, m.noted, m.badText = 0, 0, noBadText
}

// note says that a part of the value is no text. Parts are noted in their order.
func (m *machine) note(from, to int) {
	if m.noted == maxGaps {
		m.checkTexts(from)
	}
	m.gaps[m.noted] = gap{from, to}
	m.noted++
}

// checkTexts checks what is text up to a position: strings, with the single bytes that stand between them.
func (m *machine) checkTexts(to int) {
	at := m.checked
	for _, g := range m.gaps[:m.noted] {
		if !isASCII(m.buf[at:g.from]) {
			m.checkUTF8(at, g.from)
		}
		at = g.to
	}
	if !isASCII(m.buf[at:to]) {
		m.checkUTF8(at, to)
	}
	m.checked, m.noted = to, 0
}

// checkUTF8 notes the first byte that is bad.
func (m *machine) checkUTF8(from, to int) {
	if m.badText != noBadText || utf8.Valid(m.buf[from:to]) {
		return
	}
	for m.badText == noBadText {
		r, n := utf8.DecodeRune(m.buf[from:to])
		if r == utf8.RuneError && n == 1 {
			m.badText = from
		}
		from += n
	}
}

// isASCII is a first look, at 32 bytes at a time and twice at some of the last ones. It takes a third of what utf8.Valid
// does.
func isASCII(b []byte) bool {
	const high = 0x8080808080808080
	n := len(b)
	var all uint64
	switch {
	case n >= 32:
		for at := 0; at < n-32; at += 32 {
			all |= any32((*[32]byte)(b[at:]))
		}
		all |= any32((*[32]byte)(b[n-32:]))
	case n >= 8:
		all = binary.LittleEndian.Uint64(b[n-8:])
		for at := 0; at < n-8; at += 8 {
			all |= binary.LittleEndian.Uint64(b[at:])
		}
	default:
		for _, c := range b {
			all |= uint64(c)
		}
	}
	return all&high == 0
}

func any32(b *[32]byte) uint64 {
	return binary.LittleEndian.Uint64(b[0:]) | binary.LittleEndian.Uint64(b[8:]) |
		binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
}

// whereText names the string around a byte, by reading the value only up to there: then that string does not end.
func (m *machine) whereText(at int) (path string, start int) {
	m.begin(m.program, m.row, m.buf[:at])
	m.run(m.routines[0], 0, 0)
	return m.fault.path, m.fault.at
}
