package window

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
)

// ErrFolded is returned by a selection that would have to know more than its own groups: in what it has read, groups
// may have been folded into `(other)`, or would be where its panes are merged.
var ErrFolded = errors.New("groups are folded")

// Selection reads from blocks of a grouping what one question needs: some of the columns, and the rows of some of the
// groups. All else is passed over, not decoded. Neighbouring blocks often have the same columns and the same groups, so
// that what was found out of the last block's is kept.
//
// Which groups a merged pane folds depends on all groups there are. A selection of groups is therefore exact only as
// long as the blocks that it has read have no more groups together than the grouping may have.
type Selection struct {
	grouping *definition.Grouping
	wanted   []bool                // by column of the grouping
	takes    func(key []byte) bool // nil: every group

	head    []byte // of the last block: what stands before its number of rows
	columns []selectedColumn
	keys    []byte // of the last block: its number of rows, and their keys
	taken   []selectedRow
	known   map[string]bool // every group that was seen, and whether it is taken; of a selection of groups
}

type selectedColumn struct {
	kind aggregate.Kind
	into int // column of the grouping; -1: passed over
}

type selectedRow struct {
	at  int // in the block
	key []byte
}

// NewSelection makes a selection of a grouping's columns and of the groups that takes accepts, by their encoded keys.
func NewSelection(g *definition.Grouping, columns []int, takes func(key []byte) bool) *Selection {
	s := &Selection{grouping: g, wanted: make([]bool, len(g.Columns)), takes: takes}
	for _, c := range columns {
		s.wanted[c] = true
	}
	if takes != nil {
		s.known = make(map[string]bool)
	}
	return s
}

// MergeBlock adds what the selection takes of a block to a pane of the grouping. It returns ErrCorrupt for anything but a
// block of the grouping, as far as it looks, and ErrFolded where all groups have to be read instead. After an error the
// pane holds part of it.
func (s *Selection) MergeBlock(p *Pane, block []byte) error {
	rest, err := s.readHead(block)
	if err != nil {
		return fmt.Errorf("read pane block: %w", err)
	}
	if rest, err = s.readKeys(rest); err != nil {
		return err
	}
	p.into = p.into[:0]
	for i := range s.taken {
		p.into = append(p.into, p.rowOfKey(s.taken[i].key))
	}
	for _, c := range s.columns {
		var data []byte
		if data, rest, err = cutBytes(rest); err != nil {
			return fmt.Errorf("read columns of a pane block: %w", err)
		}
		if c.into >= 0 {
			if err := s.mergeRows(p.columns[c.into], c.kind, data, p.into); err != nil {
				return fmt.Errorf("read a column of a pane block: %w", err)
			}
		}
	}
	if s.takes == nil {
		p.trim()
	}
	return consumed(rest)
}

// readHead finds out where the block's columns go.
func (s *Selection) readHead(src []byte) (rest []byte, err error) {
	if len(s.head) > 0 && bytes.HasPrefix(src, s.head) {
		return src[len(s.head):], nil
	}
	var b block
	if rest, err = b.parseHead(src); err != nil {
		return nil, err
	}
	if len(b.grouping.Keys) != len(s.grouping.Keys) || b.grouping.MaxGroups != s.grouping.MaxGroups {
		return nil, fmt.Errorf("block of %d keys and max_groups %d, want %d and %d: %w", len(b.grouping.Keys),
			b.grouping.MaxGroups, len(s.grouping.Keys), s.grouping.MaxGroups, ErrCorrupt)
	}
	s.columns = s.columns[:0]
	for _, c := range b.grouping.Columns {
		into := -1
		for i := range s.grouping.Columns {
			if !s.wanted[i] || s.grouping.Columns[i].Hash != c.Hash {
				continue
			}
			if into = i; s.grouping.Columns[i].Kind != c.Kind {
				return nil, fmt.Errorf("a %v where a %v is wanted: %w", c.Kind, s.grouping.Columns[i].Kind, ErrCorrupt)
			}
		}
		s.columns = append(s.columns, selectedColumn{c.Kind, into})
	}
	s.head, s.keys = append(s.head[:0], src[:len(src)-len(rest)]...), s.keys[:0]
	return rest, nil
}

// readKeys finds out which rows are taken.
func (s *Selection) readKeys(src []byte) (rest []byte, err error) {
	if len(s.keys) > 0 && bytes.HasPrefix(src, s.keys) {
		return src[len(s.keys):], nil
	}
	keys, rest, err := cutKeys(src, s.grouping)
	if err != nil {
		return nil, fmt.Errorf("read groups of a pane block: %w", err)
	}
	s.keys, s.taken = append(s.keys[:0], src[:len(src)-len(rest)]...), s.taken[:0]
	at := uvarintSize(len(keys))
	for i := range keys {
		at += uvarintSize(len(keys[i])) + len(keys[i])
		key := s.keys[at-len(keys[i]) : at : at] // keys[i] is gone with the block
		take, err := s.take(key)
		if err != nil {
			return nil, err
		}
		if take {
			s.taken = append(s.taken, selectedRow{i, key})
		}
	}
	return rest, nil
}

// take reports whether the row of a group is taken.
func (s *Selection) take(key []byte) (bool, error) {
	if s.takes == nil {
		return true, nil
	}
	take, seen := s.known[string(key)]
	if !seen {
		if isOther(key) || len(s.known) >= s.grouping.MaxGroups {
			return false, ErrFolded
		}
		take = s.takes(key)
		s.known[string(key)] = take
	}
	return take, nil
}

// mergeRows adds the rows that are taken of a column, in their order, to rows of a pane's column.
func (s *Selection) mergeRows(c aggregate.Column, kind aggregate.Kind, data []byte, into []int) (err error) {
	at := 0
	for i, r := range s.taken {
		for ; at < r.at; at++ {
			if data, err = aggregate.SkipRow(kind, data); err != nil {
				return err
			}
		}
		if data, err = c.MergeRow(into[i], data); err != nil {
			return err
		}
		at++
	}
	return nil
}

// uvarintSize is how many bytes a number takes.
func uvarintSize(n int) int { return (max(bits.Len(uint(n)), 1) + 6) / 7 }
