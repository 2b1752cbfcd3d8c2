package store

import (
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/event"
)

// How much is left over before retention looks again, and how much one commit drops at most: a commit must stay short.
const (
	trimEveryMs    = 60_000
	trimEveryBytes = 16 << 20
	trimEveryEvent = event.Millis(3_600_000)
	trimBlocks     = 1024
)

// trimmed is where retention last looked. Owned by the committer.
type trimmed struct {
	feedAtMs  int64
	feedBytes uint64
	started   bool
	more      bool         // the last look stopped at trimBlocks
	results   event.Millis // W less the time that results are kept; NoTime before the first look
	alerts    event.Millis // the same of alerts
}

// trim stages the deletions that are due.
func (s *Store) trim(atMs int64, next *tail) error {
	t := &s.trimmed
	if !t.started || t.more || atMs-t.feedAtMs >= trimEveryMs || next.feedBytes-t.feedBytes >= trimEveryBytes {
		t.started, t.feedAtMs, t.feedBytes = true, atMs, next.feedBytes
		if err := s.trimFeed(atMs, next); err != nil {
			return fmt.Errorf("drop old feed entries: %w", err)
		}
	}
	if due, ok := dueAt(next.watermark, s.opts.Retention.Alerts, t.alerts); ok {
		if err := s.trimAlerts(due); err != nil {
			return fmt.Errorf("drop old alerts: %w", err)
		}
	}
	if due, ok := dueAt(next.watermark, max(s.opts.Retention.Results, s.unsettled), t.results); ok {
		t.results = due
		if err := s.trimResults(due); err != nil {
			return fmt.Errorf("drop old windows: %w", err)
		}
		long, ok := dueAt(next.watermark, max(s.opts.Retention.Rollups, s.opts.Retention.Results, s.unsettled), event.NoTime)
		if !ok {
			long = event.NoTime
		}
		if err := s.trimHistory(due, long); err != nil {
			return fmt.Errorf("drop old history: %w", err)
		}
	}
	return nil
}

// dueAt is the time before which everything is too old; ok is false while it has hardly moved since the last look.
func dueAt(w event.Millis, kept time.Duration, last event.Millis) (due event.Millis, ok bool) {
	keep := event.Millis(kept.Milliseconds())
	if w < math.MinInt64+keep {
		return 0, false
	}
	due = w - keep
	return due, last == event.NoTime || due-last >= trimEveryEvent
}

// trimAlerts drops alerts that were resolved before due. Those that fire stay, whatever their age: the index has them
// where they began, so that each look passes over them. What one look leaves is dropped by the next commits.
func (s *Store) trimAlerts(due event.Millis) error {
	lower, upper := appendMarkKey(nil, spaceAlertIndex, AlertPos{StartedAt: math.MinInt64}), appendMarkKey(nil, spaceAlertIndex, AlertPos{StartedAt: due})
	dropped := 0
	err := scan(s.db, lower, upper, func(key, value []byte) error {
		mark, err := decodeMark(value)
		if err != nil || mark.state != alert.Resolved || mark.endedAt >= due {
			return err
		}
		if dropped++; dropped > trimBlocks {
			return errStop
		}
		at, err := parseMarkKey(key)
		if err != nil {
			return err
		}
		return dropAlert(s.batch, at)
	})
	if dropped <= trimBlocks {
		s.trimmed.alerts = due
	}
	return err
}

// trimFeed drops blocks from the front of the feed as long as they are too old or the feed is too big. It looks at what
// was committed before, and never drops the last block: the feed then always says where it starts.
func (s *Store) trimFeed(atMs int64, next *tail) error {
	hold, err := s.heldFrom()
	if err != nil {
		return err
	}
	oldest := atMs - s.opts.Retention.FeedAge.Milliseconds()
	lower, upper := spaceFeed.bounds()
	var prev feedBlock
	cut, seen := uint64(0), 0
	err = scan(s.db, lower, upper, func(key, value []byte) error {
		b, _, err := decodeFeedHeader(key, value)
		if err != nil {
			return err
		}
		if seen++; seen > 1 {
			tooBig := next.feedBytes-prev.before > uint64(s.opts.Retention.FeedBytes)
			if b.first > hold || prev.atMs >= oldest && !tooBig {
				return errStop
			}
			cut = b.first
		}
		prev = b
		if seen > trimBlocks {
			return errStop
		}
		return nil
	})
	if err != nil || cut == 0 {
		s.trimmed.more = false
		return err
	}
	s.trimmed.more = seen > trimBlocks
	for _, sp := range []space{spaceFeed, spaceFeedIndex} {
		if err := s.batch.DeleteRange([]byte{byte(sp)}, appendFeedKey(nil, sp, cut), nil); err != nil {
			return err
		}
	}
	return nil
}

// heldFrom is the first sequence that a holding reader has yet to read.
func (s *Store) heldFrom() (uint64, error) {
	held := uint64(math.MaxUint64)
	for _, name := range s.opts.Retention.Holding {
		seq, _, err := s.Reader(name)
		if err != nil {
			return 0, err
		}
		held = min(held, seq+1)
	}
	return held, nil
}

// trimResults drops, of every metric, the windows that start before due.
func (s *Store) trimResults(due event.Millis) error {
	return s.eachPrefix(spaceResult, timeKeySize-8, func(prefix, first []byte) error { return s.trimBefore(prefix, first, due) })
}

func iterOptions(sp space) *pebble.IterOptions {
	lower, upper := sp.bounds()
	return &pebble.IterOptions{LowerBound: lower, UpperBound: upper}
}
