package definition

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// sizeName is what a formula calls the length of its range, in seconds.
const sizeName = "size"

var formulaFunctions = map[string]function{
	"abs":   {1, floatKind, floatKind},
	"ceil":  {1, floatKind, floatKind},
	"floor": {1, floatKind, floatKind},
	"round": {1, floatKind, floatKind},
	"min":   {2, floatKind, floatKind},
	"max":   {2, floatKind, floatKind},
}

// formulaScope is what the formula of a metric with these aggregates sees.
func formulaScope(aggregates []aggregateSpec) *scope {
	fields := map[string]field{sizeName: {kind: floatKind}}
	for _, a := range aggregates {
		fields[a.name] = field{kind: floatKind}
	}
	return &scope{fields: fields, noun: "aggregate of this metric", formula: true}
}

// one returns the formula of a metric whose value is one of its aggregates.
func one(i int) Formula {
	return func(aggregates []Number, _ float64) Number { return aggregates[i] }
}

// compileFormula compiles a checked formula for expr's machine. Every operator that the machine would let fail on nil
// is exchanged for a function that gives nil, so that the machine never fails.
func compileFormula(t *term, names []string) (Formula, error) {
	if i := slices.Index(names, t.String()); i >= 0 {
		return one(i), nil
	}
	run, err := compileComputation(t, names)
	if err != nil {
		return nil, err
	}
	return func(aggregates []Number, size float64) Number { return number(run(aggregates, size)) }, nil
}

// compileComputation compiles a checked term over some numbers by name, and size.
func compileComputation(t *term, names []string) (func(numbers []Number, size float64) any, error) {
	options := []expr.Option{expr.Patch(nullSafe{})}
	for name, f := range nullSafeFunctions {
		options = append(options, expr.Function(name, f))
	}
	env := types.Map{sizeName: types.Any}
	for _, name := range names {
		env[name] = types.Any
	}
	program, err := expr.Compile(t.String(), append(options, expr.Env(env))...)
	if err != nil {
		return nil, fmt.Errorf("compile formula: %w", err)
	}
	machines := sync.Pool{New: func() any { return &machine{env: make(map[string]any, len(names)+1)} }}
	return func(numbers []Number, size float64) any {
		m := machines.Get().(*machine)
		defer machines.Put(m)
		m.env[sizeName] = size
		for i, name := range names {
			m.env[name] = nil
			if numbers[i].Valid {
				m.env[name] = numbers[i].Float
			}
		}
		result, err := m.vm.Run(program, m.env)
		if err != nil {
			panic("BUG: formula " + t.String() + ": " + err.Error())
		}
		return result
	}, nil
}

// machine runs one formula at a time.
type machine struct {
	vm  vm.VM
	env map[string]any
}

// nullSafe exchanges operators and functions for those of nullSafeFunctions.
type nullSafe struct{}

// Visit is called for arguments before what they are arguments of.
func (nullSafe) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		switch {
		case n.Operator == "and" || n.Operator == "or":
			n.Left, n.Right = condition(n.Left), condition(n.Right)
		case n.Operator != "??" && !isNil(n.Left) && !isNil(n.Right):
			patch(node, n.Operator, n.Left, n.Right)
		}
	case *ast.UnaryNode:
		if n.Operator == "-" {
			patch(node, "-", &ast.IntegerNode{Value: 0}, n.Node)
		} else {
			n.Node = condition(n.Node)
		}
	case *ast.ConditionalNode:
		n.Cond = condition(n.Cond)
	case *ast.BuiltinNode:
		patch(node, n.Name, n.Arguments...)
	}
}

// condition makes a node that may be nil one that is true or false.
func condition(n ast.Node) ast.Node {
	patch(&n, "true", n)
	return n
}

func isNil(n ast.Node) bool {
	_, ok := n.(*ast.NilNode)
	return ok
}

func patch(node *ast.Node, name string, arguments ...ast.Node) {
	ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: "null " + name}, Arguments: arguments})
}

// nullSafeFunctions have names that no formula can spell.
var nullSafeFunctions = map[string]func(...any) (any, error){
	"null +":     arithmetical(func(a, b float64) float64 { return a + b }),
	"null -":     arithmetical(func(a, b float64) float64 { return a - b }),
	"null *":     arithmetical(func(a, b float64) float64 { return a * b }),
	"null /":     arithmetical(func(a, b float64) float64 { return a / b }),
	"null %":     arithmetical(math.Mod),
	"null **":    arithmetical(math.Pow),
	"null min":   arithmetical(math.Min),
	"null max":   arithmetical(math.Max),
	"null abs":   unary(math.Abs),
	"null ceil":  unary(math.Ceil),
	"null floor": unary(math.Floor),
	"null round": unary(math.Round),
	"null ==":    comparing(func(a, b float64) bool { return a == b }),
	"null !=":    comparing(func(a, b float64) bool { return a != b }),
	"null <":     comparing(func(a, b float64) bool { return a < b }),
	"null <=":    comparing(func(a, b float64) bool { return a <= b }),
	"null >":     comparing(func(a, b float64) bool { return a > b }),
	"null >=":    comparing(func(a, b float64) bool { return a >= b }),
	"null true":  func(arguments ...any) (any, error) { return arguments[0] == true, nil },
}

func arithmetical(f func(a, b float64) float64) func(...any) (any, error) {
	return func(arguments ...any) (any, error) {
		a, b := number(arguments[0]), number(arguments[1])
		if !a.Valid || !b.Valid {
			return nil, nil
		}
		return finite(f(a.Float, b.Float)), nil
	}
}

func unary(f func(float64) float64) func(...any) (any, error) {
	return func(arguments ...any) (any, error) {
		a := number(arguments[0])
		if !a.Valid {
			return nil, nil
		}
		return finite(f(a.Float)), nil
	}
}

func comparing(f func(a, b float64) bool) func(...any) (any, error) {
	return func(arguments ...any) (any, error) {
		x, left := arguments[0].(bool)
		y, right := arguments[1].(bool)
		if left && right {
			// Booleans have only == and !=, which the checker has made sure of.
			return f(0, map[bool]float64{true: 0, false: 1}[x == y]), nil
		}
		if left || right {
			return false, nil // the other one is nil
		}
		a, b := number(arguments[0]), number(arguments[1])
		return a.Valid && b.Valid && f(a.Float, b.Float), nil
	}
}

// finite is x, or nil where x is not a number that can be shown: after a division by zero, say.
func finite(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}

// number is what the machine computed as a Number.
func number(x any) Number {
	switch x := x.(type) {
	case float64:
		return Number{Float: x, Valid: !math.IsNaN(x) && !math.IsInf(x, 0)}
	case int:
		return Number{Float: float64(x), Valid: true}
	case nil:
		return Number{}
	default:
		panic(fmt.Sprintf("BUG: a formula made a %T", x))
	}
}
