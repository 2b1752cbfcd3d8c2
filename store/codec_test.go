package store

import (
	"bytes"
	stdcmp "cmp"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/window"
)

func TestCodecsRoundTrip(t *testing.T) {
	exactly := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
	rapid.Check(t, func(t *rapid.T) {
		c := genCursor.Draw(t, "cursor")
		gotCursor, err := decodeCursor(appendCursorKey(nil, c.Topic, c.Partition), appendCursor(nil, &c))
		noFault(t, err)
		noDiff(t, gotCursor, c)

		f := processing.Floor{TopicID: genHash.Draw(t, "id"), Topic: c.Topic, Partition: c.Partition, Offset: genOffset.Draw(t, "offset"), Floor: genMillis.Draw(t, "floor")}
		gotFloor, err := decodeFloor(appendJournalKey(nil, &f), appendFloor(nil, &f))
		noFault(t, err)
		noDiff(t, gotFloor, f)

		s := processing.Start{Hash: genHash.Draw(t, "hash"), Name: rapid.String().Draw(t, "name"), From: genMillis.Draw(t, "from")}
		gotStart, err := decodeStart(appendHashKey(nil, spaceDefinition, s.Hash), appendStart(nil, &s))
		noFault(t, err)
		noDiff(t, gotStart, s)

		schema := genSchema.Draw(t, "schema")
		gotSchema, err := decodeSchema(appendSchemaKey(nil, schema.Ref), appendSchema(nil, &schema))
		noFault(t, err)
		noDiff(t, gotSchema, schema)

		last := tail{watermark: genMillis.Draw(t, "w"), newest: genMillis.Draw(t, "newest"), head: rapid.Uint64().Draw(t, "head"), feedBytes: rapid.Uint64().Draw(t, "bytes"),
			counters: processing.Counters{Consumed: 8, Applied: -7, Filtered: 6, Late: 5, DeadLetters: 4, Duplicates: 3, LatePartly: 2, BadValues: 1}}
		gotTail, err := decodeTail(appendTail(nil, &last))
		noFault(t, err)
		noDiff(t, gotTail, last, cmp.AllowUnexported(tail{}))

		entries := rapid.SliceOfN(genEntry, 1, 6).Draw(t, "entries")
		for i := range entries {
			entries[i].Seq = uint64(i + 41)
		}
		noDiff(t, roundTripFeed(t, entries), entries, exactly)
	})
}

func noFault(t interface {
	Helper()
	Fatal(...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func roundTripFeed(t *rapid.T, entries []processing.Entry) (got []processing.Entry) {
	var e feedEncoder
	for i := range entries {
		noFault(t, e.add(&entries[i], 1_000_000))
	}
	block, err := decodeFeedBlock(appendFeedKey(nil, spaceFeed, entries[0].Seq), e.finish(77, 1_000_000))
	noFault(t, err)
	if block.before != 77 || block.atMs != 1_000_000 || block.count != len(entries) {
		t.Fatalf("header %+v", block)
	}
	for i := range block.count {
		entry, ok, err := block.next(block.first+uint64(i), 0, AllTypes)
		noFault(t, err)
		if !ok {
			t.Fatalf("entry %d left out", i)
		}
		got = append(got, entry)
	}
	noFault(t, block.entries.end())
	return got
}

func TestResultsRoundTripSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfNDistinct(genResult, 0, 5, func(r window.Result) string { return groupText(r.Group) }).Draw(t, "rows")
		block := processing.ResultBlock{Metric: "m", Hash: genHash.Draw(t, "hash"), Start: genMillis.Draw(t, "start"), Digest: genSum.Draw(t, "digest")}
		for i := range rows {
			rows[i].Metric, rows[i].Definition, rows[i].Start, rows[i].End = "m", block.Hash, block.Start, rows[0].End
		}
		block.Results = rows
		value, err := appendResults(nil, &block)
		noFault(t, err)
		back, err := decodeResults(appendTimeKey(nil, spaceResult, block.Hash, block.Start), value)
		noFault(t, err)
		sum, err := decodeWindowDigest(value)
		noFault(t, err)
		noDiff(t, sum, block.Digest)
		got := back.Results
		for i := 1; i < len(got); i++ {
			if compareGroups(got[i-1].Group, got[i].Group) >= 0 {
				t.Fatalf("rows %d and %d out of order", i-1, i)
			}
		}
		byGroup := cmpopts.SortSlices(func(a, b window.Result) bool { return compareGroups(a.Group, b.Group) < 0 })
		noDiff(t, got, rows, sameBits, byGroup)
		back.Results, block.Results = nil, nil
		noDiff(t, back, block)
	})
}

func groupText(group []string) (text string) {
	for _, g := range group {
		text += string(rune(len(g)+1)) + g
	}
	return text
}

func TestResultsOfAnotherWindowAreRefused(t *testing.T) {
	block := processing.ResultBlock{Metric: "m", Start: 0, Results: []window.Result{{Metric: "m", End: 5}, {Metric: "m", End: 6, Group: []string{"a"}}}}
	if _, err := appendResults(nil, &block); err == nil {
		t.Fatal("rows of two windows in one block were accepted")
	}
}

func TestNewerValueFormatIsRefused(t *testing.T) {
	value := appendPosition(nil, 7)
	value[0]++
	if _, err := decodePosition(value); !errors.Is(err, ErrNewerFormat) {
		t.Fatalf("got %v", err)
	}
	value[0] = 0
	if _, err := decodePosition(value); !errors.Is(err, errDamaged) {
		t.Fatalf("got %v", err)
	}
	results, err := appendResults(nil, &processing.ResultBlock{Metric: "m", Digest: digest.Sum{Lo: 1}})
	noFault(t, err)
	key := appendTimeKey(nil, spaceResult, definition.Hash{}, 0)
	results[0] = formatV1 // those of store formats 1 and 2
	if _, err := decodeResults(key, results); !errors.Is(err, errDamaged) {
		t.Fatalf("got %v", err)
	}
	results[0] = formatV2 + 1
	if _, err := decodeResults(key, results); !errors.Is(err, ErrNewerFormat) {
		t.Fatalf("got %v", err)
	}
}

func TestKeysSortAsWhatTheyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genMillis.Draw(t, "a"), genMillis.Draw(t, "b")
		if got, want := bytes.Compare(appendMillis(nil, a), appendMillis(nil, b)), stdcmp.Compare(a, b); got != want {
			t.Fatalf("times %d, %d: keys compare as %d, times as %d", a, b, got, want)
		}
		if got := parseMillis(appendMillis(nil, a)); got != a {
			t.Fatalf("%d came back as %d", a, got)
		}
		k := processing.PaneKey{Grouping: genHash.Draw(t, "grouping"), Start: a, Late: rapid.Bool().Draw(t, "late")}
		got, err := parsePaneKey(appendPaneKey(nil, k))
		noFault(t, err)
		noDiff(t, got, k)
		prefix := append([]byte{byte(spacePane)}, k.Grouping[:]...)
		key := appendPaneKey(nil, k)
		if bytes.Compare(key, prefix) < 0 || bytes.Compare(key, prefixEnd(prefix)) >= 0 {
			t.Fatalf("key %x is outside of its prefix", key)
		}
	})
}
