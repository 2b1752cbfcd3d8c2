package definition

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// predicate says whether a row passes.
type predicate func(row []event.Value) bool

// slotOf finds the slots of paths and of derived terms. Its owner has given every path of the terms below a slot.
type slotOf map[string]int

// predicate compiles a boolean term. The shapes that filters usually have get closures of their own: a field against a
// literal reads one slot and calls nothing.
func (s slotOf) predicate(t *term) predicate {
	switch t.op {
	case "not":
		inner := s.predicate(t.args[0])
		return func(row []event.Value) bool { return !inner(row) }
	case "and":
		return s.all(t.args)
	case "or":
		return s.any(t.args)
	case "==", "!=", "<", "<=", ">", ">=":
		return s.comparison(t)
	case "in":
		return s.in(t)
	case "contains", "startsWith", "endsWith", "matches":
		return s.textTest(t)
	case opChoose:
		cond, then, otherwise := s.predicate(t.args[0]), s.predicate(t.args[1]), s.predicate(t.args[2])
		return func(row []event.Value) bool {
			if cond(row) {
				return then(row)
			}
			return otherwise(row)
		}
	case opLiteral:
		pass := t.literal.Kind == event.Bool && t.literal.Bool()
		return func([]event.Value) bool { return pass }
	default:
		value := s.value(t)
		return func(row []event.Value) bool {
			v := value(row)
			return v.Kind == event.Bool && v.Bool()
		}
	}
}

func (s slotOf) all(args []*term) predicate {
	tests := s.predicates(args)
	if len(tests) == 2 {
		a, b := tests[0], tests[1]
		return func(row []event.Value) bool { return a(row) && b(row) }
	}
	return func(row []event.Value) bool {
		for _, test := range tests {
			if !test(row) {
				return false
			}
		}
		return true
	}
}

func (s slotOf) any(args []*term) predicate {
	tests := s.predicates(args)
	if len(tests) == 2 {
		a, b := tests[0], tests[1]
		return func(row []event.Value) bool { return a(row) || b(row) }
	}
	return func(row []event.Value) bool {
		for _, test := range tests {
			if test(row) {
				return true
			}
		}
		return false
	}
}

func (s slotOf) predicates(args []*term) []predicate {
	tests := make([]predicate, len(args))
	for i, a := range args {
		tests[i] = s.predicate(a)
	}
	return tests
}

func (s slotOf) comparison(t *term) predicate {
	left, right := t.args[0], t.args[1]
	switch {
	case right.isNil():
		return s.nilTest(left, t.op == "==")
	case left.isNil():
		return s.nilTest(right, t.op == "==")
	case left.op == opField && right.op == opLiteral && right.kind == textKind && (t.op == "==" || t.op == "!="):
		return s.textEquality(left, string(right.literal.Bytes()), t.op == "==")
	case left.op == opField && right.op == opLiteral && right.kind.number():
		slot, literal, holds := s[left.String()], right.literal, holdsFor(t.op)
		return func(row []event.Value) bool {
			c, ok := compare(&row[slot], &literal)
			return ok && holds[c+1]
		}
	}
	a, b, holds := s.value(left), s.value(right), holdsFor(t.op)
	return func(row []event.Value) bool {
		x, y := a(row), b(row)
		c, ok := compare(&x, &y)
		return ok && holds[c+1]
	}
}

// isNilTest reports whether a term asks whether a field is null, and nothing else.
func isNilTest(t *term) bool {
	if t.op != "==" && t.op != "!=" {
		return false
	}
	left, right := t.args[0], t.args[1]
	return left.op == opField && right.isNil() || left.isNil() && right.op == opField
}

func (s slotOf) nilTest(t *term, want bool) predicate {
	if t.op == opField {
		slot := s[t.String()]
		return func(row []event.Value) bool { return row[slot].IsNull() == want }
	}
	value := s.value(t)
	return func(row []event.Value) bool {
		v := value(row)
		return v.IsNull() == want
	}
}

func (s slotOf) textEquality(field *term, literal string, want bool) predicate {
	slot := s[field.String()]
	if want {
		return func(row []event.Value) bool {
			v := &row[slot]
			return v.Kind == event.String && string(v.Bytes()) == literal
		}
	}
	return func(row []event.Value) bool {
		v := &row[slot]
		return v.Kind == event.String && string(v.Bytes()) != literal
	}
}

// holdsFor says for which results of compare, less, equal and greater, a comparison is true.
func holdsFor(op string) [3]bool {
	switch op {
	case "==":
		return [3]bool{false, true, false}
	case "!=":
		return [3]bool{true, false, true}
	case "<":
		return [3]bool{true, false, false}
	case "<=":
		return [3]bool{true, true, false}
	case ">":
		return [3]bool{false, false, true}
	case ">=":
		return [3]bool{false, true, true}
	default:
		panic("BUG: no comparison: " + op)
	}
}

// compare orders two values; ok is false when either is null or NaN, or when their kinds have no order.
func compare(a, b *event.Value) (c int, ok bool) {
	switch {
	case a.Kind == event.Int && b.Kind == event.Int:
		return order(a.Int(), b.Int()), true
	case a.Kind == event.String && b.Kind == event.String:
		return bytes.Compare(a.Bytes(), b.Bytes()), true
	case a.Kind == event.Bool && b.Kind == event.Bool:
		if a.Bool() == b.Bool() {
			return 0, true
		}
		return 1, true
	}
	x, okX := a.Number()
	y, okY := b.Number()
	if !okX || !okY || x != x || y != y {
		return 0, false
	}
	return order(x, y), true
}

func order[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// A list of more texts than this is looked up by hash.
const shortList = 8

func (s slotOf) in(t *term) predicate {
	value, list := s.value(t.args[0]), t.args[1:]
	if t.args[0].kind == textKind {
		return textIn(value, list)
	}
	literals := make([]event.Value, len(list))
	for i, e := range list {
		literals[i] = e.literal
	}
	return func(row []event.Value) bool {
		v := value(row)
		return slices.ContainsFunc(literals, func(l event.Value) bool {
			c, ok := compare(&v, &l)
			return ok && c == 0
		})
	}
}

func textIn(value computation, list []*term) predicate {
	texts := make([]string, len(list))
	set := make(map[string]struct{}, len(list))
	for i, e := range list {
		texts[i] = string(e.literal.Bytes())
		set[texts[i]] = struct{}{}
	}
	if len(list) > shortList {
		return func(row []event.Value) bool {
			v := value(row)
			_, ok := set[string(v.Bytes())]
			return ok && v.Kind == event.String
		}
	}
	return func(row []event.Value) bool {
		v := value(row)
		if v.Kind != event.String {
			return false
		}
		for _, text := range texts {
			if string(v.Bytes()) == text {
				return true
			}
		}
		return false
	}
}

func (s slotOf) textTest(t *term) predicate {
	value := s.value(t.args[0])
	if t.op == "matches" {
		pattern := regexp.MustCompile(string(t.args[1].literal.Bytes()))
		return func(row []event.Value) bool {
			v := value(row)
			return v.Kind == event.String && pattern.Match(v.Bytes())
		}
	}
	test := map[string]func(s, sub []byte) bool{"contains": bytes.Contains, "startsWith": bytes.HasPrefix, "endsWith": bytes.HasSuffix}[t.op]
	if right := t.args[1]; right.op == opLiteral {
		literal := right.literal.Bytes()
		return func(row []event.Value) bool {
			v := value(row)
			return v.Kind == event.String && test(v.Bytes(), literal)
		}
	}
	other := s.value(t.args[1])
	return func(row []event.Value) bool {
		v, o := value(row), other(row)
		return v.Kind == event.String && o.Kind == event.String && test(v.Bytes(), o.Bytes())
	}
}
