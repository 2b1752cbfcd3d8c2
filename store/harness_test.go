package store

import (
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if holdStoreIfAsked() || failIfAsked() {
		return
	}
	// Pebble leaves this one behind when it fails to open late. A store that is not closed leaves others too.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}

// testMergers stand for those of real blocks: a pane's block is a bag of bytes, a shard's a string that grows. The
// first does not depend on order, the second does, and both are associative.
var testMergers = mergers{
	panes: func(blocks [][]byte) ([]byte, error) {
		sum := slices.Concat(blocks...)
		if slices.Contains(sum, poison) {
			return nil, errPoison
		}
		slices.Sort(sum)
		return sum, nil
	},
	sessions: func(blocks [][]byte) ([]byte, error) { return slices.Concat(blocks...), nil },
}

// poison in a pane's block can't be merged.
const poison = '!'

var errPoison = errors.New("poisoned block")

func testOptions(fs vfs.FS) Options {
	o := Default()
	o.FS = fs
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	o.Fatal = func(err error) { panic(err) }
	o.merge = testMergers
	return o
}

func mustOpen(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustView(t testing.TB, s *Store) *View {
	t.Helper()
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	return v
}
