package event_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidemark/tidemark/processing/event"
)

// The encoder of another library puts defaults in as well: JSON without the fields must make the same row as its bytes.
func TestDefaultsOfEveryType(t *testing.T) {
	const schema = `{"type":"record","name":"R","fields":[
		{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"},"default":5000},
		{"name":"b","type":"boolean","default":true},
		{"name":"i","type":"int","default":-7},
		{"name":"l","type":"long","default":9007199254740993},
		{"name":"f","type":"float","default":0.1},
		{"name":"d","type":"double","default":0.1},
		{"name":"s","type":"string","default":"é"},
		{"name":"y","type":"bytes","default":"\u00ff"},
		{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"B"},
		{"name":"x","type":{"type":"fixed","name":"F","size":2},"default":"\u0001a"},
		{"name":"n","type":"null","default":null},
		{"name":"m","type":{"type":"map","values":"int"},"default":{"plan":3}},
		{"name":"un","type":["null","string"],"default":null},
		{"name":"us","type":["string","null"],"default":"u"},
		{"name":"ui","type":["int","null"],"default":4},
		{"name":"ub","type":["boolean","null"],"default":false},
		{"name":"uf","type":["float","null"],"default":0.5},
		{"name":"ul","type":["long","null"],"default":6},
		{"name":"uy","type":["bytes","null"],"default":"\u00fe"},
		{"name":"um","type":[{"type":"map","values":"string"},"null"],"default":{"k1":"v"}},
		{"name":"a","type":{"type":"array","items":"int"},"default":[1]},
		{"name":"r","type":{"type":"record","name":"Q","fields":[
			{"name":"p","type":"string","default":"inner"},{"name":"q","type":["null","int"],"default":null}]},"default":{"q":null}}
	]}`
	n := parseNode(t, schema)
	paths := n.paths(nil, 3)
	fromAvro, fromJSON := dirtyRow(len(paths)), dirtyRow(len(paths))
	if err := newDecoder(t, schema, event.Avro, paths...).Decode(fromAvro, mustEncode(t, schema, map[string]any{})); err != nil {
		t.Fatal(err)
	}
	if err := newDecoder(t, schema, event.JSON, paths...).Decode(fromJSON, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rowText(fromAvro), rowText(fromJSON)); diff != "" {
		t.Errorf("%v (-Avro +JSON):\n%s", paths, diff)
	}
	if got := text(fromJSON[0]); got != "int 5000" {
		t.Errorf("the event time is %s", got)
	}
}

// Names resolve in the namespace that they stand in, which a type hands on to what is inside of it.
func TestNamespaces(t *testing.T) {
	const schema = `{"type":"record","name":"a.b.R","fields":[
		{"name":"ts","type":"long"},
		{"name":"e","type":{"type":"enum","name":"E","symbols":["INNER"]}},
		{"name":"top","type":{"type":"enum","name":"E","namespace":"","symbols":["TOP"]}},
		{"name":"q","type":{"type":"record","name":"Q","namespace":"c","fields":[
			{"name":"e","type":{"type":"enum","name":"E","symbols":["OTHER"]}},
			{"name":"same","type":"E"},
			{"name":"far","type":"a.b.E"},
			{"name":"again","type":["null","c.E"]}]}},
		{"name":"near","type":"E"},
		{"name":"record","type":["null","c.Q"]}
	]}`
	paths := []event.Path{{"ts"}, {"e"}, {"top"}, {"q", "e"}, {"q", "same"}, {"q", "far"}, {"q", "again"}, {"near"}, {"record", "far"}}
	want := []string{"int 1", `string "INNER"`, `string "TOP"`, `string "OTHER"`, `string "OTHER"`, `string "INNER"`, `string "OTHER"`, `string "INNER"`, `string "INNER"`}
	values := map[event.Encoding]string{
		event.Avro: "\x02\x00\x00\x00\x00\x00\x02\x00\x00\x02\x00\x00\x00\x00",
		event.JSON: `{"ts":1,"e":"INNER","top":"TOP","q":{"e":"OTHER","same":"OTHER","far":"INNER","again":{"c.E":"OTHER"}},"near":"INNER",
			"record":{"c.Q":{"e":"OTHER","same":"OTHER","far":"INNER"}}}`,
	}
	for encoding, value := range values {
		row := dirtyRow(len(paths))
		if err := newDecoder(t, schema, encoding, paths...).Decode(row, []byte(value)); err != nil {
			t.Fatalf("%s: %v", encoding, err)
		}
		if diff := cmp.Diff(want, rowText(row)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", encoding, diff)
		}
	}
}

func TestOrder(t *testing.T) {
	at := func(time event.Millis, partition event.PartitionID, offset event.Offset) event.Order {
		return event.Order{Time: time, Coordinate: event.Coordinate{Partition: partition, Offset: offset}}
	}
	ascending := []event.Order{at(event.NoTime, 9, 9), at(1, 0, 5), at(1, 0, 6), at(1, 2, 0), at(2, 0, 0)}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%v to %v: got %d, want %d", a, b, got, want)
			}
		}
	}
}
