package event_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// testRef is what the framed values of these tests name.
var testRef = schemas.Registered(1)

func framedValue(value []byte) []byte { return append(schemas.AppendFrame(nil, testRef), value...) }

// resolving makes a decoder that reads one schema's values as another's.
func resolving(t rapid.TB, writer, reader string, paths ...event.Path) (*event.Decoder, error) {
	t.Helper()
	r, err := event.NewReader(reader, paths, 0)
	if err != nil {
		t.Fatalf("%s\n%v", reader, err)
	}
	w, err := r.Writer(writer)
	if err != nil {
		return nil, err
	}
	d := newDecoder(t, reader, event.AvroConfluent, paths...)
	d.Use(event.Writers{testRef: w})
	return d, nil
}

// pairOf draws schemas of a writer and a reader, and paths of the reader; false if the reader's is none.
func pairOf(t *rapid.T) (writer, reader string, paths []event.Path, ok bool) {
	writer = (&schemaMaker{t: t}).event()
	reader = evolve(t, writer)
	if _, err := avro.Parse(reader); err != nil {
		return "", "", nil, false // such as one that dropped the definition of a type that it names
	}
	r := parseNode(t, reader)
	if r.forward(map[*node]bool{}) {
		return "", "", nil, false
	}
	return writer, reader, timeAt(readable(t, reader, r)), true
}

// timeAt brings the event time to the front.
func timeAt(paths []event.Path) []event.Path {
	all := []event.Path{{"ts"}}
	for _, p := range paths {
		if len(p) != 1 || p[0] != "ts" {
			all = append(all, p)
		}
	}
	return all
}

// hamba/avro, the second reader of plain values, is none here: its resolution overflows the stack on types that contain
// themselves, reads false as null, and forgets fields beside the default of a map.
func TestResolutionAgreesWithOtherReaders(t *testing.T) {
	compared, good, byBoth := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		writer, reader, paths, ok := pairOf(t)
		if !ok {
			return
		}
		w, r := parseNode(t, writer), parseNode(t, reader)
		resolved, theirs := avro.Resolve(avro.MustParse(writer), avro.MustParse(reader))
		d, err := resolving(t, writer, reader, paths...)
		if err != nil {
			if theirs == nil {
				t.Fatalf("writer %s\nreader %s\ntwmb resolves it, ours says %v", writer, reader, err)
			}
			return
		}
		value := (&valueMaker{t: t}).value(nil, w)
		oracle := resolver{buf: value}
		want, unresolved := oracle.read(w, r)
		row := dirtyRow(len(paths))
		err = d.Decode(row, framedValue(value))
		compared++
		var bad *event.BadRecord
		switch {
		case unresolved == nil && isNotUTF8(err) != oracle.badText:
			t.Fatalf("writer %s\nreader %s\n%x: %v, text that is not UTF-8: %v", writer, reader, value, err, oracle.badText)
		case isNotUTF8(err):
			return
		case err != nil && unresolved == nil:
			t.Fatalf("writer %s\nreader %s\n%x: %v", writer, reader, value, err)
		case err == nil && unresolved != nil:
			t.Fatalf("writer %s\nreader %s\n%x: ours took it; %v", writer, reader, value, unresolved)
		case err != nil:
			if theirs == nil {
				t.Fatalf("writer %s\nreader %s\ntwmb resolves it; %v", writer, reader, unresolved)
			}
			if !errors.As(err, &bad) || bad.Reason != event.IncompatibleSchema {
				t.Fatalf("reason of %v", err)
			}
			return
		}
		good++
		if diff := cmp.Diff(expected(r, want, paths), rowText(row)); diff != "" {
			t.Fatalf("writer %s\nreader %s\n%x\n%v (-oracle +ours):\n%s", writer, reader, value, paths, diff)
		}
		if theirs != nil {
			return // it refuses schemas that can't be read in part
		}
		var decoded any
		if rest, err := resolved.Decode(value, &decoded); err != nil || len(rest) > 0 {
			t.Fatalf("writer %s\nreader %s\n%x: twmb: %v, %d bytes left", writer, reader, value, err, len(rest))
		}
		if diff := cmp.Diff(expected(r, decoded, paths), rowText(row)); diff != "" {
			t.Fatalf("writer %s\nreader %s\n%x\n%v (-twmb +ours):\n%s", writer, reader, value, paths, diff)
		}
		byBoth++
	})
	t.Logf("%d values compared, %d of them good, %d by twmb too", compared, good, byBoth)
	if !testing.Short() && byBoth < 30 {
		t.Error("hardly any value was good")
	}
}

// Whether a value is good does not depend on what is asked for, also when it is resolved.
func TestVerdictOfResolvedValuesDoesNotDependOnPaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		writer, reader, paths, ok := pairOf(t)
		if !ok {
			return
		}
		all, errAll := resolving(t, writer, reader, paths...)
		few, errFew := resolving(t, writer, reader, event.Path{"ts"})
		if (errAll == nil) != (errFew == nil) {
			t.Fatalf("writer %s\nreader %s\nwith all paths: %v\nwith one: %v", writer, reader, errAll, errFew)
		}
		if errAll != nil {
			return
		}
		value := framedValue(mutate(t, (&valueMaker{t: t}).value(nil, parseNode(t, writer))))
		errAll, errFew = all.Decode(dirtyRow(len(paths)), value), few.Decode(dirtyRow(1), value)
		if (errAll == nil) != (errFew == nil) {
			t.Fatalf("writer %s\nreader %s\n%x\nwith all paths: %v\nwith one: %v", writer, reader, value, errAll, errFew)
		}
	})
}
