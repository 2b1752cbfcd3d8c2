package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
)

// fillStore commits a number of random changes and returns what the store must hold.
func fillStore(t *testing.T, s *Store, m *model, rng *rand.Rand, commits int) {
	t.Helper()
	for range commits {
		c := m.randomChanges(rng)
		if err := s.Commit(c); err != nil {
			t.Fatal(err)
		}
		m.apply(c)
	}
}

func loadState(t *testing.T, s *Store) *processing.State {
	t.Helper()
	state, err := s.Load(testPlan)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// A backup holds what was committed before it, in a store that goes on; what is restored from it is the same in another epoch.
func TestBackupAndRestore(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 7))
		fs := vfs.NewMem()
		s, m := mustOpen(t, "data/store", testOptions(fs)), newModel()
		fillStore(t, s, m, rng, 100)
		if seed%2 == 0 {
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
			fillStore(t, s, m, rng, 10)
		}
		want := loadState(t, s)
		made, err := s.Backup(t.Context(), "backups/one")
		if err != nil {
			t.Fatal(err)
		}
		fillStore(t, s, m, rng, 50) // the backup knows nothing of it
		mustClose(t, s)

		restored, err := Restore("backups/one", "data2/store", testOptions(fs))
		if err != nil {
			t.Fatal(err)
		}
		noDiff(t, restored, made)
		r := mustOpen(t, "data2/store", testOptions(fs))
		got := loadState(t, r)
		if got.Instance != want.Instance || got.Epoch == want.Epoch || made.Epoch != want.Epoch {
			t.Errorf("instance %s, epoch %s; the backup is of instance %s, epoch %s", got.Instance, got.Epoch, want.Instance, want.Epoch)
		}
		got.Epoch = want.Epoch
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("restored (-want +got):\n%s", diff)
		}
		if len(made.Cursors) != len(want.Cursors) || made.Watermark != want.Watermark || made.Bytes() == 0 {
			t.Errorf("manifest %+v", made)
		}
		mustClose(t, r)
	}
}

// smallBackup makes a store, a backup of it, and closes the store.
func smallBackup(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	s := mustOpen(t, "data/store", testOptions(fs))
	fillStore(t, s, newModel(), rand.New(rand.NewPCG(1, 1)), 20)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(t.Context(), "backup"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	return fs
}

func contents(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rewrite(t *testing.T, fs vfs.FS, path string, content []byte) {
	t.Helper()
	if err := writeFile(fs, path, bytes.NewReader(content), io.Discard); err != nil {
		t.Fatal(err)
	}
}

// A bit that is flipped anywhere in a backup is found, with the name of the file, and nothing is installed.
func TestRestoreRefusesDamage(t *testing.T) {
	fs := smallBackup(t)
	m, err := ReadManifest(fs, "backup")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	paths := []string{"backup/" + manifestName}
	for _, f := range m.Files {
		paths = append(paths, "backup/store/"+f.Name)
	}
	for _, path := range paths {
		whole := contents(t, fs, path)
		for range 20 {
			if len(whole) == 0 {
				continue
			}
			spoilt := bytes.Clone(whole)
			spoilt[rng.IntN(len(spoilt))] ^= 1 << rng.IntN(8)
			rewrite(t, fs, path, spoilt)
			_, err := Restore("backup", "other/store", testOptions(fs))
			if err == nil && path == paths[0] {
				// The case of a letter in a key of the manifest, or a kind of white space, says nothing else.
				mustDo(t, fs.RemoveAll("other"))
			} else if !errors.Is(err, ErrBadBackup) && !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%s: %v", path, err)
			}
		}
		rewrite(t, fs, path, append(bytes.Clone(whole), 'x'))
		if _, err := Restore("backup", "other/store", testOptions(fs)); !errors.Is(err, ErrBadBackup) {
			t.Errorf("%s, one byte longer: %v", path, err)
		}
		mustDo(t, fs.Remove(path))
		if _, err := Restore("backup", "other/store", testOptions(fs)); !errors.Is(err, ErrBadBackup) {
			t.Errorf("%s missing: %v", path, err)
		}
		rewrite(t, fs, path, whole)
	}
	rewrite(t, fs, "backup/store/letter.txt", []byte("Dear reader"))
	if _, err := Restore("backup", "other/store", testOptions(fs)); !errors.Is(err, ErrBadBackup) || !strings.Contains(err.Error(), "letter.txt") {
		t.Errorf("a file that is not in the manifest: %v", err)
	}
	if _, err := fs.Stat("other/store"); err == nil {
		t.Error("something was installed")
	}
}

// What is there is never overwritten, and no other directory is taken for a leftover.
func TestBackupAndRestoreOverwriteNothing(t *testing.T) {
	fs := smallBackup(t)
	s := mustOpen(t, "data/store", testOptions(fs))
	defer mustClose(t, s)
	for _, c := range []struct {
		name string
		do   func() error
		want error
	}{
		{"a backup where one is", func() error { _, err := s.Backup(t.Context(), "backup"); return err }, ErrNotEmpty},
		{"a backup over other things", func() error { _, err := s.Backup(t.Context(), "data"); return err }, ErrNotEmpty},
		{"something in the way of a backup", func() error {
			rewriteIn(t, fs, "two.tmp", "letter.txt")
			_, err := s.Backup(t.Context(), "two")
			return err
		}, ErrNotEmpty},
		{"a restore over a store", func() error { _, err := Restore("backup", "data/store", testOptions(fs)); return err }, ErrExists},
		{"a restore over other things", func() error {
			rewriteIn(t, fs, "three", "letter.txt")
			_, err := Restore("backup", "three", testOptions(fs))
			return err
		}, ErrNotStore},
		{"a backup that isn't one", func() error { _, err := Restore("data", "four/store", testOptions(fs)); return err }, ErrBadBackup},
		{"a backup that was given up", func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.Backup(ctx, "five")
			if _, there := fs.Stat("five.tmp"); there == nil {
				t.Error("a backup that was given up is still there")
			}
			return err
		}, context.Canceled},
	} {
		if err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// What a crash has left of a backup is removed, and so is what it has left of a restore.
	rewriteIn(t, fs, "six.tmp", partialName)
	rewriteIn(t, fs, "six.tmp", "half")
	if _, err := s.Backup(t.Context(), "six"); err != nil {
		t.Error(err)
	}
	mustDo(t, fs.MkdirAll("seven/store.tmp", 0o700))
	mustDo(t, writeMarker(fs, "seven/store.tmp"))
	rewriteIn(t, fs, "seven/store.tmp", "half")
	if _, err := Restore("six", "seven/store", testOptions(fs)); err != nil {
		t.Error(err)
	}
}

func rewriteIn(t *testing.T, fs vfs.FS, dir, name string) {
	t.Helper()
	mustDo(t, fs.MkdirAll(dir, 0o700))
	rewrite(t, fs, fs.PathJoin(dir, name), []byte("x"))
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A backup of files that are linked would be spoilt together with the store.
func TestBackupSharesNoFile(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(vfs.Default)
	s := mustOpen(t, dir+"/store", o)
	fillStore(t, s, newModel(), rand.New(rand.NewPCG(1, 1)), 50)
	mustDo(t, s.db.Flush())
	_, err := s.Backup(t.Context(), dir+"/backup")
	mustDo(t, err)
	names, err := o.FS.List(dir + "/store")
	mustDo(t, err)
	mustClose(t, s)
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			f, err := o.FS.OpenReadWrite(dir+"/store/"+name, vfs.WriteCategoryUnspecified)
			mustDo(t, err)
			_, err = f.WriteAt([]byte("spoilt"), 0)
			mustDo(t, errors.Join(err, f.Close()))
		}
	}
	if _, err := Restore(dir+"/backup", dir+"/again", o); err != nil {
		t.Errorf("the store was spoilt, and the backup with it: %v", err)
	}
}
