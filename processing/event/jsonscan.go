package event

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonScanner steps through JSON text, strictly by RFC 8259. Its methods report false once the fault is noted.
type jsonScanner struct {
	buf     []byte
	pos     int
	scratch []byte // what strings with escapes become; never shortened while a row refers to it
	depth   int    // of open objects and arrays
	fault   fault
}

func (s *jsonScanner) reset(buf []byte) {
	s.buf, s.pos, s.scratch, s.depth, s.fault = buf, 0, s.scratch[:0], 0, fault{}
}

// stop notes what is wrong at the current position.
func (s *jsonScanner) stop(what string) bool {
	s.fault = fault{at: s.pos, what: what}
	return false
}

// inside tells the fault of a nested value where that stands.
func (s *jsonScanner) inside(name string) bool {
	if s.fault.path == "" {
		s.fault.path = name
	} else {
		s.fault.path = join(name, s.fault.path)
	}
	return false
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *jsonScanner) peek() byte {
	for s.pos < len(s.buf) {
		switch c := s.buf[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// open enters an object or array and reports whether it has a first element; else it has left it again.
func (s *jsonScanner) open(bracket byte) (more, ok bool) {
	if s.peek() != bracket {
		return false, s.stop("wanted " + tokenNames[bracket] + ", found " + s.token())
	}
	if s.depth == maxDepth {
		return false, s.stop("it nests too deep")
	}
	s.depth++
	s.pos++
	if s.peek() == bracket+2 { // '[' and ']', '{' and '}' are two apart
		s.pos++
		s.depth--
		return false, true
	}
	return true, true
}

// next goes on to the next element of an object or array, or leaves it.
func (s *jsonScanner) next(bracket byte) (more, ok bool) {
	switch s.peek() {
	case ',':
		s.pos++
		return true, true
	case bracket + 2:
		s.pos++
		s.depth--
		return false, true
	default:
		return false, s.stop("wanted a comma or the end of " + tokenNames[bracket] + ", found " + s.token())
	}
}

// key reads the key of an object's element, with its colon. It is valid until the scanner is reset.
func (s *jsonScanner) key() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, s.stop("wanted a key, found " + s.token())
	}
	key, ok := s.text()
	if !ok {
		return nil, false
	}
	if s.peek() != ':' {
		return nil, s.stop("wanted a colon, found " + s.token())
	}
	s.pos++
	return key, true
}

var tokenNames = map[byte]string{
	'{': "an object", '[': "an array", '"': "a string", 't': "true", 'f': "false", 'n': "null",
	'-': "a number", '0': "a number", '1': "a number", '2': "a number", '3': "a number", '4': "a number",
	'5': "a number", '6': "a number", '7': "a number", '8': "a number", '9': "a number",
}

// token names what comes next, for people.
func (s *jsonScanner) token() string {
	c := s.peek()
	if name, ok := tokenNames[c]; ok {
		return name
	}
	if s.pos >= len(s.buf) {
		return "the end"
	}
	char, _ := utf8.DecodeRune(s.buf[s.pos:])
	return strconv.QuoteRune(char)
}

// literal reads one of null, true and false.
func (s *jsonScanner) literal(word string) bool {
	if s.peek() != word[0] || len(s.buf)-s.pos < len(word) || string(s.buf[s.pos:s.pos+len(word)]) != word {
		return s.stop("wanted " + word + ", found " + s.token())
	}
	s.pos += len(word)
	return true
}

// number reads a number. Whole ones have neither fraction nor exponent.
func (s *jsonScanner) number() (digits []byte, whole, ok bool) {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return nil, false, s.stop("wanted a number, found " + s.token())
	}
	start := s.pos
	if s.buf[s.pos] == '-' {
		s.pos++
	}
	first := s.pos
	if !s.digits() {
		return nil, false, false
	}
	if s.buf[first] == '0' && s.pos > first+1 {
		s.pos = first
		return nil, false, s.stop("a number starts with 0")
	}
	whole = true
	if s.pos < len(s.buf) && s.buf[s.pos] == '.' {
		s.pos++
		if whole = false; !s.digits() {
			return nil, false, false
		}
	}
	if s.pos < len(s.buf) && s.buf[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.buf) && (s.buf[s.pos] == '+' || s.buf[s.pos] == '-') {
			s.pos++
		}
		if whole = false; !s.digits() {
			return nil, false, false
		}
	}
	return s.buf[start:s.pos], whole, true
}

func (s *jsonScanner) digits() bool {
	start := s.pos
	for s.pos < len(s.buf) && s.buf[s.pos]-'0' < 10 {
		s.pos++
	}
	if s.pos == start {
		return s.stop("wanted a digit")
	}
	return true
}

// text reads a string. Without escapes it aliases the input, else the scratch.
func (s *jsonScanner) text() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, s.stop("wanted a string, found " + s.token())
	}
	s.pos++
	start := s.pos
	for i, c := range s.buf[start:] {
		if c == '"' {
			s.pos = start + i + 1
			return s.buf[start : start+i : start+i], true
		}
		if c == '\\' || c < 0x20 {
			s.pos = start + i
			return s.escaped(start)
		}
	}
	s.pos = len(s.buf)
	return nil, s.stop("a string has no end")
}

// escaped reads the rest of a string that started at start, from its first escape on.
func (s *jsonScanner) escaped(start int) ([]byte, bool) {
	from := len(s.scratch)
	s.scratch = append(s.scratch, s.buf[start:s.pos]...)
	for s.pos < len(s.buf) {
		switch c := s.buf[s.pos]; {
		case c == '"':
			s.pos++
			return s.scratch[from:len(s.scratch):len(s.scratch)], true
		case c < 0x20:
			return nil, s.stop("a control character in a string")
		case c == '\\':
			if !s.escape() {
				return nil, false
			}
		default:
			s.scratch = append(s.scratch, c)
			s.pos++
		}
	}
	return nil, s.stop("a string has no end")
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends what an escape stands for. Half of a surrogate pair stands for U+FFFD: producers that cut texts by
// UTF-16 units write such halves.
func (s *jsonScanner) escape() bool {
	if s.pos+1 >= len(s.buf) {
		return s.stop("a string has no end")
	}
	if c := escapes[s.buf[s.pos+1]]; c != 0 {
		s.scratch = append(s.scratch, c)
		s.pos += 2
		return true
	}
	r, ok := hex4(s.buf, s.pos)
	if !ok {
		return s.stop("no such escape")
	}
	s.pos += 6
	if utf16.IsSurrogate(r) {
		low, ok := hex4(s.buf, s.pos)
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			r = pair
			s.pos += 6
		} else {
			r = utf8.RuneError
		}
	}
	s.scratch = utf8.AppendRune(s.scratch, r)
	return true
}

// hex4 reads an escape of the form \u12ab.
func hex4(buf []byte, pos int) (rune, bool) {
	if len(buf)-pos < 6 || buf[pos] != '\\' || buf[pos+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range buf[pos+2 : pos+6] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skip reads any value.
func (s *jsonScanner) skip() bool {
	switch c := s.peek(); c {
	case '{', '[':
		more, ok := s.open(c)
		for more && ok {
			if c == '{' {
				if _, ok = s.key(); !ok {
					return false
				}
			}
			if !s.skip() {
				return false
			}
			more, ok = s.next(c)
		}
		return ok
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		_, _, ok := s.number()
		return ok
	}
}
