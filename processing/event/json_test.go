package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
	"github.com/twmb/avro"
	"pgregory.net/rapid"
)

// The same event must make the same row, from Avro and from JSON with and without the names of branches.
func TestJSONMakesTheRowOfAvro(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.Bool().Draw(t, "plain")
		schema := (&schemaMaker{t: t, plain: plain}).event()
		n := parseNode(t, schema)
		paths := readable(t, schema, n)
		value := (&valueMaker{t: t}).value(nil, n)
		row := dirtyRow(len(paths))
		if err := newDecoder(t, schema, event.Avro, paths...).Decode(row, value); err != nil {
			t.Fatal(err)
		}
		want := rowText(row)

		s := avro.MustParse(schema)
		var decoded any
		if _, err := s.Decode(value, &decoded, avro.TaggedUnions()); err != nil {
			t.Fatal(err)
		}
		var opts []avro.Opt
		if !plain {
			opts = append(opts, avro.TaggedUnions())
		}
		text, err := s.EncodeJSON(decoded, opts...)
		if err != nil {
			t.Fatal(err)
		}
		row = dirtyRow(len(paths))
		if err := newDecoder(t, schema, event.JSON, paths...).Decode(row, text); err != nil {
			t.Fatalf("%s\n%s: %v", schema, text, err)
		}
		if diff := cmp.Diff(want, rowText(row)); diff != "" {
			t.Fatalf("%s\n%s\n%v (-Avro +JSON):\n%s", schema, text, paths, diff)
		}
	})
}

func TestJSONVerdictOnDamagedRecords(t *testing.T) {
	n := parseNode(t, schemas.Events)
	paths := n.paths(nil, 4)
	d := newDecoder(t, schemas.Events, event.JSON, timeFirst(paths)...)
	samples := jsonSamples(t)
	rapid.Check(t, func(t *rapid.T) {
		text := mutateJSON(t, rapid.SampledFrom(samples).Draw(t, "sample"))
		checkJSON(t, n, d, timeFirst(paths), text)
	})
}

// checkJSON compares a decoder with the oracle.
func checkJSON(t rapid.TB, n *node, d *event.Decoder, paths []event.Path, text []byte) {
	t.Helper()
	row := dirtyRow(len(paths))
	err := d.Decode(row, text)
	want, ok, certain := expectJSON(n, text, paths)
	switch {
	case !certain || err != nil && strings.Contains(err.Error(), "nests too deep"):
	case err == nil && !ok:
		t.Fatalf("%s: ours took it, and it is bad", text)
	case err != nil && ok:
		t.Fatalf("%s: %v, and it is good", text, err)
	case err == nil:
		if diff := cmp.Diff(want, rowText(row)); diff != "" {
			t.Fatalf("%s: (-want +got):\n%s", text, diff)
		}
	}
}

// timeFirst puts the event time into slot 0.
func timeFirst(paths []event.Path) []event.Path {
	first := []event.Path{{"timestamp"}}
	for _, p := range paths {
		if p[0] != "timestamp" {
			first = append(first, p)
		}
	}
	return first
}

func jsonSamples(t rapid.TB) [][]byte {
	t.Helper()
	s := avro.MustParse(schemas.Events)
	full := map[string]any{}
	for k, v := range pageView {
		full[k] = v
	}
	full["sessionData"] = map[string]any{"userAgent": "UA/1.0 \"x\"", "ipAddress": "192.0.2.7", "country": "DE", "city": "Köln", "deviceType": "MOBILE", "browser": nil, "os": "🐧"}
	full["conversionData"] = map[string]any{"conversionType": "PURCHASE", "value": 12.5e-3, "currency": "EUR", "productId": nil, "category": nil}
	full["customData"] = map[string]any{"plan": "pro", "map": "x"}
	var samples [][]byte
	for _, v := range []any{pageView, full} {
		plain, err := s.EncodeJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		tagged, err := s.EncodeJSON(v, avro.TaggedUnions())
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, plain, tagged)
	}
	return append(samples, []byte(`{"eventId":"e","timestamp":1,"eventType":"CUSTOM","sessionId":"s","metadata":{"source":"x"}}`))
}

// mutateJSON changes a text so that much of it stays valid.
func mutateJSON(t *rapid.T, text []byte) []byte {
	pieces := []string{`"`, `\`, `{`, `}`, `[`, `]`, `,`, `:`, `null`, `true`, `0`, `1.5`, `-`, `e`, ` `, `"x"`, `"\u00e9"`, `"\ud83d"`,
		`"\ud83d\ude00"`, "\x00", "\xff", `{"string":"x"}`, `{"map":{}}`, `"a":1,`, `"timestamp":2,`, `99999999999999999999`, `1e400`, `"NaN"`}
	for range rapid.IntRange(1, 3).Draw(t, "mutations") {
		at := rapid.IntRange(0, len(text)).Draw(t, "at")
		end := min(len(text), at+rapid.IntRange(0, 6).Draw(t, "cut"))
		piece := rapid.SampledFrom(pieces).Draw(t, "piece")
		text = append(text[:at:at], append([]byte(piece), text[end:]...)...)
	}
	return text
}

const smallSchema = `{"type":"record","name":"R","namespace":"ns","fields":[
	{"name":"ts","type":"long"},
	{"name":"s","type":["null","string"],"default":null},
	{"name":"i","type":["null","int"]},
	{"name":"d","type":["double","null"],"default":1.5},
	{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"A"},"default":"B"},
	{"name":"b","type":["null","bytes",{"type":"fixed","name":"F","size":2}],"default":null},
	{"name":"m","type":["null",{"type":"map","values":"string"}],"default":null},
	{"name":"r","type":["null",{"type":"record","name":"Q","fields":[{"name":"x","type":["null","string"]},{"name":"y","type":"int","default":7}]}],"default":null},
	{"name":"two","type":["null",{"type":"record","name":"T1","fields":[{"name":"x","type":"int"}]},{"type":"record","name":"T2","fields":[{"name":"x","type":"string"}]}],"default":null},
	{"name":"nested","type":{"type":"record","name":"N","fields":[{"name":"a","type":"string","default":"p"},{"name":"z","type":["string","null"],"default":"q"}]},"default":{"a":"o"}}
]}`

func TestJSON(t *testing.T) {
	paths := []event.Path{{"ts"}, {"s"}, {"i"}, {"d"}, {"e"}, {"b"}, {"m", "k"}, {"r", "x"}, {"r", "y"}, {"two", "x"}, {"nested", "a"}, {"nested", "z"}}
	names := []string{"ts", "s", "i", "d", "e", "b", "m.k", "r.x", "r.y", "two.x", "nested.a", "nested.z"}
	d := newDecoder(t, smallSchema, event.JSON, paths...)
	tests := []struct {
		name, json string
		want       string // what differs from an event of its time alone, or the error's detail after "!"
	}{
		{"time alone", `{"ts":1}`, ``},
		{"space everywhere", " {\n\t\"ts\" : 1 , \"s\" : \"x\" }\r\n", `s=string "x"`},
		{"tagged", `{"ts":1,"s":{"string":"x"},"i":{"int":-3},"d":{"double":2}}`, `s=string "x" i=int -3 d=float 4000000000000000`},
		{"null where it may be", `{"ts":1,"s":null,"d":null}`, `d=null`},
		{"duplicate keys: the last one", `{"ts":9,"s":"a","ts":1,"s":"b"}`, `s=string "b"`},
		{"duplicate record is read anew", `{"ts":1,"r":{"x":"a","y":1},"r":{}}`, `r.y=int 7`},
		{"duplicate to null", `{"ts":1,"r":{"x":"a","y":1},"r":null}`, ``},
		{"duplicate map key", `{"ts":1,"m":{"k":"a","k":"b"}}`, `m.k=string "b"`},
		{"unknown fields are ignored", `{"ts":1,"new":{"a":[1,{"b":null}]},"s":"x"}`, `s=string "x"`},
		{"but must be JSON", `{"ts":1,"new":{"a":[1,}]}}`, `!"new", at byte 22: wanted a number, found '}'`},
		{"escapes", `{"ts":1,"s":"\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00"}`, `s=string "\"\\/\b\f\n\r\tAé😀"`},
		{"half a pair", `{"ts":1,"s":"a\ud83d"}`, `s=string "a�"`},
		{"half a pair before another escape", `{"ts":1,"s":"\ud83d\u0041"}`, `s=string "�A"`},
		{"escaped key", `{"ts":1,"\u0073":"x","m":{"\u006b":"v"}}`, `s=string "x" m.k=string "v"`},
		{"enum", `{"ts":1,"e":"A"}`, `e=string "A"`},
		{"unknown symbol, in spite of the default", `{"ts":1,"e":"C"}`, `!e, at byte 12: the enum ns.E has no symbol "C"`},
		{"plain bytes", `{"ts":1,"b":"\u0000\u00ff"}`, `b=string "\x00\xff"`},
		{"tagged fixed", `{"ts":1,"b":{"ns.F":"éa"}}`, `b=string "\xe9a"`},
		{"fixed of another size", `{"ts":1,"b":{"ns.F":"abc"}}`, `!b, at byte 20: wanted 2 bytes, found 3`},
		{"not bytes", `{"ts":1,"b":"€"}`, `!b, at byte 12: wanted one of null, bytes, ns.F, found a string`},
		{"plain map with a branch's name for key", `{"ts":1,"m":{"map":"x"}}`, ``},
		{"tagged map", `{"ts":1,"m":{"map":{"k":"x"}}}`, `m.k=string "x"`},
		{"tagged record", `{"ts":1,"r":{"ns.Q":{"x":{"string":"a"},"y":3}}}`, `r.x=string "a" r.y=int 3`},
		{"tag and more", `{"ts":1,"r":{"ns.Q":{"x":"a"},"y":3}}`, `!r, at byte 30: a value that names its branch has one key only`},
		{"records that must name their branch", `{"ts":1,"two":{"x":1}}`, `!two, at byte 14: the object must name its branch, one of null, ns.T1, ns.T2`},
		{"records that do", `{"ts":1,"two":{"ns.T2":{"x":"a"}}}`, `two.x=string "a"`},
		{"default within a given record", `{"ts":1,"nested":{}}`, `nested.a=string "p"`},
		{"NaN", `{"ts":1,"d":"NaN"}`, `d=float NaN`},
		{"minus infinity", `{"ts":1,"d":{"double":"-Infinity"}}`, `d=float fff0000000000000`},
		{"least long", `{"ts":-9223372036854775808}`, `ts=int -9223372036854775808`},
		{"greatest long", `{"ts":9223372036854775807}`, `ts=int 9223372036854775807`},
		{"beyond", `{"ts":9223372036854775808}`, `!ts, at byte 6: wanted a whole number from -9223372036854775808 to 9223372036854775807`},
		{"beyond, below", `{"ts":-9223372036854775809}`, `!ts, at byte 6: wanted a whole number from -9223372036854775808 to 9223372036854775807`},
		{"int out of range", `{"ts":1,"i":2147483648}`, `!i, at byte 12: wanted a whole number from -2147483648 to 2147483647`},
		{"fraction for a long", `{"ts":1.0}`, `!ts, at byte 6: wanted a whole number from -9223372036854775808 to 9223372036854775807`},
		{"double out of range", `{"ts":1,"d":1e400}`, `!d, at byte 12: the number does not fit into 64 bits`},
		{"missing", `{"s":"x"}`, `!ts, at byte 9: the field is missing`},
		{"wrong type", `{"ts":"1"}`, `!ts, at byte 6: wanted a number, found a string`},
		{"nested wrong type", `{"ts":1,"r":{"y":true}}`, `!r.y, at byte 17: wanted a number, found true`},
		{"map value of the wrong type", `{"ts":1,"m":{"k":1}}`, `!m."k", at byte 17: wanted a string, found a number`},
		{"trailing", `{"ts":1} x`, `!at byte 9: more follows the end of the record`},
		{"two records", `{"ts":1}{"ts":1}`, `!at byte 8: more follows the end of the record`},
		{"trailing zero byte", "{\"ts\":1}\x00", `!at byte 8: more follows the end of the record`},
		{"leading zero", `{"ts":01}`, `!ts, at byte 6: a number starts with 0`},
		{"comma at the end", `{"ts":1,}`, `!at byte 8: wanted a key, found '}'`},
		{"no comma", `{"ts":1 "s":"x"}`, `!at byte 8: wanted a comma or the end of an object, found a string`},
		{"no colon", `{"ts" 1}`, `!at byte 6: wanted a colon, found a number`},
		{"no end", `{"ts":1,"s":"x`, `!s, at byte 14: a string has no end`},
		{"control character", "{\"ts\":1,\"s\":\"a\nb\"}", `!s, at byte 14: a control character in a string`},
		{"no such escape", `{"ts":1,"s":"\x"}`, `!s, at byte 13: no such escape`},
		{"invalid UTF-8", "{\"ts\":1,\"s\":\"\xff\"}", `!the JSON is not valid UTF-8`},
		{"not an object", `[]`, `!at byte 0: wanted an object, found an array`},
		{"empty", ``, `!at byte 0: wanted an object, found the end`},
		{"capitals", `{"ts":1,"s":NULL}`, `!s, at byte 12: wanted one of null, string, found 'N'`},
		{"too deep", `{"ts":1,"new":` + strings.Repeat("[", 200), `!"new", at byte 141: it nests too deep`},
	}
	base := map[string]string{"ts": "int 1", "d": "float 3ff8000000000000", "e": `string "B"`, "nested.a": `string "o"`, "nested.z": `string "q"`}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := dirtyRow(len(paths))
			if err := d.Decode(row, []byte(tt.json)); err != nil {
				if got := strings.Replace(err.Error(), "undecodable: ", "!", 1); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
				return
			}
			var got []string
			for i, v := range rowText(row) {
				want, ok := base[names[i]]
				if !ok {
					want = "null"
				}
				if v != want {
					got = append(got, names[i]+"="+v)
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

// encoding/json is one more judge of what is JSON at all: the ignored parts have no other.
func TestIgnoredJSONIsCheckedAsJSON(t *testing.T) {
	d := newDecoder(t, smallSchema, event.JSON, event.Path{"ts"})
	rapid.Check(t, func(t *rapid.T) {
		text := mutateJSON(t, []byte(`{"a":[1,-2.5e+3,{"b":"x\n","c":[]},true,false,null],"d":{},"e":"\u00e9"}`))
		text = append(append([]byte(`{"ts":1,"new":`), text...), '}')
		err := d.Decode(make([]event.Value, 1), text)
		if valid := json.Valid(text) && !strings.ContainsRune(string(text), '\uFFFD') && strings.ToValidUTF8(string(text), "") == string(text); valid != (err == nil) {
			var tree map[string]json.RawMessage
			if _ = json.Unmarshal(text, &tree); valid && tree != nil && len(tree) != 2 {
				return // the mutation closed the object and opened fields of the record
			}
			t.Fatalf("%s: %v, valid %v", text, err, valid)
		}
	})
}
