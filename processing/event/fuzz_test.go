package event_test

import (
	"strings"
	"testing"

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
