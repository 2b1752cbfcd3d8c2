package event_test

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/tidemark/tidemark/processing/event"
)

// parseJSON reads JSON as the standard library does, with numbers as text. ok is false for invalid JSON, and for what the library
// reads differently: invalid UTF-8, which it mends. plain is false when some object has a key twice.
func parseJSON(text []byte) (tree any, plain, ok bool) {
	if !json.Valid(text) || !bytes.Equal(bytes.ToValidUTF8(text, nil), text) {
		return nil, false, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	plain = true
	tree = readTree(d, &plain)
	return tree, plain, true
}

func readTree(d *json.Decoder, plain *bool) any {
	token, _ := d.Token()
	switch token {
	case json.Delim('{'):
		m := map[string]any{}
		for d.More() {
			key, _ := d.Token()
			if _, ok := m[key.(string)]; ok {
				*plain = false
			}
			m[key.(string)] = readTree(d, plain)
		}
		_, _ = d.Token()
		return m
	case json.Delim('['):
		a := []any{}
		for d.More() {
			a = append(a, readTree(d, plain))
		}
		_, _ = d.Token()
		return a
	default:
		return token
	}
}

// conform checks a JSON tree against a schema whose unions are of null and one other, and returns it as a library that
// decodes Avro would: the slow and obvious counterpart of the JSON reader.
func (n *node) conform(v any) (any, bool) {
	switch n.kind {
	case "null":
		return nil, v == nil
	case "boolean":
		_, ok := v.(bool)
		return v, ok
	case "int", "long":
		number, _ := v.(json.Number)
		i, err := strconv.ParseInt(string(number), 10, 64)
		return i, err == nil && (n.kind == "long" || i == int64(int32(i)))
	case "float", "double":
		return n.conformFloat(v)
	case "string":
		_, ok := v.(string)
		return v, ok
	case "enum":
		s, ok := v.(string)
		return s, ok && slices.Contains(n.symbols, s)
	case "bytes", "fixed":
		s, ok := v.(string)
		var b []byte
		for _, r := range s {
			ok = ok && r <= 0xff
			b = append(b, byte(r))
		}
		return b, ok && (n.kind == "bytes" || len(b) == n.size)
	case "array":
		a, ok := v.([]any)
		for _, item := range a {
			_, itemOK := n.items.conform(item)
			ok = ok && itemOK
		}
		return nil, ok
	case "map":
		m, ok := v.(map[string]any)
		out := map[string]any{}
		for key, value := range m {
			item, itemOK := n.items.conform(value)
			out[key] = item
			ok = ok && itemOK
		}
		return out, ok
	case "union":
		return n.conformUnion(v)
	default:
		return n.conformRecord(v)
	}
}

func (n *node) conformFloat(v any) (any, bool) {
	switch v {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	number, ok := v.(json.Number)
	bits := 64
	if n.kind == "float" {
		bits = 32
	}
	f, err := strconv.ParseFloat(string(number), bits)
	return f, ok && err == nil
}

func (n *node) conformUnion(v any) (any, bool) {
	other := n.branches[0]
	if other.kind == "null" {
		other = n.branches[1]
	}
	if v == nil {
		return nil, true
	}
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		if tagged, ok := m[other.name]; ok && sameShape(other.kind, tagged) {
			return other.conform(tagged)
		}
	}
	return other.conform(v)
}

// sameShape reports whether JSON could be a value of a kind at first sight.
func sameShape(kind string, v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return kind == "boolean"
	case json.Number:
		return slices.Contains([]string{"int", "long", "float", "double"}, kind)
	case string:
		return slices.Contains([]string{"string", "bytes", "fixed", "enum", "float", "double"}, kind)
	case []any:
		return kind == "array"
	default:
		_ = v
		return kind == "map" || kind == "record"
	}
}

func (n *node) conformRecord(v any) (any, bool) {
	m, ok := v.(map[string]any)
	out := map[string]any{}
	for _, f := range n.fields {
		value, present := m[f.name]
		nullable := f.typ.kind == "null" || slices.ContainsFunc(f.typ.branches, func(b *node) bool { return b.kind == "null" })
		switch {
		case present:
			var fieldOK bool
			out[f.name], fieldOK = f.typ.conform(value)
			ok = ok && fieldOK
		case f.hasFallback:
			out[f.name] = f.fallback
		default:
			ok = ok && nullable
		}
	}
	return out, ok
}

// expectJSON is what a decoder must make of JSON text; ok is false when it must refuse it. certain is false when the oracle can't tell.
func expectJSON(n *node, text []byte, paths []event.Path) (row []string, ok, certain bool) {
	tree, plain, ok := parseJSON(text)
	if !ok {
		return nil, false, true
	}
	v, ok := n.conform(tree)
	if !ok {
		return nil, false, plain
	}
	return expected(n, v, paths), true, plain
}
