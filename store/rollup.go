package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Resolutions are the lengths of the cells that settled panes are rolled up to, ascending. Each divides the next.
var Resolutions = [...]event.Millis{60_000, 3_600_000, 86_400_000}

// levels is the number of resolutions.
const levels = len(Resolutions)

// rollup is how far the history of one grouping has been rolled up. A cell is the merge of all panes that start in
// [start, start+resolution), start being a multiple of the resolution.
//
//  1. A cell is written once, when all of its panes have settled and its parts are durable: a minute is made of panes,
//     an hour of minutes, a day of hours. What a commit settles is therefore rolled up by a later one.
//  2. Up to until[i], history is as complete in cells of level i as it is in panes. Where nothing happened there is no cell.
//  3. What the cells hold is a function of the settled panes alone; when they are written is not.
//
// Merge operands on cells that are still growing would need none of this. But every pane would be folded once for each level,
// and who reads the hour that has just passed would fold hundreds of operands.
type rollup struct {
	width   event.Millis         // of a pane: cells that are no longer would be copies
	settled event.Millis         // no pane that starts before can settle any more
	until   [levels]event.Millis // NoTime before the first cell
	durable rollupBounds         // settled and until as of the last commit
	written bool                 // until has changed since it was last written
}

type rollupBounds struct {
	settled event.Millis
	until   [levels]event.Millis
}

// rollupBudget bounds the bytes that one commit rolls up, a cell more or less: a commit must stay short.
const rollupBudget = 8 << 20

// foldAtOnce bounds the bytes of blocks that are held to be folded.
const foldAtOnce = 8 << 20

// first is the lowest level that a pane's width leaves.
func (r *rollup) first() int {
	return slices.IndexFunc(Resolutions[:], func(res event.Millis) bool { return res > r.width })
}

// source is up to where the parts of a level's cells are durable.
func (r *rollup) source(level int) event.Millis {
	if level == r.first() {
		return r.durable.settled
	}
	return r.durable.until[level-1]
}

// stageRollups rolls up what earlier commits have settled, and takes note of what this one does.
func (s *Store) stageRollups(panes []processing.PaneChange) error {
	budget := rollupBudget
	for i := range s.rollupOrder { // each grouping has its turn, however much there is to do for the first
		hash := s.rollupOrder[(s.rollupTurn+i)%len(s.rollupOrder)]
		r := s.rollups[hash]
		r.durable = rollupBounds{r.settled, r.until}
		if err := s.rollUp(hash, r, &budget); err != nil {
			return fmt.Errorf("roll up history of %s: %w", hash, err)
		}
	}
	s.rollupTurn++
	for i := range panes {
		if err := s.noteSettled(&panes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) noteSettled(p *processing.PaneChange) error {
	if p.Op != processing.PaneSettle {
		return nil
	}
	if p.Width <= 0 {
		return fmt.Errorf("pane of %s at %d settles without a width", p.Grouping, p.Start)
	}
	r := s.rollups[p.Grouping]
	if r == nil {
		var err error
		if r, err = s.loadRollup(p.Grouping, p.Width); err != nil {
			return fmt.Errorf("read how far history of %s is rolled up: %w", p.Grouping, err)
		}
		s.rollups[p.Grouping] = r
		s.rollupOrder = append(s.rollupOrder, p.Grouping)
	}
	if first := r.first(); first >= 0 && p.Start < r.until[first] {
		return fmt.Errorf("BUG: pane of %s at %d settles, but history is rolled up to %d", p.Grouping, p.Start, r.until[first])
	}
	r.settled = max(r.settled, p.Start+1)
	return nil
}

// loadRollup reads how far the history of a grouping has been rolled up. All panes before the last one in history have settled.
func (s *Store) loadRollup(grouping definition.Hash, width event.Millis) (*rollup, error) {
	r, _, err := readRollup(s.db, grouping)
	if err != nil {
		return nil, err
	}
	r.width = width
	prefix := appendHashKey(nil, spaceHistory, grouping)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return nil, err
	}
	if it.Last() {
		_, start, kerr := parseTimeKey(it.Key())
		r.settled, err = start+1, kerr
	}
	return r, errors.Join(err, it.Close())
}

// rollUp writes the cells of a grouping whose parts are durable, and how far it has come.
func (s *Store) rollUp(grouping definition.Hash, r *rollup, budget *int) error {
	first := r.first()
	if first < 0 {
		return nil
	}
	for level := first; level < levels; level++ {
		for *budget > 0 {
			more, err := s.rollUpCell(grouping, r, level, budget)
			if err != nil {
				return err
			}
			if !more {
				break
			}
		}
	}
	if !r.written {
		return nil
	}
	r.written = false
	return s.batch.Set(appendHashKey(nil, spaceRolled, grouping), appendRollup(nil, r), nil)
}

// rollUpCell writes the next cell of a level; more is false when its parts are not all there.
func (s *Store) rollUpCell(grouping definition.Hash, r *rollup, level int, budget *int) (more bool, err error) {
	res, whole := Resolutions[level], floorTo(r.source(level), Resolutions[level])
	if r.source(level) == event.NoTime || whole <= r.until[level] {
		return false, nil
	}
	from, to := s.partKeys(grouping, r, level, r.until[level], whole)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.First() {
		r.until[level] = whole // nothing happened
		return false, it.Error()
	}
	start := floorTo(parseCellStart(it.Key()), res)
	block, size, err := s.foldParts(it, start+res)
	if err != nil {
		return false, err
	}
	*budget -= size
	r.until[level], r.written = start+res, true
	return true, s.batch.Set(appendCellKey(nil, grouping, level, start), block, nil)
}

// partKeys is the range of keys that the cells of a level in [from, to) are made of.
func (s *Store) partKeys(grouping definition.Hash, r *rollup, level int, from, to event.Millis) (lower, upper []byte) {
	if level == r.first() {
		return appendTimeKey(nil, spaceHistory, grouping, from), appendTimeKey(nil, spaceHistory, grouping, to)
	}
	return appendCellKey(nil, grouping, level-1, from), appendCellKey(nil, grouping, level-1, to)
}

// foldParts folds the blocks from where the iterator stands to those that start at until.
func (s *Store) foldParts(it *pebble.Iterator, until event.Millis) (block []byte, size int, err error) {
	var parts [][]byte
	held := 0
	for ; it.Valid() && parseCellStart(it.Key()) < until; it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, 0, err
		}
		parts = append(parts, slices.Clone(value))
		size, held = size+len(value), held+len(value)
		if held > foldAtOnce && len(parts) > 1 {
			if block, err = s.opts.merge.panes(parts); err != nil {
				return nil, 0, err
			}
			parts, held = append(parts[:0], block), 0
		}
	}
	if err := it.Error(); err != nil {
		return nil, 0, err
	}
	if len(parts) == 1 {
		return parts[0], size, nil
	}
	block, err = s.opts.merge.panes(parts)
	return block, size, err
}

// floorTo is the multiple of res at or before t; NoTime stays NoTime.
func floorTo(t, res event.Millis) event.Millis {
	if t == event.NoTime {
		return t
	}
	return definition.Clock{Width: res}.PaneStart(t)
}

// appendCellKey makes the key of a cell: grouping, level, start.
func appendCellKey(dst []byte, grouping definition.Hash, level int, start event.Millis) []byte {
	return appendMillis(append(appendHashKey(dst, spaceRollup, grouping), byte(level)), start)
}

// parseCellStart reads the last part of a key, the start of a settled pane or of a cell.
func parseCellStart(key []byte) event.Millis { return parseMillis(key[len(key)-8:]) }

func appendRollup(dst []byte, r *rollup) []byte {
	dst = binary.AppendVarint(append(dst, formatV1), int64(r.width))
	for _, t := range r.until {
		dst = binary.AppendVarint(dst, int64(t))
	}
	return dst
}

func decodeRollup(value []byte) (*rollup, error) {
	d := decodeValue(value)
	r := &rollup{width: d.millis(), settled: event.NoTime}
	for i := range r.until {
		r.until[i] = d.millis()
	}
	if r.width <= 0 {
		d.fail("width of panes")
	}
	return r, d.end()
}

// readRollup reads how far the history of a grouping has been rolled up; ok is false when it never was.
func readRollup(from pebble.Reader, grouping definition.Hash) (r *rollup, ok bool, err error) {
	value, ok, err := read(from, appendHashKey(nil, spaceRolled, grouping))
	if err != nil {
		return nil, false, err
	}
	if !ok {
		return &rollup{settled: event.NoTime, until: [levels]event.Millis{event.NoTime, event.NoTime, event.NoTime}}, false, nil
	}
	r, err = decodeRollup(value)
	return r, err == nil, err
}
