package store

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/bench"
	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/session"
	"github.com/tidemark/tidemark/processing/window"
)

// realOptions merge real blocks.
func realOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.merge = Default().merge
	return o
}

// folded is what the merged keyspaces must hold: every block merged onto the one before, one after the other.
type folded struct {
	panes    map[processing.PaneKey][]byte
	sessions map[int][]byte
}

func (f *folded) apply(t *testing.T, c *processing.Changes) {
	merge := func(fold func(blocks ...[]byte) ([]byte, error), older, newer []byte) []byte {
		if older == nil {
			return newer
		}
		merged, err := fold(older, newer)
		noFault(t, err)
		return merged
	}
	for _, p := range c.Panes {
		if p.Op == processing.PaneSettle {
			// What the close computed by itself is what its deltas add up to.
			if !bytes.Equal(f.panes[p.PaneKey], p.Block) {
				t.Fatalf("pane %d: settled as something else than its deltas", p.Start)
			}
			delete(f.panes, p.PaneKey)
			continue
		}
		f.panes[p.PaneKey] = merge(func(b ...[]byte) ([]byte, error) { return window.MergeBlocks(b[0], b[1]) }, f.panes[p.PaneKey], p.Block)
	}
	for _, s := range c.Sessions {
		switch {
		case !s.Rewrite:
			f.sessions[s.Shard] = merge(session.MergeBlocks, f.sessions[s.Shard], s.Block)
		case len(s.Block) == 0:
			delete(f.sessions, s.Shard)
		default:
			f.sessions[s.Shard] = s.Block
		}
	}
}

// TestRealBlocks takes blocks of real panes and sessions through flushes, compactions and restarts.
func TestRealBlocks(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, "store", realOptions(fs))
	traffic := newTraffic()
	want := folded{map[processing.PaneKey][]byte{}, map[int][]byte{}}
	for i := range 400 {
		c := traffic.next()
		noFault(t, s.Commit(c))
		want.apply(t, c)
		switch i % 100 {
		case 30:
			noFault(t, s.db.Flush())
		case 60:
			noFault(t, s.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false))
		case 99:
			mustClose(t, s)
			s = mustOpen(t, "store", realOptions(fs))
		}
	}
	defer func() { mustClose(t, s) }()
	state, err := s.Load(&traffic.plan)
	noFault(t, err)
	for _, p := range state.Panes {
		if !bytes.Equal(p.Block, want.panes[p.PaneKey]) {
			t.Errorf("pane %d of %s differs", p.Start, p.Grouping)
		}
	}
	for _, b := range state.Sessions {
		if !bytes.Equal(b.Block, want.sessions[b.Shard]) {
			t.Errorf("shard %d differs", b.Shard)
		}
	}
	if len(state.Panes) != len(want.panes) || len(state.Sessions) != len(want.sessions) || len(state.Panes) != trafficGroupings {
		t.Errorf("%d panes of %d, %d shards of %d", len(state.Panes), len(want.panes), len(state.Sessions), len(want.sessions))
	}
	again := session.New(&traffic.plan.Sessions[0], 1)
	for _, b := range state.Sessions {
		noFault(t, again.Load(b.Shard, b.Block))
	}
	if again.OpenSessions() != traffic.sessions.OpenSessions() || again.OpenSessions() == 0 {
		t.Errorf("%d sessions came back, %d were open", again.OpenSessions(), traffic.sessions.OpenSessions())
	}
}

// BenchmarkCommit commits what the default metrics make of 80 events: 12 cursors, 12 panes, some 64 session shards, 20
// results, their feed entries. "bare" writes the same bytes with nothing but Pebble. In memory the processor's time is
// all there is; on disk the wall clock is that of the sync.
func BenchmarkCommit(b *testing.B) {
	t := newTraffic()
	changes := make([]*processing.Changes, 2000)
	for i := range changes {
		changes[i] = t.next()
	}
	for _, place := range []struct {
		name string
		fs   func() vfs.FS
	}{{"memory", func() vfs.FS { return vfs.NewMem() }}, {"disk", func() vfs.FS { return vfs.Default }}} {
		b.Run(place.name+"/store", func(b *testing.B) {
			s := mustOpen(b, filepath.Join(b.TempDir(), "store"), realOptions(place.fs()))
			defer mustClose(b, s)
			defer reportCPU(b)()
			for i := range b.N {
				again(changes[i%len(changes)], s)
				noFault(b, s.Commit(changes[i%len(changes)]))
			}
		})
		b.Run(place.name+"/bare", func(b *testing.B) {
			pairs := pairsOf(b, changes)
			db, err := pebble.Open(b.TempDir(), &pebble.Options{FS: place.fs(), MemTableSize: Default().MemTableSize, Logger: quiet{}})
			noFault(b, err)
			defer func() { noFault(b, db.Close()) }()
			batch := db.NewBatch()
			defer reportCPU(b)()
			for i := range b.N {
				noFault(b, bench.Commit(batch, pairs[i%len(pairs)]))
			}
		})
	}
}

// again renumbers a commit that is made once more.
func again(c *processing.Changes, s *Store) {
	c.Watermark = max(c.Watermark, s.tail.watermark)
	for i := range c.Feed {
		c.Feed[i].Seq = s.tail.head + uint64(i) + 1
	}
}

// pairsOf takes the keys and values out of the batches that the store makes.
func pairsOf(b *testing.B, changes []*processing.Changes) [][]bench.Pair {
	s := mustOpen(b, "store", realOptions(vfs.NewMem()))
	defer mustClose(b, s)
	var all [][]bench.Pair
	for _, c := range changes {
		again(c, s)
		_, err := s.stage(c)
		noFault(b, err)
		var pairs []bench.Pair
		for r := s.batch.Reader(); ; {
			_, key, value, ok, err := r.Next()
			noFault(b, err)
			if !ok {
				break
			}
			pairs = append(pairs, bench.Pair{Key: bytes.Clone(key), Value: bytes.Clone(value)})
		}
		all = append(all, pairs)
		s.batch.Reset()
		noFault(b, s.Commit(c))
	}
	return all
}

func reportCPU(b *testing.B) func() {
	b.ReportAllocs()
	b.ResetTimer()
	before := bench.CPUTime()
	return func() { b.ReportMetric(float64(bench.CPUTime()-before)/float64(b.N), "cpu-ns/op") }
}

// quiet drops Pebble's log.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, _ ...any) {
	panic("BUG: " + format)
}
