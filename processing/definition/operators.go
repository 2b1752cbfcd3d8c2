package definition

import (
	"regexp"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/tidemark/tidemark/processing/event"
)

// spellings unifies the operators that have two.
var spellings = map[string]string{"&&": "and", "||": "or", "!": "not", "^": "**"}

func (c *checker) unary(n *ast.UnaryNode) *term {
	arg := c.term(n.Node)
	if arg.bad() {
		return badTerm
	}
	at := n.Location().From
	switch n.Operator {
	case "!", "not":
		if arg.kind != boolKind {
			return c.fault(at, "not takes a boolean, but this is a %s", describeTerm(arg))
		}
		return &term{op: "not", kind: boolKind, args: []*term{arg}}
	default:
		if !arg.kind.number() {
			return c.fault(at, "%s takes a number, but this is a %s", n.Operator, describeTerm(arg))
		}
		if n.Operator == "+" {
			return arg
		}
		return negate(arg)
	}
}

func negate(arg *term) *term {
	if arg.op != opLiteral {
		return &term{op: opNegate, kind: arg.kind, args: []*term{arg}}
	}
	if arg.literal.Kind == event.Int {
		return &term{op: opLiteral, kind: intKind, literal: event.IntValue(-arg.literal.Int())}
	}
	return &term{op: opLiteral, kind: floatKind, literal: event.FloatValue(-arg.literal.Float())}
}

func (c *checker) binary(n *ast.BinaryNode) *term {
	op := n.Operator
	if s, ok := spellings[op]; ok {
		op = s
	}
	if op == "in" {
		return c.in(n)
	}
	left, right := c.term(n.Left), c.term(n.Right)
	if left.bad() || right.bad() {
		return badTerm
	}
	at := n.Location().From
	switch op {
	case "and", "or":
		if left.kind != boolKind || right.kind != boolKind {
			return c.fault(at, "%s takes booleans, but has a %s and a %s", op, describeTerm(left), describeTerm(right))
		}
		return &term{op: op, kind: boolKind, args: flatten(op, left, right)}
	case "==", "!=", "<", "<=", ">", ">=":
		return c.comparison(op, at, left, right)
	case "contains", "startsWith", "endsWith", "matches":
		return c.textTest(op, at, left, right)
	case "+", "-", "*", "/", "%", "**":
		return c.arithmetic(op, at, left, right)
	case "??":
		return c.coalesce(at, left, right)
	default:
		return c.fault(at, "the operator %s has no meaning here", n.Operator)
	}
}

// mirrored is the comparison with its sides exchanged.
var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (c *checker) comparison(op string, at int, left, right *term) *term {
	if left.op == opLiteral && right.op != opLiteral {
		op, left, right = mirrored[op], right, left
	}
	equality := op == "==" || op == "!="
	t := &term{op: op, kind: boolKind, args: []*term{left, right}}
	switch {
	case left.isNil() || right.isNil():
		if !equality {
			return c.fault(at, "nothing is less or greater than nil: use == or !=")
		}
	case left.kind.number() && right.kind.number():
	case left.kind != right.kind:
		return c.fault(at, "a %s can't be compared with a %s", describeTerm(left), describeTerm(right))
	case left.kind == boolKind && !equality:
		return c.fault(at, "booleans have no order: use == or !=")
	case !c.symbol(at, left, right) || !c.symbol(at, right, left):
		return badTerm
	}
	return t
}

// symbol checks a text literal that is compared with an enum.
func (c *checker) symbol(at int, enum, literal *term) bool {
	if len(enum.symbols) == 0 || literal.op != opLiteral {
		return true
	}
	text := string(literal.literal.Bytes())
	if slices.Contains(enum.symbols, text) {
		return true
	}
	c.fault(at, "%s is never %q%s", enum, text, hint(text, enum.symbols))
	return false
}

func (c *checker) textTest(op string, at int, left, right *term) *term {
	if c.scope.formula {
		return c.fault(at, "a formula knows numbers only, not %s", op)
	}
	if left.kind != textKind || right.kind != textKind {
		return c.fault(at, "%s takes text, but has a %s and a %s", op, describeTerm(left), describeTerm(right))
	}
	if op == "matches" {
		if right.op != opLiteral {
			return c.fault(at, "matches takes a regular expression in quotes")
		}
		if _, err := regexp.Compile(string(right.literal.Bytes())); err != nil {
			return c.fault(at, "%s", err)
		}
	}
	return &term{op: op, kind: boolKind, args: []*term{left, right}}
}

func (c *checker) arithmetic(op string, at int, left, right *term) *term {
	if !left.kind.number() || !right.kind.number() {
		return c.fault(at, "%s takes numbers, but has a %s and a %s", op, describeTerm(left), describeTerm(right))
	}
	whole := left.kind == intKind && right.kind == intKind
	result := floatKind
	switch {
	case op == "%" && !whole && !c.scope.formula:
		return c.fault(at, "%% takes whole numbers")
	case whole && op != "/" && op != "**":
		result = intKind
	}
	return &term{op: op, kind: result, args: []*term{left, right}}
}

func (c *checker) coalesce(at int, left, right *term) *term {
	k, ok := commonKind(left, right)
	if !ok {
		return c.fault(at, "?? takes two of one kind, but has a %s and a %s", describeTerm(left), describeTerm(right))
	}
	return &term{op: "??", kind: k, symbols: commonSymbols(left, right), args: flatten("??", left, right)}
}

func (c *checker) choose(n *ast.ConditionalNode) *term {
	cond, then, otherwise := c.term(n.Cond), c.term(n.Exp1), c.term(n.Exp2)
	if cond.bad() || then.bad() || otherwise.bad() {
		return badTerm
	}
	if cond.kind != boolKind {
		return c.fault(n.Cond.Location().From, "the condition is a %s, not a boolean", describeTerm(cond))
	}
	k, ok := commonKind(then, otherwise)
	if !ok {
		return c.fault(n.Exp1.Location().From, "both results must be of one kind, but are a %s and a %s", describeTerm(then), describeTerm(otherwise))
	}
	return &term{op: opChoose, kind: k, symbols: commonSymbols(then, otherwise), args: []*term{cond, then, otherwise}}
}

// commonKind is the kind of what is either a or b; nil fits all.
func commonKind(a, b *term) (kind, bool) {
	switch {
	case a.isNil():
		return b.kind, true
	case b.isNil(), a.kind == b.kind:
		return a.kind, true
	case a.kind.number() && b.kind.number():
		return floatKind, true
	default:
		return badKind, false
	}
}

// commonSymbols are the symbols of what is either a or b, if both have any: a text may be anything.
func commonSymbols(a, b *term) []string {
	switch {
	case a.isNil():
		return b.symbols
	case b.isNil():
		return a.symbols
	case len(a.symbols) == 0 || len(b.symbols) == 0:
		return nil
	}
	all := append(slices.Clone(a.symbols), b.symbols...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (c *checker) in(n *ast.BinaryNode) *term {
	at := n.Location().From
	if c.scope.formula {
		return c.fault(at, "a formula knows no lists: use == and or")
	}
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return c.fault(at, "in takes a list in brackets")
	}
	left := c.term(n.Left)
	if left.bad() {
		return badTerm
	}
	t := &term{op: "in", kind: boolKind, args: []*term{left}}
	for _, element := range list.Nodes {
		e := c.term(element)
		where := element.Location().From
		switch {
		case e.bad():
			t.kind = badKind
		case e.op != opLiteral || e.isNil():
			t.kind = c.fault(where, "a list holds literals only").kind
		case e.kind != left.kind && !(e.kind.number() && left.kind.number()):
			t.kind = c.fault(where, "a %s can't be compared with a %s", describeTerm(left), describeTerm(e)).kind
		case !c.symbol(where, left, e):
			t.kind = badKind
		}
		t.args = append(t.args, e)
	}
	return t
}
