package store

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// rebuilt makes a state beside a store, with another number of commits, and says that it is whole.
func rebuilt(t *testing.T, fs vfs.FS, commits int) {
	t.Helper()
	o := testOptions(fs)
	o.Instance = "the same"
	path, err := Rebuilding("data/store", o)
	mustDo(t, err)
	s := mustOpen(t, path, o)
	fillStore(t, s, newModel(), rand.New(rand.NewPCG(2, 2)), commits)
	mustClose(t, s)
	mustDo(t, Rebuilt("data/store", o))
}

func consumed(t *testing.T, fs vfs.FS, dir string) int64 {
	t.Helper()
	s := mustOpen(t, dir, testOptions(fs))
	defer mustClose(t, s)
	return s.tail.counters.Consumed
}

// A rebuilt state takes the place of the store, which is kept.
func TestAdopt(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, "data/store", testOptions(fs))
	fillStore(t, s, newModel(), rand.New(rand.NewPCG(1, 1)), 3)
	if old, err := Adopt("data/store", testOptions(fs)); old != "" || err != nil {
		t.Errorf("without a rebuilt state: %q, %v", old, err)
	}
	rebuilt(t, fs, 7)
	if _, err := Rebuilding("data/store", testOptions(fs)); !errors.Is(err, ErrExists) {
		t.Errorf("a second rebuild: %v", err)
	}
	if _, err := Adopt("data/store", testOptions(fs)); !errors.Is(err, ErrInUse) {
		t.Errorf("while the store is open: %v", err)
	}
	mustClose(t, s)
	old, err := Adopt("data/store", testOptions(fs))
	if err != nil || !strings.HasPrefix(old, "data/store.old-") {
		t.Fatalf("adopted: %q, %v", old, err)
	}
	if n := consumed(t, fs, "data/store"); n != 7 {
		t.Errorf("the store has %d commits, want those of the rebuilt one", n)
	}
	if n := consumed(t, fs, old); n != 3 {
		t.Errorf("the old one has %d commits", n)
	}
	if list, err := ListSetAside("data/store", testOptions(fs)); err != nil || len(list) != 1 || list[0].Dir != old || list[0].Bytes == 0 {
		t.Errorf("replaced: %+v, %v; want %s", list, err, old)
	}
}

// A crash between the two renames leaves no store in place; the next start makes that good before it opens one.
func TestAdoptAfterACrash(t *testing.T) {
	fs := vfs.NewMem()
	rebuilt(t, fs, 5)
	if old, err := Adopt("data/store", testOptions(fs)); old != "" || err != nil {
		t.Fatalf("adopted: %q, %v", old, err)
	}
	if n := consumed(t, fs, "data/store"); n != 5 {
		t.Errorf("the store has %d commits", n)
	}
}

// What an unfinished rebuild has left is removed; what is somebody else's is not.
func TestRebuildingRemovesLeftovers(t *testing.T) {
	fs := vfs.NewMem()
	path, err := Rebuilding("data/store", testOptions(fs))
	mustDo(t, err)
	s := mustOpen(t, path, testOptions(fs))
	if _, err := Rebuilding("data/store", testOptions(fs)); !errors.Is(err, ErrInUse) {
		t.Errorf("while one is being made: %v", err)
	}
	fillStore(t, s, newModel(), rand.New(rand.NewPCG(1, 1)), 3)
	mustClose(t, s)
	if _, err := Rebuilding("data/store", testOptions(fs)); err != nil {
		t.Fatal(err)
	}
	if n := consumed(t, fs, path); n != 0 {
		t.Errorf("a leftover of %d commits", n)
	}
	rewriteIn(t, fs, "other/store.rebuilding", "letter.txt")
	if _, err := Rebuilding("other/store", testOptions(fs)); !errors.Is(err, ErrNotStore) {
		t.Errorf("over other things: %v", err)
	}
}
