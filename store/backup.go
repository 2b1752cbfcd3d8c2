package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrNotEmpty is returned when a directory that is to be made is there and holds something.
var ErrNotEmpty = errors.New("directory is not empty")

// Backup writes a copy of the store as of its last commit to a new directory, while the store is in use.
//
//  1. <to>.tmp is made; what an unfinished backup has left in it is removed.
//  2. Pebble makes a checkpoint in it. Its files may be links to those of the store: they are copied, so that what happens to
//     the one does not happen to the other.
//  3. The copy is opened for reading: that it can be, and what it holds, is known from the copy itself.
//  4. The manifest is written, everything is synced, and <to>.tmp renamed to <to>.
func (s *Store) Backup(ctx context.Context, to string) (*Manifest, error) {
	m, err := s.backup(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return m, nil
}

func (s *Store) backup(ctx context.Context, to string) (_ *Manifest, err error) {
	fsys := s.opts.FS
	if err := checkFree(fsys, to); err != nil {
		return nil, err
	}
	tmp := to + ".tmp"
	if err := makePartial(fsys, tmp); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, fsys.RemoveAll(tmp))
		}
	}()
	linked, copied := fsys.PathJoin(tmp, "linked"), fsys.PathJoin(tmp, backupStore)
	if err := s.db.Checkpoint(linked, pebble.WithFlushedWAL()); err != nil {
		return nil, fmt.Errorf("make a checkpoint: %w", err)
	}
	files, err := copyStore(ctx, fsys, linked, copied)
	if err != nil {
		return nil, err
	}
	if err := fsys.RemoveAll(linked); err != nil {
		return nil, fmt.Errorf("remove the checkpoint: %w", err)
	}
	m, err := s.inspectCopy(copied)
	if err != nil {
		return nil, err
	}
	m.Files = files
	if err := m.write(fsys, tmp); err != nil {
		return nil, err
	}
	return m, s.finishBackup(tmp, to)
}

// finishBackup puts a backup in its place.
func (s *Store) finishBackup(tmp, to string) error {
	fsys := s.opts.FS
	if err := fsys.Remove(fsys.PathJoin(tmp, partialName)); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	if err := syncDir(fsys, tmp); err != nil {
		return err
	}
	if err := fsys.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace empty directory: %w", err)
	}
	if err := fsys.Rename(tmp, to); err != nil {
		return fmt.Errorf("put the backup in place: %w", err)
	}
	return syncDir(fsys, fsys.PathDir(to))
}

// checkFree returns ErrNotEmpty if a directory is there with something in it, or a file.
func checkFree(fsys vfs.FS, dir string) error {
	info, err := fsys.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: %s", ErrNotEmpty, dir)
	}
	return nil
}

// makePartial makes the directory of a backup that is being made. Only what such a one has left there is removed.
func makePartial(fsys vfs.FS, tmp string) error {
	if err := makeDirs(fsys, fsys.PathDir(tmp)); err != nil {
		return err
	}
	names, err := fsys.List(tmp)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list %s: %w", tmp, err)
	}
	if len(names) > 0 && !slices.Contains(names, partialName) {
		return fmt.Errorf("%w: %s is in the way", ErrNotEmpty, tmp)
	}
	if err := fsys.RemoveAll(tmp); err != nil {
		return fmt.Errorf("remove leftover: %w", err)
	}
	if err := fsys.MkdirAll(tmp, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", tmp, err)
	}
	return writeFile(fsys, fsys.PathJoin(tmp, partialName), strings.NewReader("a backup that is not finished\n"), io.Discard)
}

// copyStore copies Pebble's files, says that they are a store, and returns what there is.
func copyStore(ctx context.Context, fsys vfs.FS, from, to string) (files []ManifestFile, err error) {
	if err := fsys.MkdirAll(to, 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", to, err)
	}
	names, err := fsys.List(from)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", from, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := copyFile(fsys, fsys.PathJoin(from, name), fsys.PathJoin(to, name))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if err := writeMarker(fsys, to); err != nil {
		return nil, err
	}
	marker, err := hashFile(fsys, fsys.PathJoin(to, markerName))
	return append(files, marker), err
}

// inspectCopy opens a copy and reads what it holds.
func (s *Store) inspectCopy(dir string) (_ *Manifest, err error) {
	opts := s.opts
	// A copy that is bad is no fault of the store: that it can't be read comes back as an error.
	opts.Fatal = func(err error) { opts.Logger.Error("the backup is bad", "error", err) }
	c, err := open(dir, opts, func(p *pebble.Options) { p.ReadOnly = true })
	if err != nil {
		return nil, fmt.Errorf("open the copy: %w", err)
	}
	defer func() {
		err = errors.Join(err, c.Close())
		if rerr := opts.FS.Remove(opts.FS.PathJoin(dir, lockName)); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	m := &Manifest{
		Format: backupFormat, StoreFormat: storeFormat, Instance: c.Instance(), Epoch: c.Epoch(), MadeAt: time.Now().UTC().Truncate(time.Second),
		Watermark: c.tail.watermark, Head: c.tail.head, Cursors: []ManifestCursor{},
	}
	v, err := c.View()
	if err != nil {
		return nil, err
	}
	cursors, err := v.Cursors()
	if err := errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	for _, cur := range cursors {
		m.Cursors = append(m.Cursors, ManifestCursor{
			Topic: cur.Topic, TopicID: hex.EncodeToString(cur.TopicID[:]), Partition: cur.Partition, Next: cur.Next, HeldFrom: cur.HeldFrom,
		})
	}
	return m, nil
}
