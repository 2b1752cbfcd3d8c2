package processing

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// Each schema is listed once, in the order of its first record, with the offset of its last: also when there are many.
func TestUsesOf(t *testing.T) {
	value := func(r schemas.Ref) []byte { return append(schemas.AppendFrame(nil, r), "\x02x"...) }
	for _, many := range []int{1, 3, 8, 9, 10, 200} {
		var records []event.Record
		var want []use
		for i := range 3 * many {
			ref := schemas.Registered(int32(i % many))
			if i%many%2 == 1 {
				ref = schemas.Fingerprinted(uint64(i % many))
			}
			records = append(records,
				event.Record{Offset: event.Offset(3 * i), Value: value(ref)},
				event.Record{Offset: event.Offset(3*i + 1), Value: []byte("\x02raw")},
				event.Record{Offset: event.Offset(3*i + 2), Value: []byte("\x00\x00")},
			)
			if i < many {
				want = append(want, use{ref: ref})
			}
			want[i%many].last = event.Offset(3 * i)
		}
		if got := usesOf(event.Auto, records); !slices.Equal(got, want) {
			t.Errorf("%d schemas: %v, want %v", many, got, want)
		}
		for encoding, framing := range map[event.Encoding]schemas.Framing{
			event.Avro: schemas.NoFraming, event.JSON: schemas.NoFraming, event.AvroConfluent: schemas.Confluent, event.AvroSingleObject: schemas.SingleObject,
		} {
			of := slices.DeleteFunc(slices.Clone(want), func(u use) bool { return u.ref.Framing != framing })
			if got := usesOf(encoding, records); fmt.Sprint(got) != fmt.Sprint(of) {
				t.Errorf("%d schemas, %s: %v, want %v", many, encoding, got, of)
			}
		}
	}
}
