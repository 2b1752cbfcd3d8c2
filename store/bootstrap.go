package store

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// Errors of Open. None of them has changed anything on disk.
var (
	// ErrInUse is returned when another process has the store open.
	ErrInUse = errors.New("data directory in use by another process")
	// ErrNewerFormat is returned when the store, or a value in it, was written by a newer version.
	ErrNewerFormat = errors.New("data were written by a newer version")
	// ErrOlderFormat is returned when the store was written by a version whose stores this one does not read.
	ErrOlderFormat = errors.New("data were written by an earlier version")
	// ErrNotStore is returned when the directory holds something else.
	ErrNotStore = errors.New("directory holds something that is not a store")
	// ErrNoStore is returned by OpenReadOnly when there is nothing.
	ErrNoStore = errors.New("there is no store")
)

// storeFormat is the version of everything this package writes: keyspaces, keys, and which values there are.
//
//	1  no alerts, no schemas of framed events
//	2  their keyspaces, and alerts in the feed
//	3  digests: of definitions, and with the results of each window
//	4  history that is rolled up, and dropped by length; what others have read of results before a silent fold
//
// No released version wrote an earlier format, and digests can't be made of what such a store holds: it is refused.
const storeFormat = 4

// The store's own file beside Pebble's says whose directory this is and in which format, so that both are known before
// Pebble has changed anything.
const (
	markerName   = "TIDEMARK"
	markerPrefix = "tidemark store format "
	lockName     = "LOCK" // Pebble's
)

// found is what stands where a store is to be.
type found int

const (
	nothing  found = iota + 1 // no directory, or an empty one
	existing                  // a store of a format we know
)

// look reads what a directory holds and changes nothing.
func look(fsys vfs.FS, dir string) (found, error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(names) == 0 {
		return nothing, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", dir, err)
	}
	if !slices.Contains(names, markerName) {
		return 0, fmt.Errorf("%w: %s", ErrNotStore, dir)
	}
	format, err := readMarker(fsys, fsys.PathJoin(dir, markerName))
	if err != nil {
		return 0, err
	}
	if format > storeFormat {
		return 0, fmt.Errorf("%w: %s has store format %d, this version knows up to %d", ErrNewerFormat, dir, format, storeFormat)
	}
	if format < storeFormat {
		return 0, fmt.Errorf("%w: %s has store format %d, which this version can't read; move it away and start again: the log is folded anew", ErrOlderFormat, dir, format)
	}
	vers, err := atomicfs.ReadMarker(fsys, dir, "format-version")
	if err != nil {
		return 0, fmt.Errorf("read Pebble's format of %s: %w", dir, err)
	}
	n, err := strconv.ParseUint(vers, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read Pebble's format of %s: %w", dir, err)
	}
	if pebble.FormatMajorVersion(n) > pebbleFormat {
		return 0, fmt.Errorf("%w: %s has Pebble format %d, this version knows up to %d", ErrNewerFormat, dir, n, pebbleFormat)
	}
	return existing, nil
}

func readMarker(fsys vfs.FS, path string) (format uint64, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open store marker: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 256))
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	number, ok := strings.CutPrefix(string(text), markerPrefix)
	if !ok {
		return 0, fmt.Errorf("%w: %s does not name a format", ErrNotStore, path)
	}
	format, err = strconv.ParseUint(strings.TrimSuffix(number, "\n"), 10, 32)
	if err != nil || format == 0 {
		return 0, fmt.Errorf("%w: %s does not name a format", ErrNotStore, path)
	}
	return format, nil
}

// create makes a new store.
//
//  1. <dir>.tmp is made and locked; what a crashed creation left in it is removed.
//  2. The marker is written and synced: from here on the leftover is known as ours.
//  3. Pebble opens it, the identity is written, Pebble closes it.
//  4. It is renamed to <dir>, and the parent is synced.
//
// The caller then opens it again. That is what gives its first log the sync offsets: Pebble starts a new directory at
// its oldest format, raises it only after that log was begun, and a crash would find a log it can't tell from a torn one.
func create(dir string, opts *Options) (err error) {
	fsys, tmp, parent := opts.FS, dir+".tmp", opts.FS.PathDir(dir)
	if err := makeDirs(fsys, parent); err != nil {
		return err
	}
	lock, err := claim(fsys, tmp)
	if err != nil {
		return err
	}
	defer func() {
		if lock != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := fill(tmp, opts, lock); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		// A directory with an open file can't be renamed there.
		err, lock = lock.Close(), nil
		if err != nil {
			return fmt.Errorf("unlock %s: %w", tmp, err)
		}
	}
	if err := fsys.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace empty directory: %w", err)
	}
	if err := fsys.Rename(tmp, dir); err != nil {
		return fmt.Errorf("put new store in place: %w", err)
	}
	return syncDir(fsys, parent)
}

// claim makes and locks a directory for a new store and removes the leftovers of one that was never finished. The
// marker goes last by staying: a crash in between leaves a directory that is still known as ours.
func claim(fsys vfs.FS, tmp string) (*pebble.Lock, error) {
	names, err := fsys.List(tmp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", tmp, err)
	}
	ours := slices.Contains(names, markerName) || len(names) == 0 || len(names) == 1 && names[0] == lockName
	if !ours {
		return nil, fmt.Errorf("%w: %s is in the way", ErrNotStore, tmp)
	}
	if err := fsys.MkdirAll(tmp, 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", tmp, err)
	}
	lock, err := lockDir(fsys, tmp)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == lockName || name == markerName {
			continue
		}
		if err := fsys.RemoveAll(fsys.PathJoin(tmp, name)); err != nil {
			return nil, errors.Join(fmt.Errorf("remove leftover: %w", err), lock.Close())
		}
	}
	return lock, nil
}

// fill makes the contents of a new store.
func fill(tmp string, opts *Options, lock *pebble.Lock) error {
	if err := writeMarker(opts.FS, tmp); err != nil {
		return err
	}
	popts := opts.pebble(tmp, lock)
	popts.ErrorIfExists = true
	db, err := pebble.Open(tmp, popts)
	if err != nil {
		return fmt.Errorf("make store: %w", err)
	}
	id := appendIdentity(nil, identity{instance: cmp.Or(opts.Instance, randomID(16)), epoch: randomID(8)})
	if err := db.Set(identityKey, id, pebble.Sync); err != nil {
		return errors.Join(fmt.Errorf("write identity: %w", err), db.Close())
	}
	// Pebble's first log is one of an old format, in which damage passes for the end of the log: nothing stays in it.
	if err := db.Flush(); err != nil {
		return errors.Join(fmt.Errorf("flush new store: %w", err), db.Close())
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close new store: %w", err)
	}
	return syncDir(opts.FS, tmp)
}

func writeMarker(fsys vfs.FS, dir string) error {
	path := fsys.PathJoin(dir, markerName)
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create store marker: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s%d\n", markerPrefix, storeFormat)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(fsys, dir)
}

// lockDir takes Pebble's lock of a directory that exists.
func lockDir(fsys vfs.FS, dir string) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fsys)
	if err == nil {
		return lock, nil
	}
	// A lock file that can't even be opened comes as a PathError, a disk that fails by its number; all else says that somebody
	// has it.
	pathErr, number := new(fs.PathError), syscall.Errno(0)
	failed := errors.As(err, &number) && (number == syscall.EIO || number == syscall.ENOSPC || number == syscall.EROFS)
	if failed || errors.As(err, &pathErr) {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
}

// makeDirs makes a directory and all above it durable.
func makeDirs(fsys vfs.FS, dir string) error {
	var missing []string
	for d := dir; ; d = fsys.PathDir(d) {
		_, err := fsys.Stat(d)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look at %s: %w", d, err)
		}
		missing = append(missing, d)
		if fsys.PathDir(d) == d {
			break
		}
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	for _, d := range missing {
		if err := syncDir(fsys, fsys.PathDir(d)); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("open directory %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// randomID returns n random bytes in hexadecimal.
func randomID(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: the runtime ends the process instead
	return hex.EncodeToString(b)
}
