package sequence

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing/event"
)

// The events' space of these tests: a key, two values, and a filter that passes even offsets.
const (
	keySlot = iota
	numberSlot
	textSlot
	slots
)

var plainShape = Shape{KeySlot: keySlot, Slots: []int{textSlot, numberSlot}, Filters: []int{1, 0}}

// held is an event as the tests know it.
type held struct {
	order     event.Order
	maxBefore event.Millis
	key       string
	number    int64
	text      string
}

func (h *held) hold(b *Batch) {
	row := make([]event.Value, slots)
	row[keySlot] = event.StringValue([]byte(h.key))
	row[numberSlot] = event.IntValue(h.number)
	if h.text != "" {
		row[textSlot] = event.StringValue([]byte(h.text))
	}
	b.Hold(h.order.Time, h.order.Coordinate, h.maxBefore, row[keySlot].Hash(), row, []bool{h.order.Offset%2 == 0, true})
	for i := range row {
		clear(row[i].Bytes()) // the batch must have copied them
	}
}

// released copies a row back into what the tests know.
func released(t interface{ Fatalf(string, ...any) }, r *Row) held {
	var text KeyText
	key, err := ParseKey(r.Key, &text)
	if err != nil {
		t.Fatalf("key of %v: %v", r.At, err)
	}
	if want := key.Hash(); r.KeyHash != want {
		t.Fatalf("hash of %q is %x, want %x", key.Bytes(), r.KeyHash, want)
	}
	if !r.Passed(0) || r.Passed(1) != (r.At.Offset%2 == 0) {
		t.Fatalf("filters of %v: %v %v", r.At, r.Passed(0), r.Passed(1))
	}
	return held{order: r.At, key: string(key.Bytes()), number: r.Values[1].Int(), text: string(r.Values[0].Bytes())}
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := NewSequencer(plainShape, 1)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			switch d.Cmd {
			case "hold":
				b := s.NewBatch()
				for _, line := range strings.Split(d.Input, "\n") {
					h := held{maxBefore: event.NoTime}
					for _, f := range strings.Fields(line) {
						name, value, _ := strings.Cut(f, "=")
						n, err := strconv.ParseInt(value, 10, 64)
						switch {
						case name == "key":
							h.key = value
						case err != nil:
							d.Fatalf(t, "%s: %v", f, err)
						case name == "t":
							h.order.Time = event.Millis(n)
						case name == "partition":
							h.order.Partition = event.PartitionID(n)
						case name == "offset":
							h.order.Offset = event.Offset(n)
						case name == "max_before":
							h.maxBefore = event.Millis(n)
						default:
							d.Fatalf(t, "unknown field %s", f)
						}
					}
					h.hold(b)
				}
				s.Add(b)
			case "release":
				var w int64
				d.ScanArgs(t, "w", &w)
				s.Release(event.Millis(w), 0, func(r *Row) {
					h := released(t, r)
					fmt.Fprintf(&out, "t=%d partition=%d offset=%d key=%s\n", h.order.Time, h.order.Partition, h.order.Offset, h.key)
				})
			case "drop":
				var p int
				d.ScanArgs(t, "partition", &p)
				s.Drop(event.PartitionID(p))
			case "held":
				fmt.Fprintf(&out, "%d rows\n", s.Len())
				for p := range event.PartitionID(4) {
					if from, before, ok := s.HeldFrom(p); ok {
						fmt.Fprintf(&out, "partition %d from offset %d, max_before=%d\n", p, from, before)
					}
				}
			default:
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			return out.String()
		})
	})
}

// TestEveryKindOfValue holds values of every kind, a row that is longer than a chunk, and more filters than fit a word.
func TestEveryKindOfValue(t *testing.T) {
	const filters = 133
	long := bytes.Repeat([]byte("long"), event.MaxKept/len("long"))
	row := []event.Value{
		event.IntValue(-7), {}, event.BoolValue(true), event.BoolValue(false), event.IntValue(math.MinInt64),
		event.FloatValue(-0.25), event.StringValue(nil), event.StringValue(long),
	}
	shape := Shape{KeySlot: 0, Slots: []int{7, 7, 7, 7, 7, 6, 5, 4, 3, 2, 1, 0}}
	pass := make([]bool, filters)
	for i := range pass {
		pass[i] = i%3 == 0
		shape.Filters = append(shape.Filters, filters-1-i)
	}
	s := NewSequencer(shape, 1)
	b := s.NewBatch()
	for i := range event.Offset(3) {
		b.Hold(5, event.Coordinate{Offset: i}, event.NoTime, row[0].Hash(), row, pass)
	}
	s.Add(b)
	n := event.Offset(0)
	s.Release(5, 0, func(r *Row) {
		if r.At.Offset != n {
			t.Fatalf("offset %d, want %d", r.At.Offset, n)
		}
		n++
		if key, err := ParseKey(r.Key, new(KeyText)); err != nil || key.Int() != -7 {
			t.Fatalf("key %v, %v", key, err)
		}
		for i, slot := range shape.Slots {
			got, want := r.Values[i], row[slot]
			if got.Kind != want.Kind || string(got.AppendText(nil)) != string(want.AppendText(nil)) {
				t.Errorf("slot %d: %v, want %v", slot, got, want)
			}
		}
		for i, f := range shape.Filters {
			if r.Passed(i) != pass[f] {
				t.Errorf("filter %d: %v", f, r.Passed(i))
			}
		}
	})
	if n != 3 {
		t.Fatalf("%d rows, want 3", n)
	}
}

func TestRowBehindTheWatermarkIsABug(t *testing.T) {
	s := NewSequencer(plainShape, 1)
	s.Release(1000, 0, func(*Row) { t.Fatal("nothing was held") })
	b := s.NewBatch()
	h := held{order: event.Order{Time: 1000}, key: "a"}
	h.hold(b)
	mustPanic(t, func() { s.Add(b) })
}

func TestRowHeldTwiceIsABug(t *testing.T) {
	s := NewSequencer(plainShape, 1)
	b := s.NewBatch()
	h := held{order: event.Order{Time: 1000}, key: "a"}
	h.hold(b)
	h.hold(b)
	s.Add(b)
	mustPanic(t, func() { s.Release(1000, 0, func(*Row) {}) })
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if msg, _ := recover().(string); !strings.HasPrefix(msg, "BUG: ") {
			t.Fatalf("did not panic with a BUG: %v", msg)
		}
	}()
	f()
}

// TestMemory runs quick small commits, one large burst and small commits again: small commits must not pin a chunk
// each, a steady flow must not allocate, and what the burst needed must go.
func TestMemory(t *testing.T) {
	s := NewSequencer(plainShape, 2)
	b := s.NewBatch()
	row := []event.Value{event.StringValue([]byte("0123456789abcdef0123456789abcdef")), event.IntValue(1), {}}
	at := event.Coordinate{}
	now := event.Millis(0)
	commit := func(rows int, step event.Millis) {
		for range rows {
			at.Offset++
			b.Hold(now+1+event.Millis(at.Offset%3000), at, now, row[0].Hash()+uint64(at.Offset)<<56, row, []bool{true, false})
		}
		s.Add(b)
		now += step
		for lane := range s.Lanes() {
			s.Release(now-5000, lane, func(*Row) {})
		}
	}
	for range 2000 {
		commit(4, 20)
	}
	small := s.Bytes()
	if most := 64 * chunkCost; small > most {
		t.Errorf("small commits hold %d bytes in %d rows, want at most %d", small, s.Len(), most)
	}
	for range 500 {
		commit(400, 20)
	}
	if n := testing.AllocsPerRun(200, func() { commit(400, 20) }); n > 2 {
		t.Errorf("%v allocations a commit of 400 rows", n)
	}
	commit(200_000, 20)
	if s.Bytes() < 200_000*60 {
		t.Fatalf("a burst of 200,000 rows takes %d bytes", s.Bytes())
	}
	for range 2000 {
		commit(4, 20)
	}
	t.Log(s.Bytes(), small, 4*cap(s.lanes[0].refs), len(s.lanes[0].free), s.lanes[0].peak)
	if got := s.Bytes(); got > 2*small+2*spareChunks*chunkCost {
		t.Errorf("%d bytes after the burst, %d before it", got, small)
	}
}

// What is long is cut, and the key's hash is that of the cut key: a restart knows no other.
func TestLongTextsAreCut(t *testing.T) {
	s := NewSequencer(plainShape, 3)
	b := s.NewBatch()
	long := strings.Repeat("k", event.MaxKept)
	keys := []string{long, long + "1", long + "2", strings.Repeat("k", 5*event.MaxKept)}
	for i, key := range keys {
		h := held{order: event.Order{Time: event.Millis(i), Coordinate: event.Coordinate{Offset: event.Offset(i)}}, key: key, text: key + "!"}
		h.hold(b)
	}
	s.Add(b)
	seen := map[string]bool{}
	for lane := range s.Lanes() {
		s.Release(10, lane, func(r *Row) {
			h := released(t, r)
			want := held{order: r.At, key: string(event.AppendKept(nil, []byte(keys[r.At.Offset]))), text: string(event.AppendKept(nil, []byte(keys[r.At.Offset]+"!")))}
			if h != want || len(h.key) > event.MaxKept || len(h.text) > event.MaxKept {
				t.Errorf("released %+v, want %+v", h, want)
			}
			seen[h.key] = true
		})
	}
	if len(seen) != len(keys) {
		t.Errorf("%d keys were released, %d held", len(seen), len(keys))
	}
}
