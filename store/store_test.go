package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// TestRefusedDirectories holds Open to "nothing touched": names, contents and times stay.
func TestRefusedDirectories(t *testing.T) {
	write := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			noFault(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
			noFault(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	newStore := func(t *testing.T, dir string) {
		mustClose(t, mustOpen(t, filepath.Join(dir, "store"), testOptions(vfs.Default)))
	}
	for _, c := range []struct {
		name    string
		prepare []func(t *testing.T, dir string)
		want    error
		says    string
	}{
		{"somebody else's files", []func(*testing.T, string){write("store/thesis.txt", "42")}, ErrNotStore, "store"},
		{"somebody else's file in the way", []func(*testing.T, string){write("store.tmp/thesis.txt", "42")}, ErrNotStore, "store.tmp"},
		{"marker of another program", []func(*testing.T, string){write("store/TIDEMARK", "high water")}, ErrNotStore, "TIDEMARK"},
		{"newer store", []func(*testing.T, string){newStore, write("store/TIDEMARK", "tidemark store format 5\n")}, ErrNewerFormat, "format 5, this version knows up to 4"},
		{"older store", []func(*testing.T, string){newStore, write("store/TIDEMARK", "tidemark store format 1\n")}, ErrOlderFormat, "format 1, which this version can't read; move it away and start again: the log is folded anew"},
		{"store before digests", []func(*testing.T, string){newStore, write("store/TIDEMARK", "tidemark store format 2\n")}, ErrOlderFormat, "format 2"},
		{"store without roll-ups", []func(*testing.T, string){newStore, write("store/TIDEMARK", "tidemark store format 3\n")}, ErrOlderFormat, "format 3"},
		{"newer Pebble", []func(*testing.T, string){newStore, write("store/marker.format-version.000099.099", "")}, ErrNewerFormat, "format 99, this version knows up to 24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, p := range c.prepare {
				p(t, dir)
			}
			before := listing(t, dir)
			for name, open := range map[string]func(string, Options) (*Store, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
				if name == "OpenReadOnly" && strings.Contains(c.name, "in the way") {
					continue // it makes nothing, so that nothing is in its way
				}
				_, err := open(filepath.Join(dir, "store"), testOptions(vfs.Default))
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: got %v", name, err)
				}
			}
			if after := listing(t, dir); after != before {
				t.Errorf("before\n%safter\n%s", before, after)
			}
		})
	}
}

// listing names all files under dir with their sizes and times.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	noFault(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime())
		}
		return err
	}))
	return b.String()
}

func TestEmptyDirectoryBecomesAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	noFault(t, os.Mkdir(dir, 0o700))
	mustClose(t, mustOpen(t, dir, testOptions(vfs.Default)))
}

func TestIdentity(t *testing.T) {
	fs := vfs.NewMem()
	a := mustOpen(t, "a", testOptions(fs))
	defer mustClose(t, a)
	b := mustOpen(t, "b", testOptions(fs))
	defer mustClose(t, b)
	if a.Instance() == b.Instance() || a.Epoch() == b.Epoch() {
		t.Fatal("two stores are one")
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, "store", testOptions(fs))
	for name, open := range map[string]func(string, Options) (*Store, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
		if _, err := open("store", testOptions(fs)); !errors.Is(err, ErrInUse) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	mustClose(t, s)
	mustClose(t, mustOpen(t, "store", testOptions(fs)))
}

func TestReadOnly(t *testing.T) {
	fs := vfs.NewMem()
	if _, err := OpenReadOnly("store", testOptions(fs)); !errors.Is(err, ErrNoStore) {
		t.Fatalf("got %v", err)
	}
	s := mustOpen(t, "store", testOptions(fs))
	noFault(t, s.Commit(&processing.Changes{Watermark: 7}))
	noFault(t, s.SaveReader("publisher", 3))
	mustClose(t, s)

	s, err := OpenReadOnly("store", testOptions(fs))
	noFault(t, err)
	defer mustClose(t, s)
	v := mustView(t, s)
	defer v.Close()
	if v.Watermark() != 7 {
		t.Errorf("W is %d", v.Watermark())
	}
	readers, err := v.Readers()
	noFault(t, err)
	noDiff(t, readers, []ReaderPosition{{"publisher", 3}})
	if err := s.Commit(&processing.Changes{Watermark: 8}); err == nil {
		t.Error("a commit went through")
	}
	if err := s.SaveReader("publisher", 4); err == nil {
		t.Error("a position was saved")
	}
}

func TestViewIsOneState(t *testing.T) {
	s := mustOpen(t, "store", testOptions(vfs.NewMem()))
	defer mustClose(t, s)
	commit := func(n int64) {
		value := definition.Number{Float: float64(n), Valid: true}
		row := parseRow("m", 0, "a")
		row.Value = value
		noFault(t, s.Commit(&processing.Changes{
			Watermark: event.Millis(n), Counters: processing.Counters{Consumed: n},
			Results: []processing.ResultBlock{{Metric: "m", Hash: hash("m"), Results: []window.Result{row}}},
			Feed:    []processing.Entry{{Seq: uint64(n), Type: processing.ResultEntry, Result: &row}},
		}))
	}
	commit(1)
	v := mustView(t, s)
	defer v.Close()
	commit(2)
	rows, _, err := v.Latest(hash("m"))
	noFault(t, err)
	page, err := v.Feed(0, 10, AllTypes)
	noFault(t, err)
	if v.Watermark() != 1 || v.Counters().Consumed != 1 || v.Head() != 1 || rows[0].Value.Float != 1 || page.Head != 1 || len(page.Entries) != 1 {
		t.Fatalf("W %d, %+v, head %d, rows %v, feed %+v", v.Watermark(), v.Counters(), v.Head(), rows, page)
	}
}

func TestLargeCommitIsSplitIntoBlocks(t *testing.T) {
	s := mustOpen(t, "store", testOptions(vfs.NewMem()))
	defer mustClose(t, s)
	c := &processing.Changes{Watermark: 1}
	for seq := uint64(1); seq <= 40; seq++ {
		c.Feed = append(c.Feed, processing.Entry{Seq: seq, Type: processing.DeadLetterEntry,
			DeadLetter: &processing.DeadLetter{Value: bytes.Repeat([]byte{byte(seq)}, 64<<10)}})
	}
	noFault(t, s.Commit(c))
	v := mustView(t, s)
	defer v.Close()
	stats, err := v.Keyspaces()
	noFault(t, err)
	blocks := 0
	for _, k := range stats {
		if k.Name == "feed" {
			blocks = int(k.Keys)
		}
	}
	if blocks != 10 {
		t.Errorf("%d blocks for 40 entries of 64 KiB", blocks)
	}
	for after := uint64(0); after < 40; after += 7 {
		page, err := s.Feed(after, 7, Types(processing.DeadLetterEntry))
		noFault(t, err)
		want := c.Feed[after:min(after+7, 40)]
		same := func(a, b processing.Entry) bool {
			return a.Seq == b.Seq && bytes.Equal(a.DeadLetter.Value, b.DeadLetter.Value)
		}
		if !slices.EqualFunc(page.Entries, want, same) {
			t.Errorf("after %d: %d entries, or not those", after, len(page.Entries))
		}
	}
}

// A page of large dead letters ends early, and going on after its last entry misses none.
func TestPagesOfLargeEntriesEndEarly(t *testing.T) {
	s := mustOpen(t, "store", testOptions(vfs.NewMem()))
	const letters, size = 200, 64 << 10
	c := &processing.Changes{}
	for i := range letters {
		d := &processing.DeadLetter{Reason: "undecodable", Offset: event.Offset(i), Value: make([]byte, size)}
		c.Feed = append(c.Feed, processing.Entry{Seq: uint64(i) + 1, Type: processing.DeadLetterEntry, DeadLetter: d})
	}
	noFault(t, s.Commit(c))
	for _, types := range []TypeSet{AllTypes, Types(processing.DeadLetterEntry)} {
		pages, next := 0, uint64(0)
		for next < letters {
			page, err := s.Feed(next, 1000, types)
			noFault(t, err)
			if n := len(page.Entries); n == 0 || n*size > maxPageBytes+size || page.Entries[0].Seq != next+1 {
				t.Fatalf("after %d come %d entries", next, n)
			}
			next = page.Entries[len(page.Entries)-1].Seq
			pages++
		}
		if want := letters * size / maxPageBytes; pages < want || pages > want+1 {
			t.Errorf("%d pages, want about %d", pages, want)
		}
	}
	mustClose(t, s)
}

// TestMergeErrorSurfaces: a block that can't be merged must neither hide nor let flushes fail in silence.
func TestMergeErrorSurfaces(t *testing.T) {
	o := testOptions(vfs.NewMem())
	fatal := make(chan error, 1)
	o.Fatal = func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
	s := mustOpen(t, "store", o)
	for _, block := range []string{"a", string(poison)} {
		noFault(t, s.Commit(&processing.Changes{Watermark: 1, Panes: []processing.PaneChange{
			{PaneKey: processing.PaneKey{Grouping: testPlan.Groupings[0].Hash}, Op: processing.PaneMerge, Block: []byte(block)}}}))
	}
	if _, err := s.Load(testPlan); !errors.Is(err, errPoison) || !errors.Is(err, errMerge) {
		t.Errorf("Load: got %v", err)
	}
	_, err := s.db.AsyncFlush()
	noFault(t, err)
	if err := <-fatal; !errors.Is(err, errMerge) {
		t.Errorf("Fatal: got %v", err)
	}
	noFault(t, errors.Join(s.db.Close(), s.lock.Close()))
}

// TestUnwritableLogIsFatal: Pebble does not return such an error, it only tells.
func TestUnwritableLogIsFatal(t *testing.T) {
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && (op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync) && filepath.Ext(op.Path) == ".log" {
			return errorfs.ErrInjected
		}
		return nil
	}))
	o := testOptions(fs)
	fatal := make(chan error, 100)
	o.Fatal = func(err error) { fatal <- err }
	s := mustOpen(t, "store", o)
	broken.Store(true)
	err := s.Commit(&processing.Changes{Watermark: 1})
	broken.Store(false)
	select {
	case got := <-fatal:
		if !strings.Contains(got.Error(), errorfs.ErrInjected.Error()) {
			t.Errorf("Fatal: got %v", got)
		}
	default:
		t.Errorf("Fatal was not called, Commit said %v", err)
	}
	_ = errors.Join(s.db.Close(), s.lock.Close()) // the log is broken, and may say so
}

func TestSize(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"), testOptions(vfs.Default))
	defer mustClose(t, s)
	if size, free := s.Size(); size == 0 || free == 0 {
		t.Fatalf("size %d, free %d", size, free)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	_, err := Open("store", Options{})
	if err == nil {
		t.Fatal("options of nothing are valid")
	}
	if n := len(strings.Split(err.Error(), "\n")); n != 11 {
		t.Fatalf("%d faults:\n%v", n, err)
	}
}
