package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// What others had heard before a silent fold is kept until the next one, and the highest revision is that of windows which
// can still change, or what had been heard.
func TestHeard(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, "s", testOptions(fs))
	metric := definition.Metric{Name: "m", Hash: definition.Hash{7}, Size: 10, Slide: 10, Lateness: 5}
	plan := &definition.Plan{Metrics: []definition.Metric{metric}}
	highest := func(want int) {
		t.Helper()
		v, err := s.View()
		noFault(t, err)
		got, err := v.HighestRevision(plan)
		noFault(t, err)
		noFault(t, v.Close())
		if got != want {
			t.Errorf("the highest revision is %d, want %d", got, want)
		}
	}
	highest(0)
	results := func(start event.Millis, revision int) processing.ResultBlock {
		return processing.ResultBlock{Metric: "m", Hash: metric.Hash, Start: start, Results: []window.Result{{
			Metric: "m", Definition: metric.Hash, Start: start, End: start + 10, Kind: window.Final, Revision: revision,
		}}}
	}
	noFault(t, s.Commit(&processing.Changes{Watermark: 32, Results: []processing.ResultBlock{results(0, 9), results(10, 8), results(20, 4)}}))
	highest(4) // the others have settled
	heard := processing.Heard{Revision: 6, Watermark: 32}
	noFault(t, s.Commit(&processing.Changes{Watermark: 32, Heard: &heard}))
	noFault(t, s.Commit(&processing.Changes{Watermark: 33}))
	mustClose(t, s)
	s = mustOpen(t, "s", testOptions(fs))
	defer mustClose(t, s)
	highest(6)
	noDiff(t, heard, loadState(t, s).Heard)
}
