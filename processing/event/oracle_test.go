package event_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"pgregory.net/rapid"
)

// node is a schema as the tests see it, read apart from the code under test and without any of its checks.
type node struct {
	kind     string
	name     string
	fields   []nodeField
	items    *node
	branches []*node
	symbols  []string
	unknown  string // the enum's default symbol, or ""
	size     int
	aliases  []string
}

type nodeField struct {
	name        string
	aliases     []string
	typ         *node
	fallback    any
	hasFallback bool
}

func parseNode(t rapid.TB, schema string) *node {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(schema), &tree); err != nil {
		t.Fatal(err)
	}
	return newNode(tree, "", map[string]*node{})
}

func newNode(tree any, namespace string, named map[string]*node) *node {
	full := func(name string) string {
		if namespace == "" || strings.Contains(name, ".") {
			return name
		}
		return namespace + "." + name
	}
	switch tree := tree.(type) {
	case string:
		if n, ok := named[full(tree)]; ok {
			return n
		}
		return &node{kind: tree, name: tree}
	case []any:
		n := &node{kind: "union"}
		for _, branch := range tree {
			n.branches = append(n.branches, newNode(branch, namespace, named))
		}
		return n
	}
	m := tree.(map[string]any)
	n := &node{kind: m["type"].(string), name: m["type"].(string)}
	if ns, ok := m["namespace"].(string); ok {
		namespace = ns
	}
	if name, ok := m["name"].(string); ok {
		n.name = full(name)
		named[n.name] = n
	}
	for _, s := range anySlice(m["symbols"]) {
		n.symbols = append(n.symbols, s.(string))
	}
	n.unknown, _ = m["default"].(string)
	n.aliases = stringSlice(m["aliases"])
	if size, ok := m["size"].(float64); ok {
		n.size = int(size)
	}
	for _, f := range anySlice(m["fields"]) {
		field := f.(map[string]any)
		fallback, ok := field["default"]
		n.fields = append(n.fields, nodeField{field["name"].(string), stringSlice(field["aliases"]), newNode(field["type"], namespace, named), fallback, ok})
	}
	for _, key := range []string{"items", "values"} {
		if items, ok := m[key]; ok {
			n.items = newNode(items, namespace, named)
		}
	}
	return n
}

func anySlice(v any) []any {
	s, _ := v.([]any)
	return s
}

func stringSlice(v any) (texts []string) {
	for _, s := range anySlice(v) {
		texts = append(texts, s.(string))
	}
	return texts
}

// forward reports whether a name stands before what it names: the oracle can't read that.
func (n *node) forward(seen map[*node]bool) bool {
	if seen[n] {
		return false
	}
	seen[n] = true
	known := []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "enum", "fixed", "record", "array", "map", "union"}
	return !slices.Contains(known, n.kind) || n.items != nil && n.items.forward(seen) ||
		slices.ContainsFunc(n.branches, func(b *node) bool { return b.forward(seen) }) ||
		slices.ContainsFunc(n.fields, func(f nodeField) bool { return f.typ.forward(seen) })
}

func (n *node) scalar() bool {
	return n.kind != "record" && n.kind != "array" && n.kind != "map" && n.kind != "union"
}

// paths lists the paths that lead to scalars, to a depth.
func (n *node) paths(prefix event.Path, depth int) []event.Path {
	if depth < 0 {
		return nil
	}
	at := func(name string) event.Path { return append(prefix[:len(prefix):len(prefix)], name) }
	var paths []event.Path
	switch n.kind {
	case "record":
		for _, f := range n.fields {
			paths = append(paths, f.typ.paths(at(f.name), depth-1)...)
		}
	case "map":
		for _, key := range mapKeys[:2] {
			paths = append(paths, n.items.paths(at(key), depth-1)...)
		}
	case "union":
		whole := true
		for _, b := range n.branches {
			whole = whole && b.scalar()
			if !b.scalar() {
				paths = append(paths, b.paths(prefix, depth)...)
			}
		}
		if whole {
			paths = append(paths, prefix)
		}
	case "array":
	default:
		paths = append(paths, prefix)
	}
	return paths
}

// at walks a value that a library decoded to a path. What is not there is nil. Some libraries wrap the values of unions.
func (n *node) at(v any, path event.Path) any {
	switch n.kind {
	case "union":
		if m, ok := v.(map[string]any); ok && len(m) == 1 {
			for _, b := range n.branches {
				if inner, ok := m[b.name]; ok {
					return b.at(inner, path)
				}
			}
		}
		for _, b := range n.branches {
			if found := b.at(v, path); found != nil {
				return found
			}
		}
		return nil
	case "record":
		m, ok := v.(map[string]any)
		if !ok || len(path) == 0 {
			return nil
		}
		for _, f := range n.fields {
			if f.name == path[0] {
				return f.typ.at(m[f.name], path[1:])
			}
		}
		return nil
	case "map":
		m, ok := v.(map[string]any)
		if !ok || len(path) == 0 {
			return nil
		}
		return n.items.at(m[path[0]], path[1:])
	}
	if len(path) > 0 {
		return nil
	}
	return v
}

// text writes a decoded value so that equal ones are equal text: the kind, and every bit of the value.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint("bool ", v)
	case int:
		return fmt.Sprint("int ", v)
	case int32:
		return fmt.Sprint("int ", v)
	case int64:
		return fmt.Sprint("int ", v)
	case float32:
		return floatText(float64(v))
	case float64:
		return floatText(v)
	case string:
		return fmt.Sprintf("string %q", v)
	case []byte:
		return fmt.Sprintf("string %q", v)
	case time.Time: // some libraries make these of timestamps
		return text(v.UnixMilli())
	case event.Value:
		switch v.Kind {
		case event.Null:
			return "null"
		case event.Bool:
			return text(v.Bool())
		case event.Int:
			return text(v.Int())
		case event.Float:
			return text(v.Float())
		case event.String:
			return text(v.Bytes())
		}
	}
	if a := reflect.ValueOf(v); a.Kind() == reflect.Array { // some libraries make these of fixed
		b := make([]byte, a.Len())
		reflect.Copy(reflect.ValueOf(b), a)
		return text(b)
	}
	return fmt.Sprintf("%T %v", v, v)
}

func floatText(f float64) string {
	if math.IsNaN(f) {
		return "float NaN" // conversions between widths change the bits of a NaN
	}
	return fmt.Sprintf("float %x", math.Float64bits(f))
}

func rowText(row []event.Value) []string {
	texts := make([]string, len(row))
	for i, v := range row {
		texts[i] = text(v)
	}
	return texts
}
