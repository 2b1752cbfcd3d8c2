package event

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/twmb/avro"
)

// avroType is a node of a parsed schema. Named types are shared by their references, so that the graph of a recursive
// schema has cycles.
type avroType struct {
	kind     avroKind
	name     string      // full name of named types; else the name of the kind. What JSON calls a union's branch
	logical  string      // logical type, or ""
	fields   []avroField // of records
	index    map[string]int
	items    *avroType   // of arrays; the values of maps
	branches []*avroType // of unions
	symbols  []Value     // of enums
	unknown  int         // of enums: the symbol that stands for those of a writer that are not among them, or -1
	size     int         // of fixed
	aliases  []string    // of named types: full names, or plain ones for any namespace
	empty    bool        // encodes to no bytes at all: null, and records of nothing else
}

type avroField struct {
	name        string
	aliases     []string
	typ         *avroType
	fallback    any // the default, in the types of avro.SchemaField.Default
	hasFallback bool
}

type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroEnum
	avroFixed
	avroArray
	avroMap
	avroUnion
	avroRecord
)

var kindNames = [...]string{
	"null", "boolean", "int", "long", "float", "double", "bytes", "string", "enum", "fixed", "array", "map", "union", "record",
}

var kindsByName = func() map[string]avroKind {
	m := map[string]avroKind{"error": avroRecord}
	for k, name := range kindNames {
		m[name] = avroKind(k)
	}
	return m
}()

func (k avroKind) String() string { return kindNames[k] }

// scalar reports whether a value of the kind can stand in a row.
func (k avroKind) scalar() bool { return k < avroArray }

// kind is what values of the type are in a row.
func (t *avroType) valueKind() Kind {
	switch t.kind {
	case avroNull:
		return Null
	case avroBoolean:
		return Bool
	case avroInt, avroLong:
		return Int
	case avroFloat, avroDouble:
		return Float
	default:
		return String
	}
}

// parseSchema reads a schema. What Avro's rules forbid is an error; the top must be a record.
func parseSchema(text string) (*avroType, error) {
	schema, err := avro.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	b := schemaBuilder{named: map[string]*avroType{}}
	root := schema.Root()
	b.declare(root)
	t, err := b.build(root, "")
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	if t.kind != avroRecord {
		return nil, fmt.Errorf("parse schema: an event must be a record, not %s", t.kind)
	}
	t.findEmpty(map[*avroType]bool{})
	return t, nil
}

type schemaBuilder struct{ named map[string]*avroType }

// declare makes room for every named type, so that build can refer to types that it has not reached.
func (b *schemaBuilder) declare(n *avro.SchemaNode) {
	if n.Name != "" {
		b.named[fullName(n)] = &avroType{}
	}
	for i := range n.Fields {
		b.declare(&n.Fields[i].Type)
	}
	for i := range n.Branches {
		b.declare(&n.Branches[i])
	}
	if n.Items != nil {
		b.declare(n.Items)
	}
	if n.Values != nil {
		b.declare(n.Values)
	}
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" || strings.Contains(n.Name, ".") {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

// build makes the type of a node that stands inside a namespace.
func (b *schemaBuilder) build(n *avro.SchemaNode, namespace string) (*avroType, error) {
	kind, ok := kindsByName[n.Type]
	if !ok {
		return b.reference(n.Type, namespace)
	}
	t := &avroType{}
	if n.Name != "" {
		t = b.named[fullName(n)]
		t.name = fullName(n)
		namespace = t.name[:max(0, strings.LastIndexByte(t.name, '.'))]
	} else {
		t.name = kind.String()
	}
	t.kind, t.logical, t.size, t.aliases, t.unknown = kind, n.LogicalType, n.Size, n.Aliases, -1
	for i, s := range n.Symbols {
		t.symbols = append(t.symbols, SymbolValue([]byte(s)))
		if n.HasEnumDefault && s == n.EnumDefault {
			t.unknown = i
		}
	}
	for i := range n.Branches {
		branch, err := b.build(&n.Branches[i], namespace)
		if err != nil {
			return nil, err
		}
		t.branches = append(t.branches, branch)
	}
	if items := cmp.Or(n.Items, n.Values); items != nil && (kind == avroArray || kind == avroMap) {
		var err error
		if t.items, err = b.build(items, namespace); err != nil {
			return nil, err
		}
	}
	if kind == avroRecord {
		return t, b.buildFields(t, n, namespace)
	}
	return t, nil
}

func (b *schemaBuilder) buildFields(t *avroType, n *avro.SchemaNode, namespace string) error {
	t.index = make(map[string]int, len(n.Fields))
	for i := range n.Fields {
		f := &n.Fields[i]
		typ, err := b.build(&f.Type, namespace)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		// Written beside the type instead of in it: against the letter of Avro, but meant, and read so by others.
		if logical, ok := f.Props["logicalType"].(string); ok && typ.logical == "" && typ.kind == avroLong {
			lifted := *typ
			lifted.logical = logical
			typ = &lifted
		}
		t.index[f.Name] = i
		t.fields = append(t.fields, avroField{f.Name, f.Aliases, typ, f.Default, f.HasDefault})
	}
	return nil
}

func (b *schemaBuilder) reference(name, namespace string) (*avroType, error) {
	if namespace != "" && !strings.Contains(name, ".") {
		if t, ok := b.named[namespace+"."+name]; ok {
			return t, nil
		}
	}
	if t, ok := b.named[name]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}

// findEmpty sets empty throughout. seen holds the types whose answer is known or under way: a type that contains
// itself without a union between has no finite value, and is not empty.
func (t *avroType) findEmpty(seen map[*avroType]bool) bool {
	if seen[t] {
		return t.empty
	}
	seen[t] = true
	empty := t.kind == avroNull || t.kind == avroFixed && t.size == 0 || t.kind == avroRecord
	for _, f := range t.fields {
		empty = f.typ.findEmpty(seen) && empty
	}
	for _, branch := range t.branches {
		branch.findEmpty(seen)
	}
	if t.items != nil {
		t.items.findEmpty(seen)
	}
	t.empty = empty
	return empty
}
