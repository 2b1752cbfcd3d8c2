package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

func heldOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.Retention.Holding = []string{"publisher"}
	return o
}

// step is a commit that moves one partition and appends a number of late entries to the feed.
func step(t *testing.T, s *Store, w event.Millis, partition event.PartitionID, next event.Offset, entries int) {
	t.Helper()
	c := &processing.Changes{
		Watermark: w, Cursors: []processing.Cursor{{ClusterID: "c", Topic: "events", Partition: partition, Next: next, Anchor: processing.Anchor{Offset: -1}}},
	}
	for i := range entries {
		late := &processing.Late{Topic: "events", Partition: partition, Count: 1}
		c.Feed = append(c.Feed, processing.Entry{Seq: s.tail.head + uint64(i) + 1, Type: processing.LateEntry, Late: late})
	}
	noFault(t, s.Commit(c))
}

// places are sequences, W and the next offsets of marks.
func places(marks []processing.Mark) (list [][]int64) {
	for _, m := range marks {
		place := []int64{int64(m.Seq), int64(m.Watermark)}
		for _, c := range m.Cursors {
			place = append(place, int64(c.Next))
		}
		list = append(list, place)
	}
	return list
}

func TestMarksOfCommits(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, "s", heldOptions(fs))
	step(t, s, 10, 1, 5, 2)
	step(t, s, 11, 0, 7, 0) // nothing for the feed, so no mark, but the next one knows of it
	step(t, s, 12, 1, 9, 1)
	mustClose(t, s)
	s = mustOpen(t, "s", heldOptions(fs))
	defer mustClose(t, s)
	step(t, s, 13, 2, 3, 1)

	read := func(after uint64, limit int) [][]int64 {
		marks, err := s.Marks(after, limit)
		noFault(t, err)
		return places(marks)
	}
	noDiff(t, [][]int64{{2, 10, 5}, {3, 12, 7, 9}, {4, 13, 7, 9, 3}}, read(0, 10))
	noDiff(t, [][]int64{{3, 12, 7, 9}}, read(2, 1))
	noDiff(t, [][]int64(nil), read(4, 10))

	noFault(t, s.SaveReader("publisher", 3))
	noDiff(t, [][]int64{{3, 12, 7, 9}, {4, 13, 7, 9, 3}}, read(0, 10))
	m, ok, err := s.Mark(3)
	noFault(t, err)
	noDiff(t, [][]int64{{3, 12, 7, 9}}, places([]processing.Mark{m}))
	if _, gone, err := s.Mark(2); !ok || gone || err != nil {
		t.Errorf("mark 3 there: %v, mark 2 there: %v, %v", ok, gone, err)
	}
	noFault(t, s.SaveReader("somebody", 4)) // holds nothing, and lets nothing go
	noDiff(t, [][]int64{{3, 12, 7, 9}, {4, 13, 7, 9, 3}}, read(0, 10))
	standing, err := s.Standing()
	noFault(t, err)
	noDiff(t, [][]int64{{4, 13, 7, 9, 3}}, places([]processing.Mark{standing}))
}

// A partition that is gone is in no mark after that; that it is gone is in the journal.
func TestMarksForgetWhatIsGone(t *testing.T) {
	s := mustOpen(t, "s", heldOptions(vfs.NewMem()))
	defer mustClose(t, s)
	step(t, s, 10, 1, 5, 1)
	step(t, s, 11, 2, 6, 1)
	before := s.JournalVersion()
	gap := processing.Gap{Topic: "events", Partition: 1, From: 5, To: processing.Gone, Reason: string(processing.PartitionGone)}
	noFault(t, s.Commit(&processing.Changes{Watermark: 11, Gaps: []processing.Gap{gap}}))
	step(t, s, 12, 2, 7, 1)
	m, ok, err := s.Mark(3)
	noFault(t, err)
	if !ok {
		t.Fatal("no mark")
	}
	noDiff(t, [][]int64{{3, 12, 7}}, places([]processing.Mark{m}))
	j, err := s.Journal()
	noFault(t, err)
	if noDiff(t, []processing.Gap{gap}, j.Gaps); s.JournalVersion() == before {
		t.Error("the journal has a new gap and no new version")
	}
}

func TestNoMarksForNobody(t *testing.T) {
	s := mustOpen(t, "s", testOptions(vfs.NewMem()))
	defer mustClose(t, s)
	step(t, s, 10, 1, 5, 2)
	if marks, err := s.Marks(0, 10); len(marks) > 0 || err != nil {
		t.Errorf("%v, %v", marks, err)
	}
}

func TestOutputsAreAdopted(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, "s", heldOptions(fs))
	if is, err := s.Adopted(); is || err != nil {
		t.Fatalf("a new store is adopted: %v, %v", is, err)
	}
	step(t, s, 10, 1, 5, 2)
	standing, err := s.Standing()
	noFault(t, err)
	noFault(t, s.Adopt("publisher", &standing))
	crashed := mustOpen(t, "s", heldOptions(fs.CrashClone(vfs.CrashCloneCfg{})))
	mustClose(t, s)
	defer mustClose(t, crashed)
	at, _, err := crashed.Reader("publisher")
	noFault(t, err)
	if is, err := crashed.Adopted(); !is || err != nil || at != 2 {
		t.Errorf("adopted: %v, %v; the reader stands at %d", is, err, at)
	}
	crashed.identity.epoch = "another"
	if is, err := crashed.Adopted(); is || err != nil {
		t.Errorf("adopted in another epoch: %v, %v", is, err)
	}
}

func TestJournalVersion(t *testing.T) {
	s := mustOpen(t, "s", heldOptions(vfs.NewMem()))
	defer mustClose(t, s)
	before := s.JournalVersion()
	step(t, s, 10, 1, 5, 2)
	if s.JournalVersion() != before {
		t.Error("a commit without anything for the journal changes its version")
	}
	floor := processing.Floor{Topic: "events", Partition: 1, Offset: 5, Floor: 8}
	noFault(t, s.Commit(&processing.Changes{Watermark: 11, Floors: []processing.Floor{floor}}))
	j, err := s.Journal()
	noFault(t, err)
	noDiff(t, processing.Journal{Floors: []processing.Floor{floor}}, j)
	if s.JournalVersion() == before {
		t.Error("a floor does not change its version")
	}
}
