package store

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Store is an open store. Commit and Load belong to one goroutine, the committer's; everything else may be called by
// any number of goroutines and never waits for a commit.
type Store struct {
	dir      string
	opts     Options
	lock     *pebble.Lock
	db       *pebble.DB
	identity identity
	readOnly bool

	// Owned by the committer.
	failed  error // of the first commit that failed
	tail    tail
	batch   *pebble.Batch
	key     []byte
	value   []byte
	feed    feedEncoder
	trimmed trimmed

	rollups     map[definition.Hash]*rollup // of the groupings that have had a settled pane
	rollupOrder []definition.Hash           // in which they came
	rollupTurn  int                         // whose turn it is first
	groupings   map[definition.Hash]bool    // of the plan

	// unsettled is how far behind W a window may start that has not settled: what it has published is needed until then.
	unsettled time.Duration
	cursors   []processing.Cursor // by topic, then partition; nil until the first mark

	journaled atomic.Uint64 // commits that added to the journal
	passed    atomic.Uint64 // marks before this sequence are gone already
	course    course
}

// Open opens the store in dir and makes one if there is nothing. It returns ErrInUse, ErrNewerFormat,
// ErrOlderFormat or ErrNotStore before anything was changed. dir is the store's alone.
func Open(dir string, opts Options) (*Store, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	state, err := look(opts.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if state == nothing {
		if err := create(dir, &opts); err != nil {
			return nil, fmt.Errorf("create store: %w", err)
		}
	}
	return open(dir, opts, func(*pebble.Options) {})
}

// Check returns what Open would refuse a directory for, ErrNewerFormat, ErrOlderFormat or ErrNotStore, without opening it.
func Check(dir string) error {
	if _, err := look(vfs.Default, dir); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	return nil
}

// OpenReadOnly opens an existing store to look at it: Commit and SaveReader fail. It returns ErrNoStore when there is
// none, and what Open returns.
func OpenReadOnly(dir string, opts Options) (*Store, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	state, err := look(opts.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if state == nothing {
		return nil, fmt.Errorf("open store: %w in %s", ErrNoStore, dir)
	}
	return open(dir, opts, func(p *pebble.Options) { p.ReadOnly = true })
}

func open(dir string, opts Options, adjust func(*pebble.Options)) (*Store, error) {
	lock, err := lockDir(opts.FS, dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := checkLog(opts.FS, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), lock.Close())
	}
	popts := opts.pebble(dir, lock)
	popts.ErrorIfNotExists = true
	adjust(popts)
	db, err := pebble.Open(dir, popts)
	if errors.Is(err, fs.ErrNotExist) {
		// A manifest that ends too early names tables that have been replaced; or somebody has taken one away.
		err = fmt.Errorf("%w: a file is missing: %w", errDamaged, err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), lock.Close())
	}
	s := &Store{dir: dir, opts: opts, lock: lock, db: db, readOnly: popts.ReadOnly, rollups: make(map[definition.Hash]*rollup), groupings: make(map[definition.Hash]bool), trimmed: trimmed{results: event.NoTime, alerts: event.NoTime}}
	if err := s.readHead(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.Close())
	}
	return s, nil
}

// readHead reads what the store is and where its last commit left it.
func (s *Store) readHead() error {
	value, ok, err := read(s.db, identityKey)
	if err != nil {
		return fmt.Errorf("read identity: %w", err)
	}
	if !ok {
		return fmt.Errorf("read identity: %w: there is none", errDamaged)
	}
	if s.identity, err = decodeIdentity(value); err != nil {
		return fmt.Errorf("read identity: %w", err)
	}
	if s.tail, err = readTail(s.db); err != nil {
		return err
	}
	s.batch = s.db.NewBatch()
	return nil
}

// Close releases the store. No other call may be under way, and none may follow.
func (s *Store) Close() error {
	var err error
	if s.batch != nil {
		err = s.batch.Close()
		if s.failed == nil && !s.readOnly {
			// Tables are protected to the last bit, the tail of a log is not: see checkLog.
			err = errors.Join(err, s.db.Flush())
		}
	}
	if err := errors.Join(err, s.db.Close(), s.lock.Close()); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Instance is the random name that the store was given when it was made.
func (s *Store) Instance() string { return s.identity.instance }

// Epoch names the sequence of the feed: sequences of different epochs can't be compared.
func (s *Store) Epoch() string { return s.identity.epoch }

// Size returns the bytes that the store takes on disk, and those free on its file system, 0 if that does not say.
func (s *Store) Size() (bytes, free uint64) {
	usage, err := s.opts.FS.GetDiskUsage(s.dir)
	if err != nil {
		usage.AvailBytes = 0
	}
	return s.db.Metrics().DiskSpaceUsage(), usage.AvailBytes
}

// read returns a copy of one value.
func read(r pebble.Reader, key []byte) (value []byte, ok bool, err error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value = append([]byte(nil), v...)
	return value, true, closer.Close()
}

// readTail reads what the last commit left; before the first one W has no value.
func readTail(r pebble.Reader) (tail, error) {
	value, ok, err := read(r, commitKey)
	if err == nil && !ok {
		return tail{watermark: event.NoTime, newest: event.NoTime}, nil
	}
	var t tail
	if err == nil {
		t, err = decodeTail(value)
	}
	if err != nil {
		return tail{}, fmt.Errorf("read last commit: %w", err)
	}
	return t, nil
}
