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
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

var (
	genHash = rapid.Custom(func(t *rapid.T) (h definition.Hash) {
		copy(h[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "hash"))
		return h
	})
	genSum = rapid.Custom(func(t *rapid.T) digest.Sum {
		return digest.Sum{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
	})
	genMillis = rapid.Custom(func(t *rapid.T) event.Millis { return event.Millis(rapid.Int64().Draw(t, "millis")) })
	genOffset = rapid.Custom(func(t *rapid.T) event.Offset { return event.Offset(rapid.Int64().Draw(t, "offset")) })
	genPart   = rapid.Custom(func(t *rapid.T) event.PartitionID { return event.PartitionID(rapid.Int32Min(0).Draw(t, "partition")) })
	genTopic  = rapid.StringMatching(`[a-z._-]{1,12}`)
	genNumber = rapid.Custom(func(t *rapid.T) definition.Number {
		switch rapid.IntRange(0, 3).Draw(t, "kind of number") {
		case 0:
			return definition.Number{}
		case 1:
			return definition.Number{Float: float64(rapid.Int64().Draw(t, "int")), Valid: true}
		case 2:
			return definition.Number{Float: rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1),
				1 << 53, 1<<53 - 1, -(1 << 53), math.MaxFloat64}).Draw(t, "special"), Valid: true}
		default:
			return definition.Number{Float: rapid.Float64().Draw(t, "float"), Valid: true}
		}
	})
	genBlob = rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 40))
)

// genList makes empty lists nil, as the decoders do.
func genList[T any](elem *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		if s := rapid.SliceOfN(elem, 0, most).Draw(t, "list"); len(s) > 0 {
			return s
		}
		return nil
	})
}

var genResult = rapid.Custom(func(t *rapid.T) window.Result {
	return window.Result{
		Metric: rapid.StringN(0, 12, -1).Draw(t, "metric"), Definition: genHash.Draw(t, "definition"),
		Start: genMillis.Draw(t, "start"), End: genMillis.Draw(t, "end"),
		Group: genList(rapid.String(), 3).Draw(t, "group"),
		Kind:  window.Kind(rapid.IntRange(1, 4).Draw(t, "kind")), Revision: rapid.IntRange(0, math.MaxInt32).Draw(t, "revision"),
		Value: genNumber.Draw(t, "value"), Aggregates: genList(genNumber, 3).Draw(t, "aggregates"),
		Count: rapid.Int64().Draw(t, "count"), Truncated: rapid.Bool().Draw(t, "truncated"), Seq: rapid.Uint64().Draw(t, "seq"),
	}
})

var genSchema = rapid.Custom(func(t *rapid.T) processing.Schema {
	start := rapid.Custom(func(t *rapid.T) processing.SchemaStart {
		return processing.SchemaStart{Partition: genPart.Draw(t, "partition"), From: genOffset.Draw(t, "from")}
	})
	return processing.Schema{
		Ref:              schemas.Ref{Framing: schemas.Framing(rapid.Byte().Draw(t, "framing")), ID: rapid.Uint64().Draw(t, "id")},
		RegisteredSchema: processing.RegisteredSchema{Type: rapid.String().Draw(t, "type"), Text: rapid.String().Draw(t, "text")},
		Starts:           genList(start, 4).Draw(t, "starts"),
	}
})

var genEntry = rapid.Custom(func(t *rapid.T) processing.Entry {
	e := processing.Entry{AtMs: rapid.Int64Range(0, 1<<45).Draw(t, "at")}
	switch rapid.IntRange(0, 3).Draw(t, "type") {
	case 0:
		r := genResult.Draw(t, "result")
		e.Type, e.Result = processing.ResultEntry, &r
	case 2:
		a := genAlert.Draw(t, "alert")
		e.Type, e.Alert = processing.AlertEntry, &a
	case 1:
		e.Type, e.DeadLetter = processing.DeadLetterEntry, &processing.DeadLetter{
			Reason: rapid.String().Draw(t, "reason"), Detail: rapid.String().Draw(t, "detail"), Topic: genTopic.Draw(t, "topic"),
			Partition: genPart.Draw(t, "partition"), Offset: genOffset.Draw(t, "offset"), SchemaID: rapid.Int32().Draw(t, "schema"),
			Key: genBlob.Draw(t, "key"), Value: genBlob.Draw(t, "value"), Truncated: rapid.Bool().Draw(t, "truncated"),
		}
	default:
		l := &processing.Late{Topic: genTopic.Draw(t, "topic"), Partition: genPart.Draw(t, "partition"), Count: rapid.Int64().Draw(t, "count")}
		if m := rapid.MapOfN(rapid.String(), rapid.Int64(), 0, 3).Draw(t, "by definition"); len(m) > 0 {
			l.ByDefinition = m
		}
		l.Samples = genList(rapid.Custom(func(t *rapid.T) processing.LateSample {
			return processing.LateSample{Offset: genOffset.Draw(t, "offset"), EventTimeMs: genMillis.Draw(t, "time")}
		}), 3).Draw(t, "samples")
		e.Type, e.Late = processing.LateEntry, l
	}
	return e
})

var genCursor = rapid.Custom(func(t *rapid.T) processing.Cursor {
	return processing.Cursor{
		ClusterID: rapid.String().Draw(t, "cluster"), TopicID: genHash.Draw(t, "topic id"), Topic: genTopic.Draw(t, "topic"),
		Partition: genPart.Draw(t, "partition"), Next: genOffset.Draw(t, "next"), Max: genMillis.Draw(t, "max"),
		HeldFrom: genOffset.Draw(t, "held from"), HeldMax: genMillis.Draw(t, "held max"), LeaderEpoch: rapid.Int32().Draw(t, "epoch"),
		Anchor: processing.Anchor{Offset: genOffset.Draw(t, "anchor"), Hash: rapid.Uint64().Draw(t, "anchor hash")}, Start: genOffset.Draw(t, "start"),
	}
})

// sameBits tells -0 from 0 and takes NaN for equal to itself.
var sameBits = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmpopts.EquateEmpty(),
}

// noDiff fails the test when two values differ.
func noDiff(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want any, options ...cmp.Option) {
	t.Helper()
	if d := cmp.Diff(want, got, options...); d != "" {
		t.Fatalf("difference (-want +got):\n%s", d)
	}
}

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

func FuzzDecode(f *testing.F) {
	f.Add(byte(0), []byte{formatV1})
	var e feedEncoder
	r := window.Result{Metric: "m", Group: []string{"a"}, Kind: window.Final, Revision: 1, Aggregates: make([]definition.Number, 2)}
	for i, entry := range []processing.Entry{
		{Type: processing.ResultEntry, Result: &r},
		{Type: processing.DeadLetterEntry, DeadLetter: &processing.DeadLetter{Reason: "undecodable", Value: []byte("x")}},
		{Type: processing.AlertEntry, Alert: &alert.Alert{ID: "a", State: alert.Resolved, Transitions: make([]alert.Transition, 1)}},
		{Type: processing.LateEntry, Late: &processing.Late{ByDefinition: map[string]int64{"m": 2}, Samples: make([]processing.LateSample, 1)}},
	} {
		if err := e.add(&entry, int64(i)); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(byte(1), append([]byte(nil), e.finish(5, 6)...))
	f.Add(byte(2), appendCursor(nil, &processing.Cursor{ClusterID: "c"}))
	results, err := appendResults(nil, &processing.ResultBlock{Metric: "m", Results: []window.Result{r}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(3), results)
	f.Add(byte(4), appendTail(nil, &tail{}))
	f.Add(byte(5), appendSchema(nil, &processing.Schema{
		RegisteredSchema: processing.RegisteredSchema{Type: "AVRO", Text: `"string"`}, Starts: []processing.SchemaStart{{Partition: 3, From: 17}},
	}))
	f.Add(byte(6), appendDigest(nil, &processing.DefinitionDigest{Name: "m", Facts: 3, Sum: digest.Sum{Hi: 1, Lo: 2}}))
	f.Fuzz(func(t *testing.T, which byte, value []byte) {
		// Whatever is accepted must come back the same once encoded again.
		switch which % 7 {
		case 0:
			if s, err := decodeStart(appendHashKey(nil, spaceDefinition, definition.Hash{}), value); err == nil {
				again, err := decodeStart(appendHashKey(nil, spaceDefinition, definition.Hash{}), appendStart(nil, &s))
				noFault(t, err)
				noDiff(t, again, s)
			}
		case 1:
			fuzzFeed(t, value)
		case 2:
			key := appendCursorKey(nil, "events", 3)
			if c, err := decodeCursor(key, value); err == nil {
				again, err := decodeCursor(key, appendCursor(nil, &c))
				noFault(t, err)
				noDiff(t, again, c)
			}
		case 3:
			fuzzResults(t, value)
		case 5:
			key := appendSchemaKey(nil, schemas.Registered(7))
			if s, err := decodeSchema(key, value); err == nil {
				again, err := decodeSchema(key, appendSchema(nil, &s))
				noFault(t, err)
				noDiff(t, again, s)
			}
		case 6:
			key := appendHashKey(nil, spaceDigest, definition.Hash{7})
			if d, err := decodeDigest(key, value); err == nil {
				again, err := decodeDigest(key, appendDigest(nil, &d))
				noFault(t, err)
				noDiff(t, again, d)
			}
		case 4:
			if last, err := decodeTail(value); err == nil {
				again, err := decodeTail(appendTail(nil, &last))
				noFault(t, err)
				noDiff(t, again, last, cmp.AllowUnexported(tail{}))
			}
		}
	})
}

func fuzzFeed(t *testing.T, value []byte) {
	block, err := decodeFeedBlock(appendFeedKey(nil, spaceFeed, 1), value)
	if err != nil {
		return
	}
	var entries []processing.Entry
	for i := range block.count {
		entry, ok, err := block.next(uint64(i+1), 0, AllTypes)
		if err != nil {
			return
		}
		if ok {
			entries = append(entries, entry)
		}
	}
	var e feedEncoder
	for i := range entries {
		noFault(t, e.add(&entries[i], block.atMs))
	}
	again, err := decodeFeedBlock(appendFeedKey(nil, spaceFeed, 1), e.finish(block.before, block.atMs))
	noFault(t, err)
	for i := range entries {
		entry, ok, err := again.next(entries[i].Seq, 0, AllTypes)
		noFault(t, err)
		if !ok {
			t.Fatalf("entry %d left out", i)
		}
		noDiff(t, entry, entries[i], sameBits)
	}
}

func fuzzResults(t *testing.T, value []byte) {
	key := appendTimeKey(nil, spaceResult, definition.Hash{}, 60_000)
	block, err := decodeResults(key, value)
	if err != nil {
		return
	}
	sum, err := decodeWindowDigest(value)
	noFault(t, err)
	again, err := appendResults(nil, &block)
	noFault(t, err)
	back, err := decodeResults(key, again)
	noFault(t, err)
	if len(back.Results) != len(block.Results) || back.Digest != block.Digest || sum != block.Digest || back.Metric != block.Metric {
		t.Fatalf("%+v became %+v", block, back)
	}
}

// FuzzKeys parses keys of every keyspace; what parses is the key of what it says.
func FuzzKeys(f *testing.F) {
	f.Add(appendPaneKey(nil, processing.PaneKey{Start: -1, Late: true}))
	f.Add(appendTimeKey(nil, spaceResult, definition.Hash{1}, 1<<62))
	f.Add(appendSessionKey(nil, definition.Hash{2}, 255))
	f.Add(appendFeedKey(nil, spaceFeed, 1<<63))
	f.Add(appendCursorKey(nil, "events", 1<<31-1))
	f.Fuzz(func(t *testing.T, key []byte) {
		if k, err := parsePaneKey(key); err == nil && !bytes.Equal(appendPaneKey(nil, k), append([]byte{byte(spacePane)}, key[1:]...)) {
			t.Errorf("% x is the pane %v", key, k)
		}
		if h, at, err := parseTimeKey(key); err == nil && !bytes.HasPrefix(key, appendTimeKey(nil, space(key[0]), h, at)) {
			t.Errorf("% x is %v at %d", key, h, at)
		}
		if h, shard, err := parseSessionKey(key); err == nil && !bytes.Equal(appendSessionKey(nil, h, shard), append([]byte{byte(spaceSession)}, key[1:]...)) {
			t.Errorf("% x is shard %d of %v", key, shard, h)
		}
		if seq, err := parseFeedKey(key); err == nil && !bytes.Equal(appendFeedKey(nil, space(key[0]), seq), key) {
			t.Errorf("% x is sequence %d", key, seq)
		}
		if len(key) > 0 {
			if topic, p, rest, err := parseTopic(key[1:]); err == nil && !bytes.Equal(append(appendTopic(nil, topic, p), rest...), key[1:]) {
				t.Errorf("% x is %s/%d", key, topic, p)
			}
		}
	})
}
