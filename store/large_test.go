package store

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// What settles when W leaps is as large as the open state: a commit many times as large as a memtable is made like any other, and is
// there after a crash.
func TestCommitOfALargeState(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves much memory in one goroutine")
	}
	const panes, size = 72, 1 << 20
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, "s", testOptions(fs))
	rng := rand.New(rand.NewPCG(1, 1))
	block := make([]byte, size)
	for i := range block {
		block[i] = byte(rng.Uint32()) // it must not shrink when it is compressed
	}
	ch := &processing.Changes{Watermark: 1}
	for i := range panes {
		ch.Panes = append(ch.Panes, processing.PaneChange{
			PaneKey: processing.PaneKey{Grouping: definition.Hash{7}, Start: event.Millis(i)}, Op: processing.PaneSettle, Width: 1, Block: block,
		})
	}
	mustDo(t, s.Commit(ch))
	mustDo(t, s.Commit(&processing.Changes{Watermark: 2}))
	copied := fs.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, s)
	s = mustOpen(t, "s", testOptions(copied))
	defer mustClose(t, s)
	if s.tail.watermark != 2 {
		t.Errorf("W is %d", s.tail.watermark)
	}
	for i := range panes {
		value, ok, err := read(s.db, appendTimeKey(nil, spaceHistory, definition.Hash{7}, event.Millis(i)))
		if err != nil || !ok || !bytes.Equal(value, block) {
			t.Fatalf("pane %d: %v, %d bytes, %v", i, ok, len(value), err)
		}
	}
}
