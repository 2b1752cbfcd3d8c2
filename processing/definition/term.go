package definition

import (
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/parser/utils"

	"github.com/tidemark/tidemark/processing/event"
)

// term is a checked expression: lets are expanded, paths resolved, spellings of one operator unified, literals on the
// right of comparisons. Terms that mean the same in the same words print the same.
type term struct {
	op      string // see the constants below, or the operator or function itself
	kind    kind
	symbols []string // of an enum field
	args    []*term
	path    event.Path  // of opField
	literal event.Value // of opLiteral
}

// The terms that are no operators.
const (
	opBad     = "bad"
	opField   = "field"
	opLiteral = "literal"
	opChoose  = "?:"
	opNegate  = "neg"
)

var badTerm = &term{op: opBad, kind: badKind}

func nilTerm() *term { return &term{op: opLiteral, kind: nilKind} }

func (t *term) isNil() bool { return t.op == opLiteral && t.kind == nilKind }

// bad reports whether a fault was already reported within the term.
func (t *term) bad() bool { return t.kind == badKind }

// precedences are those of the parser, so that what is printed reads back as the same term.
var precedences = map[string]int{
	opChoose: 1, "or": 10, "and": 15,
	"==": 20, "!=": 20, "<": 20, "<=": 20, ">": 20, ">=": 20,
	"in": 20, "matches": 20, "contains": 20, "startsWith": 20, "endsWith": 20,
	"+": 30, "-": 30, "not": 50, "*": 60, "/": 60, "%": 60, opNegate: 90, "**": 100, "??": 500,
}

const atomPrecedence = 1000

func (t *term) precedence() int {
	if t.op == opLiteral {
		if n, ok := t.literal.Number(); ok && n < 0 {
			return precedences[opNegate]
		}
	}
	if p, ok := precedences[t.op]; ok {
		return p
	}
	return atomPrecedence
}

// String prints the term canonically, in the syntax that it was read from.
func (t *term) String() string {
	var b strings.Builder
	t.print(&b)
	return b.String()
}

func (t *term) print(b *strings.Builder) {
	switch t.op {
	case opField:
		printPath(b, t.path)
	case opLiteral:
		printLiteral(b, t)
	case opChoose:
		t.printArg(b, 0, atomPrecedence)
		b.WriteString(" ? ")
		t.printArg(b, 1, atomPrecedence)
		b.WriteString(" : ")
		t.printArg(b, 2, atomPrecedence)
	case "not":
		b.WriteString("not ")
		t.printArg(b, 0, atomPrecedence)
	case opNegate:
		b.WriteString("-")
		t.printArg(b, 0, atomPrecedence)
	case "in":
		t.printArg(b, 0, precedences["in"]+1)
		b.WriteString(" in [")
		printList(b, t.args[1:])
		b.WriteString("]")
	default:
		if _, ok := precedences[t.op]; !ok {
			b.WriteString(t.op + "(")
			printList(b, t.args)
			b.WriteString(")")
			return
		}
		t.printOperator(b)
	}
}

func printList(b *strings.Builder, terms []*term) {
	for i, t := range terms {
		if i > 0 {
			b.WriteString(", ")
		}
		t.print(b)
	}
}

func (t *term) printOperator(b *strings.Builder) {
	inner := precedences[t.op] + 1
	if t.op == "and" || t.op == "or" {
		inner = precedences["=="] // one within the other is bracketed, for people
	}
	for i := range t.args {
		if i > 0 {
			b.WriteString(" " + t.op + " ")
		}
		t.printArg(b, i, inner)
	}
}

// printArg prints an argument, in parentheses when it binds less tightly than wanted. A `??` always has them, because
// the parser refuses to see it beside another operator.
func (t *term) printArg(b *strings.Builder, i, wanted int) {
	arg := t.args[i]
	if arg.precedence() < wanted || arg.op == "??" {
		b.WriteString("(")
		arg.print(b)
		b.WriteString(")")
		return
	}
	arg.print(b)
}

func printPath(b *strings.Builder, path event.Path) {
	for i, name := range path {
		switch {
		case i == 0:
			b.WriteString(name)
		case utils.IsValidIdentifier(name):
			b.WriteString("." + name)
		default:
			b.WriteString("[" + strconv.Quote(name) + "]")
		}
	}
}

func printLiteral(b *strings.Builder, t *term) {
	switch t.literal.Kind {
	case event.Null:
		b.WriteString("nil")
	case event.String:
		b.WriteString(strconv.Quote(string(t.literal.Bytes())))
	case event.Float:
		text := strconv.FormatFloat(t.literal.Float(), 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0" // or it would read back as an integer
		}
		b.WriteString(text)
	default:
		b.Write(t.literal.AppendText(nil))
	}
}

// values is how many values the term can have, null included; 0: any number.
func (t *term) values() int {
	switch {
	case t.kind == boolKind:
		return 3
	case len(t.symbols) > 0:
		return len(t.symbols) + 1
	default:
		return 0
	}
}

// walk calls f for the term and everything within it.
func (t *term) walk(f func(*term)) {
	f(t)
	for _, a := range t.args {
		a.walk(f)
	}
}

// pathText is how a path is written and named.
func pathText(path event.Path) string {
	var b strings.Builder
	printPath(&b, path)
	return b.String()
}

// flatten makes one n-ary term of nested ones with the same operator: `a and b and c` however it was bracketed.
func flatten(op string, args ...*term) []*term {
	var flat []*term
	for _, a := range args {
		if a.op == op {
			flat = append(flat, a.args...)
		} else {
			flat = append(flat, a)
		}
	}
	return slices.Clip(flat)
}
