package reference

import (
	"cmp"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// fields are what the names in an expression mean. A value is nil (null), a bool, an int64, a float64, a string, or, on
// the way to one, fields.
type fields = map[string]any

// evaluator evaluates expressions as they are written, with null as the reference says.
type evaluator struct {
	lets    map[string]ast.Node
	formula bool // whole numbers are floats
}

func (e evaluator) value(n ast.Node, of fields) any {
	switch n := n.(type) {
	case *ast.NilNode:
		return nil
	case *ast.BoolNode:
		return n.Value
	case *ast.IntegerNode:
		if e.formula {
			return float64(n.Value)
		}
		return int64(n.Value)
	case *ast.FloatNode:
		return n.Value
	case *ast.StringNode:
		return n.Value
	case *ast.ChainNode:
		return e.value(n.Node, of)
	case *ast.IdentifierNode:
		if let := e.lets[n.Value]; let != nil {
			return e.value(let, of)
		}
		return of[n.Value]
	case *ast.MemberNode:
		inner, _ := e.value(n.Node, of).(fields)
		return inner[n.Property.(*ast.StringNode).Value]
	case *ast.UnaryNode:
		return e.unary(n, of)
	case *ast.BinaryNode:
		return e.binary(n, of)
	case *ast.ConditionalNode:
		if e.holds(n.Cond, of) {
			return e.value(n.Exp1, of)
		}
		return e.value(n.Exp2, of)
	case *ast.BuiltinNode:
		return e.call(n.Name, n.Arguments, of)
	case *ast.CallNode:
		return e.call(n.Callee.(*ast.IdentifierNode).Value, n.Arguments, of)
	}
	panic("what is " + n.String())
}

// holds evaluates a condition: null is false.
func (e evaluator) holds(n ast.Node, of fields) bool { return e.value(n, of) == true }

func (e evaluator) unary(n *ast.UnaryNode, of fields) any {
	switch n.Operator {
	case "!", "not":
		return !e.holds(n.Node, of)
	case "-":
		return arithmetic("-", int64(0), e.value(n.Node, of))
	default:
		return e.value(n.Node, of)
	}
}

func (e evaluator) binary(n *ast.BinaryNode, of fields) any {
	switch n.Operator {
	case "and", "&&":
		return e.holds(n.Left, of) && e.holds(n.Right, of)
	case "or", "||":
		return e.holds(n.Left, of) || e.holds(n.Right, of)
	case "in":
		left := e.value(n.Left, of)
		return slices.ContainsFunc(n.Right.(*ast.ArrayNode).Nodes, func(element ast.Node) bool {
			return compare("==", left, e.value(element, of))
		})
	}
	left, right := e.value(n.Left, of), e.value(n.Right, of)
	_, nilLeft := n.Left.(*ast.NilNode)
	_, nilRight := n.Right.(*ast.NilNode)
	switch {
	case n.Operator == "??" && left != nil:
		return left
	case n.Operator == "??":
		return right
	case (nilLeft || nilRight) && n.Operator == "==":
		return left == right
	case (nilLeft || nilRight) && n.Operator == "!=":
		return left != right
	}
	switch n.Operator {
	case "==", "!=", "<", "<=", ">", ">=":
		return compare(n.Operator, left, right)
	case "contains", "startsWith", "endsWith", "matches":
		s, ok1 := left.(string)
		sub, ok2 := right.(string)
		return ok1 && ok2 && textTests[n.Operator](s, sub)
	default:
		return arithmetic(n.Operator, left, right)
	}
}

var textTests = map[string]func(s, sub string) bool{
	"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
	"matches": func(s, pattern string) bool { return regexp.MustCompile(pattern).MatchString(s) },
}

// compare is false where a side is null.
func compare(op string, a, b any) bool {
	var c int
	switch a := a.(type) {
	case nil:
		return false
	case bool:
		b, ok := b.(bool)
		if !ok {
			return false
		}
		return (a == b) == (op == "==")
	case string:
		b, ok := b.(string)
		if !ok {
			return false
		}
		c = cmp.Compare(a, b)
	default:
		x, y := rational(a), rational(b)
		if x == nil || y == nil {
			return false
		}
		c = x.Cmp(y)
	}
	return map[string]bool{"==": c == 0, "!=": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op]
}

// rational is the exact value of a number, nil of anything else.
func rational(v any) *big.Rat {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v)
	case float64:
		return new(big.Rat).SetFloat64(v)
	default:
		return nil
	}
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	default:
		return 0, false
	}
}

// arithmetic of whole numbers is exact, or null where 64 bits can't hold it; division and powers are of floats.
func arithmetic(op string, a, b any) any {
	m, whole1 := a.(int64)
	n, whole2 := b.(int64)
	if whole1 && whole2 && op != "/" && op != "**" && op != "^" {
		x, y, r := big.NewInt(m), big.NewInt(n), new(big.Int)
		switch op {
		case "+":
			r.Add(x, y)
		case "-":
			r.Sub(x, y)
		case "*":
			r.Mul(x, y)
		case "%":
			if n == 0 {
				return nil
			}
			r.Rem(x, y)
		}
		if !r.IsInt64() {
			return nil
		}
		return r.Int64()
	}
	x, ok1 := float(a)
	y, ok2 := float(b)
	if !ok1 || !ok2 {
		return nil
	}
	return finite(map[string]func(x, y float64) float64{
		"+": func(x, y float64) float64 { return x + y }, "-": func(x, y float64) float64 { return x - y },
		"*": func(x, y float64) float64 { return x * y }, "/": func(x, y float64) float64 { return x / y },
		"%": math.Mod, "**": math.Pow, "^": math.Pow,
	}[op](x, y))
}

func finite(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}

func (e evaluator) call(name string, arguments []ast.Node, of fields) any {
	if s, ok := e.value(arguments[0], of).(string); ok {
		switch name {
		case "len":
			return int64(len([]rune(s)))
		case "lower":
			return strings.ToLower(s)
		case "upper":
			return strings.ToUpper(s)
		}
	}
	x, ok := float(e.value(arguments[0], of))
	if !ok {
		return nil
	}
	switch name {
	case "abs":
		return finite(math.Abs(x))
	case "ceil":
		return finite(math.Ceil(x))
	case "floor":
		return finite(math.Floor(x))
	case "round":
		return finite(math.Round(x))
	}
	y, ok := float(e.value(arguments[1], of))
	switch {
	case !ok:
		return nil
	case name == "min":
		return min(x, y)
	case name == "max":
		return max(x, y)
	}
	panic("no function is called " + name)
}
