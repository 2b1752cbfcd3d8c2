package processing

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

var someCursor = rapid.Custom(func(t *rapid.T) Cursor {
	millis := func(name string) event.Millis { return event.Millis(rapid.Int64().Draw(t, name)) }
	offset := func(name string) event.Offset { return event.Offset(rapid.Int64().Draw(t, name)) }
	c := Cursor{
		ClusterID: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "cluster"), Topic: rapid.SampledFrom([]string{"events", "more"}).Draw(t, "topic"),
		Partition: event.PartitionID(rapid.Int32().Draw(t, "partition")), Next: offset("next"), Max: millis("max"), HeldFrom: offset("held from"),
		HeldMax: millis("held max"), LeaderEpoch: rapid.Int32().Draw(t, "leader epoch"), Start: offset("start"),
		Anchor: Anchor{Offset: offset("anchor"), Hash: rapid.Uint64().Draw(t, "hash")},
	}
	c.TopicID[3] = rapid.Byte().Draw(t, "topic id")
	return c
})

func TestMarksComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Mark{Seq: rapid.Uint64().Draw(t, "seq"), Watermark: event.Millis(rapid.Int64().Draw(t, "W"))}
		if list := rapid.SliceOfN(someCursor, 0, 5).Draw(t, "cursors"); len(list) > 0 {
			m.Cursors = list
		}
		packed := m.Pack([]byte("before"))
		got, err := UnpackMark(bytes.TrimPrefix(packed, []byte("before")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func FuzzUnpackMark(f *testing.F) {
	m := Mark{Seq: 7, Watermark: event.NoTime, Cursors: []Cursor{{ClusterID: "c", Topic: "events", Next: 5, Max: math.MaxInt64}, {ClusterID: "c", Topic: "events", Partition: 1}}}
	f.Add(m.Pack(nil))
	f.Add([]byte{markFormat})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := UnpackMark(b)
		if err != nil {
			return
		}
		again, err := UnpackMark(m.Pack(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("(-first +again):\n%s", diff)
		}
	})
}

func TestPlacesOfMarks(t *testing.T) {
	at := func(w event.Millis, next ...event.Offset) *Mark {
		m := &Mark{Watermark: w}
		for i, n := range next {
			m.Cursors = append(m.Cursors, Cursor{ClusterID: "c", Topic: "events", Partition: event.PartitionID(i), Next: n})
		}
		return m
	}
	other := at(10, 5, 5)
	other.Cursors[1].TopicID[0] = 1
	for name, c := range map[string]struct {
		from, to      *Mark
		same, reaches bool
	}{
		"the same":                         {at(10, 5, 5), at(10, 5, 5), true, true},
		"behind in one partition":          {at(10, 5, 4), at(10, 5, 5), false, true},
		"ahead in one partition":           {at(10, 5, 6), at(10, 9, 5), false, false},
		"W ahead":                          {at(11, 5, 5), at(10, 5, 5), false, false},
		"W behind":                         {at(9, 5, 5), at(10, 5, 5), false, true},
		"another log":                      {at(10, 5, 5), other, false, false},
		"a partition more there":           {at(10, 5), at(10, 5, 5), false, true},
		"a partition more here":            {at(10, 5, 5), at(10, 5), false, false},
		"a partition more here, unread":    {at(10, 5, 0), at(10, 5), false, true},
		"nothing has been read":            {at(event.NoTime), at(10, 5, 5), false, true},
		"nothing has been read, neither 2": {at(event.NoTime), at(event.NoTime), true, true},
	} {
		if got := c.from.SamePlace(c.to); got != c.same {
			t.Errorf("%s: the same place: %v", name, got)
		}
		if got := c.from.Reaches(c.to); got != c.reaches {
			t.Errorf("%s: reaches: %v", name, got)
		}
	}
}
