package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing/event"
)

// ErrBadBackup is returned when a backup is damaged, or something else.
var ErrBadBackup = errors.New("not a whole backup")

// Manifest says what a backup holds. It is the file that makes a directory a backup, and is written last.
type Manifest struct {
	Format      int              `json:"backup_format"`
	StoreFormat uint64           `json:"store_format"`
	Instance    string           `json:"instance"`
	Epoch       string           `json:"epoch"` // of the feed; a store that is restored from it gets another one
	MadeAt      time.Time        `json:"made_at"`
	Watermark   event.Millis     `json:"watermark_ms"`
	Head        uint64           `json:"head"` // of the feed
	Cursors     []ManifestCursor `json:"cursors"`
	Files       []ManifestFile   `json:"files"`
	Checksum    string           `json:"checksum"` // SHA-256 of all this in compact form, without the checksum
}

// ManifestCursor is where the reading of a partition stood.
type ManifestCursor struct {
	Topic     string            `json:"topic"`
	TopicID   string            `json:"topic_id"`
	Partition event.PartitionID `json:"partition"`
	Next      event.Offset      `json:"next"`
	HeldFrom  event.Offset      `json:"held_from"` // a restored server reads from here on
}

// ManifestFile is one file of the store.
type ManifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

const (
	backupFormat = 1
	manifestName = "BACKUP.json"
	partialName  = "BACKUP.partial" // says that a directory is a backup that was not finished
	backupStore  = "store"          // the directory in a backup that holds the store
	maxManifest  = 64 << 20
)

// sum is what Checksum must be.
func (m *Manifest) sum() (string, error) {
	bare := *m
	bare.Checksum = ""
	text, err := json.Marshal(&bare)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:]), nil
}

// write makes the manifest durable.
func (m *Manifest) write(fsys vfs.FS, dir string) (err error) {
	if m.Checksum, err = m.sum(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(fsys, fsys.PathJoin(dir, manifestName), bytes.NewReader(append(text, '\n')), io.Discard)
}

// ReadManifest reads what a backup says of itself. It returns ErrBadBackup when that is not a backup of a format that this
// version knows, or was changed since.
func ReadManifest(fsys vfs.FS, dir string) (*Manifest, error) {
	path := fsys.PathJoin(dir, manifestName)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has no %s", ErrBadBackup, dir, manifestName)
	}
	if err != nil {
		return nil, fmt.Errorf("open manifest: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return parseManifest(text, path)
}

func parseManifest(text []byte, path string) (*Manifest, error) {
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		var known struct {
			Format int `json:"backup_format"`
		}
		if json.Unmarshal(text, &known) == nil && known.Format > backupFormat {
			return nil, fmt.Errorf("%w: %s has backup format %d, this version knows up to %d", ErrNewerFormat, path, known.Format, backupFormat)
		}
		return nil, fmt.Errorf("%w: %s can't be read: %w", ErrBadBackup, path, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %s goes on behind its end", ErrBadBackup, path)
	}
	switch sum, err := m.sum(); {
	case err != nil:
		return nil, err
	case m.Format > backupFormat:
		return nil, fmt.Errorf("%w: %s has backup format %d, this version knows up to %d", ErrNewerFormat, path, m.Format, backupFormat)
	case sum != m.Checksum || m.Format != backupFormat:
		return nil, fmt.Errorf("%w: %s was changed since the backup was made", ErrBadBackup, path)
	case m.StoreFormat > storeFormat:
		return nil, fmt.Errorf("%w: %s has store format %d, this version knows up to %d", ErrNewerFormat, path, m.StoreFormat, storeFormat)
	}
	for _, f := range m.Files {
		if f.Name == "" || strings.ContainsAny(f.Name, `/\`) || f.Name == ".." || f.Name == "." {
			return nil, fmt.Errorf("%w: %s names a file %q", ErrBadBackup, path, f.Name)
		}
	}
	return &m, nil
}

// CheckBackup does what Restore does before it installs anything, if a directory is a backup: it returns ErrBadBackup with the
// name of the first file that is not as it was. Of any other directory it says nothing.
func CheckBackup(fsys vfs.FS, dir string) error {
	if _, err := fsys.Stat(fsys.PathJoin(dir, manifestName)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	m, err := ReadManifest(fsys, dir)
	if err != nil {
		return err
	}
	return m.Verify(fsys, dir)
}

// Verify reads all files of a backup and compares them with its manifest. It returns ErrBadBackup with the name of the first
// that is not as it was.
func (m *Manifest) Verify(fsys vfs.FS, dir string) error {
	dir = fsys.PathJoin(dir, backupStore)
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("%w: list %s: %w", ErrBadBackup, dir, err)
	}
	for _, name := range names {
		if name == lockName {
			continue // somebody has looked at the store; it is empty
		}
		if !slices.ContainsFunc(m.Files, func(f ManifestFile) bool { return f.Name == name }) {
			return fmt.Errorf("%w: %s is not in the manifest", ErrBadBackup, fsys.PathJoin(dir, name))
		}
	}
	for _, want := range m.Files {
		path := fsys.PathJoin(dir, want.Name)
		got, err := hashFile(fsys, path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadBackup, err)
		}
		if err := want.compare(got, path); err != nil {
			return err
		}
	}
	return nil
}

func (f *ManifestFile) compare(got ManifestFile, path string) error {
	switch {
	case got.Size != f.Size:
		return fmt.Errorf("%w: %s is damaged: it has %d bytes, and had %d", ErrBadBackup, path, got.Size, f.Size)
	case got.SHA256 != f.SHA256:
		return fmt.Errorf("%w: %s is damaged: its SHA-256 is %s, and was %s", ErrBadBackup, path, got.SHA256, f.SHA256)
	}
	return nil
}

// hashFile reads a whole file.
func hashFile(fsys vfs.FS, path string) (ManifestFile, error) {
	f, err := fsys.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return ManifestFile{}, fmt.Errorf("open %s: %w", path, err)
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return ManifestFile{}, fmt.Errorf("read %s: %w", path, err)
	}
	return ManifestFile{Name: fsys.PathBase(path), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// copyFile copies a file, makes the copy durable and says what was copied.
func copyFile(fsys vfs.FS, from, to string) (ManifestFile, error) {
	f, err := fsys.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return ManifestFile{}, fmt.Errorf("open %s: %w", from, err)
	}
	h := sha256.New()
	counted := &countingReader{from: f}
	err = writeFile(fsys, to, counted, h)
	if err := errors.Join(err, f.Close()); err != nil {
		return ManifestFile{}, fmt.Errorf("copy %s: %w", from, err)
	}
	return ManifestFile{Name: fsys.PathBase(from), Size: counted.n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

type countingReader struct {
	from io.Reader
	n    int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.n += int64(n)
	return n, err
}

// writeFile writes a new file and syncs it.
func writeFile(fsys vfs.FS, path string, content io.Reader, also io.Writer) error {
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	_, err = io.Copy(io.MultiWriter(also, f), content) // f last: a disk in memory may turn the bits of what it has taken
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
