package event_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"pgregory.net/rapid"
)

// mapKeys are the keys that random maps draw from; the paths ask for the first two. They are few, so that keys repeat.
var mapKeys = []string{"plan", "k1", "", "a rather long key, of more than sixty-three bytes, for a longer length"}

// schemaMaker draws schemas.
type schemaMaker struct {
	t     *rapid.T
	names int
	open  []string // records that are being defined: they may contain themselves
	done  []string // named types that may be referred to
	plain bool     // unions of null and one other only, which JSON without branch names can tell apart
}

// event draws a record whose first field is the event time.
func (s *schemaMaker) event() string {
	record := s.record(3)
	record["fields"] = append([]any{map[string]any{"name": "ts", "type": "long"}}, record["fields"].([]any)...)
	j, err := json.Marshal(record)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(j)
}

func (s *schemaMaker) name(prefix string) string {
	s.names++
	return fmt.Sprint(prefix, s.names)
}

func (s *schemaMaker) record(depth int) map[string]any {
	name := s.name("R")
	s.open = append(s.open, name)
	fields := []any{}
	for i := range rapid.IntRange(0, 5).Draw(s.t, "fields") {
		fields = append(fields, map[string]any{"name": fmt.Sprint("f", i), "type": s.typ(depth-1, true)})
	}
	s.open = s.open[:len(s.open)-1]
	s.done = append(s.done, name)
	return map[string]any{"type": "record", "name": name, "fields": fields}
}

func (s *schemaMaker) typ(depth int, union bool) any {
	kinds := []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "enum", "fixed", "named"}
	if depth > 0 {
		kinds = append(kinds, "record", "array", "map", "nullable", "recursive", "array", "map", "nullable", "union")
	}
	switch kind := rapid.SampledFrom(kinds).Draw(s.t, "kind"); {
	case kind == "enum":
		name := s.name("E")
		s.done = append(s.done, name)
		return map[string]any{"type": "enum", "name": name, "symbols": []string{"A", "B", "C"}}
	case kind == "fixed":
		name := s.name("F")
		s.done = append(s.done, name)
		return map[string]any{"type": "fixed", "name": name, "size": rapid.IntRange(1, 9).Draw(s.t, "size")}
	case kind == "record":
		return s.record(depth)
	case kind == "array":
		return map[string]any{"type": "array", "items": s.typ(depth-1, true)}
	case kind == "map":
		return map[string]any{"type": "map", "values": s.typ(depth-1, true)}
	case kind == "named":
		if len(s.done) == 0 {
			return "string"
		}
		return rapid.SampledFrom(s.done).Draw(s.t, "reference")
	case kind == "recursive" && union:
		return []any{"null", rapid.SampledFrom(s.open).Draw(s.t, "reference")}
	case (kind == "nullable" || kind == "union") && union:
		return s.union(depth, kind)
	case kind == "recursive" || kind == "nullable" || kind == "union":
		return "long"
	default:
		return kind
	}
}

// union draws branches that differ, as they must.
func (s *schemaMaker) union(depth int, kind string) any {
	n := 1
	if kind == "union" && !s.plain {
		n = rapid.IntRange(1, 4).Draw(s.t, "branches")
	}
	var branches []any
	seen := map[string]bool{"null": true}
	for range n {
		done := len(s.done)
		branch := s.typ(depth-1, false)
		if identity := branchIdentity(branch); !seen[identity] {
			seen[identity] = true
			branches = append(branches, branch)
		} else {
			s.done = s.done[:done]
		}
	}
	if len(branches) == 0 {
		branches = append(branches, "string")
	}
	return slices.Insert(branches, rapid.IntRange(0, len(branches)).Draw(s.t, "null at"), any("null"))
}

func branchIdentity(branch any) string {
	if m, ok := branch.(map[string]any); ok {
		if name, ok := m["name"]; ok {
			return name.(string)
		}
		return m["type"].(string)
	}
	return branch.(string)
}

// valueMaker draws binary values in all the ways that the format allows: blocks of any size, with and without their
// length, and numbers with needless bytes.
type valueMaker struct {
	t     *rapid.T
	bytes bool // strings are any bytes, which they must not be
	depth int
}

func (v *valueMaker) long(dst []byte, n int64) []byte {
	dst = binary.AppendVarint(dst, n)
	if n >= 0 && n < 1<<13 && rapid.IntRange(0, 20).Draw(v.t, "padding") == 0 {
		dst[len(dst)-1] |= 0x80
		dst = append(dst, 0)
	}
	return dst
}

func (v *valueMaker) text(dst []byte, s string) []byte {
	return append(v.long(dst, int64(len(s))), s...)
}

func (v *valueMaker) value(dst []byte, n *node) []byte {
	v.depth++
	defer func() { v.depth-- }()
	switch n.kind {
	case "null":
		return dst
	case "boolean":
		return append(dst, byte(rapid.IntRange(0, 1).Draw(v.t, "boolean")))
	case "int":
		return v.long(dst, int64(rapid.Int32().Draw(v.t, "int")))
	case "long":
		return v.long(dst, rapid.Int64().Draw(v.t, "long"))
	case "float":
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(rapid.Float32().Draw(v.t, "float")))
	case "double":
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(rapid.Float64().Draw(v.t, "double")))
	case "string":
		if v.bytes && rapid.IntRange(0, 3).Draw(v.t, "not UTF-8") == 0 {
			return v.text(dst, string(rapid.SliceOf(rapid.Byte()).Draw(v.t, "string")))
		}
		return v.text(dst, rapid.String().Draw(v.t, "string"))
	case "bytes":
		return v.text(dst, string(rapid.SliceOf(rapid.Byte()).Draw(v.t, "bytes")))
	case "fixed":
		return append(dst, rapid.SliceOfN(rapid.Byte(), n.size, n.size).Draw(v.t, "fixed")...)
	case "enum":
		return v.long(dst, int64(rapid.IntRange(0, len(n.symbols)-1).Draw(v.t, "symbol")))
	case "union":
		i := rapid.IntRange(0, len(n.branches)-1).Draw(v.t, "branch")
		if v.depth > 8 {
			for j, b := range n.branches {
				if b.kind == "null" {
					i = j
				}
			}
		}
		return v.value(v.long(dst, int64(i)), n.branches[i])
	case "record":
		for _, f := range n.fields {
			dst = v.value(dst, f.typ)
		}
		return dst
	default:
		return v.blocks(dst, n)
	}
}

func (v *valueMaker) blocks(dst []byte, n *node) []byte {
	if v.depth > 8 {
		return append(dst, 0)
	}
	for range rapid.IntRange(0, 2).Draw(v.t, "blocks") {
		count := rapid.IntRange(1, 3).Draw(v.t, "items")
		var items []byte
		for range count {
			if n.kind == "map" {
				items = v.text(items, rapid.SampledFrom(mapKeys).Draw(v.t, "key"))
			}
			items = v.value(items, n.items)
		}
		if rapid.Bool().Draw(v.t, "sized") {
			dst = v.long(dst, int64(-count))
			dst = v.long(dst, int64(len(items)))
		} else {
			dst = v.long(dst, int64(count))
		}
		dst = append(dst, items...)
	}
	return append(dst, 0)
}
