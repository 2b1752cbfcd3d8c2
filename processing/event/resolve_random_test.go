package event_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// evolver changes a schema as time does, so that what the one wrote can, mostly, be read as the other.
type evolver struct {
	t       *rapid.T
	renamed map[string]string // types
}

// evolve draws a reader's schema for a writer's. The first field, the event time, stays a long.
func evolve(t *rapid.T, schema string) string {
	var tree map[string]any
	if err := json.Unmarshal([]byte(schema), &tree); err != nil {
		t.Fatal(err)
	}
	e := &evolver{t: t, renamed: map[string]string{}}
	j, err := json.Marshal(e.typ(tree, true))
	if err != nil {
		t.Fatal(err)
	}
	return string(j)
}

// once reports true one time in n.
func (e *evolver) once(n int, what string) bool {
	return rapid.IntRange(0, n-1).Draw(e.t, what) == 0
}

func (e *evolver) typ(tree any, root bool) any {
	switch tree := tree.(type) {
	case string:
		return e.name(tree)
	case []any:
		return e.union(tree)
	}
	m := tree.(map[string]any)
	switch m["type"] {
	case "array":
		return map[string]any{"type": "array", "items": e.typ(m["items"], false)}
	case "map":
		return map[string]any{"type": "map", "values": e.typ(m["values"], false)}
	}
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	e.rename(out)
	switch m["type"] {
	case "enum":
		e.symbols(out)
	case "record":
		e.fields(out, root)
	case "fixed":
		if e.once(30, "size") {
			out["size"] = 3.0
		}
	}
	return out
}

// name changes a primitive type, or follows a reference.
func (e *evolver) name(name string) any {
	if to, ok := e.renamed[name]; ok {
		return to
	}
	if e.once(3, "promotion") {
		wider := map[string][]string{
			"int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"}, "string": {"bytes"}, "bytes": {"string"},
		}[name]
		if wider != nil {
			return rapid.SampledFrom(wider).Draw(e.t, "wider")
		}
	}
	primitive := slices.Contains([]string{"boolean", "int", "long", "float", "double", "bytes", "string"}, name)
	switch {
	case primitive && e.once(8, "nullable"):
		return []any{"null", name}
	case primitive && e.once(8, "union"):
		return []any{"boolean", "null", "double", "long", "bytes"}
	case primitive && e.once(60, "other"):
		return "boolean"
	}
	return name
}

func (e *evolver) union(branches []any) any {
	var out []any
	seen := map[string]bool{}
	for _, b := range branches {
		if b = e.typ(b, false); branchesOf(b) {
			b = "string"
		}
		if id := branchIdentity(b); !seen[id] {
			seen[id] = true
			out = append(out, b)
		}
	}
	switch {
	case e.once(6, "reorder"):
		out = rapid.Permutation(out).Draw(e.t, "branches")
	case e.once(12, "one"):
		return out[len(out)-1]
	case e.once(10, "fewer") && len(out) > 1:
		out = out[:len(out)-1]
	}
	return out
}

func branchesOf(t any) bool { _, ok := t.([]any); return ok }

func (e *evolver) rename(m map[string]any) {
	old := m["name"].(string)
	switch {
	case e.once(8, "namespace"):
		m["namespace"] = "other"
		e.renamed[old] = "other." + old
	case e.once(8, "alias"):
		m["name"], m["aliases"] = old+"_new", []any{old}
		e.renamed[old] = old + "_new"
	case e.once(60, "name"):
		m["name"] = old + "_strange"
		e.renamed[old] = old + "_strange"
	default:
		m["namespace"] = "" // whatever it stands in
	}
}

func (e *evolver) symbols(m map[string]any) {
	switch rapid.IntRange(0, 4).Draw(e.t, "symbols") {
	case 0:
		m["symbols"] = []any{"C", "B", "A"}
	case 1:
		m["symbols"] = []any{"B", "D", "A"}
	case 2:
		m["symbols"], m["default"] = []any{"B", "D"}, "D"
	case 3:
		m["symbols"] = []any{"X", "A", "Y", "C", "B"}
	}
}

func (e *evolver) fields(m map[string]any, root bool) {
	var out []any
	for i, f := range anySlice(m["fields"]) {
		field := map[string]any{}
		for k, v := range f.(map[string]any) {
			field[k] = v
		}
		out = append(out, field)
		if root && i == 0 {
			continue
		}
		field["type"] = e.typ(field["type"], false)
		if name := field["name"].(string); e.once(8, "field alias") {
			field["name"], field["aliases"] = name+"_new", []any{"nobody", name}
		} else if e.once(60, "field collision") {
			field["aliases"] = []any{"f0", "f1"}
		}
	}
	if len(out) > 1 && e.once(6, "drop") && !strings.Contains(fmt.Sprint(out[len(out)-1]), "name:R") {
		out = out[:len(out)-1]
	}
	added := []any{
		map[string]any{"name": "a1", "type": "long", "default": 7.0},
		map[string]any{"name": "a2", "type": []any{"null", "string"}, "default": nil},
		map[string]any{"name": "a3", "type": "string", "default": "seven"},
		map[string]any{"name": "a4", "type": map[string]any{"type": "map", "values": "string"}, "default": map[string]any{}},
		map[string]any{"name": "a5", "type": []any{"string", "null"}},
		map[string]any{"name": "a6", "type": "double", "default": 1.5},
	}
	for _, f := range added {
		if e.once(8, "add") {
			out = append(out, f)
		}
	}
	if e.once(200, "add without default") {
		out = append(out, map[string]any{"name": "a7", "type": "long"})
	}
	if e.once(3, "order") {
		out = rapid.Permutation(out).Draw(e.t, "order")
	}
	m["fields"] = out
}
