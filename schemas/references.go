package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Inline makes one schema of a schema and of those whose types it refers to: each type is defined where it is first
// named. The others may refer to each other, in any order.
func Inline(schema string, others ...string) (string, error) {
	in := inliner{definitions: make(map[string]definition), placed: make(map[string]bool)}
	for _, text := range others {
		tree, err := parseTree(text)
		if err != nil {
			return "", fmt.Errorf("parse a referenced schema: %w", err)
		}
		in.collect(tree, "")
	}
	tree, err := parseTree(schema)
	if err != nil {
		return "", fmt.Errorf("parse schema: %w", err)
	}
	// What the schema defines itself goes before what others define.
	own := inliner{definitions: make(map[string]definition)}
	own.collect(tree, "")
	for name := range own.definitions {
		delete(in.definitions, name)
	}
	out, err := json.Marshal(in.place(tree, ""))
	return string(out), err
}

// parseTree reads JSON and keeps numbers as they are written.
func parseTree(text string) (tree any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more follows the end of the schema")
	}
	return tree, nil
}

type inliner struct {
	definitions map[string]definition // that references may mean, by full name
	placed      map[string]bool       // those that are in the result already
}

// definition is a named type, and the namespace that names in it stand in.
type definition struct {
	node      map[string]any
	namespace string
}

// typeKeys are the keys under which a schema has other schemas.
var typeKeys = []string{"type", "items", "values"}

// named returns the full name of a node and the namespace inside of it; ok is false for a type without a name.
func named(node map[string]any, namespace string) (name, inside string, ok bool) {
	kind, _ := node["type"].(string)
	name, _ = node["name"].(string)
	if kind != "record" && kind != "error" && kind != "enum" && kind != "fixed" || name == "" {
		return "", namespace, false
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name, name[:i], true
	}
	if own, ok := node["namespace"].(string); ok {
		namespace = own
	}
	return qualified(name, namespace), namespace, true
}

func qualified(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

// collect notes the named types of a tree.
func (in *inliner) collect(tree any, namespace string) {
	switch node := tree.(type) {
	case []any:
		for _, branch := range node {
			in.collect(branch, namespace)
		}
	case map[string]any:
		name, inside, ok := named(node, namespace)
		if _, known := in.definitions[name]; ok && !known {
			in.definitions[name] = definition{node, namespace}
		}
		for _, key := range typeKeys {
			in.collect(node[key], inside)
		}
		fields, _ := node["fields"].([]any)
		for _, f := range fields {
			if field, ok := f.(map[string]any); ok {
				in.collect(field["type"], inside)
			}
		}
	}
}

// place copies a tree and puts definitions where it names a type for the first time.
func (in *inliner) place(tree any, namespace string) any {
	switch node := tree.(type) {
	case string:
		return in.placeName(node, namespace)
	case []any:
		branches := make([]any, len(node))
		for i, branch := range node {
			branches[i] = in.place(branch, namespace)
		}
		return branches
	case map[string]any:
		return in.placeNode(node, namespace)
	default:
		return tree
	}
}

func (in *inliner) placeName(name, namespace string) any {
	for _, full := range []string{qualified(name, namespace), name} {
		if in.placed[full] {
			return full
		}
		if d, ok := in.definitions[full]; ok {
			return in.placeNode(d.node, d.namespace)
		}
	}
	return name
}

func (in *inliner) placeNode(node map[string]any, namespace string) any {
	name, inside, ok := named(node, namespace)
	if ok && in.placed[name] {
		if _, foreign := in.definitions[name]; foreign {
			return name
		}
	}
	out := make(map[string]any, len(node)+1)
	for key, value := range node {
		out[key] = value
	}
	if ok {
		in.placed[name] = true
		out["name"], out["namespace"] = name[strings.LastIndexByte(name, '.')+1:], inside
		if fields, isList := node["fields"].([]any); isList {
			out["fields"] = in.placeFields(fields, inside)
		}
		return out
	}
	for _, key := range typeKeys {
		if value, has := node[key]; has {
			out[key] = in.place(value, namespace)
		}
	}
	return out
}

func (in *inliner) placeFields(fields []any, namespace string) []any {
	placed := make([]any, len(fields))
	for i, f := range fields {
		placed[i] = f
		if field, ok := f.(map[string]any); ok {
			copied := make(map[string]any, len(field))
			for key, value := range field {
				copied[key] = value
			}
			copied["type"] = in.place(field["type"], namespace)
			placed[i] = copied
		}
	}
	return placed
}

// Compact is a schema without the spaces between its parts.
func Compact(schema string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(schema)) != nil {
		return schema
	}
	return b.String()
}
