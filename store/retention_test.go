package store

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// A window that is longer than results are kept stays until it has settled: a restart has to know what it has published,
// and what it adds to the digest.
func TestWindowsAreKeptUntilTheySettle(t *testing.T) {
	const hour = event.Millis(3_600_000)
	options := testOptions(vfs.NewMem())
	options.Retention.Results = time.Hour
	plan := &definition.Plan{Metrics: []definition.Metric{{Name: "m", Hash: definition.Hash{1}, Size: 24 * hour, Lateness: 12 * hour}}}
	s := mustOpen(t, "store", options)
	defer func() { mustClose(t, s) }()
	kept := func(w event.Millis, changes ...processing.ResultBlock) int {
		noFault(t, s.Commit(&processing.Changes{Watermark: w, Results: changes}))
		v := mustView(t, s)
		defer v.Close()
		n := 0
		noFault(t, v.WindowDigests(definition.Hash{1}, event.NoTime, func(event.Millis, digest.Sum) error { n++; return nil }))
		return n
	}
	_, err := s.Load(plan)
	noFault(t, err)
	kept(24*hour, processing.ResultBlock{Metric: "m", Hash: definition.Hash{1}, Digest: digest.Sum{Lo: 7}})
	for w := 25 * hour; w < 36*hour; w += hour {
		if kept(w) != 1 {
			t.Fatalf("at %d h it is gone", w/hour)
		}
	}
	if state, err := s.Load(plan); err != nil || len(state.Results) != 1 {
		t.Errorf("a restart knows %d windows (%v)", len(state.Results), err)
	}
	if kept(38*hour) != 0 {
		t.Error("it is never dropped")
	}
}
