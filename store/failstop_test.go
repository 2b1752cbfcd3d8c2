package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidemark/tidemark/store/faultfs"
)

var syncs = []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}

// failures are the ways in which a disk can fail under a store that is open.
var failures = []struct {
	name  string
	path  string // pattern of the file's name
	kinds []errorfs.OpKind
}{
	{"log write", "*.log", []errorfs.OpKind{errorfs.OpFileWrite}},
	{"log sync", "*.log", syncs},
	{"log close", "*.log", []errorfs.OpKind{errorfs.OpFileClose}},
	{"next log", "*.log", []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite}}, // a new one, or an old one that is free already
	{"log from an old one", "*.log", []errorfs.OpKind{errorfs.OpReuseForWrite}},
	{"size of an old log", "*.log", []errorfs.OpKind{errorfs.OpFileStat}},
	{"flush create", "*.sst", []errorfs.OpKind{errorfs.OpCreate}},
	{"flush write", "*.sst", []errorfs.OpKind{errorfs.OpFileWrite}},
	{"flush sync", "*.sst", syncs},
	{"manifest write", "MANIFEST-*", []errorfs.OpKind{errorfs.OpFileWrite}},
	{"manifest sync", "MANIFEST-*", syncs},
	{"directory sync", "store", syncs},
}

const failEnv = "TIDEMARK_TEST_FAIL_STORE" // place, error number and directory

// failIfAsked is the other process of these tests: it commits, and a while after the start its disk fails.
func failIfAsked() bool {
	asked := strings.SplitN(os.Getenv(failEnv), " ", 3)
	if len(asked) < 3 {
		return false
	}
	var place, number int
	if _, err := fmt.Sscan(asked[0]+" "+asked[1], &place, &number); err != nil {
		panic(err)
	}
	var broken atomic.Bool
	p := failures[place]
	options := testOptions(faultfs.Wrap(vfs.Default, func(op errorfs.Op) error {
		hit, err := filepath.Match(p.path, filepath.Base(op.Path))
		if err != nil {
			panic(err)
		}
		if broken.Load() && hit && slices.Contains(p.kinds, op.Kind) {
			return syscall.Errno(number)
		}
		return nil
	}))
	options.Fatal = Default().Fatal
	s, err := Open(asked[2], options)
	if err != nil {
		panic(err)
	}
	m, rng := newModel(), rand.New(rand.NewPCG(9, 9))
	for i := range 1000 {
		if i == 30 {
			broken.Store(true)
		}
		c := m.randomChanges(rng)
		if err := s.Commit(c); err != nil {
			panic(err)
		}
		m.apply(c)
		fmt.Println(c.Counters.Consumed)
		if i%10 == 9 {
			if _, err := s.db.AsyncFlush(); err != nil {
				panic(err)
			}
		}
	}
	return true
}

// Pebble by itself tries a flush that meets a full disk again for ever, while commits fill memory and then hang.
func TestFlushOnAFullDisk(t *testing.T) {
	for place, p := range failures {
		if strings.HasPrefix(p.name, "flush") {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				checkEnd(t, place, syscall.ENOSPC)
			})
		}
	}
}

// Where a log can't be closed or begun, Pebble by itself dies of an unlocked mutex. Whatever fails: one line, the exit code 75, and
// the next start is as the last commit left it.
func TestDiskErrorsEndTheProcess(t *testing.T) {
	for place, p := range failures {
		for _, number := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
			if testing.Short() && number != syscall.EIO || strings.HasPrefix(p.name, "flush") && number == syscall.ENOSPC {
				continue
			}
			t.Run(p.name+"/"+number.Error(), func(t *testing.T) {
				t.Parallel()
				checkEnd(t, place, number)
			})
		}
	}
}

func checkEnd(t *testing.T, place int, number syscall.Errno) {
	dir := filepath.Join(t.TempDir(), "store")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", failEnv, place, int(number), dir))
	var out, faults bytes.Buffer
	child.Stdout, child.Stderr = &out, &faults
	noFault(t, child.Start())
	hangs := time.AfterFunc(time.Minute, func() { child.Process.Kill() })
	child.Wait() // the exit code says it
	hangs.Stop()
	acked := bytes.Count(out.Bytes(), []byte("\n"))
	if code := child.ProcessState.ExitCode(); code != exitUnwritable {
		t.Fatalf("exit code %d (-1: it hung) after %d commits, said:\n%s", code, acked, &faults)
	}
	line := faults.String()
	if !strings.HasPrefix(line, "tidemark: the store could not be written: ") || strings.Count(line, "\n") != 1 || !strings.Contains(line, number.Error()) {
		t.Errorf("said %q", line)
	}
	checkAcknowledged(t, dir, acked)
}

// checkAcknowledged opens the store that a process has left and holds it to the commits that it acknowledged.
func checkAcknowledged(t *testing.T, dir string, acked int) {
	t.Helper()
	s := mustOpen(t, dir, testOptions(vfs.Default))
	defer mustClose(t, s)
	got, err := s.Load(testPlan)
	noFault(t, err)
	m, rng := newModel(), rand.New(rand.NewPCG(9, 9))
	for m.last.Counters.Consumed < got.Counters.Consumed {
		m.apply(m.randomChanges(rng))
	}
	if n := int(got.Counters.Consumed); n < acked || n > acked+1 {
		t.Fatalf("%d commits were acknowledged, the store has %d", acked, n)
	}
	noDiff(t, got, m.state(), ignoreIdentity)
}
