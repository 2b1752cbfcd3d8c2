package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TypeInfo describes what stands at a path.
type TypeInfo struct {
	Kind     Kind     // of the values that are not null; Null if they can be of several kinds
	Nullable bool     // null can stand there, or on the way there
	Avro     string   // name of the Avro type, of a union's only branch but null; "union" if there are several
	Logical  string   // its logical type, or ""
	Symbols  []string // of an enum
}

// ErrUnknownField and ErrNotScalar tell the PathErrors apart.
var (
	ErrUnknownField = errors.New("unknown field")
	ErrNotScalar    = errors.New("not a single value")
)

// PathError is the error of a path that leads to no scalar value. It wraps ErrUnknownField or ErrNotScalar.
type PathError struct {
	Path  Path
	At    int      // the element of Path that is wrong
	Found string   // the kind of Avro type that Path[:At] leads to, or all of Path for ErrNotScalar: "record", "string"
	Known []string // the fields that are known there
	Near  []string // those of Known that look like Path[At], the nearest first
	err   error
}

func (e *PathError) Unwrap() error { return e.err }

func (e *PathError) Error() string {
	if errors.Is(e.err, ErrNotScalar) {
		text := fmt.Sprintf("%s: %s is %s, not a single value", e.err, strings.Join(e.Path, "."), withArticle(e.Found))
		if len(e.Known) > 0 {
			text += "; its fields are " + strings.Join(e.Known, ", ")
		}
		return text
	}
	text := fmt.Sprintf("%s %q", e.err, strings.Join(e.Path, "."))
	switch {
	case len(e.Near) > 0:
		return text + fmt.Sprintf(": did you mean %q?", strings.Join(append(slices.Clone(e.Path[:e.At]), e.Near[0]), "."))
	case len(e.Known) > 0:
		return text + ": known are " + strings.Join(e.Known, ", ")
	default:
		return text + fmt.Sprintf(": %q is %s and has no fields", strings.Join(e.Path[:e.At], "."), withArticle(e.Found))
	}
}

func withArticle(noun string) string {
	if noun != "" && strings.ContainsRune("aeio", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// Lookup tells what stands at a path of a schema. The error of a path that a decoder would refuse is a *PathError.
func Lookup(schema string, path Path) (TypeInfo, error) {
	t, err := parseSchema(schema)
	if err != nil {
		return TypeInfo{}, err
	}
	leaves, nullable, err := resolve(t, path, 0)
	if err != nil {
		return TypeInfo{}, err
	}
	info := TypeInfo{Nullable: nullable, Avro: avroUnion.String()}
	for i, leaf := range leaves {
		switch kind := leaf.valueKind(); {
		case i == 0:
			info.Kind = kind
		case info.Kind == Int && kind == Float || info.Kind == Float && kind == Int:
			info.Kind = Float
		case info.Kind != kind:
			info.Kind = Null
			return info, nil
		}
	}
	if len(leaves) == 0 {
		info.Avro = avroNull.String()
	}
	if len(leaves) == 1 {
		info.Avro, info.Logical = leaves[0].kind.String(), leaves[0].logical
		for _, s := range leaves[0].symbols {
			info.Symbols = append(info.Symbols, string(s.Bytes()))
		}
	}
	return info, nil
}

// resolve returns the scalar types other than null that can stand at path[at:] of a type.
func resolve(t *avroType, path Path, at int) (leaves []*avroType, nullable bool, err error) {
	switch {
	case t.kind == avroUnion:
		return resolveUnion(t, path, at)
	case at == len(path):
		if !t.kind.scalar() {
			return nil, false, &PathError{Path: path, At: at, Found: t.kind.String(), Known: t.fieldNames(), err: ErrNotScalar}
		}
		if t.kind == avroNull {
			return nil, true, nil
		}
		return []*avroType{t}, false, nil
	case t.kind == avroMap:
		leaves, _, err = resolve(t.items, path, at+1)
		return leaves, true, err
	case t.kind == avroRecord:
		if i, ok := t.index[path[at]]; ok {
			return resolve(t.fields[i].typ, path, at+1)
		}
	}
	known := t.fieldNames()
	near := nearest(path[at], known)
	return nil, false, &PathError{Path: path, At: at, Found: t.kind.String(), Known: known, Near: near, err: ErrUnknownField}
}

// resolveUnion takes what any branch has: in the others the path is null. At its end a path must be scalar in each.
func resolveUnion(t *avroType, path Path, at int) (leaves []*avroType, nullable bool, err error) {
	var unknown *PathError
	found := false
	for _, branch := range t.branches {
		if branch.kind == avroNull {
			nullable = true
			continue
		}
		l, null, err := resolve(branch, path, at)
		var pathErr *PathError
		switch {
		case err == nil:
			found = true
			nullable = nullable || null
			for _, leaf := range l {
				if !slices.ContainsFunc(leaves, leaf.sameScalar) {
					leaves = append(leaves, leaf)
				}
			}
		case errors.As(err, &pathErr) && errors.Is(err, ErrUnknownField):
			nullable = true
			if unknown == nil || pathErr.At > unknown.At || len(unknown.Known) == 0 {
				unknown = pathErr
			}
		default:
			return nil, false, err
		}
	}
	if unknown != nil && !found {
		return nil, false, unknown
	}
	return leaves, nullable, nil
}

func (t *avroType) sameScalar(other *avroType) bool {
	return t.kind == other.kind && t.name == other.name && t.logical == other.logical
}

func (t *avroType) fieldNames() []string {
	var names []string
	for _, f := range t.fields {
		names = append(names, f.name)
	}
	return names
}

// nearest returns the names that a slip of the keyboard makes of name, or that differ in case only.
func nearest(name string, known []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		d := editDistance(strings.ToLower(name), strings.ToLower(k))
		if d <= 1+len(name)/4 {
			near = append(near, candidate{k, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, c := range near {
		names = append(names, c.name)
	}
	return names
}

// editDistance is Levenshtein's, by bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
