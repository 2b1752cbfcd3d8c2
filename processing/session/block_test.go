package session

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// TestLastWordCounts holds blocks merged in any bracketing, and what a table loads of them, against a map.
func TestLastWordCounts(t *testing.T) {
	keys, shards := keysOf(4)
	keys = slices.DeleteFunc(keys, func(k string) bool { return shards[k] != 7 })
	rapid.Check(t, func(t *rapid.T) {
		want := make(map[string]byte) // the number of events of an open session
		var blocks [][]byte
		for range rapid.IntRange(1, 6).Draw(t, "blocks") {
			b := []byte{blockFormat}
			for range rapid.IntRange(0, 5).Draw(t, "entries") {
				key, events := rapid.SampledFrom(keys).Draw(t, "key"), rapid.ByteRange(0, 3).Draw(t, "events")
				if b = append(appendKey(b, stringKey(key)), 0); events == 0 {
					delete(want, key)
					continue
				}
				state := []byte{2, 0, 0, 0, events}
				b, want[key] = append(append(b[:len(b)-1], byte(len(state))), state...), events
			}
			blocks = append(blocks, b)
		}
		joined, err := MergeBlocks(blocks...)
		if err != nil {
			t.Fatal(err)
		}
		for len(blocks) > 1 {
			i := rapid.IntRange(0, len(blocks)-2).Draw(t, "merge")
			merged, err := MergeBlocks(blocks[i], blocks[i+1])
			if err != nil {
				t.Fatal(err)
			}
			blocks = append(blocks[:i], append([][]byte{merged}, blocks[i+2:]...)...)
		}
		if !bytes.Equal(blocks[0], joined) {
			t.Fatalf("by twos % x, at once % x", blocks[0], joined)
		}
		table := New(&definition.SessionKind{KeySlot: keySlot, Gap: 10, MaxDuration: 100, EndWhen: definition.NoFilter, MaxOpen: 9}, 1)
		if err := table.Load(7, joined); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]byte)
		table.Advance(1000, 0, func(c *Closed) {
			got[string(c.Row[definition.SessionKey].Bytes())] = byte(c.Row[definition.SessionEvents].Int())
		})
		if !maps.Equal(got, want) {
			t.Fatalf("open are %v, want %v", got, want)
		}
	})
}

func stringKey(text string) []byte {
	v := event.StringValue([]byte(text))
	return sequence.AppendKey(nil, &v)
}

// blockOfSessions is a real block with sessions of one shard, and the shard.
func blockOfSessions(tb testing.TB) (block []byte, shard int) {
	keys, shards := keysOf(3)
	table := New(visits(1000, 5000, 10), 1)
	s := sequence.NewSequencer(table.Shape(), 1)
	b := s.NewBatch()
	for i, k := range append(keys, keys...) {
		at := event.Order{Time: event.Millis(i), Coordinate: event.Coordinate{Partition: 3, Offset: event.Offset(1000 + i)}}
		v := visit{order: at, key: k, number: int64(i), text: "/" + k, view: true}
		v.hold(b, hashOfText(k))
	}
	s.Add(b)
	s.Release(500, 0, func(r *sequence.Row) { table.Apply(r, func(*Closed) { tb.Fatal("nothing closes yet") }) })
	for _, c := range table.TakeChanges(0) {
		if c.Shard == shards[keys[0]] {
			return bytes.Clone(c.Block), c.Shard
		}
	}
	tb.Fatal("no block")
	return nil, 0
}

func TestLoadRefusesWhatIsNoBlock(t *testing.T) {
	block, shard := blockOfSessions(t)
	key := string(block[2 : 2+block[1]])
	edit := func(at int, to byte) []byte {
		b := bytes.Clone(block)
		b[at] = to
		return b
	}
	state := 3 + len(key) // where the first session's state begins: one byte of format, the key and two lengths
	for name, b := range map[string][]byte{
		"no bytes":           {},
		"another format":     edit(0, 1),
		"cut short":          block[:len(block)-1],
		"key without a kind": edit(2, 0),
		"another shard":      edit(len(key)+1, 'z'),
		"padded length":      append([]byte{blockFormat, 0x80 | byte(len(key)), 0}, block[2:]...),
		"no events":          edit(state+6, 0),
		"bytes behind":       append(bytes.Clone(block), 0),
	} {
		if err := New(visits(1000, 5000, 10), 1).Load(shard, b); !errors.Is(err, ErrBadBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := New(visits(1000, 5000, 2), 1).Load(shard, block); !errors.Is(err, ErrBadBlock) {
		t.Errorf("more sessions than may be open: %v", err)
	}
	if err := New(visits(1000, 3, 10), 1).Load(shard, block); !errors.Is(err, ErrBadBlock) {
		t.Errorf("sessions that last longer than they may: %v", err)
	}
	if err := New(visits(1000, 5000, 10), 1).Load(sequence.Shards, block); !errors.Is(err, ErrBadBlock) {
		t.Errorf("a shard that there is none of: %v", err)
	}
}

// FuzzLoad loads anything; what loads is written anew as something that loads as the same, and that closes.
func FuzzLoad(f *testing.F) {
	block, shard := blockOfSessions(f)
	f.Add(block)
	f.Add(block[:len(block)/2])
	f.Add(append(append(block, appendKey(nil, stringKey("a"))...), 0))
	f.Add([]byte{blockFormat})
	rewritten := func(table *Table) []byte { return table.appendOpen(nil, &table.shards[shard]) }
	f.Fuzz(func(t *testing.T, b []byte) {
		table, again := New(visits(1000, 5000, 10), 1), New(visits(1000, 5000, 10), 1)
		if table.Load(shard, b) != nil {
			return
		}
		first := rewritten(table)
		if len(first) > len(b) {
			t.Fatalf("% x grows to % x", b, first)
		}
		if first != nil {
			if err := again.Load(shard, first); err != nil {
				t.Fatalf("% x is written as % x: %v", b, first, err)
			}
		}
		if second := rewritten(again); !bytes.Equal(first, second) {
			t.Fatalf("% x is written as % x, then as % x", b, first, second)
		}
		table.Advance(1<<60, 0, func(c *Closed) { _ = visitedOf(c).String() })
		if n := table.OpenSessions(); n != 0 {
			t.Fatalf("%d sessions never close", n)
		}
	})
}

func TestMergeBlocksRefusesOtherFormats(t *testing.T) {
	block := []byte{blockFormat, 1, 2, 0}
	for _, other := range [][]byte{{}, {blockFormat + 1}} {
		for _, blocks := range [][][]byte{{block, other}, {other, block}} {
			if _, err := MergeBlocks(blocks...); !errors.Is(err, ErrBadBlock) {
				t.Errorf("% x: %v", blocks, err)
			}
		}
	}
}

// TestRewriting holds what is stored of a shard to a small multiple of what is open.
func TestRewriting(t *testing.T) {
	keys, shards := keysOf(6)
	p := &pipeline{kind: visits(1000, 5000, 10), lanes: 1, stored: make(map[int][]byte), w: -1}
	p.start(t)
	for i := range 500 {
		key := keys[i%len(keys)]
		v := visit{order: event.Order{Time: p.w + 1, Coordinate: event.Coordinate{Offset: event.Offset(i)}}, key: key, end: i%17 == 0}
		p.commit(t, []visit{v}, p.w+10)
		s := &p.table.shards[shards[key]]
		entries := 0
		r, err := openBlock(append([]byte{blockFormat}, bytes.TrimPrefix(p.stored[shards[key]], []byte{blockFormat})...))
		for ; err == nil && r.more; r.next() {
			entries++
		}
		if entries != s.written || entries > 3*s.open {
			t.Fatalf("%d entries are stored and %d counted, with %d open sessions", entries, s.written, s.open)
		}
	}
}
