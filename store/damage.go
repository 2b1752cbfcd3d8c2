package store

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// IsDamaged reports whether an error says that stored bytes are not what was written. Starting again doesn't mend that: it takes
// a backup, or the log.
func IsDamaged(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, errMerge) || pebble.IsCorruptionError(err)
}

// damageLog tells of each damaged file once: readers may come back to it again and again. What they asked for is an error, never
// an answer, and the server goes on with the rest until it has to rewrite the file.
type damageLog struct {
	opts *Options

	mu   sync.Mutex
	told map[string]bool
}

func (l *damageLog) note(info pebble.DataCorruptionInfo) {
	l.mu.Lock()
	known := l.told[info.Path]
	if l.told == nil {
		l.told = make(map[string]bool)
	}
	l.told[info.Path] = true
	l.mu.Unlock()
	if !known {
		l.opts.Logger.Error("stored data are damaged", "file", info.Path, "detail", info.Details)
	}
}

// background ends the process for what went wrong where nobody waits for it. A flush that fails is tried again for ever, while
// commits fill memory and then hang.
func (o *Options) background(err error) {
	o.Fatal(fmt.Errorf("background work: %w", err))
}
