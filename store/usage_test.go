package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing/event"
)

// The estimates add up to what the tables hold, and what grew is in the keyspace that it was written to.
func TestUsageTellsKeyspacesApart(t *testing.T) {
	s := mustOpen(t, t.TempDir(), testOptions(vfs.Default))
	defer mustClose(t, s)
	for i := range 4000 {
		key := fmt.Appendf([]byte{byte(spaceResult)}, "%08d", i)
		noFault(t, s.db.Set(key, fmt.Appendf(nil, "%d %d", i*7919, i*104_729), nil))
	}
	noFault(t, s.db.Flush())
	usage, err := s.Usage()
	noFault(t, err)
	var all, results uint64
	for _, one := range usage {
		all += one.Bytes
		if one.Name == "result" {
			results = one.Bytes
		}
	}
	size, _ := s.Size()
	if len(usage) != len(spaceNames) || results < 10_000 || results < all*9/10 || all > size {
		t.Errorf("results take %d of %d bytes in tables, %d on disk: %v", results, all, size, usage)
	}
}

func TestCourseKeepsTenMinutes(t *testing.T) {
	var s Store
	add := func(at event.Millis, bytes int64, took time.Duration) { s.course.add(at, bytes, took) }
	add(12_000, 100, 2*time.Millisecond)
	add(19_999, 50, time.Millisecond)
	add(20_000, 7, time.Millisecond)
	add(11_000, 3, 5*time.Millisecond) // the clock was set back
	want := []CoursePoint{{10_000, 2, 150, 2 * time.Millisecond}, {20_000, 2, 10, 5 * time.Millisecond}}
	if got := s.Course(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i := range event.Millis(coursePoints) {
		add(30_000+10_000*i, 1, 0)
	}
	got := s.Course()
	if len(got) != coursePoints || got[0].Start != 30_000 || got[coursePoints-1].Start != 30_000+10_000*(coursePoints-1) {
		t.Errorf("%d points from %d on", len(got), got[0].Start)
	}
}

// A commit leaves its size, at its own time.
func TestCommitsAreInTheCourse(t *testing.T) {
	s := mustOpen(t, "store", realOptions(vfs.NewMem()))
	defer mustClose(t, s)
	c := newTraffic().next()
	noFault(t, s.Commit(c))
	blocks := 0
	for _, p := range c.Panes {
		blocks += len(p.Block)
	}
	for _, shard := range c.Sessions {
		blocks += len(shard.Block)
	}
	got := s.Course()
	if len(got) != 1 || got[0].Commits != 1 || got[0].Bytes < int64(blocks) || got[0].Longest <= 0 || got[0].Start != event.Millis(c.AtMs)/10_000*10_000 {
		t.Errorf("a commit of more than %d bytes at %d left %+v", blocks, c.AtMs, got)
	}
}
