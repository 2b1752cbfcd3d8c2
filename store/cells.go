package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Cells hands on blocks that hold, merged, the rows of all panes of a grouping that start in [from, to): cells of at
// most the resolution res where history is rolled up, panes elsewhere. They come by start; an open pane may come twice.
// No block reaches over a multiple of res; from and to are such multiples. A resolution of 0 asks for panes. A block is
// valid during the call.
func (v *View) Cells(grouping definition.Hash, res, from, to event.Millis, each func(start event.Millis, block []byte) error) error {
	counted := func(start event.Millis, block []byte) error {
		v.blocks++
		return each(start, block)
	}
	r, _, err := readRollup(v.snapshot, grouping)
	if err != nil {
		return fmt.Errorf("read how far history is rolled up: %w", err)
	}
	for level := levels - 1; level >= 0; level-- {
		end := min(to, r.until[level])
		if Resolutions[level] > res || from >= end {
			continue
		}
		lower, upper := appendCellKey(nil, grouping, level, from), appendCellKey(nil, grouping, level, end)
		err := v.scan(lower, upper, func(key, block []byte) error { return counted(parseCellStart(key), block) })
		if err != nil {
			return fmt.Errorf("read rolled up history: %w", err)
		}
		from = end
	}
	return v.Panes(grouping, from, to, func(start event.Millis, _ bool, block []byte) error { return counted(start, block) })
}

// BlocksRead is how many blocks Cells has handed on: what a query over history costs.
func (v *View) BlocksRead() int { return v.blocks }

// CellResolution is the longest resolution of a metric's history that ranges of some length can be made of which begin
// at first and follow each other by step; 0: panes. Panes are on a grid, so that ranges which begin a little after a
// multiple of the resolution, by less than a pane, take the same panes as if they began there.
func CellResolution(width, first, step, length event.Millis) event.Millis {
	for level := levels - 1; level >= 0; level-- {
		res := Resolutions[level]
		if res > width && step%res == 0 && length%res == 0 && first-floorTo(first, res) < width {
			return res
		}
	}
	return 0
}

// FirstCell returns the start of the first cell of a grouping at a resolution that takes accepts, from a time on.
func (v *View) FirstCell(grouping definition.Hash, res, from event.Millis, takes func(block []byte) (bool, error)) (start event.Millis, ok bool, err error) {
	for level := range Resolutions {
		if Resolutions[level] != res {
			continue
		}
		prefix := append(appendHashKey(nil, spaceRollup, grouping), byte(level))
		err = v.scan(appendCellKey(nil, grouping, level, from), prefixEnd(prefix), func(key, block []byte) (err error) {
			if ok, err = takes(block); err != nil || !ok {
				return err
			}
			start = parseCellStart(key)
			return errStop
		})
	}
	if err != nil {
		return 0, false, fmt.Errorf("read first cell: %w", err)
	}
	return start, ok, nil
}

// longResolution is from which length on panes and cells count as a long view, which Retention.Rollups keeps.
const longResolution event.Millis = 3_600_000

// kept is from when on history is whole: NoTime where nothing has been dropped yet.
type kept struct {
	fine event.Millis // panes and cells below longResolution
	long event.Millis // the others
}

var keptKey = append([]byte{byte(spaceMeta)}, "kept"...)

// KeptFrom returns from when on history in blocks of a length, a pane's or a resolution, is whole; NoTime: from the start.
func (v *View) KeptFrom(length event.Millis) (event.Millis, error) {
	k, err := readKept(v.snapshot)
	if err != nil {
		return 0, fmt.Errorf("read what is kept of history: %w", err)
	}
	if length >= longResolution {
		return k.long, nil
	}
	return k.fine, nil
}

func readKept(from pebble.Reader) (kept, error) {
	value, ok, err := read(from, keptKey)
	if err != nil || !ok {
		return kept{event.NoTime, event.NoTime}, err
	}
	d := decodeValue(value)
	k := kept{d.millis(), d.millis()}
	return k, d.end()
}

func appendKept(dst []byte, k kept) []byte {
	return binary.AppendVarint(binary.AppendVarint(append(dst, formatV1), int64(k.fine)), int64(k.long))
}

// trimHistory drops panes and cells that are older than they are kept, and says so where queries read it. What a longer
// cell has yet to be made of stays: W may have moved by days since the commit that settled it. Of a definition that is gone
// the rest of the cell never comes, and it stays for some days only.
func (s *Store) trimHistory(fine, long event.Millis) error {
	k, err := readKept(s.db)
	if err != nil {
		return err
	}
	k = kept{max(k.fine, fine), max(k.long, long)}
	if err := s.batch.Set(keptKey, appendKept(nil, k), nil); err != nil {
		return err
	}
	due := func(r *rollup, live bool, level int, length event.Millis) event.Millis { // level -1: panes
		due := k.fine
		if length >= longResolution {
			due = k.long
		}
		next := level + 1
		if level < 0 {
			next = max(r.first(), 0)
		}
		switch {
		case next == levels || r.first() < 0:
			return due
		case live:
			return min(due, r.until[next])
		default:
			return min(due, max(r.until[next], due-rollupPatience))
		}
	}
	err = s.trimEach(spaceHistory, timeKeySize-8, func(r *rollup, live bool, _ []byte) event.Millis { return due(r, live, -1, r.width) })
	if err != nil {
		return err
	}
	return s.trimEach(spaceRollup, timeKeySize-8+1, func(r *rollup, live bool, prefix []byte) event.Millis {
		level := min(int(prefix[len(prefix)-1]), levels-1)
		return due(r, live, level, Resolutions[level])
	})
}

// rollupPatience is for how long the parts of a definition that is gone are kept beyond their time.
const rollupPatience event.Millis = 2 * 86_400_000

// trimEach drops, for every prefix of a keyspace that begins with a grouping, the keys with a time before what due says. It
// looks first: a tombstone for nothing costs as much as one for a lot.
func (s *Store) trimEach(sp space, size int, due func(r *rollup, live bool, prefix []byte) event.Millis) error {
	return s.eachPrefix(sp, size, func(prefix, first []byte) error {
		grouping := definition.Hash(prefix[1:])
		r, ok := s.rollups[grouping], true
		if r == nil {
			var err error
			if r, ok, err = readRollup(s.db, grouping); err != nil {
				return err
			}
		}
		if !ok {
			r.width = 1 // nothing of it was ever rolled up: its panes count as short
		}
		return s.trimBefore(prefix, first, due(r, s.rollups[grouping] != nil || s.groupings[grouping], prefix))
	})
}

// eachPrefix calls each with every prefix of a size that keys of a keyspace have, and its first key.
func (s *Store) eachPrefix(sp space, size int, each func(prefix, first []byte) error) error {
	it, err := s.db.NewIter(iterOptions(sp))
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; {
		first := append([]byte(nil), it.Key()...)
		prefix := first[:size:size]
		err = each(prefix, first)
		ok = it.SeekGE(prefixEnd(prefix))
	}
	return errors.Join(err, it.Close())
}

// trimBefore drops the keys of a prefix that have a time before due, if the first one has.
func (s *Store) trimBefore(prefix, first []byte, due event.Millis) error {
	to := appendMillis(append([]byte(nil), prefix...), due)
	if string(first) >= string(to) {
		return nil
	}
	return s.batch.DeleteRange(appendMillis(append([]byte(nil), prefix...), event.NoTime), to, nil)
}
