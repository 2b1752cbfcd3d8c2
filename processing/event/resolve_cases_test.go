package event_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// reader reads the fields a, b and ts of its records.
const caseReader = `{"type":"record","name":"R","namespace":"n","fields":[
	{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"},"aliases":["when"]},
	{"name":"a","type":"double","default":0.5},
	{"name":"b","type":["null","string"],"aliases":["bb"]},
	{"name":"e","type":{"type":"enum","name":"E","aliases":["Old"],"symbols":["X","Y"]},"default":"X"}]}`

func caseWriter(fields string) string {
	return `{"type":"record","name":"R","fields":[` + fields + `]}`
}

const caseTime = `{"name":"ts","type":"long"}`

// What is resolved, one rule at a time: a value's bytes, and the row that comes out of them.
func TestResolutionRules(t *testing.T) {
	for name, c := range map[string]struct {
		writer, value string
		want          string // ts, a, b, e; or the error
	}{
		"missing fields":                   {caseWriter(caseTime), "\x02", "int 1, float 3fe0000000000000, null, string \"X\""},
		"another order, a field more":      {caseWriter(`{"name":"x","type":{"type":"array","items":"int"}},{"name":"a","type":"float"},` + caseTime), "\x02\x06\x00\x00\x00\x80\x3f\x02", "int 1, float 3ff0000000000000, null, string \"X\""},
		"aliases of fields and types":      {caseWriter(`{"name":"when","type":"int"},{"name":"bb","type":"bytes"},{"name":"e","type":{"type":"enum","name":"Old","symbols":["Y"]}}`), "\x02\x02x\x00", "int 1, float 3fe0000000000000, string \"x\", string \"Y\""},
		"microseconds":                     {caseWriter(`{"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}}`), "\xcf\x0f", "int -1, float 3fe0000000000000, null, string \"X\""},
		"seconds are nobody's":             {caseWriter(`{"name":"ts","type":{"type":"long","logicalType":"time-micros"}}`), "\x02", "int 1, float 3fe0000000000000, null, string \"X\""},
		"int as double":                    {caseWriter(caseTime + `,{"name":"a","type":"int"}`), "\x02\x03", "int 1, float c000000000000000, null, string \"X\""},
		"a union where there is none":      {caseWriter(caseTime + `,{"name":"a","type":["null","long","string"]}`), "\x02\x02\x06", "int 1, float 4008000000000000, null, string \"X\""},
		"a branch that is no use":          {caseWriter(caseTime + `,{"name":"a","type":["null","long","string"]}`), "\x02\x04\x02x", "incompatible_schema: a, at byte 2: a string can't be read as a double"},
		"null where there is none":         {caseWriter(caseTime + `,{"name":"a","type":["null","long"]}`), "\x02\x00", "incompatible_schema: a, at byte 2: null can't be read as a double"},
		"a symbol that is not known":       {caseWriter(caseTime + `,{"name":"e","type":{"type":"enum","name":"other.E","symbols":["Z","Y"]}}`), "\x02\x00", "incompatible_schema: e, at byte 1: the events schema has no such symbol, and no default for it"},
		"one beside it that is":            {caseWriter(caseTime + `,{"name":"e","type":{"type":"enum","name":"other.E","symbols":["Z","Y"]}}`), "\x02\x02", "int 1, float 3fe0000000000000, null, string \"Y\""},
		"what is cut is cut":               {caseWriter(caseTime + `,{"name":"a","type":"int"}`), "\x02", "undecodable: a, at byte 1: the record ends inside of it"},
		"what follows":                     {caseWriter(caseTime), "\x02\x02", "undecodable: 1 bytes follow the end of the record"},
		"an int of more than 32 bits":      {caseWriter(`{"name":"ts","type":"int"}`), "\x80\x80\x80\x80\x80\x01", "undecodable: ts, at byte 0: its varint does not fit into 32 bits"},
		"the event time is null":           {caseWriter(`{"name":"ts","type":["null","long"]}`), "\x00", "incompatible_schema: ts, at byte 1: null can't be read as a long"},
		"a record of another name":         {`{"type":"record","name":"S","fields":[` + caseTime + `]}`, "", "the record S can't be read as the record n.R"},
		"an enum of another name":          {caseWriter(caseTime + `,{"name":"e","type":{"type":"enum","name":"F","symbols":["X"]}}`), "", "e: the enum F can't be read as the enum n.E"},
		"a name and an alias":              {caseWriter(`{"name":"when","type":"long"},` + caseTime), "", `its fields "when" and "ts" are both the field "ts", one of them by an alias`},
		"all that is wrong":                {caseWriter(`{"name":"a","type":"string"},{"name":"b","type":"int"}`), "", "a: a string can't be read as a double; b: an int is none of null, string; ts: the field is missing, and has no default"},
		"double does not become a float":   {caseWriter(`{"name":"ts","type":"double"}`), "", "ts: a double can't be read as a long"},
		"what is no record":                {`["null","long"]`, "", "an event must be a record, not union"},
		"what is no schema":                {`{`, "", "parse schema"},
		"a record that never ends":         {`{"type":"record","name":"R","fields":[` + caseTime + `,{"name":"x","type":"R"}]}`, strings.Repeat("\x02", 1000), "undecodable: x"},
		"nested deeper than may be":        {`{"type":"record","name":"R","fields":[` + caseTime + `,{"name":"x","type":["null","R"]}]}`, strings.Repeat("\x02", 1001) + "\x00", "it nests too deep"},
		"items without bytes, without end": {caseWriter(`{"name":"x","type":{"type":"array","items":"null"}},` + caseTime), "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x02", "int 1, float 3fe0000000000000, null, string \"X\""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			d, err := resolving(t, c.writer, caseReader, event.Path{"ts"}, event.Path{"a"}, event.Path{"b"}, event.Path{"e"})
			if err == nil {
				row := dirtyRow(4)
				if err = d.Decode(row, framedValue([]byte(c.value))); err == nil {
					got = strings.Join(rowText(row), ", ")
				}
			}
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Schemas come from outside: whatever they are, they compile soon or not at all, and reading with them ends.
func TestHostileSchemas(t *testing.T) {
	var names, records []string
	for i := range 120 {
		names = append(names, fmt.Sprintf(`"R%d"`, i))
	}
	all := "[" + strings.Join(names, ",") + "]"
	for i := range 120 {
		records = append(records, fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"m","type":%s}]}`, i, all))
	}
	wide := caseWriter(caseTime + `,{"name":"b","type":[` + strings.Join(records, ",") + `]}`)
	deep := caseWriter(caseTime + `,{"name":"x","type":` + strings.Repeat(`{"type":"array","items":`, 3000) + `"int"` + strings.Repeat("}", 3000) + "}")
	long := make([]string, 12_000)
	for i := range long {
		long[i] = fmt.Sprintf(`{"name":"x%d","type":["null","string","int"]}`, i)
	}
	// Each of these contains the next one twice: written out they would be 2^60.
	doubling := ""
	for i := range 60 {
		if doubling == "" {
			doubling = `"int"`
			continue
		}
		doubling = fmt.Sprintf(`{"type":"record","name":"D%d","fields":[{"name":"l","type":%s},{"name":"r","type":%s}]}`, i, doubling, map[bool]string{true: `"int"`, false: fmt.Sprintf(`"D%d"`, i-1)}[i == 1])
	}
	for name, schema := range map[string]string{
		"unions of all in all": wide, "deep": deep, "long": caseWriter(caseTime + "," + strings.Join(long, ",")),
		"doubling": caseWriter(caseTime + `,{"name":"x","type":` + doubling + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			reader := strings.Replace(caseReader, `["null","string"]`, `["null",{"type":"record","name":"R1","fields":[{"name":"m","type":["null",{"type":"record","name":"R2","fields":[{"name":"m","type":["null","string"],"default":null}]}],"default":null}]}]`, 1)
			d, err := resolving(t, schema, reader, event.Path{"ts"}, event.Path{"b", "m", "m"})
			if err != nil {
				t.Logf("refused: %.200v", err)
				return
			}
			err = d.Decode(dirtyRow(2), framedValue(append([]byte{2}, make([]byte, 100_000)...)))
			var bad *event.BadRecord
			if err != nil && !errors.As(err, &bad) {
				t.Error(err)
			}
			t.Logf("taken: %.200v", err)
		})
	}
}
