package definition

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

// The oracle evaluates the text of an expression with expr's own machine on nested maps, every operator exchanged for
// a slow function that says what the documentation says. It shares no code with the checker or the closures.

const oracleSchema = `{"type": "record", "name": "E", "fields": [
	{"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A", "B", "C"]}},
	{"name": "t", "type": "string"},
	{"name": "u", "type": ["null", "string"]},
	{"name": "n", "type": "long"},
	{"name": "m", "type": ["null", "int"]},
	{"name": "x", "type": ["null", "double"]},
	{"name": "f", "type": ["null", "boolean"]},
	{"name": "tags", "type": ["null", {"type": "map", "values": "string"}]},
	{"name": "inner", "type": ["null", {"type": "record", "name": "I", "fields": [
		{"name": "t", "type": ["null", "string"]}, {"name": "n", "type": "int"}]}]}
]}`

var oracleEvents = &eventSchema{text: oracleSchema, known: map[string]lookup{}}

// oracle evaluates an expression on an event.
func oracle(t *rapid.T, text string, env map[string]any) any {
	options := []expr.Option{expr.Patch(oraclePatch{}), expr.Function("op", oracleOp), expr.DisableAllBuiltins(), expr.Optimize(false)}
	for _, name := range []string{"len", "lower", "upper"} {
		options = append(options, expr.Function(name, func(args ...any) (any, error) { return oracleOp(append([]any{name}, args...)...) }))
	}
	program, err := expr.Compile(text, append(options, expr.AllowUndefinedVariables())...)
	if err != nil {
		t.Fatalf("oracle can't compile %s: %v", text, err)
	}
	result, err := expr.Run(program, env)
	if err != nil {
		t.Fatalf("oracle can't run %s: %v", text, err)
	}
	return result
}

type oraclePatch struct{}

func (oraclePatch) Visit(node *ast.Node) {
	call := func(name string, args ...ast.Node) {
		args = append([]ast.Node{&ast.StringNode{Value: name}}, args...)
		ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: "op"}, Arguments: args})
	}
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		_, left := n.Left.(*ast.NilNode)
		_, right := n.Right.(*ast.NilNode)
		switch {
		case right && (n.Operator == "==" || n.Operator == "!="):
			call(n.Operator+" nil", n.Left)
		case left && (n.Operator == "==" || n.Operator == "!="):
			call(n.Operator+" nil", n.Right)
		default:
			call(n.Operator, n.Left, n.Right)
		}
	case *ast.UnaryNode:
		call("unary "+n.Operator, n.Node)
	case *ast.MemberNode:
		call(".", n.Node, n.Property)
	case *ast.ChainNode:
		*node = n.Node
	case *ast.ConditionalNode:
		call("?:", n.Cond, n.Exp1, n.Exp2)
	}
}

func oracleOp(args ...any) (any, error) {
	name, args := args[0].(string), args[1:]
	a := args[0]
	switch name {
	case "== nil":
		return a == nil, nil
	case "!= nil":
		return a != nil, nil
	case "unary not", "unary !":
		return a != true, nil
	case "?:":
		if a == true {
			return args[1], nil
		}
		return args[2], nil
	case "unary -":
		return oracleArithmetic("-", 0, a), nil
	case "unary +":
		return a, nil
	case "len", "lower", "upper":
		s, ok := a.(string)
		if !ok {
			return nil, nil
		}
		return map[string]func() any{
			"len":   func() any { return len([]rune(s)) },
			"lower": func() any { return strings.ToLower(s) },
			"upper": func() any { return strings.ToUpper(s) },
		}[name](), nil
	}
	b := args[1]
	switch name {
	case ".":
		m, _ := a.(map[string]any)
		return m[b.(string)], nil
	case "and", "&&":
		return a == true && b == true, nil
	case "or", "||":
		return a == true || b == true, nil
	case "??":
		if a != nil {
			return a, nil
		}
		return b, nil
	case "in":
		for _, e := range b.([]any) {
			if oracleCompare("==", a, e) {
				return true, nil
			}
		}
		return false, nil
	case "contains", "startsWith", "endsWith":
		s, ok := a.(string)
		sub, okSub := b.(string)
		tests := map[string]func(s, t string) bool{"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix}
		return ok && okSub && tests[name](s, sub), nil
	case "==", "!=", "<", "<=", ">", ">=":
		return oracleCompare(name, a, b), nil
	default:
		return oracleArithmetic(name, a, b), nil
	}
}

func oracleCompare(op string, a, b any) bool {
	if a == nil || b == nil {
		return false
	}
	if i, ok := a.(int); ok {
		if j, ok := b.(int); ok { // exactly: doubles take great ones for each other
			return ordered(op, i < j, i == j)
		}
	}
	var less, equal bool
	switch a := a.(type) {
	case string:
		less, equal = a < b.(string), a == b.(string)
	case bool:
		equal = a == b.(bool)
	default:
		x, y := oracleFloat(a), oracleFloat(b)
		if math.IsNaN(x) || math.IsNaN(y) {
			return false
		}
		less, equal = x < y, x == y
	}
	return ordered(op, less, equal)
}

func ordered(op string, less, equal bool) bool {
	return map[string]bool{"==": equal, "!=": !equal, "<": less, "<=": less || equal, ">": !less && !equal, ">=": !less}[op]
}

func oracleFloat(a any) float64 {
	switch a := a.(type) {
	case int:
		return float64(a)
	case float64:
		return a
	default:
		panic(fmt.Sprintf("no number: %T", a))
	}
}

func oracleArithmetic(op string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	i, whole := a.(int)
	j, wholeToo := b.(int)
	if whole && wholeToo && strings.Contains("+-*%", op) {
		x, y, r := big.NewInt(int64(i)), big.NewInt(int64(j)), new(big.Int)
		switch op {
		case "+":
			r.Add(x, y)
		case "-":
			r.Sub(x, y)
		case "*":
			r.Mul(x, y)
		case "%":
			if j == 0 {
				return nil
			}
			r.Rem(x, y)
		}
		if !r.IsInt64() {
			return nil
		}
		return int(r.Int64())
	}
	x, y := oracleFloat(a), oracleFloat(b)
	r := map[string]float64{"+": x + y, "-": x - y, "*": x * y, "/": x / y, "**": math.Pow(x, y), "^": math.Pow(x, y)}[op]
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return nil
	}
	return r
}

// drawEvent draws the fields of an event as nested maps; null and absent are the same.
func drawEvent(t *rapid.T) map[string]any {
	texts := rapid.SampledFrom([]string{"", "a", "A", "b", "é", "É", "ab"})
	ints := rapid.OneOf(rapid.IntRange(-3, 4), rapid.SampledFrom([]int{math.MaxInt64, math.MinInt64}))
	floats := rapid.SampledFrom([]float64{0, 1, 2.5, -3, 1e300, math.NaN(), math.Inf(1)})
	some := func(label string) bool { return rapid.Bool().Draw(t, label) }
	e := map[string]any{"kind": rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "kind"), "t": texts.Draw(t, "t"), "n": ints.Draw(t, "n")}
	if some("has u") {
		e["u"] = texts.Draw(t, "u")
	}
	if some("has m") {
		e["m"] = rapid.IntRange(-4, 4).Draw(t, "m")
	}
	if some("has x") {
		e["x"] = floats.Draw(t, "x")
	}
	if some("has f") {
		e["f"] = some("f")
	}
	if some("has tags") {
		e["tags"] = map[string]any{"k": rapid.SampledFrom([]string{"v", "a"}).Draw(t, "k"), "odd key": "A"}
	}
	if some("has inner") {
		inner := map[string]any{"n": rapid.IntRange(0, 2).Draw(t, "inner.n")}
		if some("has inner.t") {
			inner["t"] = texts.Draw(t, "inner.t")
		}
		e["inner"] = inner
	}
	return e
}

// rowOf lays an event out as the decoder does.
func rowOf(e map[string]any, paths []event.Path) []event.Value {
	row := make([]event.Value, len(paths))
	for i, path := range paths {
		var at any = e
		for _, name := range path {
			m, _ := at.(map[string]any)
			at = m[name]
		}
		row[i] = valueOf(at)
	}
	return row
}

func valueOf(x any) event.Value {
	switch x := x.(type) {
	case bool:
		return event.BoolValue(x)
	case int:
		return event.IntValue(int64(x))
	case float64:
		return event.FloatValue(x)
	case string:
		return event.StringValue([]byte(x))
	default:
		return event.Value{}
	}
}

func show(v event.Value) string { return fmt.Sprintf("%d %q", v.Kind, v.AppendText(nil)) }

func TestClosuresAgreeWithTheMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t}
		depth := rapid.IntRange(0, 3).Draw(t, "depth")
		text := w.boolean(depth)
		switch rapid.IntRange(0, 2).Draw(t, "kind of expression") {
		case 1:
			text = w.number(depth)
		case 2:
			text = w.text(depth)
		}
		checked := mustCheck(t, text)
		if again := mustCheck(t, checked.String()); again.String() != checked.String() {
			t.Fatalf("%s\nprints as  %s\nand then as %s", text, checked, again)
		}
		var paths []event.Path
		slots := slotOf{}
		checked.walk(func(x *term) {
			if x.op == opField {
				slots[x.String()] = len(paths)
				paths = append(paths, x.path)
			}
		})
		compute := slots.value(checked)
		var test predicate
		if checked.kind == boolKind {
			test = slots.predicate(checked)
		}
		for range 5 {
			e := drawEvent(t)
			row, want := rowOf(e, paths), oracle(t, text, e)
			if got := compute(row); !sameValue(got, want) {
				t.Fatalf("%s of %v is %s, want %s", text, e, show(got), show(valueOf(want)))
			}
			if test != nil && test(row) != (want == true) {
				t.Fatalf("filter %s of %v passes: %v, want %v", text, e, test(row), want == true)
			}
		}
	})
}

// sameValue lets a whole double pass for an integer: which of them a ternary gives is nobody's business.
func sameValue(got event.Value, want any) bool {
	w := valueOf(want)
	if a, ok := got.Number(); ok {
		b, ok := w.Number()
		return ok && (a == b || a != a && b != b)
	}
	// A condition that is null is false.
	return show(got) == show(w)
}

func mustCheck(t *rapid.T, text string) *term {
	var f faults
	s := &scope{schema: oracleEvents, noun: eventField}
	checked := s.check(&f, expression{text: text, at: spot{file: &source{name: "x"}}})
	if err := f.err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return checked
}
