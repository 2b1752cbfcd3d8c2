package event_test

import (
	"testing"

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
