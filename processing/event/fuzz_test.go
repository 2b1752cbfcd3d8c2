package event_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/twmb/avro"
)

func FuzzDecodeAvro(f *testing.F) {
	schemas := []string{eventSchema, smallSchema, `{"type":"record","name":"R","fields":[{"name":"ts","type":"long"},
		{"name":"next","type":["null","R"]},{"name":"all","type":{"type":"array","items":["null","boolean","R",{"type":"map","values":"double"}]}}]}`}
	f.Add(uint8(0), mustEncode(f, eventSchema, pageView))
	f.Add(uint8(1), mustEncode(f, smallSchema, map[string]any{"ts": 1, "s": "x", "b": []byte{1}, "m": map[string]string{"plan": "x"}, "r": map[string]any{"x": "y"}}))
	f.Add(uint8(2), []byte("\x02\x02\x02\x00\x00\x02\x00\x03\x06\x02\x01\x00\x00"))
	type target struct {
		schema *avro.Schema
		n      *node
		paths  []event.Path
		d      *event.Decoder
	}
	var targets []target
	for _, schema := range schemas {
		n := parseNode(f, schema)
		paths := n.paths(nil, 3)
		if schema == eventSchema {
			paths = timeFirst(paths)
		}
		targets = append(targets, target{avro.MustParse(schema), n, paths, newDecoder(f, schema, event.Avro, paths...)})
	}
	f.Fuzz(func(t *testing.T, i uint8, value []byte) {
		x := targets[int(i)%len(targets)]
		checkAvro(t, x.schema, x.n, x.d, x.paths, value)
	})
}

func FuzzDecodeJSON(f *testing.F) {
	for _, text := range jsonSamples(f) {
		f.Add(text)
	}
	f.Add([]byte(`{"eventId":"\ud83d\ude00\u0000","timestamp":-0,"eventType":"CUSTOM","sessionId":"","customData":{"map":{"map":"x"}},"metadata":{"source":"s"},"x":[1e5,{}]}`))
	n := parseNode(f, eventSchema)
	paths := timeFirst(n.paths(nil, 3))
	d := newDecoder(f, eventSchema, event.JSON, paths...)
	f.Fuzz(func(t *testing.T, text []byte) {
		checkJSON(t, n, d, paths, text)
	})
}

// FuzzResolve gives a writer's schema and a value of it to a reader of events. Whatever they are, nothing panics, and what
// both twmb/avro and we take is the same.
func FuzzResolve(f *testing.F) {
	good := mustEncode(f, eventSchema, pageView)
	f.Add(eventSchema, good)
	f.Add(`{"type":"record","name":"AnalyticsEvent","fields":[{"name":"timestamp","type":["int","null"]},{"name":"eventType",
		"type":{"type":"enum","name":"EventType","symbols":["A","PAGE_VIEW"]}}]}`, []byte("\x00\x02\x02"))
	f.Add(`{"type":"record","name":"AnalyticsEvent","fields":[{"name":"next","type":["null","AnalyticsEvent"]},
		{"name":"all","type":{"type":"array","items":"AnalyticsEvent"}}]}`, []byte{0, 0})
	n := parseNode(f, eventSchema)
	paths := timeFirst(n.paths(nil, 3))
	r, err := event.NewReader(eventSchema, paths, 0)
	if err != nil {
		f.Fatal(err)
	}
	d := newDecoder(f, eventSchema, event.AvroConfluent, paths...)
	reader := avro.MustParse(eventSchema)
	f.Fuzz(func(t *testing.T, schema string, value []byte) {
		w, err := r.Writer(schema)
		if err != nil {
			return
		}
		d.Use(event.Writers{testRef: w})
		row := dirtyRow(len(paths))
		err = d.Decode(row, framedValue(value))
		writer, parseErr := avro.Parse(schema)
		if err != nil || parseErr != nil || strings.Contains(schema, "logicalType") {
			return // their times are rescaled here, and not there
		}
		resolved, theirs := avro.Resolve(writer, reader)
		if theirs != nil {
			return // it refuses schemas that can't be read in part
		}
		var decoded any
		if rest, err := resolved.Decode(value, &decoded); err == nil && len(rest) == 0 {
			if diff := cmp.Diff(expected(n, decoded, paths), rowText(row)); diff != "" {
				t.Fatalf("%s\n%x\n(-twmb +ours):\n%s", schema, value, diff)
			}
		}
	})
}

// Unions that plain JSON can't tell apart have no second reader here. What is asked for must not change the verdict, and
// the next record must not see the last one.
func FuzzDecodeJSONUnions(f *testing.F) {
	const schema = `{"type":"record","name":"R","fields":[{"name":"ts","type":"long"},
		{"name":"u","type":["null","int","double","string","bytes",{"type":"map","values":["null","string"]},
			{"type":"record","name":"X","fields":[{"name":"s","type":"string"},{"name":"n","type":["long","null"],"default":3}]},
			{"type":"array","items":["X","R",{"type":"enum","name":"E","symbols":["A","B"]},"boolean"]}]},
		{"name":"b","type":{"type":"bytes"},"default":"x"}]}`
	for _, text := range []string{
		`{"ts":1,"u":{"X":{"s":"a"}}}`, `{"ts":1,"u":{"map":{"X":"a","s":{"string":"b"}}}}`, `{"ts":1,"u":{"s":"a","n":{"long":4}},"b":"\u00ff"}`,
		`{"ts":1,"u":[{"E":"A"},"B",true,{"s":"x"}]}`, `{"ts":1,"u":{"int":5},"u":1e400}`, `{"ts":1,"u":"\ud83d"}`, "\ufeff{}", `{"ts":9223372036854775808,"u":-0}`,
	} {
		f.Add([]byte(text))
	}
	paths := []event.Path{{"ts"}, {"u", "s"}, {"u", "n"}, {"b"}}
	all, few := newDecoder(f, schema, event.JSON, paths...), newDecoder(f, schema, event.JSON, paths[0])
	f.Fuzz(func(t *testing.T, text []byte) {
		row, again := dirtyRow(len(paths)), dirtyRow(len(paths))
		err := all.Decode(row, text)
		texts := rowText(row)
		if errFew := few.Decode(dirtyRow(1), text); (err == nil) != (errFew == nil) {
			t.Fatalf("%q: with all paths: %v; with one: %v", text, err, errFew)
		}
		if errAgain := all.Decode(again, text); (err == nil) != (errAgain == nil) {
			t.Fatalf("%q: at first: %v; again: %v", text, err, errAgain)
		}
		if err != nil {
			return
		}
		for i, got := range rowText(again) {
			if got != texts[i] {
				t.Fatalf("%q: %v is %s, then %s", text, paths[i], texts[i], got)
			}
		}
	})
}

// Schemas come from files and registries. One that is accepted compiles soon, and what it compiles to reads anything.
func FuzzSchema(f *testing.F) {
	for _, schema := range []string{
		eventSchema, smallSchema,
		`{"type":"record","name":"R","fields":[{"name":"ts","type":"long"},{"name":"r","type":"R"}]}`,
		`{"type":"record","name":"A","fields":[{"name":"ts","type":"long"},{"name":"a","type":{"type":"record","name":"B","fields":[
			{"name":"x","type":{"type":"record","name":"C","fields":[{"name":"p","type":"string"},{"name":"q","type":"bytes"}]}},{"name":"y","type":"C"},{"name":"z","type":["C","null"]}]}},
			{"name":"b","type":"B"},{"name":"c","type":{"type":"map","values":"B"}},{"name":"d","type":{"type":"array","items":["null","A","B"]}}]}`,
		`{"type":"record","name":"D","fields":[{"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"d","type":{"type":"map","values":"int"},"default":{"k":1}}]}`,
	} {
		f.Add(schema, []byte("\x02\x02\x00"))
	}
	f.Fuzz(func(t *testing.T, schema string, value []byte) {
		began := time.Now()
		d, err := event.NewDecoder(event.Options{WriterSchema: schema, Paths: []event.Path{{"ts"}}, Encoding: event.Avro})
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("%d bytes of schema took %v: %.300s", len(schema), took, schema)
		}
		if err != nil {
			return
		}
		var bad *event.BadRecord
		if err := d.Decode(make([]event.Value, 1), value); err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
	})
}

func FuzzAppendKept(f *testing.F) {
	long := make([]byte, event.MaxKept+1)
	f.Add([]byte("a"), long)
	f.Add(long[1:], slices.Concat(long, []byte("x")))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		keptA, keptB := event.AppendKept(nil, a), event.AppendKept(nil, b)
		if len(keptA) > event.MaxKept || string(event.AppendKept(nil, keptA)) != string(keptA) {
			t.Errorf("%q is kept as %q", a, keptA)
		}
		if len(a) > event.MaxKept && len(b) > event.MaxKept && string(a) != string(b) && string(keptA) == string(keptB) {
			t.Errorf("%q and %q are both kept as %q", a, b, keptA)
		}
	})
}
