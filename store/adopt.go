package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A state that is rebuilt from the log stands beside the store that it is to replace:
//
//	<dir>.rebuilding   while it is being made
//	<dir>.rebuilt      once it is whole: the next start takes it
//	<dir>.old-<time>   the store that it has replaced
const (
	rebuildingSuffix = ".rebuilding"
	rebuiltSuffix    = ".rebuilt"
	oldSuffix        = ".old-"
)

// Rebuilding is where the state that is to replace a store is made. What an unfinished rebuild has left there is removed.
// It returns ErrExists if a rebuilt state waits for the next start.
func Rebuilding(dir string, opts Options) (string, error) {
	path := dir + rebuildingSuffix
	if state, err := look(opts.FS, dir+rebuiltSuffix); err != nil {
		return "", err
	} else if state == existing {
		return "", fmt.Errorf("%w, rebuilt: the next start takes it: %s", ErrExists, dir+rebuiltSuffix)
	}
	if state, err := look(opts.FS, path); err != nil && !errors.Is(err, ErrNewerFormat) && !errors.Is(err, ErrOlderFormat) {
		return "", err
	} else if state == nothing {
		return path, nil
	}
	lock, err := lockDir(opts.FS, path)
	if err != nil {
		return "", err
	}
	if err := errors.Join(opts.FS.RemoveAll(path), lock.Close()); err != nil {
		return "", fmt.Errorf("remove leftover: %w", err)
	}
	return path, nil
}

// Rebuilt says that the state that was being made beside a store is whole. It must be closed.
func Rebuilt(dir string, opts Options) error {
	if err := opts.FS.Rename(dir+rebuildingSuffix, dir+rebuiltSuffix); err != nil {
		return fmt.Errorf("finish the rebuild: %w", err)
	}
	return syncDir(opts.FS, opts.FS.PathDir(dir))
}

// Adopt puts a rebuilt state in the place of a store, which is kept: old is where. It is empty when there is no rebuilt one. A
// crash in between is made good by the next call; the store must not be opened before.
func Adopt(dir string, opts Options) (old string, err error) {
	switch state, err := look(opts.FS, dir+rebuiltSuffix); {
	case err != nil:
		return "", fmt.Errorf("adopt the rebuilt state: %w", err)
	case state == nothing:
		return "", nil
	}
	if old, err = setAside(opts.FS, dir, time.Now()); err != nil {
		return "", fmt.Errorf("adopt the rebuilt state: %w", err)
	}
	if err := opts.FS.Rename(dir+rebuiltSuffix, dir); err != nil {
		return "", fmt.Errorf("adopt the rebuilt state: %w", err)
	}
	return old, syncDir(opts.FS, opts.FS.PathDir(dir))
}

// setAside renames a store that nobody uses.
func setAside(fsys vfs.FS, dir string, now time.Time) (old string, err error) {
	state, err := look(fsys, dir)
	if state == nothing && err == nil {
		if err := fsys.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("replace empty directory: %w", err)
		}
		return "", nil // a crash came between, or somebody has taken it away
	}
	if errors.Is(err, ErrNotStore) {
		return "", err
	}
	lock, err := lockDir(fsys, dir)
	if err != nil {
		return "", err
	}
	// It may be one of another format, or damaged: that is what rebuilding is for.
	if err := lock.Close(); err != nil {
		return "", err
	}
	old = dir + oldSuffix + now.UTC().Format("20060102T150405Z")
	if _, err := fsys.Stat(old); err == nil {
		return "", fmt.Errorf("%s is in the way", old)
	}
	return old, fsys.Rename(dir, old)
}

// SetAside is a store that a rebuilt one has replaced. Nobody but its owner knows when it is no longer wanted: it is never deleted.
type SetAside struct {
	Dir   string
	Bytes uint64 // of its files
}

// ListSetAside returns the stores that have been replaced beside one, the oldest first.
func ListSetAside(dir string, opts Options) (list []SetAside, err error) {
	fsys, parent := opts.FS, opts.FS.PathDir(dir)
	names, err := fsys.List(parent)
	if err != nil {
		return nil, fmt.Errorf("look for replaced stores: %w", err)
	}
	slices.Sort(names) // by time
	for _, name := range names {
		if !strings.HasPrefix(name, fsys.PathBase(dir)+oldSuffix) {
			continue
		}
		old := SetAside{Dir: fsys.PathJoin(parent, name)}
		if old.Bytes, err = sizeOf(fsys, old.Dir); err != nil {
			return nil, fmt.Errorf("look at %s: %w", old.Dir, err)
		}
		list = append(list, old)
	}
	return list, nil
}

// sizeOf is how large the files of a directory are.
func sizeOf(fsys vfs.FS, dir string) (bytes uint64, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		info, err := fsys.Stat(fsys.PathJoin(dir, name))
		if err != nil {
			return 0, err
		}
		if !info.IsDir() {
			bytes += uint64(info.Size())
		}
	}
	return bytes, nil
}
