package definition

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Template is a text with places that a sample fills: 'Bounce rate at {{ value | percent }}'.
type Template struct {
	parts []part
}

// part is a text as it stands, or what to read of a sample.
type part struct {
	text string
	read func(s *Sample) string
}

// Render fills the template from a sample.
func (t Template) Render(s *Sample) string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.read != nil {
			b.WriteString(p.read(s))
		}
	}
	return b.String()
}

// templateScope is what a template may name.
type templateScope struct {
	faults  *faults
	metric  string
	keys    []string
	numbers map[string]func(s *Sample) Number
	used    map[string]bool // the numbers that templates read
}

const (
	windowName  = "window"
	groupPrefix = "group."
	opening     = "{{"
	closing     = "}}"
)

// compile reads a template; none is an empty one.
func (s *templateScope) compile(e *expression) Template {
	var t Template
	if e == nil {
		return t
	}
	if len(e.text) > maxExpression {
		s.faults.add(e.at, "the text is longer than %d bytes", maxExpression)
		return t
	}
	for at := 0; ; {
		open := strings.Index(e.text[at:], opening)
		if open < 0 {
			t.parts = append(t.parts, part{text: e.text[at:]})
			return t
		}
		open += at
		length := strings.Index(e.text[open:], closing)
		if length < 0 {
			s.fault(e, open, "%s opens a place, and %s is missing", opening, closing)
			return t
		}
		t.parts = append(t.parts, part{text: e.text[at:open], read: s.place(e, open+len(opening), open+length)})
		at = open + length + len(closing)
	}
}

func (s *templateScope) fault(e *expression, at int, format string, args ...any) {
	s.faults.add(e.node.at(e.at, utf8.RuneCountInString(e.text[:at])), format, args...)
}

// place reads what stands in braces, e.text[from:to]: a name, perhaps `|` and a format.
func (s *templateScope) place(e *expression, from, to int) func(*Sample) string {
	inside := e.text[from:to]
	left, right, formatted := strings.Cut(inside, "|")
	name := strings.TrimSpace(left)
	at := from + strings.Index(left, name)
	formatAt := from + len(left) + 1
	if key, ok := strings.CutPrefix(name, groupPrefix); ok {
		if formatted {
			s.fault(e, formatAt, "formats are for numbers, and %s is text", name)
		}
		return s.group(e, at, key)
	}
	if name == windowName && s.numbers[windowName] == nil {
		if formatted {
			s.fault(e, formatAt, "formats are for numbers, and %s is text", name)
		}
		return windowText
	}
	if name == s.metric && s.numbers[name] == nil {
		name = valueName
	}
	number := s.numbers[name]
	if number == nil {
		known := append(slices.Sorted(maps.Keys(s.numbers)), windowName)
		for _, key := range s.keys {
			known = append(known, groupPrefix+key)
		}
		s.fault(e, at, "%q is nothing that a text can show%s", name, hint(name, known))
		return nil
	}
	s.used[name] = true
	show := plainText
	if formatted {
		f, fault := parseFormat(right)
		if fault != "" {
			s.fault(e, formatAt+len(right)-len(strings.TrimLeft(right, " ")), "%s", fault)
			return nil
		}
		show = f
	}
	return func(s *Sample) string {
		n := number(s)
		if !n.Valid {
			return "no data"
		}
		return show(n.Float)
	}
}

func (s *templateScope) group(e *expression, at int, key string) func(*Sample) string {
	i := slices.Index(s.keys, key)
	switch {
	case len(s.keys) == 0:
		s.fault(e, at, "%s has no groups", s.metric)
		return nil
	case i < 0:
		s.fault(e, at, "%q is no key of %s%s", key, s.metric, hint(key, s.keys))
		return nil
	}
	return func(s *Sample) string { return s.Group[i] }
}

// formatNames are the formats, as faults list them.
var formatNames = []string{"percent", "number", "duration"}

// maxDigits is how many digits behind the point a format shows at most: more would be noise of binary fractions.
const maxDigits = 9

// parseFormat reads `percent`, `percent 2`, `number 0`, `duration` or `duration ms`; fault is not empty if it is none.
func parseFormat(text string) (show func(float64) string, fault string) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, "the format is missing behind |; there are " + strings.Join(formatNames, ", ")
	}
	if !slices.Contains(formatNames, words[0]) {
		return nil, fmt.Sprintf("no format is called %q%s", words[0], hint(words[0], formatNames))
	}
	if len(words) > 2 {
		return nil, fmt.Sprintf("%s takes one word at most, not %q", words[0], strings.Join(words[1:], " "))
	}
	argument := ""
	if len(words) == 2 {
		argument = words[1]
	}
	if words[0] == "duration" {
		switch argument {
		case "", "s":
			return durationText, ""
		case "ms":
			return func(x float64) string { return durationText(x / 1000) }, ""
		}
		return nil, fmt.Sprintf("a duration is of s or ms, not %q", argument)
	}
	if words[0] == "percent" && argument == "" {
		argument = "1"
	}
	digits, err := strconv.Atoi(argument)
	switch {
	case err != nil || digits < 0 || digits > maxDigits:
		return nil, fmt.Sprintf("say how many digits, 0 to %d: `%s 2`", maxDigits, words[0])
	case words[0] == "percent":
		return func(x float64) string { return fixedText(x*100, digits) + " %" }, ""
	default:
		return func(x float64) string { return fixedText(x, digits) }, ""
	}
}
