package event_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// resolver reads a value that one schema wrote as another, by the words of Avro's specification ("Schema Resolution"), one
// after the other. It is slow, and expects values that are good.
type resolver struct {
	buf     []byte
	badText bool // a string was met that is not UTF-8
}

var errUnresolved = errors.New("can't be resolved")

func (o *resolver) long() int64 {
	n, size := binary.Varint(o.buf)
	if size <= 0 {
		panic("bad value")
	}
	o.buf = o.buf[size:]
	return n
}

func (o *resolver) take(n int) []byte {
	b := o.buf[:n]
	o.buf = o.buf[n:]
	return b
}

// read returns a value as the reader sees it; without a reader it steps over it.
func (o *resolver) read(w, r *node) (any, error) {
	switch {
	case w.kind == "union":
		return o.read(w.branches[o.long()], r)
	case r != nil && r.kind == "union":
		branch := r.branchFor(w)
		if branch == nil {
			return nil, errUnresolved
		}
		return o.read(w, branch)
	case r != nil && !w.matches(r):
		return nil, errUnresolved
	case w.kind == "record":
		return o.record(w, r)
	case w.kind == "array" || w.kind == "map":
		return o.blocks(w, r)
	}
	v := o.scalar(w)
	if r == nil {
		o.check(v, w)
		return v, nil
	}
	o.check(v, r)
	return convert(v, w, r)
}

func (o *resolver) scalar(w *node) any {
	switch w.kind {
	case "null":
		return nil
	case "boolean":
		return o.take(1)[0] == 1
	case "int", "long":
		return o.long()
	case "float":
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(o.take(4))))
	case "double":
		return math.Float64frombits(binary.LittleEndian.Uint64(o.take(8)))
	case "enum":
		return w.symbols[o.long()]
	case "fixed":
		return string(o.take(w.size))
	default:
		return string(o.take(int(o.long())))
	}
}

// check looks at what has to be text: what the reader takes for a string or, where nobody reads it, the writer calls so.
func (o *resolver) check(v any, as *node) {
	if text, ok := v.(string); ok && as.kind == "string" && !utf8.ValidString(text) {
		o.badText = true
	}
}

func convert(v any, w, r *node) (any, error) {
	switch n, isInt := v.(int64); {
	case isInt && r.kind == "float":
		return float64(float32(n)), nil
	case isInt && r.kind == "double":
		return float64(n), nil
	case w.kind == "enum" && !slices.Contains(r.symbols, v.(string)):
		if r.unknown == "" {
			return nil, errUnresolved
		}
		return r.unknown, nil
	}
	return v, nil
}

func (o *resolver) record(w, r *node) (any, error) {
	out := map[string]any{}
	written := map[string]bool{}
	for _, f := range w.fields {
		var to *nodeField
		if r != nil {
			to = r.fieldFor(f.name)
		}
		if to == nil {
			if _, err := o.read(f.typ, nil); err != nil {
				return nil, err
			}
			continue
		}
		v, err := o.read(f.typ, to.typ)
		if err != nil {
			return nil, err
		}
		out[to.name], written[to.name] = v, true
	}
	if r == nil {
		return nil, nil
	}
	for _, f := range r.fields {
		if !written[f.name] {
			if !f.hasFallback && !f.typ.nullable() {
				return nil, fmt.Errorf("%w: %s is missing", errUnresolved, f.name)
			}
			out[f.name] = fallbackValue(f.fallback, f.typ)
		}
	}
	return out, nil
}

// fallbackValue makes a value of a default. The tests' defaults of unions are null.
func fallbackValue(v any, r *node) any {
	if f, ok := v.(float64); ok && (r.kind == "int" || r.kind == "long") {
		return int64(f)
	}
	return v
}

func (o *resolver) blocks(w, r *node) (any, error) {
	out := map[string]any{}
	for {
		n := o.long()
		if n == 0 {
			return out, nil
		}
		if n < 0 {
			n = -n
			o.long()
		}
		for range n {
			key := ""
			if w.kind == "map" {
				key = string(o.take(int(o.long())))
				o.badText = o.badText || !utf8.ValidString(key)
			}
			var items *node
			if r != nil {
				items = r.items
			}
			v, err := o.read(w.items, items)
			if err != nil {
				return nil, err
			}
			out[key] = v // nothing looks into arrays
		}
	}
}

func (n *node) nullable() bool {
	return n.kind == "null" || slices.ContainsFunc(n.branches, func(b *node) bool { return b.kind == "null" })
}

func (n *node) fieldFor(name string) *nodeField {
	for i := range n.fields {
		if n.fields[i].name == name {
			return &n.fields[i]
		}
	}
	for i := range n.fields {
		if slices.Contains(n.fields[i].aliases, name) {
			return &n.fields[i]
		}
	}
	return nil
}

func plainName(name string) string { return name[strings.LastIndex(name, ".")+1:] }

func (n *node) matches(r *node) bool {
	if n.kind != r.kind {
		return slices.Contains(map[string][]string{
			"int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"}, "string": {"bytes"}, "bytes": {"string"},
		}[n.kind], r.kind)
	}
	switch n.kind {
	case "fixed", "enum", "record":
		same := plainName(n.name) == plainName(r.name) || slices.Contains(r.aliases, n.name) || slices.Contains(r.aliases, plainName(n.name))
		return same && n.size == r.size
	}
	return true
}

// branchFor prefers the same name, then the same kind, then what comes first.
func (n *node) branchFor(w *node) *node {
	for _, good := range []func(b *node) bool{
		func(b *node) bool {
			return b.kind == w.kind && (b.name == w.name || slices.Contains(b.aliases, w.name)) && w.matches(b)
		},
		func(b *node) bool { return b.kind == w.kind && w.matches(b) },
		func(b *node) bool { return w.matches(b) },
	} {
		if i := slices.IndexFunc(n.branches, good); i >= 0 {
			return n.branches[i]
		}
	}
	return nil
}
