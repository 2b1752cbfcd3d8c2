package e2e

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/store/faultfs"
)

// soak asks for the full numbers.
var soak = os.Getenv("TIDEMARK_SOAK") != ""

// image is what a disk holds after a crash.
type image struct {
	fs   *vfs.MemFS
	what string
}

// crasher takes an image before every operation that writes.
type crasher struct {
	fs     *vfs.MemFS
	rng    *rand.Rand
	images chan<- image
	every  int // operations between images

	mu  sync.Mutex
	ops int
}

func (c *crasher) ask(op errorfs.Op) error {
	if !faultfs.IsWrite(op) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops++; c.ops%c.every == 0 {
		c.images <- c.crash(fmt.Sprintf("operation %d (%d on %s)", c.ops, op.Kind, op.Path))
	}
	return nil
}

// crash is a crash of the machine. What was synced survives. Of the rest of a file's bytes there are all, none, some blocks of 4 KiB,
// or those up to some byte. Of the directory entries there are all or none: that a later one survives an earlier one is left out, as
// Pebble relies on their order, which the file systems in use keep.
func (c *crasher) crash(what string) image {
	synced := c.fs.CrashClone(vfs.CrashCloneCfg{})
	all := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: c.rng})
	entries, name := synced, "none"
	if c.rng.IntN(2) == 0 {
		entries, name = all, "all"
	}
	percent := c.rng.IntN(101)
	_, err := synced.Stat("/data/store")
	switch kind := c.rng.IntN(4); {
	case kind < 2 || err != nil: // a directory that is being renamed has all its files in two places
		return image{entries, fmt.Sprintf("%s, %s of what was not synced", what, name)}
	case kind == 2:
		some := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
		files, part := filesOf(entries, "/"), filesOf(some, "/")
		for file := range files {
			if data, ok := part[file]; ok {
				files[file] = data
			}
		}
		return image{diskOf(files), fmt.Sprintf("%s, %d %% of the bytes and %s of the names that were not synced", what, percent, name)}
	default:
		return image{tear(synced, all, entries, c.rng), fmt.Sprintf("%s, torn at a byte, with %s of the names that were not synced", what, name)}
	}
}

// tear makes an image of which each file holds what all of it has up to some byte, and what was synced from there on: the tail of a
// log that grew, or of one that was made from an old one and had other bytes there before. A file whose name was not synced is
// whole: its bytes may have been.
func tear(synced, all, entries *vfs.MemFS, rng *rand.Rand) *vfs.MemFS {
	before, after, torn := filesOf(synced, "/"), filesOf(all, "/"), filesOf(entries, "/")
	for _, name := range sortedNames(torn) {
		old, had := before[name]
		data, has := after[name]
		if !had || !has {
			continue
		}
		same := 0
		for same < min(len(data), len(old)) && data[same] == old[same] {
			same++
		}
		cut := same + rng.IntN(len(data)-same+1)
		torn[name] = append(slices.Clone(data[:cut]), old[min(cut, len(old)):]...)
	}
	return diskOf(torn)
}

func sortedNames(files map[string][]byte) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// filesOf are all files below a directory.
func filesOf(fs vfs.FS, dir string) map[string][]byte {
	files := make(map[string][]byte)
	names, err := fs.List(dir)
	must(err)
	for _, name := range names {
		name = path.Join(dir, name)
		info, err := fs.Stat(name)
		must(err)
		if info.IsDir() {
			for inner, data := range filesOf(fs, name) {
				files[inner] = data
			}
			continue
		}
		f, err := fs.Open(name)
		must(err)
		data, err := io.ReadAll(f)
		must(errors.Join(err, f.Close()))
		files[name] = data
	}
	return files
}

// diskOf is a disk with these files, all of it synced.
func diskOf(files map[string][]byte) *vfs.MemFS {
	fs := vfs.NewCrashableMem()
	for _, name := range sortedNames(files) {
		must(fs.MkdirAll(path.Dir(name), 0o700))
		f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		must(err)
		_, err = f.Write(slices.Clone(files[name])) // under the race detector it turns the bits of what it is given
		must(errors.Join(err, f.Sync(), f.Close()))
	}
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
}

// must is for disks in memory, which don't fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// keep writes an image to where it can be looked at, and reopened with TIDEMARK_IMAGE.
func keep(t *testing.T, fs vfs.FS) string {
	dir, err := os.MkdirTemp("", "tidemark-image-")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range filesOf(fs, "/") {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// reopen finishes the log from an image.
func (s *small) reopen(t *testing.T, im image) {
	files := filesOf(im.fs, "/") // a failing image is kept as it was, not as the attempt has left it
	l := &life{fs: im.fs, log: s.whole(), workers: 1}
	err := s.live(l)
	if err == nil && l.result == s.want {
		return
	}
	if err == nil {
		err = fmt.Errorf("got %+v, want %+v", l.result, s.want)
	}
	t.Errorf("crash before %s: %v\nits image: %s", im.what, err, keep(t, diskOf(files)))
}

// TestCrashImages kills the machine before writes of a whole engine and finishes the log from what is left: as without the crash.
// With the same seed the images are not the same ones: goroutines take turns as they like, and a partial image is drawn while
// ranging over a map. So the image of a failure is kept.
//
// An image costs some 5 ms of CPU. TIDEMARK_IMAGES says how many there are to be.
func TestCrashImages(t *testing.T) {
	t.Parallel()
	images, every := 1_000, 3
	switch asked := os.Getenv("TIDEMARK_IMAGES"); {
	case asked != "":
		var err error
		if images, err = strconv.Atoi(asked); err != nil {
			t.Fatalf("TIDEMARK_IMAGES: %v", err)
		}
	case soak:
		images, every = 200_000, 1
	case testing.Short(), raceDetector:
		images, every = 200, 29
	}
	s := newSmall(t, 200)
	queue := make(chan image, 16)
	var group sync.WaitGroup
	var reopened atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for im := range queue {
				if t.Failed() {
					continue
				}
				s.reopen(t, im)
				reopened.Add(1)
			}
		})
	}
	began, writes, lives := time.Now(), 0, 0
	for ; int(reopened.Load()) < images && !t.Failed(); lives++ {
		c := &crasher{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(uint64(lives), 31)), images: queue, every: every}
		l := &life{fs: faultfs.Wrap(c.fs, c.ask), log: memory.NewLog(smallPartitions, 64), steps: 5 + c.rng.IntN(60), workers: 1 + c.rng.IntN(3)}
		if err := s.live(l); err != nil || l.result != s.want {
			t.Errorf("the life that is to crash: %v, %+v", err, l.result)
		}
		writes += c.ops
	}
	close(queue)
	group.Wait()
	t.Logf("%d images of %d lives with %d writes, %v each", reopened.Load(), lives, writes, time.Since(began)/time.Duration(max(1, reopened.Load())))
}

// TestKeptImage reopens an image that TestCrashImages has kept.
func TestKeptImage(t *testing.T) {
	dir := os.Getenv("TIDEMARK_IMAGE")
	if dir == "" {
		t.Skip("TIDEMARK_IMAGE names no image")
	}
	s := newSmall(t, 200)
	files := make(map[string][]byte)
	for name, data := range filesOf(vfs.Default, dir) {
		files[name[len(filepath.Clean(dir)):]] = data
	}
	s.reopen(t, image{diskOf(files), dir})
}
