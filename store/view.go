package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// View is the state as of one commit: everything read from it belongs together. It may be used by one goroutine at a
// time, blocks nothing, and must be closed soon: what is overwritten meanwhile stays on disk for it.
type View struct {
	snapshot *pebble.Snapshot
	tail     tail
	blocks   int // handed on by Cells
}

// View returns the state as of the last commit.
func (s *Store) View() (*View, error) {
	snapshot := s.db.NewSnapshot()
	t, err := readTail(snapshot)
	if err != nil {
		return nil, errors.Join(err, snapshot.Close())
	}
	return &View{snapshot: snapshot, tail: t}, nil
}

// Close releases the view.
func (v *View) Close() error { return v.snapshot.Close() }

// Watermark is W, NoTime until there is one.
func (v *View) Watermark() event.Millis { return v.tail.watermark }

// Counters are those of the last commit.
func (v *View) Counters() processing.Counters { return v.tail.counters }

// Head is the last sequence of the feed, 0 before the first.
func (v *View) Head() uint64 { return v.tail.head }

// WindowPos is the place of a row among a metric's windows: by start, then group.
type WindowPos struct {
	Start event.Millis
	Group []string
}

// Windows returns the last revisions of a metric's windows that start in [from, to), by start, then group, at most
// limit of them and only those behind after, if that is given. A position stays good while data arrive.
func (v *View) Windows(hash definition.Hash, from, to event.Millis, after *WindowPos, limit int) ([]window.Result, error) {
	return v.windows(hash, from, to, after, limit, func(r *window.Result) bool { return r.Kind != window.Retract })
}

// WindowsAndRetracts is Windows with the retracts that are kept of a metric with `having`, see window.Emission.
func (v *View) WindowsAndRetracts(hash definition.Hash, from, to event.Millis, after *WindowPos, limit int) ([]window.Result, error) {
	return v.windows(hash, from, to, after, limit, func(*window.Result) bool { return true })
}

func (v *View) windows(hash definition.Hash, from, to event.Millis, after *WindowPos, limit int, takes func(*window.Result) bool) ([]window.Result, error) {
	if after != nil {
		from = max(from, after.Start)
	}
	if from >= to {
		return nil, nil
	}
	var rows []window.Result
	lower, upper := appendTimeKey(nil, spaceResult, hash, from), appendTimeKey(nil, spaceResult, hash, to)
	err := v.scan(lower, upper, func(key, value []byte) error {
		if len(rows) >= limit {
			return errStop
		}
		block, err := decodeResults(key, value)
		if err != nil {
			return err
		}
		for i := range block.Results {
			r := &block.Results[i]
			if takes(r) && (after == nil || r.Start > after.Start || compareGroups(r.Group, after.Group) > 0) {
				rows = append(rows, *r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read windows: %w", err)
	}
	return rows[:min(len(rows), max(limit, 0))], nil
}

// Latest returns the rows of the metric's last window; ok is false when there is none.
func (v *View) Latest(hash definition.Hash) (rows []window.Result, ok bool, err error) {
	prefix := append([]byte{byte(spaceResult)}, hash[:]...)
	it, err := v.iterate(prefix, prefixEnd(prefix))
	if err != nil {
		return nil, false, fmt.Errorf("read latest window: %w", err)
	}
	for more := it.Last(); more && len(rows) == 0 && err == nil; more = it.Prev() {
		rows, err = currentResults(it) // of a window that has withdrawn all of its rows there are none
	}
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, false, fmt.Errorf("read latest window: %w", err)
	}
	return rows, len(rows) > 0, nil
}

func currentResults(it *pebble.Iterator) ([]window.Result, error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	block, err := decodeResults(it.Key(), value)
	return block.Results, err
}

// FirstWindow returns the start of the metric's earliest window; ok is false when there is none.
func (v *View) FirstWindow(hash definition.Hash) (start event.Millis, ok bool, err error) {
	prefix := append([]byte{byte(spaceResult)}, hash[:]...)
	err = v.scan(prefix, prefixEnd(prefix), func(key, value []byte) error {
		block, err := decodeResults(key, value)
		if err != nil || len(block.Results) == 0 {
			return err
		}
		start, ok = block.Start, true
		return errStop
	})
	if err != nil {
		return 0, false, fmt.Errorf("read first window: %w", err)
	}
	return start, ok, nil
}

// Panes hands on the blocks of a grouping's panes that start in [from, to), settled and open, by start. An open pane
// may come twice: its rows that were on time, then its late ones. A block is valid during the call.
func (v *View) Panes(grouping definition.Hash, from, to event.Millis, each func(start event.Millis, late bool, block []byte) error) (err error) {
	if from >= to {
		return nil
	}
	settled, err := v.iterate(appendTimeKey(nil, spaceHistory, grouping, from), appendTimeKey(nil, spaceHistory, grouping, to))
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	defer func() { err = errors.Join(err, settled.Close()) }()
	open, err := v.iterate(appendTimeKey(nil, spacePane, grouping, from), appendTimeKey(nil, spacePane, grouping, to))
	if err != nil {
		return fmt.Errorf("read open panes: %w", err)
	}
	defer func() { err = errors.Join(err, open.Close()) }()

	more := settled.First()
	for open.First(); open.Valid(); open.Next() {
		k, err := parsePaneKey(open.Key())
		if err != nil {
			return err
		}
		if more, err = eachSettled(settled, more, k.Start, each); err != nil {
			return err
		}
		block, err := open.ValueAndErr()
		if err != nil {
			return fmt.Errorf("read open pane: %w", err)
		}
		if err := each(k.Start, k.Late, block); err != nil {
			return err
		}
	}
	_, err = eachSettled(settled, more, to, each)
	return err
}

// eachSettled hands on the settled panes from where the iterator stands to those that start at until.
func eachSettled(it *pebble.Iterator, more bool, until event.Millis, each func(event.Millis, bool, []byte) error) (bool, error) {
	for ; more; more = it.Next() {
		_, start, err := parseTimeKey(it.Key())
		if err != nil {
			return false, err
		}
		if start > until {
			return true, nil
		}
		block, err := it.ValueAndErr()
		if err != nil {
			return false, fmt.Errorf("read settled pane: %w", err)
		}
		if err := each(start, false, block); err != nil {
			return false, err
		}
	}
	return false, nil
}

// errStop ends a scan early, without an error.
var errStop = errors.New("stop")

// scan calls each for the keys in [lower, upper), in order; key and value are valid during the call.
func (v *View) scan(lower, upper []byte, each func(key, value []byte) error) error {
	return scan(v.snapshot, lower, upper, each)
}

func (v *View) iterate(lower, upper []byte) (*pebble.Iterator, error) {
	return v.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}

func scan(r pebble.Reader, lower, upper []byte, each func(key, value []byte) error) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		var value []byte
		if value, err = it.ValueAndErr(); err == nil {
			err = each(it.Key(), value)
		}
	}
	if errors.Is(err, errStop) {
		err = nil
	}
	// Close also returns what ended the iteration, an error of the merger included.
	return errors.Join(err, it.Close())
}
