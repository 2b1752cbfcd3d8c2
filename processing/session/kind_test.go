package session

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// The events' space of these tests.
const (
	keySlot = iota
	numberSlot
	textSlot
	slots
)

const (
	endFilter = iota
	viewFilter
	filters
)

// visits is the kind of sessions of these tests: some of its aggregates are plain counts, some are columns.
func visits(gap, maxDuration event.Millis, maxOpen int) *definition.SessionKind {
	part := func(name string, kind aggregate.Kind, slot, where int) definition.SessionAggregate {
		return definition.SessionAggregate{Name: name, Column: definition.Column{Kind: kind, Slot: slot, Where: where}}
	}
	return &definition.SessionKind{
		Name: "visits", KeySlot: keySlot, Gap: gap, MaxDuration: maxDuration, EndWhen: endFilter, MaxOpen: maxOpen,
		Aggregates: []definition.SessionAggregate{
			part("entry", aggregate.First, textSlot, viewFilter),
			part("views", aggregate.Count, definition.NoSlot, viewFilter),
			part("sum", aggregate.Sum, numberSlot, definition.NoFilter),
			part("ends", aggregate.Count, definition.NoSlot, endFilter),
			part("numbers", aggregate.Uniques, numberSlot, definition.NoFilter),
		},
	}
}

// visit is an event of these tests.
type visit struct {
	order  event.Order
	key    string
	number int64
	text   string
	end    bool
	view   bool
}

func (v *visit) hold(b *sequence.Batch, hash uint64) {
	row := make([]event.Value, slots)
	row[keySlot] = event.StringValue([]byte(v.key))
	row[numberSlot] = event.IntValue(v.number)
	row[textSlot] = event.StringValue([]byte(v.text))
	b.Hold(v.order.Time, v.order.Coordinate, event.NoTime, hash, row, []bool{endFilter: v.end, viewFilter: v.view})
}

func hashOfText(key string) uint64 {
	v := event.StringValue([]byte(key))
	return v.Hash()
}

// visited is a closed session as the tests compare it.
type visited struct {
	at          event.Order
	key         string
	first, last event.Millis
	reason      string
	events      int64
	views       int64
	ends        int64
	sum         float64
	numbers     int64
	entry       string
}

func (v visited) String() string {
	return fmt.Sprintf("closed key=%s at=%d reason=%s start=%d end=%d events=%d views=%d sum=%v numbers=%d entry=%q",
		v.key, v.at.Time, v.reason, v.first, v.last, v.events, v.views, v.sum, v.numbers, v.entry)
}

// visitedOf copies a closed session.
func visitedOf(c *Closed) visited {
	r := c.Row
	text := func(i int) string { return string(r[i].Bytes()) }
	parts := r[definition.SessionFields:]
	v := visited{
		at: c.At, key: text(definition.SessionKey), reason: text(definition.SessionReason),
		first: event.Millis(r[definition.SessionStart].Int()), last: event.Millis(r[definition.SessionEnd].Int()),
		events: r[definition.SessionEvents].Int(),
		entry:  string(parts[0].Bytes()), views: parts[1].Int(), ends: parts[3].Int(),
	}
	v.sum, _ = parts[2].Number()
	numbers, _ := parts[4].Number()
	v.numbers = int64(math.Round(numbers)) // an estimate, which is exact to the nearest whole number when there are few
	if got, want := r[definition.SessionDuration].Float(), float64(v.last-v.first)/1000; got != want {
		panic(fmt.Sprintf("duration of %v is %v, want %v", v, got, want))
	}
	if got := event.Millis(r[definition.SessionClosedAt].Int()); got != c.At.Time {
		panic(fmt.Sprintf("%v says that it closed at %d", v, got))
	}
	return v
}

func TestSlotFillsACacheLine(t *testing.T) {
	if n := unsafe.Sizeof(session{}); n != 64 {
		t.Fatalf("a slot has %d bytes", n)
	}
}

// TestLongKeys has keys on both sides of what fits into a slot, through a close, a slot that is used again, and a block.
func TestLongKeys(t *testing.T) {
	table := New(visits(10, 1000, 100), 1)
	s := sequence.NewSequencer(table.Shape(), 1)
	b := s.NewBatch()
	var keys []string
	for n := shortKey - 3; n < shortKey+4; n++ {
		keys = append(keys, strings.Repeat("k", n))
	}
	for round := range 2 {
		for i, k := range keys {
			v := visit{order: event.Order{Time: event.Millis(round*100 + i), Coordinate: event.Coordinate{Offset: event.Offset(round*100 + i)}}, key: k}
			v.hold(b, hashOfText(k))
		}
		s.Add(b)
		w := event.Millis(round*100 + 8)
		s.Release(w, 0, func(r *sequence.Row) { table.Apply(r, func(*Closed) { t.Fatal("nothing closes yet") }) })
		loaded := New(visits(10, 1000, 100), 1)
		for _, c := range table.TakeChanges(0) {
			if err := loaded.Load(c.Shard, c.Block); err != nil {
				t.Fatal(err)
			}
		}
		for _, each := range []*Table{table, loaded} {
			var got []string
			each.Advance(w+50, 0, func(c *Closed) { got = append(got, visitedOf(c).key) })
			slices.SortFunc(got, func(a, b string) int { return len(a) - len(b) }) // shards close in their own order
			if strings.Join(got, " ") != strings.Join(keys, " ") {
				t.Fatalf("closed %q, want %q", got, keys)
			}
		}
	}
}
