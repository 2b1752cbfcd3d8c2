package aggregate

import (
	"bytes"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// A fact is the canonical form, but of a first and a last it says when, and not where the event was read.
func TestFacts(t *testing.T) {
	for kind := Count; kind <= Last; kind++ {
		of := func(time event.Millis, partition event.PartitionID, f float64) (fact, row []byte) {
			c := New(kind)
			c.Grow(2)
			v := event.FloatValue(f)
			c.Add(1, &Input{Value: &v, Hash: v.Hash(), At: event.Order{Time: time, Coordinate: event.Coordinate{Partition: partition, Offset: 7}}})
			return AppendFact(nil, c, 1), c.AppendRow(nil, 1)
		}
		fact, row := of(1000, 3, 42)
		elsewhere, _ := of(1000, 4, 42)
		later, _ := of(2000, 3, 42)
		other, _ := of(1000, 3, 43)
		placed := kind == First || kind == Last
		if bytes.Equal(fact, row) == placed {
			t.Errorf("%v: fact % x, row % x", kind, fact, row)
		}
		if !bytes.Equal(fact, elsewhere) {
			t.Errorf("%v: another partition makes % x of % x", kind, elsewhere, fact)
		}
		if bytes.Equal(fact, later) == placed {
			t.Errorf("%v: another time makes % x of % x", kind, later, fact)
		}
		if bytes.Equal(fact, other) != (kind == Count) {
			t.Errorf("%v: another value makes % x of % x", kind, other, fact)
		}
		empty := New(kind)
		empty.Grow(1)
		if got := AppendFact(nil, empty, 0); bytes.Equal(got, fact) || len(got) == 0 {
			t.Errorf("%v: % x of nothing", kind, got)
		}
	}
}
