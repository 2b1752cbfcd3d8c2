package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are the settings of a Store. The zero value is not valid: start from Default.
type Options struct {
	FS        vfs.FS       // where the files are; default: the operating system's
	Logger    *slog.Logger // default: slog.Default()
	CacheSize int64        // bytes of blocks kept in memory; default 32 MiB
	Retention Retention
	Instance  string // of a store that is made; default: a random one

	// MemTableSize bounds what a crash has to read again. Pebble allocates a small one first and grows to it, so that an
	// idle server does not hold it. Default 16 MiB
	MemTableSize uint64

	// Fatal is called when a write has failed in a way that Pebble can't report to a caller. It must not return and
	// must not use the store. Default: one line on stderr, exit code 75; 3 if stored data are damaged.
	Fatal func(error)

	merge mergers
}

// Retention says what is dropped, and when. It is applied now and then, so that a little more is kept.
type Retention struct {
	FeedAge   time.Duration // by the wall clock of commits; default 7 days
	FeedBytes int64         // default 1 GiB
	Results   time.Duration // event time behind W: results and history that start before are dropped; default 35 days
	Rollups   time.Duration // the same of history by the hour and by the day, at least Results; default 400 days
	Alerts    time.Duration // event time behind W: alerts that were resolved before are dropped; default 35 days
	// Holding names the readers whose unread feed entries are never dropped. One that has not saved a position yet
	// holds everything. Default: none
	Holding []string
}

// KeepAll is the retention of a store that is made beside another: what is dropped is for the server to say that takes it up.
func KeepAll() Retention {
	const long = 100 * 365 * 24 * time.Hour
	return Retention{FeedAge: long, FeedBytes: math.MaxInt64, Results: long, Rollups: long, Alerts: long}
}

// The exit codes: for "the store could not be written: start again, the restart is the recovery", and for a store that needs
// somebody's decision.
const (
	exitUnwritable = 75
	exitDamaged    = 3
)

// Default returns the settings of a server.
func Default() Options {
	return Options{
		FS:        vfs.Default,
		Logger:    slog.Default(),
		CacheSize: 32 << 20, MemTableSize: 16 << 20,
		Retention: Retention{FeedAge: 7 * 24 * time.Hour, FeedBytes: 1 << 30, Results: 35 * 24 * time.Hour, Rollups: 400 * 24 * time.Hour, Alerts: 35 * 24 * time.Hour},
		Fatal:     exit,
		merge:     blockMergers,
	}
}

// exit ends the process with one line.
func exit(err error) {
	if IsDamaged(err) {
		fmt.Fprintf(os.Stderr, "tidemark: the store is damaged: %v; restore a backup, or rebuild it from the log\n", err)
		os.Exit(exitDamaged)
	}
	fmt.Fprintf(os.Stderr, "tidemark: the store could not be written: %v; start again to recover\n", err)
	os.Exit(exitUnwritable)
}

// Validate reports every fault.
func (o *Options) Validate() error {
	var faults []error
	check := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, errors.New("store: "+fault))
		}
	}
	check(o.FS != nil, "no file system")
	check(o.Logger != nil, "no logger")
	check(o.Fatal != nil, "no Fatal")
	check(o.merge.panes != nil && o.merge.sessions != nil, "Options not made by Default")
	check(o.CacheSize > 0, "cache size must be positive")
	check(o.MemTableSize >= 4<<10, "memtable size must be at least 4 KiB")
	check(o.Retention.FeedAge > 0, "feed retention must be positive")
	check(o.Retention.FeedBytes > 0, "feed retention bytes must be positive")
	check(o.Retention.Results > 0, "results retention must be positive")
	check(o.Retention.Rollups > 0, "rollups retention must be positive")
	check(o.Retention.Rollups >= o.Retention.Results, "rollups must be kept for as long as results, at least")
	check(o.Retention.Alerts > 0, "alerts retention must be positive")
	return errors.Join(faults...)
}

// pebbleFormat is pinned, so that a new Pebble does not by itself make stores that an older one can't read. It has
// sync offsets in the log (FormatWALSyncChunks), which tell a torn tail from corruption, and checksummed table footers.
const pebbleFormat = pebble.FormatValueSeparation

// pebble returns the options for one Pebble instance that stands in a locked directory.
func (o *Options) pebble(dir string, lock *pebble.Lock) *pebble.Options {
	opts := &pebble.Options{
		FS:                          newFailStop(o.FS, dir, o.Fatal),
		Lock:                        lock,
		FormatMajorVersion:          pebbleFormat,
		Merger:                      o.merge.pebble(),
		CacheSize:                   o.CacheSize,
		MemTableSize:                o.MemTableSize,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      pebbleLogger{o.Logger, o.Fatal},
	}
	opts.ApplyCompressionSettings(compression)
	opts.EventListener = &pebble.EventListener{
		BackgroundError: o.background,
		DataCorruption:  (&damageLog{opts: o}).note,
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			o.Logger.Warn("store writes stalled", "reason", info.Reason)
		},
		DiskSlow: func(info pebble.DiskSlowInfo) { o.Logger.Warn("disk is slow", "detail", info.String()) },
	}
	return opts
}

// compression is left to the last level. Sessions and panes, which are written and compacted most, are packed already
// and hardly get smaller; feed, results and history become half as large or less, and they stay.
func compression() pebble.DBCompressionSettings {
	settings := pebble.DBCompressionNone
	settings.Name = "last level"
	settings.Levels[len(settings.Levels)-1] = block.FastestCompression
	return settings
}

// pebbleLogger hands Pebble's log on. What Pebble calls information is of interest only to those who debug it.
type pebbleLogger struct {
	log   *slog.Logger
	fatal func(error)
}

func (l pebbleLogger) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("pebble", "detail", fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error("pebble", "detail", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) { l.fatal(fmt.Errorf(format, args...)) }
