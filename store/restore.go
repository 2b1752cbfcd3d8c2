package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
)

// ErrExists is returned by Restore when there is a store already.
var ErrExists = errors.New("there is a store already")

// Restore makes a store of a backup. It returns ErrBadBackup, naming the file, before anything was installed, and ErrExists
// if there is a store already: what it holds may be all that there is. The store keeps its instance and begins a new epoch,
// so that nobody takes its feed for that of the store that the backup was made of.
func Restore(from, dir string, opts Options) (*Manifest, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	m, err := ReadManifest(opts.FS, from)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := m.Verify(opts.FS, from); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := m.install(from, dir, opts); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return m, nil
}

// install copies the files beside where the store is to be, gives it its epoch and renames it.
func (m *Manifest) install(from, dir string, opts Options) error {
	fsys, tmp, parent := opts.FS, dir+".tmp", opts.FS.PathDir(dir)
	if state, err := look(fsys, dir); err != nil {
		return err
	} else if state == existing {
		return fmt.Errorf("%w: %s", ErrExists, dir)
	}
	if err := makeDirs(fsys, parent); err != nil {
		return err
	}
	lock, err := claim(fsys, tmp)
	if err != nil {
		return err
	}
	err = m.copyTo(from, tmp, opts)
	if err := errors.Join(err, lock.Close()); err != nil {
		return err
	}
	if err := renew(tmp, opts, identity{instance: m.Instance, epoch: randomID(8)}); err != nil {
		return err
	}
	if err := fsys.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace empty directory: %w", err)
	}
	if err := fsys.Rename(tmp, dir); err != nil {
		return fmt.Errorf("put the store in place: %w", err)
	}
	return syncDir(fsys, parent)
}

// copyTo copies what was verified, and verifies what was copied: it may have changed meanwhile.
func (m *Manifest) copyTo(from, tmp string, opts Options) error {
	fsys := opts.FS
	if err := writeMarker(fsys, tmp); err != nil {
		return err
	}
	for _, want := range m.Files {
		path := fsys.PathJoin(from, backupStore, want.Name)
		if want.Name == markerName {
			continue // it is there, so that what follows is known as ours
		}
		got, err := copyFile(fsys, path, fsys.PathJoin(tmp, want.Name))
		if err != nil {
			return err
		}
		if err := want.compare(got, path); err != nil {
			return err
		}
	}
	return syncDir(fsys, tmp)
}

// renew opens a store that is not in its place yet and makes it another one.
func renew(dir string, opts Options, id identity) error {
	s, err := open(dir, opts, func(*pebble.Options) {})
	if err != nil {
		return err
	}
	if s.identity.instance != id.instance {
		return errors.Join(fmt.Errorf("%w: the store is of instance %s, the manifest of %s", ErrBadBackup, s.identity.instance, id.instance), s.Close())
	}
	err = s.db.Set(identityKey, appendIdentity(nil, id), pebble.Sync)
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	return syncDir(opts.FS, dir)
}
