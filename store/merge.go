package store

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing/session"
	"github.com/tidemark/tidemark/processing/window"
)

// mergerName is written into every store; Pebble refuses to open one with another merger.
const mergerName = "tidemark.blocks.1"

// errMerge is the cause of every error that comes out of the merger.
var errMerge = errors.New("merge stored blocks")

// fold makes one block of at least two, oldest first. It must be associative: Pebble folds any run of neighbours first.
type fold func(blocks [][]byte) ([]byte, error)

// mergers are the folds of the merged keyspaces.
type mergers struct {
	panes    fold
	sessions fold
}

var blockMergers = mergers{panes: foldPanes, sessions: foldSessions}

// foldPanes decodes each delta once: folded two at a time, n of them would copy the growing total n times.
func foldPanes(blocks [][]byte) ([]byte, error) {
	var m window.BlockMerger
	for _, b := range blocks {
		if err := m.Add(b); err != nil {
			return nil, err
		}
	}
	return m.AppendBlock(nil)
}

func foldSessions(blocks [][]byte) ([]byte, error) { return session.MergeBlocks(blocks...) }

func (m mergers) pebble() *pebble.Merger {
	return &pebble.Merger{
		Name: mergerName,
		Merge: func(key, value []byte) (pebble.ValueMerger, error) {
			v := &blockMerger{}
			switch space(key[0]) {
			case spacePane:
				v.fold = m.panes
			case spaceSession:
				v.fold = m.sessions
			default:
				return nil, fmt.Errorf("%w: keyspace %d is not merged", errMerge, key[0])
			}
			return v, v.MergeNewer(value)
		},
	}
}

// blockMerger collects the operands of one key.
type blockMerger struct {
	fold  fold
	older [][]byte // newest first
	newer [][]byte // oldest first
}

// MergeNewer copies the operand, which belongs to Pebble.
func (m *blockMerger) MergeNewer(value []byte) error {
	m.newer = append(m.newer, append([]byte(nil), value...))
	return nil
}

// MergeOlder copies the operand, which belongs to Pebble.
func (m *blockMerger) MergeOlder(value []byte) error {
	m.older = append(m.older, append([]byte(nil), value...))
	return nil
}

// Finish folds the operands; one alone is as it was written.
func (m *blockMerger) Finish(bool) ([]byte, io.Closer, error) {
	slices.Reverse(m.older)
	blocks := append(m.older, m.newer...)
	if len(blocks) == 1 {
		return blocks[0], nil, nil
	}
	merged, err := m.fold(blocks)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errMerge, err)
	}
	return merged, nil, nil
}
