package event_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	hamba "github.com/hamba/avro/v2"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/twmb/avro"
	"pgregory.net/rapid"
)

// hambaLimited is the second reader. Its limits are off by default.
var hambaLimited = hamba.Config{MaxByteSliceSize: 1 << 20, MaxSliceAllocSize: 1 << 20}.Freeze()

// expected walks what a library decoded to each path.
func expected(n *node, decoded any, paths []event.Path) []string {
	texts := make([]string, len(paths))
	for i, path := range paths {
		texts[i] = text(n.at(decoded, path))
	}
	return texts
}

// readable lists paths that lead to scalars. One that does in a branch of a union, and in another to a record, is refused.
func readable(t *rapid.T, schema string, n *node) []event.Path {
	var paths []event.Path
	for _, path := range n.paths(nil, 4) {
		if len(paths) == 50 {
			break
		}
		switch _, err := event.Lookup(schema, path); {
		case err == nil:
			paths = append(paths, path)
		case !errors.Is(err, event.ErrNotScalar):
			t.Fatalf("%s: %v", schema, err)
		}
	}
	return paths
}

// dirtyRow is a row as an earlier record may have left it.
func dirtyRow(n int) []event.Value {
	row := make([]event.Value, n)
	for i := range row {
		row[i] = event.StringValue([]byte("left over"))
	}
	return row
}

func TestAvroAgreesWithOtherReaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := (&schemaMaker{t: t}).event()
		n := parseNode(t, schema)
		paths := readable(t, schema, n)
		d := newDecoder(t, schema, event.Avro, paths...)
		value := (&valueMaker{t: t}).value(nil, n)
		row := dirtyRow(len(paths))
		if err := d.Decode(row, value); err != nil {
			t.Fatalf("%.500s\n%x: %v", schema, value, err)
		}

		var decoded any
		if rest, err := avro.MustParse(schema).Decode(value, &decoded); err != nil || len(rest) > 0 {
			t.Fatalf("the value is bad: %v, %d bytes left", err, len(rest))
		}
		if diff := cmp.Diff(expected(n, decoded, paths), rowText(row)); diff != "" {
			t.Fatalf("%.500s\n%x\n%v (-twmb +ours):\n%s", schema, value, paths, diff)
		}

		hambaSchema, err := hamba.ParseWithCache(schema, "", &hamba.SchemaCache{})
		if err != nil {
			t.Fatal(err)
		}
		decoded = nil
		if err := hambaLimited.Unmarshal(hambaSchema, value, &decoded); err != nil {
			t.Fatalf("%.500s\n%x: hamba: %v", schema, value, err)
		}
		if diff := cmp.Diff(expected(n, decoded, paths), rowText(row)); diff != "" {
			t.Fatalf("%.500s\n%x\n%v (-hamba +ours):\n%s", schema, value, paths, diff)
		}
	})
}

// A decoder must find the same records good whatever it is asked for.
func TestVerdictDoesNotDependOnPaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := (&schemaMaker{t: t}).event()
		n := parseNode(t, schema)
		paths := readable(t, schema, n)
		all := newDecoder(t, schema, event.Avro, paths...)
		few := newDecoder(t, schema, event.Avro, event.Path{"ts"})
		value := mutate(t, (&valueMaker{t: t, bytes: true}).value(nil, n))
		errAll := all.Decode(dirtyRow(len(paths)), value)
		errFew := few.Decode(dirtyRow(1), value)
		if (errAll == nil) != (errFew == nil) {
			t.Fatalf("%.500s\n%x\nwith all paths: %v\nwith one: %v", schema, value, errAll, errFew)
		}
	})
}

// stricter are the details of records that we refuse and twmb/avro takes: its booleans are true unless 0, and it doesn't
// look at the sizes of blocks.
var stricter = []string{"a boolean is 0 or 1", "a block ends", "a block of"}

func TestAvroVerdictOnDamagedRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := (&schemaMaker{t: t}).event()
		n := parseNode(t, schema)
		paths := readable(t, schema, n)
		d := newDecoder(t, schema, event.Avro, paths...)
		checkAvro(t, avro.MustParse(schema), n, d, paths, mutate(t, (&valueMaker{t: t, bytes: true}).value(nil, n)))
	})
}

// checkAvro compares a decoder with twmb/avro.
func checkAvro(t rapid.TB, schema *avro.Schema, n *node, d *event.Decoder, paths []event.Path, value []byte) {
	t.Helper()
	row := dirtyRow(len(paths))
	err := d.Decode(row, value)
	var decoded any
	rest, theirs := schema.Decode(value, &decoded)
	if theirs == nil && len(rest) > 0 {
		theirs = errors.New("bytes left")
	}
	switch {
	case err == nil && theirs != nil && strings.Contains(theirs.Error(), "array of zero-byte items"):
		return // it caps them; here they cost nothing
	case err == nil && theirs != nil:
		t.Fatalf("%.500s\n%x\ntwmb: %v; ours took it", schema, value, theirs)
	case theirs == nil && isStricter(err):
		return // before the bytes that another reader would take for text
	case theirs == nil && isNotUTF8(err) && strings.Contains(schema.String(), `"map"`):
		return // a later value of the same key may have taken the place of the text
	case theirs == nil && isNotUTF8(err) != !validTexts(decoded):
		t.Fatalf("%.500s\n%x\nours: %v; all of it: %q", schema, value, err, decoded)
	case theirs == nil && isNotUTF8(err):
		return // the other reader doesn't look at that
	case err != nil && theirs == nil:
		t.Fatalf("%.500s\n%x\nours: %v; twmb took it", schema, value, err)
	case err == nil:
		if diff := cmp.Diff(expected(n, decoded, paths), rowText(row)); diff != "" {
			t.Fatalf("%.500s\n%x\n%v (-twmb +ours):\n%s", schema, value, paths, diff)
		}
	}
}

func isStricter(err error) bool {
	return err != nil && slices.ContainsFunc(stricter, func(detail string) bool { return strings.Contains(err.Error(), detail) })
}

func isNotUTF8(err error) bool {
	return err != nil && strings.Contains(err.Error(), "it is not valid UTF-8")
}

// validTexts reports whether all strings of a decoded value are UTF-8, the keys of maps among them.
func validTexts(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !validTexts(item) })
	case map[string]any:
		for key, value := range v {
			if !utf8.ValidString(key) || !validTexts(value) {
				return false
			}
		}
	}
	return true
}

// mutate cuts, changes, inserts and removes bytes.
func mutate(t *rapid.T, value []byte) []byte {
	for range rapid.IntRange(1, 3).Draw(t, "mutations") {
		at := rapid.IntRange(0, len(value)).Draw(t, "at")
		b := rapid.SampledFrom([]byte{0, 1, 2, 3, 4, 0x7f, 0x80, 0x81, 0xff, 0xfe}).Draw(t, "byte")
		switch rapid.IntRange(0, 3).Draw(t, "mutation") {
		case 0:
			value = value[:at]
		case 1:
			value = append(value[:at:at], append([]byte{b}, value[at:]...)...)
		case 2:
			if at < len(value) {
				value = append(value[:at:at], value[at+1:]...)
			}
		default:
			if at < len(value) {
				value[at] = b
			}
		}
	}
	return value
}
