package definition

import (
	"bytes"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/tidemark/tidemark/processing/event"
)

// computation computes a value from a row.
type computation func(row []event.Value) event.Value

var null = event.Value{}

// value compiles a term of any kind.
func (s slotOf) value(t *term) computation {
	switch t.op {
	case opField:
		slot, ok := s[t.String()]
		if !ok {
			panic("BUG: no slot for " + t.String())
		}
		return func(row []event.Value) event.Value { return row[slot] }
	case opLiteral:
		literal := t.literal
		return func([]event.Value) event.Value { return literal }
	case "??":
		return s.coalesce(t)
	case opNegate:
		inner := s.value(t.args[0])
		return func(row []event.Value) event.Value {
			zero, v := event.IntValue(0), inner(row)
			return minus.apply(&zero, &v)
		}
	case "+", "-", "*", "/", "%", "**":
		op, a, b := operations[t.op], s.value(t.args[0]), s.value(t.args[1])
		return func(row []event.Value) event.Value {
			x, y := a(row), b(row)
			return op.apply(&x, &y)
		}
	case "len", "lower", "upper":
		return s.textFunction(t)
	case opChoose:
		cond, then, otherwise := s.predicate(t.args[0]), s.value(t.args[1]), s.value(t.args[2])
		return func(row []event.Value) event.Value {
			if cond(row) {
				return then(row)
			}
			return otherwise(row)
		}
	}
	if t.kind != boolKind {
		panic("BUG: no way to compute " + t.String())
	}
	test := s.predicate(t)
	return func(row []event.Value) event.Value { return event.BoolValue(test(row)) }
}

// either returns the slots of a term that is one field or else another one.
func (s slotOf) either(t *term) *[2]int {
	if t.op != "??" || len(t.args) != 2 || t.args[0].op != opField || t.args[1].op != opField {
		return nil
	}
	return &[2]int{s[t.args[0].String()], s[t.args[1].String()]}
}

func (s slotOf) coalesce(t *term) computation {
	if fields := s.either(t); fields != nil {
		a, b := fields[0], fields[1]
		return func(row []event.Value) event.Value {
			if row[a].Kind != event.Null {
				return row[a]
			}
			return row[b]
		}
	}
	values := make([]computation, len(t.args))
	for i, a := range t.args {
		values[i] = s.value(a)
	}
	return func(row []event.Value) event.Value {
		for _, value := range values {
			if v := value(row); v.Kind != event.Null {
				return v
			}
		}
		return null
	}
}

func (s slotOf) textFunction(t *term) computation {
	inner := s.value(t.args[0])
	var f func(b []byte) event.Value
	switch t.op {
	case "len":
		f = func(b []byte) event.Value { return event.IntValue(int64(utf8.RuneCount(b))) }
	case "lower":
		f = func(b []byte) event.Value { return event.StringValue(bytes.ToLower(b)) }
	case "upper":
		f = func(b []byte) event.Value { return event.StringValue(bytes.ToUpper(b)) }
	}
	return func(row []event.Value) event.Value {
		v := inner(row)
		if v.Kind != event.String {
			return null
		}
		return f(v.Bytes())
	}
}

// operation is an arithmetic operator. It is exact for integers where whole is given, and null where an integer or a
// double can't hold the result.
type operation struct {
	whole func(a, b int64) (int64, bool)
	float func(a, b float64) float64
}

var minus = operation{subtract, func(a, b float64) float64 { return a - b }}

var operations = map[string]operation{
	"+":  {add, func(a, b float64) float64 { return a + b }},
	"-":  minus,
	"*":  {multiply, func(a, b float64) float64 { return a * b }},
	"/":  {nil, func(a, b float64) float64 { return a / b }},
	"%":  {remainder, math.Mod},
	"**": {nil, math.Pow},
}

func (o operation) apply(a, b *event.Value) event.Value {
	if o.whole != nil && a.Kind == event.Int && b.Kind == event.Int {
		if r, ok := o.whole(a.Int(), b.Int()); ok {
			return event.IntValue(r)
		}
		return null
	}
	x, okX := a.Number()
	y, okY := b.Number()
	if !okX || !okY {
		return null
	}
	r := o.float(x, y)
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return null
	}
	return event.FloatValue(r)
}

// add and its like report false when the result overflows or does not exist.
func add(a, b int64) (int64, bool) {
	r := a + b
	return r, (r > a) == (b > 0)
}

func subtract(a, b int64) (int64, bool) {
	r := a - b
	return r, (r < a) == (b > 0)
}

func remainder(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	return a % b, true
}

func multiply(a, b int64) (int64, bool) {
	negative := (a < 0) != (b < 0)
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	switch {
	case high != 0 || low > 1<<63 || low == 1<<63 && !negative:
		return 0, false
	case negative:
		return -int64(low), true
	default:
		return int64(low), true
	}
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
