package window

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
)

// A block is a pane as bytes, and says itself what it holds, so that blocks can be merged without the definitions:
//
//	format, number of keys, max_groups
//	number of columns; for each, by hash ascending: its hash, its kind
//	number of rows; for each, by key ascending: the length of its key, its key
//	for each column: the length of what follows, its rows in canonical form
//
// Numbers are unsigned varints. Equal panes have equal blocks, and a decoder takes no other: a block that can be decoded
// is the one that would be written.

// ErrCorrupt is returned, wrapped, for a block that can't have been written by AppendBlock.
var ErrCorrupt = errors.New("corrupt pane")

const blockFormat = 1

// AppendBlock appends the pane as a block.
func (p *Pane) AppendBlock(dst []byte) []byte {
	order := columnsByHash(p.grouping)
	dst = append(dst, blockFormat)
	dst = binary.AppendUvarint(dst, uint64(len(p.grouping.Keys)))
	dst = binary.AppendUvarint(dst, uint64(p.grouping.MaxGroups))
	dst = binary.AppendUvarint(dst, uint64(len(order)))
	for _, i := range order {
		c := &p.grouping.Columns[i]
		dst = append(append(dst, c.Hash[:]...), byte(c.Kind))
	}
	sorted := p.Sorted()
	dst = binary.AppendUvarint(dst, uint64(len(sorted)))
	for _, r := range sorted {
		key := p.Key(r)
		dst = append(binary.AppendUvarint(dst, uint64(len(key))), key...)
	}
	for _, i := range order {
		p.spare = p.spare[:0]
		for _, r := range sorted {
			p.spare = p.columns[i].AppendRow(p.spare, r)
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(p.spare))), p.spare...)
	}
	return dst
}

// DecodeBlock reads a block of a grouping. Columns that the grouping doesn't have are dropped, those that the block
// doesn't have are empty. It returns ErrCorrupt for anything but a block of this grouping.
func DecodeBlock(g *definition.Grouping, block []byte) (*Pane, error) {
	b, err := parseBlock(block)
	if err != nil {
		return nil, err
	}
	p := NewPane(g)
	if err := p.mergeBlock(b); err != nil {
		return nil, err
	}
	return p, nil
}

// MergeBlocks merges two blocks of one grouping, whatever columns each of them has.
func MergeBlocks(a, b []byte) ([]byte, error) {
	var m BlockMerger
	for _, block := range [][]byte{a, b} {
		if err := m.Add(block); err != nil {
			return nil, err
		}
	}
	return m.AppendBlock(nil)
}

// BlockMerger merges any number of blocks of one grouping, in any order. It decodes each of them once.
type BlockMerger struct {
	pane *Pane // nil before the first block
}

// Add merges a block. After an error the merger must not be used again.
func (m *BlockMerger) Add(block []byte) error {
	b, err := parseBlock(block)
	if err != nil {
		return err
	}
	if m.pane == nil {
		m.pane = NewPane(&b.grouping)
		return m.pane.mergeBlock(b)
	}
	for _, c := range b.grouping.Columns {
		if !m.pane.hasColumn(c) {
			m.pane.addColumn(c)
		}
	}
	return m.pane.mergeBlock(b)
}

// AppendBlock appends the merged block. Nothing merged is an error: it has no grouping.
func (m *BlockMerger) AppendBlock(dst []byte) ([]byte, error) {
	if m.pane == nil {
		return nil, fmt.Errorf("merge of no pane blocks: %w", ErrCorrupt)
	}
	return m.pane.AppendBlock(dst), nil
}

func (p *Pane) hasColumn(c definition.Column) bool { return p.columnOf(c.Hash) >= 0 }

// columnOf returns the index of the column of a hash, or -1.
func (p *Pane) columnOf(hash definition.Hash) int {
	return slices.IndexFunc(p.grouping.Columns, func(c definition.Column) bool { return c.Hash == hash })
}

// addColumn adds an empty column. The grouping must be the pane's own.
func (p *Pane) addColumn(c definition.Column) {
	p.grouping.Columns = append(p.grouping.Columns, c)
	column := aggregate.New(c.Kind)
	column.Grow(len(p.rows))
	p.columns = append(p.columns, column)
}

// mergeBlock adds the rows of a block. After an error the pane holds part of them.
func (p *Pane) mergeBlock(b *block) error {
	if len(b.grouping.Keys) != len(p.grouping.Keys) || b.grouping.MaxGroups != p.grouping.MaxGroups {
		return fmt.Errorf("pane block of %d keys and max_groups %d, want %d and %d: %w", len(b.grouping.Keys),
			b.grouping.MaxGroups, len(p.grouping.Keys), p.grouping.MaxGroups, ErrCorrupt)
	}
	rows := p.into[:0]
	for _, key := range b.keys {
		rows = append(rows, p.rowOfKey(key))
	}
	p.into = rows
	for i, c := range b.grouping.Columns {
		at := p.columnOf(c.Hash)
		var err error
		switch {
		case at < 0:
			err = skipRows(c.Kind, b.data[i], len(rows))
		case p.grouping.Columns[at].Kind != c.Kind:
			err = fmt.Errorf("a %v where a %v is wanted: %w", c.Kind, p.grouping.Columns[at].Kind, ErrCorrupt)
		default:
			err = mergeRows(p.columns[at], b.data[i], rows)
		}
		if err != nil {
			return fmt.Errorf("read column %v of a pane block: %w", c.Hash, err)
		}
	}
	p.trim()
	return nil
}

func (p *Pane) rowOfKey(key []byte) int {
	switch {
	case len(p.grouping.Keys) == 0:
		return 0
	case isOther(key):
		return p.otherRow()
	default:
		return p.row(key, hashGroup(key))
	}
}

func mergeRows(c aggregate.Column, data []byte, rows []int) (err error) {
	for _, r := range rows {
		if data, err = c.MergeRow(r, data); err != nil {
			return err
		}
	}
	return consumed(data)
}

func skipRows(kind aggregate.Kind, data []byte, rows int) (err error) {
	for range rows {
		if data, err = aggregate.SkipRow(kind, data); err != nil {
			return err
		}
	}
	return consumed(data)
}

func consumed(data []byte) error {
	if len(data) > 0 {
		return fmt.Errorf("%d bytes too many: %w", len(data), ErrCorrupt)
	}
	return nil
}

// block is a block taken apart; everything aliases its bytes.
type block struct {
	grouping definition.Grouping // what the block says of it
	keys     [][]byte
	data     [][]byte // by column
}

// The bounds of what a block may claim; no definition comes near.
const (
	maxKeys    = 1 << 8
	maxColumns = 1 << 16
	maxGroups  = 1<<31 - 1
)

// parseBlock takes a block apart. What it accepts needs memory in proportion to its bytes: every row of every column
// has at least one.
func parseBlock(src []byte) (*block, error) {
	b := new(block)
	src, err := b.parseHead(src)
	if err != nil {
		return nil, fmt.Errorf("read pane block: %w", err)
	}
	if b.keys, src, err = cutKeys(src, &b.grouping); err != nil {
		return nil, fmt.Errorf("read groups of a pane block: %w", err)
	}
	b.data = make([][]byte, len(b.grouping.Columns))
	for i := range b.data {
		if b.data[i], src, err = cutBytes(src); err != nil {
			return nil, fmt.Errorf("read columns of a pane block: %w", err)
		}
		if len(b.data[i]) < len(b.keys) {
			return nil, fmt.Errorf("%d bytes for %d rows in a pane block: %w", len(b.data[i]), len(b.keys), ErrCorrupt)
		}
	}
	if len(src) > 0 {
		return nil, fmt.Errorf("%d bytes after a pane block: %w", len(src), ErrCorrupt)
	}
	return b, nil
}

func (b *block) parseHead(src []byte) (rest []byte, err error) {
	if len(src) == 0 || src[0] != blockFormat {
		return nil, fmt.Errorf("not of format %d: %w", blockFormat, ErrCorrupt)
	}
	keys, src, err := cutUvarint(src[1:], maxKeys)
	if err != nil {
		return nil, err
	}
	b.grouping.Keys = make([]definition.Key, keys)
	if b.grouping.MaxGroups, src, err = cutUvarint(src, maxGroups); err != nil {
		return nil, err
	}
	columns, src, err := cutUvarint(src, min(maxColumns, len(src)))
	if err != nil {
		return nil, err
	}
	for i := range columns {
		var c definition.Column
		if c, src, err = cutColumn(src); err != nil {
			return nil, err
		}
		if i > 0 && bytes.Compare(b.grouping.Columns[i-1].Hash[:], c.Hash[:]) >= 0 {
			return nil, fmt.Errorf("columns out of order: %w", ErrCorrupt)
		}
		b.grouping.Columns = append(b.grouping.Columns, c)
	}
	return src, nil
}

func cutColumn(src []byte) (c definition.Column, rest []byte, err error) {
	n := copy(c.Hash[:], src)
	if n < len(c.Hash) || n == len(src) || !aggregate.Kind(src[n]).Valid() {
		return c, nil, fmt.Errorf("description of a column: %w", ErrCorrupt)
	}
	c.Kind = aggregate.Kind(src[n])
	return c, src[n+1:], nil
}

func cutKeys(src []byte, g *definition.Grouping) (keys [][]byte, rest []byte, err error) {
	n, src, err := cutUvarint(src, len(src)) // each key takes a byte at least
	if err != nil {
		return nil, nil, err
	}
	keys = make([][]byte, n)
	for i := range keys {
		if keys[i], src, err = cutBytes(src); err != nil {
			return nil, nil, err
		}
		if err = checkGroup(keys[i], len(g.Keys)); err != nil {
			return nil, nil, err
		}
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 {
			return nil, nil, fmt.Errorf("groups out of order: %w", ErrCorrupt)
		}
	}
	named, truncated := n, n > 0 && isOther(keys[n-1])
	if truncated {
		named--
	}
	switch {
	case len(g.Keys) == 0 && n != 1:
		return nil, nil, fmt.Errorf("%d rows without keys: %w", n, ErrCorrupt)
	case len(g.Keys) > 0 && (named > g.MaxGroups || truncated && named < g.MaxGroups):
		return nil, nil, fmt.Errorf("%d groups of at most %d: %w", n, g.MaxGroups, ErrCorrupt)
	}
	return keys, src, nil
}

// cutUvarint reads a number of at most limit, in its shortest form.
func cutUvarint(src []byte, limit int) (n int, rest []byte, err error) {
	u, size := binary.Uvarint(src)
	if size <= 0 || u > uint64(limit) || size > 1 && src[size-1] == 0 {
		return 0, nil, fmt.Errorf("number in a pane block: %w", ErrCorrupt)
	}
	return int(u), src[size:], nil
}

// cutBytes reads bytes behind their length.
func cutBytes(src []byte) (b, rest []byte, err error) {
	n, src, err := cutUvarint(src, len(src))
	if err != nil {
		return nil, nil, err
	}
	if n > len(src) {
		return nil, nil, fmt.Errorf("%d bytes where %d are left: %w", n, len(src), ErrCorrupt)
	}
	return src[:n], src[n:], nil
}

func columnsByHash(g *definition.Grouping) []int {
	order := make([]int, len(g.Columns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		ca, cb := &g.Columns[a], &g.Columns[b]
		return cmp.Or(bytes.Compare(ca.Hash[:], cb.Hash[:]), cmp.Compare(ca.Kind, cb.Kind))
	})
	return order
}
