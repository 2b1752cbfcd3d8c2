package definition

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/tidemark/tidemark/processing/event"
)

const maxExpression = 4096 // bytes

// expression is an expression as it stands in a file.
type expression struct {
	text string
	at   spot
	node nodeText // to find a column inside it
}

// scope says what the names in an expression mean: either paths of an event schema, or fields by name.
type scope struct {
	schema  *eventSchema // nil where fields say it
	fields  map[string]field
	lets    map[string]*let
	noun    string            // of what names mean, for faults: "field of the event schema"
	aliases map[string]string // other names of fields
	missing map[string]string // what to say of names that mean something elsewhere
	formula bool              // numbers only, with the functions of formulas
}

// let is a named expression; terms expand it.
type let struct {
	name  string
	value expression
	term  *term
	open  bool // it is being checked: to meet it again is a cycle
}

// checker turns one expression into a term.
type checker struct {
	scope  *scope
	faults *faults
	source expression
	trail  []string // the lets that are being expanded
}

// check parses and checks an expression. The term is bad when it had faults.
func (s *scope) check(f *faults, e expression) *term {
	c := &checker{scope: s, faults: f, source: e}
	return c.run()
}

// checkKind also wants a kind; want is how a fault names it.
func (s *scope) checkKind(f *faults, e expression, want string, ok func(kind) bool) *term {
	t := s.check(f, e)
	if !t.bad() && !ok(t.kind) {
		f.add(e.at, "want a %s, but this is a %s", want, t.kind)
		return badTerm
	}
	return t
}

func (c *checker) run() *term {
	if strings.TrimSpace(c.source.text) == "" {
		c.faults.add(c.source.at, "the expression is empty")
		return badTerm
	}
	if len(c.source.text) > maxExpression {
		c.faults.add(c.source.at, "the expression is longer than %d bytes", maxExpression)
		return badTerm
	}
	tree, err := parser.Parse(c.source.text)
	if err != nil {
		var at *file.Error
		if errors.As(err, &at) {
			message := strings.Replace(at.Message, "unexpected token EOF", "the expression ends too early", 1)
			return c.fault(min(at.From, utf8.RuneCountInString(c.source.text)), "%s", message)
		}
		return c.fault(0, "%s", err)
	}
	return c.term(tree.Node)
}

// fault reports a fault at a character of the expression.
func (c *checker) fault(offset int, format string, args ...any) *term {
	c.faults.add(c.source.node.at(c.source.at, offset), format, args...)
	return badTerm
}

func (c *checker) term(n ast.Node) *term {
	switch n := n.(type) {
	case *ast.NilNode:
		return nilTerm()
	case *ast.BoolNode:
		return &term{op: opLiteral, kind: boolKind, literal: event.BoolValue(n.Value)}
	case *ast.IntegerNode:
		return &term{op: opLiteral, kind: intKind, literal: event.IntValue(int64(n.Value))}
	case *ast.FloatNode:
		return &term{op: opLiteral, kind: floatKind, literal: event.FloatValue(n.Value)}
	case *ast.StringNode:
		if c.scope.formula {
			return c.fault(n.Location().From, "a formula knows numbers only, no text")
		}
		return &term{op: opLiteral, kind: textKind, literal: event.StringValue([]byte(n.Value))}
	case *ast.IdentifierNode, *ast.MemberNode:
		return c.path(n)
	case *ast.ChainNode:
		return c.term(n.Node) // `a?.b` is `a.b`: every path goes through null
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.choose(n)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		name := "this"
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			name = callee.Value
		}
		return c.call(n, name, n.Arguments)
	default:
		return c.fault(n.Location().From, "expressions here know paths, operators, lists after `in`, `? :` and the functions %s; not this", c.functions())
	}
}

// path resolves `a.b.c`, `a["b"]` and `a?.b`, or a let.
func (c *checker) path(n ast.Node) *term {
	var names event.Path
	var places []int
	for {
		switch node := n.(type) {
		case *ast.ChainNode:
			n = node.Node
			continue
		case *ast.MemberNode:
			property, ok := node.Property.(*ast.StringNode)
			if !ok {
				return c.fault(node.Location().From, "a path is made of names")
			}
			names, places = append(names, property.Value), append(places, node.Location().From)
			n = node.Node
			continue
		case *ast.IdentifierNode:
			names, places = append(names, node.Value), append(places, node.Location().From)
		default:
			return c.fault(n.Location().From, "only a field has fields")
		}
		break
	}
	slices.Reverse(names)
	slices.Reverse(places)
	if l := c.scope.lets[names[0]]; l != nil {
		if len(names) > 1 {
			return c.fault(places[1], "%s is a let, it has no fields", names[0])
		}
		return c.expand(l, places[0])
	}
	return c.resolve(names, places)
}

// resolve finds the field at a path; places are those of its names in the expression.
func (c *checker) resolve(names event.Path, places []int) *term {
	if c.scope.schema != nil {
		return c.resolveEvent(names, places)
	}
	if name := c.scope.aliases[names[0]]; name != "" {
		names[0] = name
	}
	f, ok := c.scope.fields[names[0]]
	switch {
	case !ok && c.scope.missing[names[0]] != "":
		return c.fault(places[0], "%s", c.scope.missing[names[0]])
	case !ok:
		return c.unknown(names[:1], places[0], slices.Sorted(maps.Keys(c.scope.fields)))
	case len(names) > 1:
		return c.fault(places[1], "%s is a %s, it has no fields", names[0], f.kind)
	}
	return &term{op: opField, kind: f.kind, symbols: f.symbols, path: names}
}

func (c *checker) resolveEvent(names event.Path, places []int) *term {
	info, err := c.scope.schema.at(names)
	var wrong *event.PathError
	switch {
	case errors.As(err, &wrong) && errors.Is(err, event.ErrNotScalar):
		return c.fault(places[0], "%s is a %s: %s", pathText(wrong.Path), wrong.Found, map[bool]string{true: "name one of its fields", false: "expressions can't use it"}[wrong.Found == "record" || wrong.Found == "map"])
	case errors.As(err, &wrong) && wrong.At > 0 && len(wrong.Known) == 0:
		return c.fault(places[wrong.At], "%s is a %s, it has no fields", pathText(names[:wrong.At]), wrong.Found)
	case errors.As(err, &wrong):
		known := wrong.Known
		if wrong.At == 0 {
			known = append(slices.Clone(known), slices.Sorted(maps.Keys(c.scope.lets))...)
		}
		return c.unknown(names[:wrong.At+1], places[wrong.At], known)
	case err != nil:
		panic("BUG: the schema was read before: " + err.Error())
	}
	k, ok := kindOf(info.Kind)
	if !ok {
		return c.fault(places[0], "%s has values of several kinds or none: expressions can't use it", pathText(names))
	}
	return &term{op: opField, kind: k, symbols: info.Symbols, path: names}
}

func (c *checker) unknown(path event.Path, place int, known []string) *term {
	name := path[len(path)-1]
	if len(path) == 1 && c.scope.schema != nil && didYouMean(name, known) == "" {
		if inner := c.scope.schema.inner(name); inner != nil {
			return c.fault(place, "%s is no %s, did you mean %q?", name, c.scope.noun, pathText(inner))
		}
	}
	return c.fault(place, "%s is no %s%s", pathText(path), c.scope.noun, hint(name, known))
}

// expand checks a let where it stands, once, and returns its term.
func (c *checker) expand(l *let, place int) *term {
	if l.open {
		from := slices.Index(c.trail, l.name)
		c.fault(place, "the let goes in a circle: %s", strings.Join(append(slices.Clone(c.trail[max(from, 0):]), l.name), " -> "))
		return badTerm
	}
	if l.term == nil {
		l.open = true
		inner := &checker{scope: c.scope, faults: c.faults, source: l.value, trail: append(slices.Clone(c.trail), l.name)}
		l.term = inner.run()
		l.open = false
	}
	return l.term
}

// functions names the functions that may be called here, for faults.
func (c *checker) functions() string {
	return strings.Join(slices.Sorted(maps.Keys(c.known())), ", ")
}

func (c *checker) known() map[string]function {
	if c.scope.formula {
		return formulaFunctions
	}
	return fieldFunctions
}

// function is the signature of a function.
type function struct {
	arguments int
	takes     kind
	gives     kind
}

var fieldFunctions = map[string]function{
	"len":   {1, textKind, intKind},
	"lower": {1, textKind, textKind},
	"upper": {1, textKind, textKind},
}

func (c *checker) call(n ast.Node, name string, arguments []ast.Node) *term {
	at := n.Location().From
	f, ok := c.known()[name]
	if !ok {
		for _, a := range arguments {
			switch a.(type) {
			case *ast.ArrayNode, *ast.PredicateNode: // what only functions take that are not there
			default:
				c.term(a) // for its faults
			}
		}
		return c.fault(at, "no function is called %s%s; there are %s", name, didYouMean(name, slices.Sorted(maps.Keys(c.known()))), c.functions())
	}
	if len(arguments) != f.arguments {
		return c.fault(at, "%s takes %d argument(s), not %d", name, f.arguments, len(arguments))
	}
	t := &term{op: name, kind: f.gives}
	for _, a := range arguments {
		arg := c.term(a)
		switch {
		case arg.bad():
			t.kind = badKind
		case arg.kind != f.takes && !(arg.kind.number() && f.takes.number()):
			t.kind = c.fault(a.Location().From, "%s takes a %s, but this is a %s", name, f.takes, describeTerm(arg)).kind
		}
		t.args = append(t.args, arg)
	}
	return t
}

// describeTerm names a term in a fault.
func describeTerm(t *term) string {
	if t.op == opField {
		return fmt.Sprintf("%s (%s)", t.kind, pathText(t.path))
	}
	return t.kind.String()
}
