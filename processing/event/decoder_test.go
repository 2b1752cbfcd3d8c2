package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
	"github.com/twmb/avro"
)

var eventSchema = schemas.Events

func TestDecodeEvent(t *testing.T) {
	want := []string{
		"int 1760000123456", `string "PAGE_VIEW"`, `string "user-0048213"`, `string "0192d1c4-1b02-7d5a-8c33-52b6e7a0c9d4"`,
		`string "https://shop.example.com/products/outdoor/tent-4"`, "int 1287", "null", "null", "null", "null",
	}
	text, err := avro.MustParse(eventSchema).EncodeJSON(pageView, avro.TaggedUnions())
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder(t, eventSchema, event.Auto, defaultPaths...)
	for name, value := range map[string][]byte{"Avro": mustEncode(t, eventSchema, pageView), "JSON": text} {
		row := dirtyRow(len(defaultPaths) + 1)
		if err := d.Decode(row, value); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(append(want, `string "left over"`), rowText(row)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Enums have their symbol's number, in both encodings; other texts have none.
func TestEnumsAreSymbols(t *testing.T) {
	plain, err := avro.MustParse(eventSchema).EncodeJSON(pageView)
	if err != nil {
		t.Fatal(err)
	}
	want := event.SymbolValue([]byte("PAGE_VIEW"))
	d := newDecoder(t, eventSchema, event.Auto, defaultPaths...)
	for name, value := range map[string][]byte{"Avro": mustEncode(t, eventSchema, pageView), "JSON": plain} {
		row := make([]event.Value, len(defaultPaths))
		if err := d.Decode(row, value); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if row[1].Symbol() != want.Symbol() || row[2].Symbol() != 0 {
			t.Errorf("%s: eventType has number %d, want %d; userId has %d", name, row[1].Symbol(), want.Symbol(), row[2].Symbol())
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	row := make([]event.Value, len(defaultPaths))
	plain, err := avro.MustParse(eventSchema).EncodeJSON(pageView)
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder(t, eventSchema, event.Auto, defaultPaths...)
	for name, value := range map[string][]byte{"Avro": mustEncode(t, eventSchema, pageView), "JSON": plain} {
		if n := testing.AllocsPerRun(100, func() { _ = d.Decode(row, value) }); n != 0 {
			t.Errorf("%s: %v allocations a record", name, n)
		}
	}
}

func TestEventTimeIsInMilliseconds(t *testing.T) {
	tests := []struct{ name, typ, avro, json, want string }{
		{"plain", `"long"`, "\x03", `-2`, "int -2"},
		{"millis", `{"type":"long","logicalType":"timestamp-millis"}`, "\x03", `-2`, "int -2"},
		{"micros", `{"type":"long","logicalType":"timestamp-micros"}`, "\xde\x0f", `1007`, "int 1"},
		{"micros before 1970 round down", `{"type":"long","logicalType":"timestamp-micros"}`, "\x01", `-1`, "int -1"},
		{"nanos", `{"type":"long","logicalType":"local-timestamp-nanos"}`, "\x80\x92\xf4\x01", `2000000`, "int 2"},
		{"written beside the type", `"long","logicalType":"timestamp-micros"`, "\xde\x0f", `1007`, "int 1"},
		{"nullable", `["null",{"type":"long","logicalType":"timestamp-micros"}]`, "\x02\xde\x0f", `1007`, "int 1"},
		{"null", `["null","long"]`, "\x00", `null`, "undecodable: the event time is null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			schema := `{"type":"record","name":"R","fields":[{"name":"ts","type":` + tt.typ + `}]}`
			for encoding, value := range map[event.Encoding]string{event.Avro: tt.avro, event.JSON: `{"ts":` + tt.json + `}`} {
				row := dirtyRow(1)
				var got string
				if err := newDecoder(t, schema, encoding, event.Path{"ts"}).Decode(row, []byte(value)); err != nil {
					got = err.Error()
				} else {
					got = text(row[0])
				}
				if got != tt.want {
					t.Errorf("%s: got %s, want %s", encoding, got, tt.want)
				}
			}
		})
	}
}

// Other logical types, and the event time's own for other fields, are read as what they are made of.
func TestLogicalTypesAreTheirBase(t *testing.T) {
	schema := `{"type":"record","name":"R","fields":[{"name":"ts","type":"long"},
		{"name":"us","type":{"type":"long","logicalType":"timestamp-micros"}},
		{"name":"day","type":{"type":"int","logicalType":"date"}},
		{"name":"id","type":{"type":"string","logicalType":"uuid"}},
		{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}}]}`
	d := newDecoder(t, schema, event.Avro, event.Path{"ts"}, event.Path{"us"}, event.Path{"day"}, event.Path{"id"}, event.Path{"price"})
	row := dirtyRow(5)
	if err := d.Decode(row, []byte("\x02\xde\x0f\x04\x02x\x02\x07")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"int 1", "int 1007", "int 2", `string "x"`, `string "\a"`}, rowText(row)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnePathInSeveralSlots(t *testing.T) {
	json := `{"ts":1,"s":"x","r":{"y":4}}`
	avroValue := mustEncode(t, smallSchema, map[string]any{"ts": 1, "s": "x", "r": map[string]any{"y": 4}})
	for _, value := range [][]byte{[]byte(json), avroValue} {
		dd, err := event.NewDecoder(event.Options{WriterSchema: smallSchema, Paths: []event.Path{{"s"}, {"ts"}, {"s"}, {"r", "y"}, {"r", "y"}}, TimeSlot: 1, Encoding: event.Auto})
		if err != nil {
			t.Fatal(err)
		}
		row := dirtyRow(5)
		if err := dd.Decode(row, value); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{`string "x"`, "int 1", `string "x"`, "int 4", "int 4"}, rowText(row)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestMapEntriesLastDuplicateWins(t *testing.T) {
	schema := `{"type":"record","name":"R","fields":[{"name":"ts","type":"long"},
		{"name":"m","type":{"type":"map","values":["null",{"type":"record","name":"V","fields":[{"name":"a","type":"string"}]}]}}]}`
	d := newDecoder(t, schema, event.Avro, event.Path{"ts"}, event.Path{"m", "k", "a"}, event.Path{"m", "l", "a"})
	row := dirtyRow(3)
	// k: {a: x}, l: {a: y}, then in another block k: null
	if err := d.Decode(row, []byte("\x02\x04\x02k\x02\x02x\x02l\x02\x02y\x02\x02k\x00\x00")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"int 1", "null", `string "y"`}, rowText(row)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewDecoderRefuses(t *testing.T) {
	timed := func(typ string) string {
		return `{"type":"record","name":"R","fields":[{"name":"ts","type":` + typ + `}]}`
	}
	ts := []event.Path{{"ts"}}
	tests := []struct {
		name string
		o    event.Options
		want string
	}{
		{"encoding", event.Options{WriterSchema: timed(`"long"`), Paths: ts}, `unknown encoding ""`},
		{"no paths", event.Options{WriterSchema: timed(`"long"`), Encoding: event.Avro}, "time slot 0 of 0 paths"},
		{"time slot", event.Options{WriterSchema: timed(`"long"`), Paths: ts, TimeSlot: 1, Encoding: event.Avro}, "time slot 1 of 1 paths"},
		{"no schema", event.Options{WriterSchema: `{`, Paths: ts, Encoding: event.Avro}, "parse schema"},
		{"no record", event.Options{WriterSchema: `"string"`, Paths: ts, Encoding: event.Avro}, "an event must be a record, not string"},
		{"time is text", event.Options{WriterSchema: timed(`"string"`), Paths: ts, Encoding: event.Avro}, "not a string"},
		{"time is an int", event.Options{WriterSchema: timed(`"int"`), Paths: ts, Encoding: event.Avro}, "not an int"},
		{"time is a time of day", event.Options{WriterSchema: timed(`{"type":"long","logicalType":"time-micros"}`), Paths: ts, Encoding: event.Avro}, "not a long (time-micros)"},
		{"time is null", event.Options{WriterSchema: timed(`"null"`), Paths: ts, Encoding: event.Avro}, "always null"},
		{"unknown fields, all of them", event.Options{WriterSchema: timed(`"long"`), Paths: []event.Path{{"ts"}, {"a"}, {"b"}}, Encoding: event.Avro}, "unknown field \"a\": known are ts\nunknown field \"b\""},
	}
	for _, tt := range tests {
		if _, err := event.NewDecoder(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestLookup(t *testing.T) {
	tests := []struct {
		path string
		want event.TypeInfo
		err  string
	}{
		{"timestamp", event.TypeInfo{Kind: event.Int, Avro: "long", Logical: "timestamp-millis"}, ""},
		{"userId", event.TypeInfo{Kind: event.String, Avro: "string", Nullable: true}, ""},
		{"pageViewData.url", event.TypeInfo{Kind: event.String, Avro: "string", Nullable: true}, ""},
		{"pageViewData.pageLoadTime", event.TypeInfo{Kind: event.Int, Avro: "int", Nullable: true}, ""},
		{"conversionData.value", event.TypeInfo{Kind: event.Float, Avro: "double", Nullable: true}, ""},
		{"customData.plan", event.TypeInfo{Kind: event.String, Avro: "string", Nullable: true}, ""},
		{"sessionData.deviceType", event.TypeInfo{Kind: event.String, Avro: "enum", Nullable: true, Symbols: []string{"DESKTOP", "MOBILE", "TABLET", "UNKNOWN"}}, ""},
		{"pageViewData", event.TypeInfo{}, "not a single value: pageViewData is a record, not a single value; its fields are url, title, referrer, pageLoadTime"},
		{"customData", event.TypeInfo{}, "not a single value: customData is a map, not a single value"},
		{"pageViewDta.url", event.TypeInfo{}, `unknown field "pageViewDta.url": did you mean "pageViewData"?`},
		{"pageViewData.URL", event.TypeInfo{}, `unknown field "pageViewData.URL": did you mean "pageViewData.url"?`},
		{"metadata.nothing", event.TypeInfo{}, `unknown field "metadata.nothing": known are source, version, environment`},
		{"eventId.x", event.TypeInfo{}, `unknown field "eventId.x": "eventId" is a string and has no fields`},
		{"customData.a.b", event.TypeInfo{}, `unknown field "customData.a.b": "customData.a" is a string and has no fields`},
	}
	for _, tt := range tests {
		got, err := event.Lookup(eventSchema, strings.Split(tt.path, "."))
		message := ""
		if err != nil {
			message = err.Error()
		}
		if message != tt.err {
			t.Errorf("%s: got error %q, want %q", tt.path, message, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.path, diff)
		}
	}
}

func TestLookupTellsWhatIsKnown(t *testing.T) {
	_, err := event.Lookup(eventSchema, event.Path{"pageViewData", "urls"})
	var pathErr *event.PathError
	if !errors.As(err, &pathErr) || !errors.Is(err, event.ErrUnknownField) {
		t.Fatalf("got %v", err)
	}
	want := event.PathError{Path: event.Path{"pageViewData", "urls"}, At: 1, Found: "record", Known: []string{"url", "title", "referrer", "pageLoadTime"}, Near: []string{"url"}}
	if pathErr.At != want.At || pathErr.Found != want.Found || !cmp.Equal(pathErr.Known, want.Known) || !cmp.Equal(pathErr.Near, want.Near) {
		t.Errorf("got %+v, want %+v", pathErr, want)
	}
}

func TestLookupInUnions(t *testing.T) {
	schema := `{"type":"record","name":"R","fields":[
		{"name":"n","type":["int","null","double"]},
		{"name":"mixed","type":["string","long"]},
		{"name":"whole","type":["string",{"type":"array","items":"int"}]},
		{"name":"r","type":[{"type":"record","name":"A","fields":[{"name":"a","type":"int"},{"name":"x","type":"int"}]},
			{"type":"record","name":"B","fields":[{"name":"b","type":"int"},{"name":"x","type":"int"}]}]}]}`
	tests := []struct {
		path string
		want event.TypeInfo
		err  error
	}{
		{"n", event.TypeInfo{Kind: event.Float, Avro: "union", Nullable: true}, nil},
		{"mixed", event.TypeInfo{Kind: event.Null, Avro: "union"}, nil},
		{"whole", event.TypeInfo{}, event.ErrNotScalar},
		{"r.a", event.TypeInfo{Kind: event.Int, Avro: "int", Nullable: true}, nil},
		{"r.x", event.TypeInfo{Kind: event.Int, Avro: "int"}, nil},
		{"r.c", event.TypeInfo{}, event.ErrUnknownField},
		{"r", event.TypeInfo{}, event.ErrNotScalar},
	}
	for _, tt := range tests {
		got, err := event.Lookup(schema, strings.Split(tt.path, "."))
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v, want %v", tt.path, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.path, diff)
		}
	}
}
