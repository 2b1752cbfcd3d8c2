package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Exists reports whether there is a store in a directory, of whatever format.
func Exists(dir string) bool {
	_, err := vfs.Default.Stat(vfs.Default.PathJoin(dir, markerName))
	return err == nil
}

// Copy makes a store in dir, where there must be nothing, with the state of another one, which nobody may have open. It is a store
// of its own: instance and epoch are new. Like a new store it is built beside its place.
func Copy(from, dir string, opts Options) error {
	source, err := OpenReadOnly(from, opts)
	if err != nil {
		return err
	}
	tmp := dir + ".tmp"
	err = copyFiles(opts.FS, from, tmp)
	if err := errors.Join(err, source.Close()); err != nil {
		return fmt.Errorf("copy store: %w", err)
	}
	s, err := open(tmp, opts, func(*pebble.Options) {})
	if err != nil {
		return fmt.Errorf("copy store: %w", err)
	}
	id := appendIdentity(nil, identity{instance: randomID(16), epoch: randomID(8)})
	if err := errors.Join(s.db.Set(identityKey, id, pebble.Sync), s.Close()); err != nil {
		return fmt.Errorf("copy store: name it: %w", err)
	}
	if err := opts.FS.Rename(tmp, dir); err != nil {
		return fmt.Errorf("copy store: put it in place: %w", err)
	}
	return syncDir(opts.FS, opts.FS.PathDir(dir))
}

// copyFiles copies what is in a store's directory, and syncs it.
func copyFiles(fsys vfs.FS, from, to string) error {
	names, err := fsys.List(from)
	if err != nil {
		return fmt.Errorf("list %s: %w", from, err)
	}
	if err := makeDirs(fsys, to); err != nil {
		return err
	}
	for _, name := range names {
		path := fsys.PathJoin(from, name)
		info, err := fsys.Stat(path)
		if err != nil {
			return fmt.Errorf("look at %s: %w", path, err)
		}
		if info.IsDir() || name == lockName {
			continue
		}
		if err := vfs.Copy(fsys, path, fsys.PathJoin(to, name)); err != nil {
			return fmt.Errorf("copy %s: %w", path, err)
		}
	}
	return syncDir(fsys, to)
}
