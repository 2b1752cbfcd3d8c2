package faultfs

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Wrap returns a file system on which every operation is shown to ask first; what that returns, if not nil, is the operation's
// error, and nothing is done.
func Wrap(fsys vfs.FS, ask func(errorfs.Op) error) vfs.FS {
	return &wrapped{FS: errorfs.Wrap(fsys, errorfs.InjectorFunc(ask)), base: fsys, ask: ask}
}

// IsWrite reports whether an operation may change what a disk holds.
func IsWrite(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }

type wrapped struct {
	*errorfs.FS
	base vfs.FS
	ask  func(errorfs.Op) error
}

func (w *wrapped) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	return &written{f, w.ask, name}, nil
}

// ReuseForWrite is in two steps what the file systems make of it: that in memory takes the lock that a clone waits for twice, and
// hangs if a clone is asked for in between.
func (w *wrapped) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := w.ask(errorfs.Op{Kind: errorfs.OpReuseForWrite, Path: oldname}); err != nil {
		return nil, err
	}
	if err := w.base.Rename(oldname, newname); err != nil {
		return nil, err
	}
	f, err := w.base.OpenReadWrite(newname, category)
	if err != nil {
		return nil, err
	}
	asks := errorfs.WrapFile(f, errorfs.InjectorFunc(func(op errorfs.Op) error {
		op.Path = newname
		return w.ask(op)
	}))
	return &written{asks, w.ask, newname}, nil
}

// written is a file that was opened to write to it.
type written struct {
	vfs.File
	ask  func(errorfs.Op) error
	name string
}

// Close closes the file in any case.
func (f *written) Close() error {
	asked := f.ask(errorfs.Op{Kind: errorfs.OpFileClose, Path: f.name})
	if err := f.File.Close(); err != nil {
		return err
	}
	return asked
}
