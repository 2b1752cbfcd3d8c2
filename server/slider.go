package server

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/store"
)

// slider merges the cells of ranges that move forward: the longest that are rolled up and that no range needs a part of.
// It decodes of each cell what the query asks for, once. Ranges that don't overlap are merged in one pane, over and over;
// for those that do, see queue.
type slider struct {
	grouping  *definition.Grouping
	selection *window.Selection
	shift     event.Millis // by how much ranges start behind the cells that they begin with, see store.CellResolution
	next      func() (cell, error, bool)
	stop      func()
	ahead     cell // read, but behind the range; its block is valid until the next one is read
	more      bool
	one       *window.Pane // of ranges that don't overlap; nil of those that do
	queue     queue
}

// cell is the block of a pane, or of several panes that were rolled up.
type cell struct {
	start event.Millis
	block []byte
}

// newSlider reads for ranges of the query that start at first, and then by step up to last.
func newSlider(q *historyQuery, v *store.View, g *definition.Grouping, first, last event.Millis, columns []int, takes func([]byte) bool) *slider {
	res := store.CellResolution(g.Width, first, q.step, q.length)
	s := &slider{
		grouping: g, selection: window.NewSelection(g, columns, takes), shift: shiftOf(first, res),
		ahead: cell{start: event.NoTime}, more: true, queue: queue{grouping: g, columns: columns},
	}
	if q.length <= q.step {
		s.one = window.NewPane(g)
	}
	s.next, s.stop = iter.Pull2(cells(v, g, res, first-s.shift, last+q.length-s.shift))
	return s
}

// shiftOf is by how much a time is behind a multiple of res.
func shiftOf(t, res event.Millis) event.Millis {
	if res == 0 {
		return 0
	}
	return t - definition.Clock{Width: res}.PaneStart(t)
}

// columnsOf are the columns that a metric reads of its grouping, and of that of its totals. Aggregates may share one.
func columnsOf(m *definition.Metric) (rows, totals []int) {
	rows = []int{m.Count}
	for _, a := range m.Aggregates {
		if a.Total {
			totals = append(totals, a.Column)
		} else {
			rows = append(rows, a.Column)
		}
	}
	slices.Sort(rows)
	slices.Sort(totals)
	return slices.Compact(rows), slices.Compact(totals)
}

// errEnough ends a scan whose reader has left.
var errEnough = errors.New("enough")

// cells are those of [from, to), by start. An open pane comes once for its rows that were on time, once for its late ones.
func cells(v *store.View, g *definition.Grouping, res, from, to event.Millis) iter.Seq2[cell, error] {
	return func(yield func(cell, error) bool) {
		err := v.Cells(g.Hash, res, from, to, func(start event.Millis, block []byte) error {
			if !yield(cell{start, block}, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(cell{}, err)
		}
	}
}

// merged is the cells of [from, to) in one, nil when there is none. It stays valid until the next call.
func (s *slider) merged(from, to event.Millis) (*window.Pane, error) {
	from, to = from-s.shift, to-s.shift
	some := false
	if s.one != nil {
		s.one.Reset()
	} else {
		s.queue.drop(from)
	}
	for s.more && s.ahead.start < to {
		if s.ahead.block != nil && s.ahead.start >= from {
			some = true
			if err := s.take(); err != nil {
				return nil, fmt.Errorf("decode history at %d: %w", s.ahead.start, err)
			}
		}
		var err error
		if s.ahead, err, s.more = s.next(); err != nil {
			return nil, err
		}
	}
	switch {
	case s.one == nil:
		return s.queue.merged(), nil
	case some:
		return s.one, nil
	default:
		return nil, nil
	}
}

// take decodes what is ahead.
func (s *slider) take() error {
	if s.one != nil {
		return s.selection.MergeBlock(s.one, s.ahead.block)
	}
	p := timedPane{s.ahead.start, window.NewPane(s.grouping)}
	if err := s.selection.MergeBlock(p.pane, s.ahead.block); err != nil {
		return err
	}
	s.queue.push(p)
	return nil
}
