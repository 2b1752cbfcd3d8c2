package store

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

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
	f.Add(byte(7), appendHeard(nil, &processing.Heard{Revision: 3, Watermark: 4}))
	f.Fuzz(func(t *testing.T, which byte, value []byte) {
		// Whatever is accepted must come back the same once encoded again.
		switch which % 8 {
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
		case 7:
			if h, err := decodeHeard(value); err == nil {
				again, err := decodeHeard(appendHeard(nil, &h))
				noFault(t, err)
				noDiff(t, again, h)
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
