package store

import (
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// failStop is the file system that Pebble sees: what it can't write in the store's directory ends the process at once, through
// Options.Fatal.
//
// Pebble would deal with such errors in ways of its own, none of which is ours: a flush is tried again for ever while commits
// fill memory and then hang; a log that can't be closed or begun is a panic, which the mutex that is unlocked at that moment
// turns into one that nobody can catch. Here the first write that fails is the last, and its line names the file.
//
// Errors of reading are left to those who read, but for two: listing the directory once something was written, which Pebble does at the
// end of opening, pulling away what its goroutines are already at work on when it fails; and asking for the size of a file that is
// being written. Errors of removing are left too: a file that stays costs space alone, and those that matter are renamed or synced.
// Files elsewhere, such as those of a checkpoint, are the business of who makes it.
type failStop struct {
	vfs.FS
	dir   string // as the names in it have it
	wrote atomic.Bool
	fatal func(error)
}

func newFailStop(fsys vfs.FS, dir string, fatal func(error)) *failStop {
	return &failStop{FS: fsys, dir: fsys.PathDir(fsys.PathJoin(dir, "x")), fatal: fatal}
}

// check ends the process if something failed within the directory.
func (f *failStop) check(err error, doing, name string) error {
	if err != nil && (f.PathDir(f.PathJoin(name, "x")) == f.dir || f.PathDir(name) == f.dir) {
		f.fatal(fmt.Errorf("%s %s: %w", doing, f.PathBase(name), err))
	}
	return err
}

// file watches what is written to a file.
func (f *failStop) file(file vfs.File, err error, doing, name string) (vfs.File, error) {
	if f.check(err, doing, name) != nil {
		return nil, err
	}
	return &failStopFile{File: file, fs: f, name: name}, nil
}

func (f *failStop) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f.wrote.Store(true)
	file, err := f.FS.Create(name, category)
	return f.file(file, err, "create", name)
}

func (f *failStop) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.file(file, err, "reuse as", newname)
}

func (f *failStop) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, category, opts...)
	return f.file(file, err, "open for writing", name)
}

func (f *failStop) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	if f.wrote.Load() {
		err = f.check(err, "list", dir)
	}
	return names, err
}

// OpenDir may fail where it likes: syncing a directory may not.
func (f *failStop) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &failStopFile{File: dir, fs: f, name: name}, nil
}

func (f *failStop) Rename(oldname, newname string) error {
	return f.check(f.FS.Rename(oldname, newname), "rename to", newname)
}

// GetDiskUsage fails for Pebble in the one way that it doesn't take for a failed write: LowSpace tells of others.
func (f *failStop) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	usage, err := f.FS.GetDiskUsage(path)
	if err != nil {
		return usage, vfs.ErrUnsupported
	}
	return usage, nil
}

// Unwrap implements vfs.FS.
func (f *failStop) Unwrap() vfs.FS { return f.FS }

// failStopFile is a file that is written to, or a directory that is synced.
type failStopFile struct {
	vfs.File
	fs   *failStop
	name string
}

func (f *failStopFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.fs.check(err, "write", f.name)
}

func (f *failStopFile) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.File.WriteAt(p, offset)
	return n, f.fs.check(err, "write", f.name)
}

func (f *failStopFile) Sync() error { return f.fs.check(f.File.Sync(), "sync", f.name) }

func (f *failStopFile) SyncData() error { return f.fs.check(f.File.SyncData(), "sync", f.name) }

func (f *failStopFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.fs.check(err, "sync", f.name)
}

// Stat is reading, and yet asked of a log that is to be used again, at a place where an error is a panic.
func (f *failStopFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	return info, f.fs.check(err, "stat", f.name)
}

func (f *failStopFile) Close() error { return f.fs.check(f.File.Close(), "close", f.name) }
