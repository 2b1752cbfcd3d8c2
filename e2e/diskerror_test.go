package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/store/faultfs"
)

// faultyDisk fails once, at one operation. When the process has died of that, nothing more happens on it.
type faultyDisk struct {
	fs    *vfs.MemFS
	kinds errorfs.OpReadWrite
	at    int
	err   error

	mu     sync.Mutex
	ops    int
	failed errorfs.Op
	frozen bool
}

func (d *faultyDisk) ask(op errorfs.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.frozen {
		d.mu.Unlock()
		select {} // the goroutine ended with its process
	}
	if op.Kind == errorfs.OpGetDiskUsage || op.Kind.ReadOrWrite() != d.kinds {
		return nil
	}
	if d.ops++; d.ops != d.at {
		return nil
	}
	d.failed = op
	return d.err
}

func (d *faultyDisk) freeze() {
	d.mu.Lock()
	d.frozen = true
	d.mu.Unlock()
}

// left is what the process has left, whether it was synced or not: the machine goes on.
func (d *faultyDisk) left() *vfs.MemFS {
	return d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
}

// disturb lets one operation of a life fail, and lives on from what is left. It reports whether there was such an operation.
func (s *small) disturb(t *testing.T, d *faultyDisk, l *life, tally map[string]int) bool {
	t.Helper()
	l.fs, l.died, l.workers = faultfs.Wrap(d.fs, d.ask), d.freeze, 1
	err := s.live(l)
	d.mu.Lock()
	hit := d.ops >= d.at
	d.mu.Unlock()
	where := fmt.Sprintf("operation %d (%d on %s) failed with %v", d.at, d.failed.Kind, d.failed.Path, d.err)
	switch {
	case err == nil && !hit, err == nil && l.result == s.want:
		tally["survived"]++
	case err == nil:
		t.Errorf("%s: survived, and says %+v, want %+v", where, l.result, s.want)
	case !hit:
		t.Errorf("nothing failed, but %v", err)
	case !errors.Is(err, d.err):
		t.Errorf("%s, but it ended with %v", where, err)
	case errors.Is(err, errDied):
		tally["died"]++
	default:
		tally["refused"]++
	}
	if err == nil {
		return hit
	}
	again := &life{fs: d.left(), log: s.whole(), workers: 1}
	if err := s.live(again); err != nil || again.result != s.want {
		t.Errorf("%s; then %v, and it says %+v, want %+v\nits disk: %s", where, err, again.result, s.want, keep(t, d.left()))
	}
	return hit
}

// stride is how many operations lie between those that fail: all of them do, except where time is short.
func stride() int {
	if !soak && (testing.Short() || raceDetector) {
		return 11
	}
	return 1
}

// TestEveryWriteFails lets the n-th write of a whole life fail, from the making of the store on, for every n. Whatever that does
// to the process, the next one goes on to the same numbers.
func TestEveryWriteFails(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	s := newSmall(t, 200)
	for _, number := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		t.Run(number.Error(), func(t *testing.T) {
			t.Parallel()
			tally := make(map[string]int)
			n := 1
			for hit := true; hit && !t.Failed(); n += stride() {
				d := &faultyDisk{fs: vfs.NewCrashableMem(), kinds: errorfs.OpIsWrite, at: n, err: number}
				hit = s.disturb(t, d, &life{log: memory.NewLog(smallPartitions, 64), steps: 10}, tally)
			}
			t.Logf("up to operation %d, every %d: %v", n, stride(), tally)
			if tally["died"] < 50/stride() || tally["refused"] == 0 {
				t.Errorf("hardly anything failed")
			}
		})
	}
}

// TestEveryReadFails lets the n-th read of a life fail that begins on a store half full, for every n: it is refused or it passes, and
// nobody gets another answer.
func TestEveryReadFails(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 200)
	half := s.halfway(t)
	tally := make(map[string]int)
	n := 1
	for hit := true; hit && !t.Failed(); n += stride() {
		d := &faultyDisk{fs: diskOf(half), kinds: errorfs.OpIsRead, at: n, err: syscall.EIO}
		hit = s.disturb(t, d, &life{log: s.whole()}, tally)
	}
	t.Logf("up to operation %d, every %d: %v", n, stride(), tally)
	if tally["refused"] < 20/stride() {
		t.Errorf("hardly anything failed")
	}
}

// halfway is a store in the middle of its work.
func (s *small) halfway(t *testing.T) map[string][]byte {
	t.Helper()
	fs := vfs.NewCrashableMem()
	var mu sync.Mutex
	var half *vfs.MemFS
	ops := 0
	l := &life{log: memory.NewLog(smallPartitions, 64), steps: 40, workers: 1}
	l.fs = faultfs.Wrap(fs, func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if faultfs.IsWrite(op) {
			if ops++; ops == 170 {
				half = fs.CrashClone(vfs.CrashCloneCfg{})
			}
		}
		return nil
	})
	if err := s.live(l); err != nil || half == nil {
		t.Fatalf("%v after %d operations", err, ops)
	}
	return filesOf(half, "/")
}
