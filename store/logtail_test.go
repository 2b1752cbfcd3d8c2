package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
)

// liveLog is the log of a store that was just made and has n commits, as a crash would leave it, and the rest of the disk.
func liveLog(t testing.TB, n int) (disk *vfs.MemFS, path string, log []byte) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, "data/store", testOptions(fs))
	for i := range n {
		noFault(t, s.Commit(&processing.Changes{Watermark: 5, Counters: processing.Counters{Consumed: int64(i + 1)}}))
	}
	disk = fs.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, s)
	name, _, err := lastLog(disk, "data/store")
	noFault(t, err)
	path = disk.PathJoin("data/store", name)
	f, err := disk.Open(path)
	noFault(t, err)
	log, err = io.ReadAll(f)
	noFault(t, errors.Join(err, f.Close()))
	return disk, path, log
}

// withLog is the disk with another log.
func withLog(t testing.TB, disk *vfs.MemFS, path string, log []byte) *vfs.MemFS {
	t.Helper()
	disk = disk.CrashClone(vfs.CrashCloneCfg{})
	f, err := disk.Create(path, vfs.WriteCategoryUnspecified)
	noFault(t, err)
	_, err = f.Write(bytes.Clone(log)) // under the race detector it turns the bits of what it is given
	noFault(t, errors.Join(err, f.Close()))
	return disk
}

func logConsumed(t testing.TB, fs vfs.FS) int64 {
	t.Helper()
	s := mustOpen(t, "data/store", testOptions(fs))
	defer mustClose(t, s)
	state, err := s.Load(testPlan)
	noFault(t, err)
	return state.Counters.Consumed
}

// TestFlippedBitInTheFirstLog: in the log that follows the making of a store, damage before the last commits is refused, instead of
// every commit behind it being dropped. What a crash tears is no damage.
func TestFlippedBitInTheFirstLog(t *testing.T) {
	const commits = 5
	disk, path, log := liveLog(t, commits)
	if got := logConsumed(t, disk.CrashClone(vfs.CrashCloneCfg{})); got != commits {
		t.Fatalf("%d commits survived", got)
	}
	w := walLog{data: log, number: binary.LittleEndian.Uint32(log[7:])}
	var starts []int
	vouched := 0 // up to here some chunk says that it was synced
	for at := 0; ; {
		size, synced, ok := w.chunk(at)
		if !ok {
			break
		}
		vouched = max(vouched, int(synced))
		starts = append(starts, at)
		at += size
	}
	if len(starts) != commits {
		t.Fatalf("chunks at %d, want one for each commit", starts)
	}
	end, step := w.end(), 1
	if testing.Short() {
		step = 17
	}
	for at := 0; at < end; at += step {
		flipped := bytes.Clone(log)
		flipped[at] ^= 1 << (at % 8)
		fs := withLog(t, disk, path, flipped)
		whole := 0
		for whole < commits-1 && starts[whole+1] <= at {
			whole++
		}
		if starts[whole] >= vouched {
			// It might have been torn, and is made again.
			if got := logConsumed(t, fs); got != int64(whole) || whole < commits-2 {
				t.Fatalf("byte %d: %d commits", at, got)
			}
			continue
		}
		s, err := Open("data/store", testOptions(fs))
		if err == nil {
			mustClose(t, s)
		}
		if !IsDamaged(err) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	for at := 0; at < end; at += step {
		whole := 0
		for whole < commits-1 && starts[whole+1] <= at {
			whole++
		}
		if got := logConsumed(t, withLog(t, disk, path, log[:at])); got != int64(whole) {
			t.Fatalf("cut at %d: %d commits, want %d", at, got, whole)
		}
	}
}

// FuzzLogTail: whatever stands in a log, it is looked through, and a good one that ends somewhere is no damage.
func FuzzLogTail(f *testing.F) {
	_, _, log := liveLog(f, 3)
	number := binary.LittleEndian.Uint32(log[7:])
	f.Add(log, 20, []byte{})
	f.Add(log, 100, []byte("torn"))
	f.Add(append(make([]byte, walBlock-5), log...), walBlock, []byte{})
	f.Fuzz(func(t *testing.T, data []byte, cut int, junk []byte) {
		any := walLog{data: data, number: number}
		if end := any.end(); end < 0 || end > len(data)+walBlock {
			t.Fatalf("the end of %d bytes is %d", len(data), end)
		}
		any.syncedBehind(any.end())
		cut = min(max(cut, 0), len(log))
		torn := walLog{data: append(bytes.Clone(log[:cut]), junk...), number: number}
		if synced, ok := torn.syncedBehind(torn.end()); ok && len(junk) == 0 {
			t.Fatalf("cut at %d: synced up to %d", cut, synced)
		}
	})
}
