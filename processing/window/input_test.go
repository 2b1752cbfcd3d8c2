package window

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Every hash is that of its slot's value, also where slots share bytes, wholly or in part, or texts are equally long.
func TestDeriveHashesEachSlot(t *testing.T) {
	buf := []byte("session-1session-2")
	values := []event.Value{
		{}, event.IntValue(7), event.FloatValue(1.5), event.StringValue(nil), event.StringValue([]byte{}),
		event.StringValue(buf[:9]), event.StringValue(buf[9:]), event.StringValue(buf[:8]), event.StringValue([]byte("session-1")),
	}
	const slots = 6
	space := &definition.Space{Slots: slots, HashSlots: []int{0, 1, 3, 4, 5}}
	rapid.Check(t, func(t *rapid.T) {
		in := &Input{Hash: make([]uint64, slots)}
		for range slots {
			in.Row = append(in.Row, rapid.SampledFrom(values).Draw(t, "value"))
		}
		in.Derive(space)
		for _, s := range space.HashSlots {
			if want := in.Row[s].Hash(); in.Hash[s] != want {
				t.Errorf("slot %d, %q: hash %x, want %x", s, in.Row[s].Bytes(), in.Hash[s], want)
			}
		}
	})
}

// Derived slots are there for later ones, for filters and for hashes.
func TestDeriveComputesInOrder(t *testing.T) {
	plus := func(slot int) func([]event.Value) event.Value {
		return func(row []event.Value) event.Value { return event.IntValue(row[slot].Int() + 1) }
	}
	space := &definition.Space{
		Slots: 3, HashSlots: []int{2},
		Derived: []definition.Derived{{Slot: 1, Eval: plus(0)}, {Slot: 2, Eval: plus(1)}},
		Filters: []definition.Filter{
			{Eval: func(row []event.Value) bool { return row[2].Int() == 9 }},
			{Eval: func(row []event.Value) bool { return row[1].Int() == 9 }},
		},
	}
	in := &Input{Row: make([]event.Value, 3), Hash: make([]uint64, 3), Pass: make([]bool, 2)}
	in.Row[0] = event.IntValue(7)
	in.Derive(space)
	nine := event.IntValue(9)
	if got := fmt.Sprint(in.Row[1].Int(), in.Row[2].Int(), in.Pass, in.Hash[2] == nine.Hash()); got != "8 9 [true false] true" {
		t.Errorf("derived %s", got)
	}
}
