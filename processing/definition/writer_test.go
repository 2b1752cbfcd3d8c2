package definition

import "pgregory.net/rapid"

// writer writes random expressions of a wanted kind.
type writer struct{ t *rapid.T }

func (w writer) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(w.t, label)
}

func (w writer) boolean(depth int) string {
	if depth == 0 {
		return w.pick("boolean", "f", "true", "false", `kind == "A"`, `"B" != kind`, "u == nil", "nil != x", `u == "a"`, `tags.k == "v"`, "m > 3", "3 <= n", "inner.n == 2", `inner?.t != "a"`)
	}
	d := depth - 1
	switch w.pick("boolean op", "not", "and", "or", "number", "text", "equal", "in", "choose", "coalesce", "nil") {
	case "not":
		return w.pick("not", "not ", "!") + "(" + w.boolean(d) + ")"
	case "and":
		return "(" + w.boolean(d) + w.pick("and", " and ", " && ") + w.boolean(d) + ")"
	case "or":
		return "(" + w.boolean(d) + w.pick("or", " or ", " || ") + w.boolean(d) + ")"
	case "number":
		return "(" + w.number(d) + w.pick("compare", " == ", " != ", " < ", " <= ", " > ", " >= ") + w.number(d) + ")"
	case "text":
		return "(" + w.text(d) + w.pick("test", " == ", " != ", " < ", " >= ", " contains ", " startsWith ", " endsWith ", " not contains ") + w.text(d) + ")"
	case "equal":
		return "((" + w.boolean(d) + ")" + w.pick("equal", " == ", " != ") + "(" + w.boolean(d) + "))"
	case "in":
		if rapid.Bool().Draw(w.t, "numbers") {
			return "(" + w.number(d) + w.pick("in", " in ", " not in ") + "[1, 2.5, -3, 0])"
		}
		return "(" + w.text(d) + " in " + w.pick("list", `["a", "A"]`, `["a","b","c","d","e","f","g","h","i","é"]`) + ")"
	case "choose":
		return "(" + w.boolean(d) + " ? " + w.boolean(d) + " : " + w.boolean(d) + ")"
	case "coalesce":
		return "((" + w.boolean(d) + ") ?? (" + w.boolean(d) + "))"
	default:
		return "(" + w.number(d) + w.pick("nil", " == nil", " != nil") + ")"
	}
}

func (w writer) number(depth int) string {
	if depth == 0 {
		return w.pick("number", "n", "m", "x", "inner.n", "0", "1", "2.5", "-7", "len(u)", "len(t)", "9223372036854775807", "1e200")
	}
	d := depth - 1
	switch w.pick("number op", "arithmetic", "modulo", "negate", "coalesce", "choose") {
	case "arithmetic":
		return "(" + w.number(d) + w.pick("arithmetic", " + ", " - ", " * ", " / ", " ** ", " ^ ") + w.number(d) + ")"
	case "modulo":
		return "(n % " + w.pick("modulo", "m", "0", "3", "-2", "inner.n") + ")"
	case "negate":
		return "-(" + w.number(d) + ")"
	case "coalesce":
		return "((" + w.number(d) + ") ?? (" + w.number(d) + "))"
	default:
		return "(" + w.boolean(d) + " ? " + w.number(d) + " : " + w.pick("else", "nil", "m", "1") + ")"
	}
}

func (w writer) text(depth int) string {
	if depth == 0 {
		return w.pick("text", "t", "u", "inner.t", "tags.k", `tags["odd key"]`, `"a"`, `"É"`, "(u ?? t)")
	}
	d := depth - 1
	switch w.pick("text op", "lower", "upper", "coalesce", "choose") {
	case "lower", "upper":
		return w.pick("case", "lower", "upper") + "(" + w.text(d) + ")"
	case "coalesce":
		return "((" + w.text(d) + ") ?? (" + w.text(d) + "))"
	default:
		return "(" + w.boolean(d) + " ? " + w.text(d) + " : " + w.text(d) + ")"
	}
}

// amount writes a formula over the aggregates a and b.
func (w writer) amount(depth int) string {
	if depth == 0 {
		return w.pick("amount", "a", "b", "size", "0", "2", "0.5", "-3")
	}
	d := depth - 1
	switch w.pick("amount op", "arithmetic", "negate", "coalesce", "choose", "choose nil") {
	case "arithmetic":
		return "(" + w.amount(d) + w.pick("arithmetic", " + ", " - ", " * ", " / ", " ** ", " ^ ", " % ") + w.amount(d) + ")"
	case "negate":
		return "-(" + w.amount(d) + ")"
	case "coalesce":
		return "((" + w.amount(d) + ") ?? (" + w.amount(d) + "))"
	case "choose":
		return "(" + w.decision(d) + " ? " + w.amount(d) + " : " + w.amount(d) + ")"
	default:
		return "(" + w.decision(d) + " ? nil : " + w.amount(d) + ")"
	}
}

// decision writes a condition of a formula.
func (w writer) decision(depth int) string {
	if depth == 0 {
		return w.pick("decision", "true", "a > 1", "b == nil", "nil != a", "a == b", "(a > 0 ? nil : true)")
	}
	d := depth - 1
	switch w.pick("decision op", "not", "join", "compare", "equal", "coalesce") {
	case "not":
		return "not (" + w.decision(d) + ")"
	case "join":
		return "((" + w.decision(d) + ")" + w.pick("join", " and ", " or ", " && ", " || ") + "(" + w.decision(d) + "))"
	case "compare":
		return "(" + w.amount(d) + w.pick("compare", " == ", " != ", " < ", " <= ", " > ", " >= ") + w.amount(d) + ")"
	case "equal":
		return "((" + w.decision(d) + ")" + w.pick("equal", " == ", " != ") + "(" + w.decision(d) + "))"
	default:
		return "((" + w.decision(d) + ") ?? (" + w.decision(d) + "))"
	}
}
