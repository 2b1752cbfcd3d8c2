package definition

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// nodeText says how characters of a scalar's value lie in the file.
type nodeText struct {
	inline bool // the value stands as it is behind the scalar's first character
	skip   int  // 1 when that is a quote
	block  bool // a literal block: its lines stand under each other
	lines  []string
	indent int
}

// locate finds out whether the scalar's value can be found character by character in the file.
func (r *reader) locate(n *yaml.Node) nodeText {
	if n.Style&yaml.LiteralStyle != 0 && n.Line < len(r.file.lines) {
		first := r.file.lines[n.Line]
		return nodeText{block: true, lines: strings.Split(n.Value, "\n"), indent: len(first) - len(strings.TrimLeft(first, " "))}
	}
	t := nodeText{}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		t.skip = 1
	}
	if n.Line >= 1 && n.Line <= len(r.file.lines) {
		line := []rune(r.file.lines[n.Line-1])
		if from := n.Column - 1 + t.skip; from >= 0 && from <= len(line) {
			t.inline = strings.HasPrefix(string(line[from:]), n.Value)
		}
	}
	return t
}

// at is the place of a character of the value, or of the whole scalar when it can't be told.
func (t nodeText) at(start spot, offset int) spot {
	switch {
	case t.inline:
		start.column += t.skip + offset
	case t.block:
		for i, line := range t.lines {
			length := utf8.RuneCountInString(line)
			if offset <= length {
				start.line += 1 + i
				start.column = t.indent + offset + 1
				break
			}
			offset -= length + 1
		}
	}
	return start
}
