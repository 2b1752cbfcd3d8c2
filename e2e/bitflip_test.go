package e2e

import (
	bytesOrder "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/store"
)

// contents is everything that a store says: the state that a pipeline goes on from, and what readers get.
type contents struct {
	state *processing.State
	print fingerprint
	feed  []processing.Entry
}

// readAll opens a store and reads all of it. What the process would have died of is an error too.
func (s *small) readAll(fs vfs.FS) (contents, error) {
	type answer struct {
		contents
		err error
	}
	answers := make(chan answer, 2)
	options := store.Default()
	options.FS, options.Logger = fs, slog.New(slog.DiscardHandler)
	options.CacheSize, options.MemTableSize = 1<<20, 32<<10
	options.Fatal = func(err error) {
		answers <- answer{err: fmt.Errorf("%w: %w", errDied, err)}
		select {}
	}
	go func() {
		c, err := s.contents(options)
		answers <- answer{c, err}
	}()
	select {
	case a := <-answers:
		return a.contents, a.err
	case <-time.After(tooLong):
		return contents{}, errHangs
	}
}

func (s *small) contents(options store.Options) (c contents, err error) {
	st, err := store.Open("/data/store", options)
	if err != nil {
		return c, fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if c.state, err = st.Load(s.plan); err != nil {
		return c, err
	}
	if c.print, err = s.fingerprint(st); err != nil {
		return c, err
	}
	page, err := st.Feed(0, 1<<30, store.AllTypes)
	c.feed = page.Entries
	return c, err
}

// stopped is a store that a process has left in the middle of its log: closed, or killed.
func (s *small) stopped(t *testing.T, killed bool) map[string][]byte {
	t.Helper()
	fs := vfs.NewCrashableMem()
	part := *s
	part.records = s.records[:len(s.records)-smallPartitions]
	part.end = -1 // never
	log := memory.NewLog(smallPartitions, 64)
	l := &life{fs: fs, log: log, steps: 12, workers: 1}
	var image *vfs.MemFS
	l.fed = func() { image = fs.CrashClone(vfs.CrashCloneCfg{}) }
	if err := part.live(l); err != nil {
		t.Fatal(err)
	}
	if !killed {
		image = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	}
	return filesOf(image, "/")
}

// TestBitFlips flips a bit in each byte of a store's files, one after another. That is refused at the opening, reported to who reads,
// or harmless: never another answer, never a panic, never a hang.
func TestBitFlips(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	s := newSmall(t, 120)
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			files := s.stopped(t, killed)
			if soak {
				flipInParts(t, files)
				return
			}
			s.flipAll(t, files, func(int) bool { return true })
		})
	}
}

// flipParts is in how many processes every bit is flipped. A store that dies of its damage keeps its memory, as the process
// that would have ended with it is the test's.
const flipParts = 40

// flipInParts lets other processes do it.
func flipInParts(t *testing.T, files map[string][]byte) {
	path := filepath.Join(t.TempDir(), "files")
	text, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for part := range flipParts {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPartOfBitFlips$", "-test.v", "-test.timeout=30m")
		cmd.Env = append(os.Environ(), "TIDEMARK_FLIPS="+path, fmt.Sprint("TIDEMARK_FLIPS_PART=", part))
		out, err := cmd.CombinedOutput()
		t.Logf("part %d of %d: %v\n%s", part, flipParts, err, out)
		if err != nil {
			t.Fail()
		}
	}
}

// TestPartOfBitFlips is a part of TestBitFlips.
func TestPartOfBitFlips(t *testing.T) {
	path := os.Getenv("TIDEMARK_FLIPS")
	if path == "" {
		t.Skip("TIDEMARK_FLIPS names no files")
	}
	part, err := strconv.Atoi(os.Getenv("TIDEMARK_FLIPS_PART"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	newSmall(t, 120).flipAll(t, files, func(i int) bool { return i%flipParts == part })
}

// flipAll flips those that are wanted.
func (s *small) flipAll(t *testing.T, files map[string][]byte, wanted func(i int) bool) {
	want, err := s.readAll(diskOf(files))
	if err != nil || len(want.feed) < 20 || len(want.state.Panes) == 0 || len(want.state.Sessions) == 0 {
		t.Fatalf("the store as it was: %v, %+v", err, want.print)
	}
	type flip struct {
		name    string
		at, bit int
	}
	flips := make(chan flip)
	var mu sync.Mutex
	tally := make(map[string]int)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for f := range flips {
				outcome, err := s.flip(files, f.name, f.at, f.bit, &want)
				if err != nil {
					t.Errorf("bit %d of byte %d of %s (%d bytes): %v", f.bit, f.at, f.name, len(files[f.name]), err)
				}
				mu.Lock()
				tally[kindOf(f.name)+" "+outcome]++
				mu.Unlock()
			}
		})
	}
	count := 0
	send := func(f flip) {
		if wanted(count) {
			flips <- f
		}
		count++
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for _, name := range sortedNames(files) {
		step := 1
		if !soak {
			step = max(1, len(files[name])/(150/stride()))
		}
		for at := rng.IntN(step); at < len(files[name]); at += step {
			send(flip{name, at, rng.IntN(8)})
			for bit := 0; soak && bit < 8; bit++ {
				send(flip{name, at, bit})
			}
		}
	}
	close(flips)
	group.Wait()
	t.Log(tally)
}

// vouched is up to where a log of a single block says itself that it was synced. Damage behind that, in the last commit or the last two,
// can't be told from a write that a crash has torn. Then the store is as a commit before left it.
func vouched(log []byte) (last int) {
	for at := 0; at+19 <= len(log) && len(log) < 32<<10 && log[at+6] >= 9 && log[at+6] <= 12; {
		last = max(last, int(bytesOrder.LittleEndian.Uint64(log[at+11:])))
		at += 19 + int(bytesOrder.LittleEndian.Uint16(log[at+4:]))
	}
	return last
}

// finishes lets a life go on from files.
func (s *small) finishes(files map[string][]byte) error {
	l := &life{fs: diskOf(files), log: s.whole(), workers: 1}
	if err := s.live(l); err != nil {
		return fmt.Errorf("the log was not finished: %w", err)
	}
	if l.result != s.want {
		return fmt.Errorf("the log was finished to %+v, want %+v", l.result, s.want)
	}
	return nil
}

func kindOf(name string) string {
	base := path.Base(name)
	if ext := path.Ext(base); ext == ".sst" || ext == ".log" {
		return ext
	}
	kind, _, _ := strings.Cut(base, "-")
	return kind
}

// flip says what became of one bit.
func (s *small) flip(files map[string][]byte, name string, at, bit int, want *contents) (outcome string, err error) {
	damaged := make(map[string][]byte, len(files))
	for n, data := range files {
		damaged[n] = data
	}
	data := append([]byte(nil), files[name]...)
	data[at] ^= 1 << bit
	damaged[name] = data
	got, err := s.readAll(diskOf(damaged))
	switch {
	case errors.Is(err, errHangs):
		return "hang", err
	case errors.Is(err, errDied):
		return "reported", nil
	case err != nil && strings.HasPrefix(err.Error(), "open: "):
		return "refused", nil
	case err != nil:
		return "reported", nil
	case path.Ext(name) == ".log" && at >= vouched(files[name]) && got.print.counters.Consumed < want.print.counters.Consumed:
		return "torn", s.finishes(damaged)
	case got.print != want.print || !reflect.DeepEqual(got.state, want.state) || !reflect.DeepEqual(got.feed, want.feed):
		return "wrong", fmt.Errorf("another answer: %+v, want %+v", got.print, want.print)
	default:
		return "harmless", nil
	}
}
