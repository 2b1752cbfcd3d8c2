package truth

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/simulator"
)

// A file says the same as a computation over all records at once, whatever the order in which partitions are read.
func TestFileSaysWhatIsComputed(t *testing.T) {
	partitions := traffic(t, func(o *simulator.Options) { o.Scenario = "outage"; o.Duration = 12 * minute })
	want := Compute(Input{Rules: DefaultRules(), Partitions: partitions, Watermark: EndOfTime})
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	f, err := CreateFile(path, len(partitions))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 0; n < len(partitions[0]) || n < len(partitions[1]) || n < len(partitions[2]); n++ {
		for p := range event.PartitionID(3) {
			if n < len(partitions[p]) {
				f.Add(&partitions[p][n])
			}
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there before it is whole: %v", err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(content), EndOfTime-minute)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Counters, got.Counters); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.Sessions, got.Sessions); diff != "" {
		t.Error(diff)
	}
	byPlace := cmpopts.SortSlices(func(a, b DeadLetter) bool {
		return event.Order{Coordinate: a.Coordinate}.Compare(event.Order{Coordinate: b.Coordinate}) < 0
	})
	if diff := cmp.Diff(want.DeadLetters, got.DeadLetters, byPlace); diff != "" {
		t.Error(diff)
	}
	if lines := got.DiffFinals(rows(want, finals)); len(lines) > 0 {
		t.Errorf("finals differ: %q", lines[:min(5, len(lines))])
	}
	supplied := 0
	for _, m := range Metrics() {
		for _, w := range got.Windows(m) {
			if w.Final == nil && w.Last != nil && w.Last.Count == 0 {
				supplied++
			}
		}
	}
	if lines := got.DiffLast(rows(want, lasts)); len(lines) != supplied || supplied < 50 {
		t.Errorf("%d empty windows are supplied, %d last revisions differ: %q", supplied, len(lines), lines[:min(5, len(lines))])
	}
}

// What is given up leaves nothing behind.
func TestFileGivenUp(t *testing.T) {
	dir := t.TempDir()
	f, err := CreateFile(filepath.Join(dir, "truth.jsonl"), 1)
	if err != nil {
		t.Fatal(err)
	}
	f.Add(&event.Record{Value: []byte("nonsense")})
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := CreateFile(filepath.Join(dir, "missing", "truth.jsonl"), 1); err == nil {
		t.Error("a directory that is not there is no fault")
	}
}
