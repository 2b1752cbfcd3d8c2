package event

import (
	"slices"
	"strings"
)

// widenings are the kinds that values of a kind can be read as, besides their own.
var widenings = map[avroKind][]avroKind{
	avroInt:    {avroLong, avroFloat, avroDouble},
	avroLong:   {avroFloat, avroDouble},
	avroFloat:  {avroDouble},
	avroString: {avroBytes},
	avroBytes:  {avroString},
}

// matches reports whether values that a type wrote can be read as another, as far as the types themselves go; what
// they contain is not looked at. Neither is a union.
func (t *avroType) matches(r *avroType) bool {
	if t.kind != r.kind {
		return slices.Contains(widenings[t.kind], r.kind)
	}
	switch t.kind {
	case avroFixed:
		return t.size == r.size && t.named(r)
	case avroRecord, avroEnum:
		return t.named(r)
	default:
		return true
	}
}

// named reports whether a writer's type has the name of a reader's: with or without the namespace, or by an alias. An
// alias with a namespace means that one type; one without means all of that name.
func (t *avroType) named(r *avroType) bool {
	return unqualified(t.name) == unqualified(r.name) || slices.Contains(r.aliases, t.name) || slices.Contains(r.aliases, unqualified(t.name))
}

func unqualified(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// branchFor picks the branch of a reader's union that a writer's type is read as, or -1: one of the same kind and whole
// name, of the same kind, or the first that it widens to.
func (t *avroType) branchFor(w *avroType) int {
	for i, b := range t.branches {
		if b.kind == w.kind && w.matches(b) && (b.name == w.name || slices.Contains(b.aliases, w.name)) {
			return i
		}
	}
	for _, sameKind := range []bool{true, false} {
		for i, b := range t.branches {
			if (b.kind == w.kind) == sameKind && w.matches(b) {
				return i
			}
		}
	}
	return -1
}

// fieldFor is the field of a reader's record that a writer's field is read as, or -1.
func (t *avroType) fieldFor(name string) int {
	if i, ok := t.index[name]; ok {
		return i
	}
	return slices.IndexFunc(t.fields, func(f avroField) bool { return slices.Contains(f.aliases, name) })
}

// same reports whether two types are written alike and have the same names throughout, so that nothing is to resolve.
func (c *compiler) same(w, r *avroType) bool {
	if w == r {
		return true
	}
	assumed := len(c.assumed)
	same := c.sameSoFar(w, r)
	if !same && assumed == 0 {
		// What was found to be the same inside of it may have rested on what turned out not to be.
		for _, p := range c.assumed {
			if c.equal[p] {
				delete(c.equal, p)
			}
		}
	}
	if assumed == 0 {
		c.assumed = c.assumed[:0]
	}
	return same
}

// sameSoFar takes types that are being compared for the same: they may contain themselves.
func (c *compiler) sameSoFar(w, r *avroType) bool {
	p := pair{w, r}
	if same, known := c.equal[p]; known {
		return same
	}
	c.equal[p] = true
	c.assumed = append(c.assumed, p)
	c.equal[p] = w.kind == r.kind && w.name == r.name && w.size == r.size && w.logical == r.logical &&
		slices.Equal(w.symbols, r.symbols) &&
		slices.EqualFunc(w.fields, r.fields, func(a, b avroField) bool { return a.name == b.name && c.same(a.typ, b.typ) }) &&
		slices.EqualFunc(w.branches, r.branches, c.same) &&
		(w.items == nil) == (r.items == nil) && (w.items == nil || c.same(w.items, r.items))
	return c.equal[p]
}

// spoken names a type in a sentence.
func (t *avroType) spoken() string {
	switch t.kind {
	case avroNull:
		return "null"
	case avroRecord, avroEnum, avroFixed:
		return "the " + t.kind.String() + " " + t.name
	default:
		return withArticle(t.kind.String())
	}
}
