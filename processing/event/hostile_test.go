package event_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// Every record here is read with all of its fields wanted and with none but the time: the verdict must be the same.
func TestAvroVerdicts(t *testing.T) {
	fields := func(f string) string {
		return `{"type":"record","name":"R","fields":[{"name":"ts","type":"long"},` + f + `]}`
	}
	field := func(typ string) string { return fields(`{"name":"f","type":` + typ + `}`) }
	recursive := field(`["null","R"]`)
	deep := func(n int) string { return strings.Repeat("0002", n) + "0000" }
	tests := []struct {
		name, schema, hex, want string
	}{
		{"one byte", field(`"long"`), "02 02", ""},
		{"ten bytes", field(`"long"`), "02 ffffffffffffffffff01", ""},
		{"needless bytes", field(`"long"`), "02 8000", ""},
		{"more than 64 bits", field(`"long"`), "02 ffffffffffffffffff02", "f, at byte 1: its varint does not fit into 64 bits"},
		{"eleven bytes", field(`"long"`), "02 8080808080808080808000", "f, at byte 1: its varint does not fit into 64 bits"},
		{"no end", field(`"long"`), "02 80", "f, at byte 1: the record ends inside of it"},
		{"nothing", field(`"long"`), "", "ts, at byte 0: the record ends inside of it"},
		{"greatest int", field(`"int"`), "02 feffffff0f", ""},
		{"int of more than 32 bits", field(`"int"`), "02 8080808010", "f, at byte 1: its varint does not fit into 32 bits"},
		{"int of six bytes", field(`"int"`), "02 808080808000", "f, at byte 1: its varint does not fit into 32 bits"},
		{"boolean", field(`"boolean"`), "02 01", ""},
		{"boolean of 2", field(`"boolean"`), "02 02", "f, at byte 1: a boolean is 0 or 1"},
		{"short double", field(`"double"`), "02 00000000000000", "f, at byte 1: the record ends inside of it"},
		{"short float", field(`"float"`), "02 000000", "f, at byte 1: the record ends inside of it"},
		{"short fixed", field(`{"type":"fixed","name":"F","size":3}`), "02 0000", "f, at byte 1: the record ends inside of it"},
		{"string", field(`"string"`), "02 06 61c3a9", ""},
		{"string that is not UTF-8", field(`"string"`), "02 0461ff", "f, at byte 1: it is not valid UTF-8, from byte 3 on"},
		{"string of half a character", field(`"string"`), "02 0461c3", "f, at byte 1: it is not valid UTF-8, from byte 3 on"},
		{"character over two strings", fields(`{"name":"f","type":"string"},{"name":"g","type":"string"}`), "02 02c3 02a9", "f, at byte 1: it is not valid UTF-8, from byte 2 on"},
		{"half of a surrogate pair", field(`"string"`), "02 06eda080", "f, at byte 1: it is not valid UTF-8, from byte 2 on"},
		{"character in needlessly many bytes", field(`"string"`), "02 04c080", "f, at byte 1: it is not valid UTF-8, from byte 2 on"},
		{"NUL and byte order mark", field(`"string"`), "02 0800efbbbf", ""},
		{"nullable string that is not UTF-8", field(`["null","string"]`), "02 02 02ff", "f, at byte 1: it is not valid UTF-8, from byte 3 on"},
		{"bytes are not UTF-8", field(`"bytes"`), "02 0461ff", ""},
		{"nullable bytes are not UTF-8", field(`["null","bytes"]`), "02 02 02ff", ""},
		{"map key that is not UTF-8", field(`{"type":"map","values":"long"}`), "02 02 02ff 02 00", "f, at byte 2: it is not valid UTF-8, from byte 3 on"},
		{"map value that is not UTF-8", field(`{"type":"map","values":"string"}`), "02 02 0261 02ff 00", "f, at byte 4: it is not valid UTF-8, from byte 5 on"},
		{"long string that is not UTF-8", field(`"string"`), "02 8001" + strings.Repeat("61", 63) + "ff", "f, at byte 1: it is not valid UTF-8, from byte 66 on"},
		{"text behind numbers with high bits", fields(`{"name":"d","type":"double"},{"name":"s","type":"string"},{"name":"f","type":"string"}`),
			"8001 ffffffffffffffff 02 61 02ff", "f, at byte 12: it is not valid UTF-8, from byte 13 on"},
		{"item that is not UTF-8 behind many numbers", field(`{"type":"array","items":["long","string"]}`), "02 28" + strings.Repeat("008001", 19) + "02 02ff 00", "f, at byte 60: it is not valid UTF-8, from byte 61 on"},

		{"negative length", field(`"string"`), "02 01", "f, at byte 1: its length is negative"},
		{"length of more than there is", field(`"string"`), "02 0461", "f, at byte 1: its length is more than what is left of the record"},
		{"length of 2^62", field(`"bytes"`), "02 80808080808080808001 00", "f, at byte 1: its length is more than what is left of the record"},
		{"enum", field(`{"type":"enum","name":"E","symbols":["A","B"]}`), "02 02", ""},
		{"enum beyond", field(`{"type":"enum","name":"E","symbols":["A","B"]}`), "02 04", "f, at byte 1: its enum has no such symbol"},
		{"enum below zero", field(`{"type":"enum","name":"E","symbols":["A","B"]}`), "02 01", "f, at byte 1: its enum has no such symbol"},
		{"nullable", field(`["null","string"]`), "02 02 0261", ""},
		{"nullable with needless bytes", field(`["null","string"]`), "02 8200 0261", ""},
		{"nullable beyond", field(`["null","string"]`), "02 04", "f, at byte 1: its union has no such branch"},
		{"nullable below zero", field(`["string","null"]`), "02 01", "f, at byte 1: its union has no such branch"},
		{"union beyond", field(`["int","string","long"]`), "02 06", "f, at byte 1: its union has no such branch"},
		{"union", field(`["int","string","long"]`), "02 02 0261", ""},
		{"nothing after a branch", field(`["null","string"]`), "02 02", "f, at byte 1: the record ends inside of it"},
		{"trailing byte", field(`"long"`), "02 02 00", "1 bytes follow the end of the record"},
		{"map", field(`{"type":"map","values":"long"}`), "02 02 0261 02 00", ""},
		{"map without its end", field(`{"type":"map","values":"long"}`), "02 02 0261 02", "f, at byte 5: the record ends inside of it"},
		{"map key beyond", field(`{"type":"map","values":"long"}`), "02 02 0861 02 00", "f, at byte 2: a key: its length is more than what is left of the record"},
		{"array in blocks", field(`{"type":"array","items":"int"}`), "02 04 0202 01 02 06 00", ""},
		{"block with a wrong size", field(`{"type":"array","items":"int"}`), "02 01 04 02 00", "f, at byte 1: a block ends 1 bytes before its end"},
		{"block with a size too small", field(`{"type":"array","items":"int"}`), "02 03 02 02 02 00", "f, at byte 1: a block ends -1 bytes before its end"},
		{"block with a negative size", field(`{"type":"array","items":"int"}`), "02 01 01 02 00", "f, at byte 1: a block of -1 bytes, 2 are left"},
		{"block of more items than bytes", field(`{"type":"array","items":"int"}`), "02 fe01 0000", "f, at byte 1: a block of 127 items, 2 bytes are left"},
		{"block of -2^63 items", field(`{"type":"array","items":"int"}`), "02 ffffffffffffffffff01 00 00", "f, at byte 1: a block of 9223372036854775808 items, 1 bytes are left"},
		{"2^62 items without bytes", field(`{"type":"array","items":"null"}`), "02 80808080808080808001 00", ""},
		{"endless items without bytes", field(`{"type":"array","items":"null"}`), "02 0202020202", "f, at byte 6: the record ends inside of it"},
		{"fault in an item", field(`{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"b","type":"boolean"}]}}`), "02 02 05 00", "f.b, at byte 2: a boolean is 0 or 1"},
		{"recursion to a depth", recursive, deep(100), ""},
		{"recursion without end", recursive, deep(100_000), "it nests too deep"},
		{"recursion without a way out", `{"type":"record","name":"R","fields":[{"name":"ts","type":"long"},{"name":"r","type":"R"}]}`, "0000000000", "the record ends inside of it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value, err := hex.DecodeString(strings.ReplaceAll(tt.hex, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			n := parseNode(t, tt.schema)
			for _, paths := range [][]event.Path{n.paths(nil, 3), {{"ts"}}} {
				err := newDecoder(t, tt.schema, event.Avro, paths...).Decode(dirtyRow(len(paths)), value)
				switch {
				case tt.want == "" && err != nil:
					t.Errorf("with %v: %v", paths, err)
				case tt.want != "" && (err == nil || !strings.HasSuffix(err.Error(), tt.want)):
					t.Errorf("with %v: got %v, want %s", paths, err, tt.want)
				}
			}
		})
	}
}

func TestBadRecordIsAnError(t *testing.T) {
	d := newDecoder(t, smallSchema, event.Auto, event.Path{"ts"})
	tests := []struct {
		name, value string
		reason      event.Reason
		want        string
	}{
		{"empty", "", event.Undecodable, "the value is empty"},
		{"Confluent framing", "\x00\x00\x00\x00\x01\x02", event.UnknownSchema, "schema id 1 is not known"},
		{"single object", "\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08", event.UnknownSchema, "the schema of fingerprint 0102030405060708 is not known"},
		{"cut Confluent framing", "\x00\x00\x00", event.Undecodable, "the value is not in Confluent framing: it does not start with 00 and a schema id"},
		{"cut single object", "\xc3\x01\x02", event.Undecodable, "the value is not in single-object encoding: it does not start with C3 01 and a fingerprint"},
		{"JSON", "{", event.Undecodable, "at byte 1: wanted a key, found the end"},
		{"Avro", "\x02\xc3", event.Undecodable, "s, at byte 1: the record ends inside of it"},
	}
	for _, tt := range tests {
		err := d.Decode(make([]event.Value, 1), []byte(tt.value))
		var bad *event.BadRecord
		if !errors.As(err, &bad) || bad.Reason != tt.reason || bad.Detail != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// Whatever is cut off, the rest is bad, and nothing behind the cut is read: the slice's capacity ends there.
func TestEveryTruncationIsBad(t *testing.T) {
	whole := mustEncode(t, eventSchema, pageView)
	d := newDecoder(t, eventSchema, event.Avro, defaultPaths...)
	row := make([]event.Value, len(defaultPaths))
	for n := range whole {
		if err := d.Decode(row, bytes.Clone(whole[:n])); err == nil {
			t.Errorf("%d of %d bytes are a good record", n, len(whole))
		}
	}
}
