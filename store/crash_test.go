package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/store/faultfs"
)

var ignoreIdentity = cmpopts.IgnoreFields(processing.State{}, "Instance", "Epoch")

// crasher takes copies of a file system as a crash might leave it, before operations chosen at random.
type crasher struct {
	fs *vfs.MemFS

	mu     sync.Mutex
	rng    *rand.Rand
	every  int
	begun  int // commits that were begun,
	acked  int // and that were acknowledged
	clones []clone
}

type clone struct {
	fs           *vfs.MemFS
	begun, acked int
	op           string
}

// ask lets everything pass.
func (c *crasher) ask(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && c.rng.IntN(c.every) == 0 {
		c.cloneLocked(op.Kind)
	}
	return nil
}

func (c *crasher) cloneLocked(op errorfs.OpKind) {
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 30, 100}[c.rng.IntN(3)], RNG: c.rng}
	c.clones = append(c.clones, clone{c.fs.CrashClone(cfg), c.begun, c.acked, fmt.Sprintf("op %d, %d %% of unsynced data", op, cfg.UnsyncedDataPercent)})
}

func (c *crasher) count(n *int) {
	c.mu.Lock()
	*n++
	c.mu.Unlock()
}

func TestCrashLeavesACommit(t *testing.T) {
	commits, least := 400, 20 // some 36 as a rule; fewer where flushes and compactions fall together
	if testing.Short() {
		commits, least = 80, 3
	}
	c := &crasher{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 2)), every: 20}
	s := mustOpen(t, "data/store", testOptions(faultfs.Wrap(c.fs, c.ask)))
	c.mu.Lock()
	c.clones = nil // before the store was there: TestCrashWhileCreating
	c.mu.Unlock()
	rng := rand.New(rand.NewPCG(3, 4))
	m := newModel()
	states := []*processing.State{m.state()}
	for i := range commits {
		changes := m.randomChanges(rng)
		c.count(&c.begun)
		noFault(t, s.Commit(changes))
		c.count(&c.acked)
		m.apply(changes)
		states = append(states, m.state())
		if i%9 == 0 {
			if _, err := s.db.AsyncFlush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, s)
	if len(c.clones) < least {
		t.Fatalf("only %d crashes", len(c.clones))
	}
	for _, cl := range c.clones {
		checkClone(t, cl, states)
	}
}

func checkClone(t *testing.T, cl clone, states []*processing.State) {
	s, err := Open("data/store", testOptions(cl.fs))
	if err != nil {
		t.Fatalf("crash at commit %d (%s): %v", cl.begun, cl.op, err)
	}
	defer mustClose(t, s)
	got, err := s.Load(testPlan)
	noFault(t, err)
	n := int(got.Counters.Consumed)
	if n < cl.acked || n > cl.begun {
		t.Fatalf("crash at %s: came back with commit %d; %d were acknowledged, %d begun", cl.op, n, cl.acked, cl.begun)
	}
	noDiff(t, got, states[n], ignoreIdentity)
	page, err := s.Feed(0, 1<<20, AllTypes)
	noFault(t, err)
	if page.Head != got.Head || uint64(len(page.Entries)) != got.Head {
		t.Fatalf("crash at %s: head %d, %d entries", cl.op, page.Head, len(page.Entries))
	}
	checkAlertIndexes(t, s, page.Entries)
}

// checkAlertIndexes holds what lists show of alerts to what the feed says of them.
func checkAlertIndexes(t *testing.T, s *Store, entries []processing.Entry) {
	t.Helper()
	last := map[string]alert.Alert{}
	for _, e := range entries {
		if e.Alert != nil {
			last[e.Alert.ID] = *e.Alert
		}
	}
	v := mustView(t, s)
	defer v.Close()
	for _, state := range []alert.State{0, alert.Firing, alert.Resolved} {
		var want []alert.Alert
		for _, a := range slices.Backward(sorted(last)) {
			if state == 0 || a.State == state {
				want = append(want, a)
			}
		}
		got, more, err := v.Alerts(&AlertQuery{From: math.MinInt64, To: math.MaxInt64, State: state, Limit: 1 << 20})
		noFault(t, err)
		if noDiff(t, got, want); more {
			t.Fatal("more than all")
		}
	}
}

// TestCrashWhileCreating crashes before every single operation of a first start (every fifth with -short).
func TestCrashWhileCreating(t *testing.T) {
	// All or nothing of what was not synced: that a later directory entry survives an earlier one is left out, as
	// Pebble relies on their order, which the file systems in use keep.
	for _, percent := range []int{0, 100} {
		c := &crasher{fs: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(5, uint64(percent)))}
		var clones []*vfs.MemFS
		everyOp := errorfs.InjectorFunc(func(op errorfs.Op) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				clones = append(clones, c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng}))
			}
			return nil
		})
		mustClose(t, mustOpen(t, "data/store", testOptions(errorfs.Wrap(c.fs, everyOp))))
		for i, fs := range clones {
			if testing.Short() && i%5 != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%d%%/%d", percent, i), func(t *testing.T) { checkUsable(t, fs) })
		}
	}
}

// checkUsable opens a store that may be half made, and proves that it works.
func checkUsable(t *testing.T, fs vfs.FS) {
	t.Helper()
	s := mustOpen(t, "data/store", testOptions(fs))
	instance := s.Instance()
	noFault(t, s.Commit(&processing.Changes{Watermark: 5}))
	mustClose(t, s)
	s = mustOpen(t, "data/store", testOptions(fs))
	state, err := s.Load(testPlan)
	noFault(t, err)
	if state.Watermark != 5 || len(instance) != 32 || state.Instance != instance || len(state.Epoch) != 16 {
		t.Fatalf("came back as %+v, instance was %s", state, instance)
	}
	mustClose(t, s)
}

// TestErrorWhileCreating lets the n-th operation of a first start fail, for every n, and then starts again. Pebble's
// own writes are left out: when they fail it ends the process, which is the crash above.
func TestErrorWhileCreating(t *testing.T) {
	for n, failed := 0, true; failed; n++ {
		mem := vfs.NewCrashableMem()
		failed = false
		ops := 0
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			pebbles := op.Kind == errorfs.OpGetDiskUsage || op.Path != "data" && op.Kind == errorfs.OpFileSync
			ours := op.Path == "." || op.Path == "data" || op.Path == "data/store" || op.Path == "data/store.tmp" || filepath.Base(op.Path) == markerName
			if pebbles || !ours {
				return nil
			}
			if ops++; ops != n+1 {
				return nil
			}
			failed = true
			return errorfs.ErrInjected
		}))
		s, err := openOrDie(fs)
		if failed != errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("operation %d failed: %v; Open said %v", n, failed, err)
		}
		if err == nil {
			mustClose(t, s)
		}
		// Locks end with the process.
		checkUsable(t, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}))
	}
}

// openOrDie returns the error that the process would have died of, too.
func openOrDie(fs vfs.FS) (s *Store, err error) {
	defer func() {
		if died := recover(); died != nil {
			err = died.(error)
		}
	}()
	return Open("data/store", testOptions(fs))
}

const holdEnv = "TIDEMARK_TEST_HOLD_STORE"

// holdStoreIfAsked is the other process of TestKilledProcess: it commits until it is killed.
func holdStoreIfAsked() bool {
	dir := os.Getenv(holdEnv)
	if dir == "" {
		return false
	}
	s, err := Open(dir, testOptions(vfs.Default))
	if err != nil {
		panic(err)
	}
	m := newModel()
	rng := rand.New(rand.NewPCG(9, 9))
	for {
		c := m.randomChanges(rng)
		if err := s.Commit(c); err != nil {
			panic(err)
		}
		m.apply(c)
		fmt.Println(c.Counters.Consumed)
	}
}

func TestKilledProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "store")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holdEnv+"="+dir)
	out, err := child.StdoutPipe()
	noFault(t, err)
	noFault(t, child.Start())
	lines := bufio.NewReader(out)
	for range 30 {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, testOptions(vfs.Default)); !errors.Is(err, ErrInUse) {
		t.Errorf("while another process has it: got %v", err)
	}
	noFault(t, child.Process.Kill())
	rest, err := io.ReadAll(lines)
	noFault(t, err)
	if err := child.Wait(); err == nil {
		t.Fatal("the other process was not killed")
	}
	acked := 30 + bytes.Count(rest, []byte("\n"))
	checkAcknowledged(t, dir, acked)
}
