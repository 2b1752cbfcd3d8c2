package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// ErrFailed is returned by Commit once a commit has failed.
var ErrFailed = errors.New("an earlier commit failed")

// Commit writes changes in one synced batch. After an error nothing of it may be there, or all of it: the store takes
// no further commit, and the next Open tells.
func (s *Store) Commit(changes *processing.Changes) error {
	if s.failed != nil {
		return fmt.Errorf("%w: %w", ErrFailed, s.failed)
	}
	s.reserve(changes)
	next, err := s.stage(changes)
	size, begun := s.batch.Len(), time.Now()
	if err == nil {
		err = s.batch.Commit(pebble.Sync)
	}
	if err != nil {
		s.failed = err
		return fmt.Errorf("commit: %w", err)
	}
	s.tail = next
	s.course.add(event.Millis(changes.AtMs), int64(size), time.Since(begun))
	if journals(changes) {
		s.journaled.Add(1)
	}
	s.batch.Reset()
	return nil
}

// reserve makes a batch for changes that are too large for the one that is kept, which would grow by copying.
func (s *Store) reserve(c *processing.Changes) {
	size := 0
	for i := range c.Sessions {
		size += len(c.Sessions[i].Block)
	}
	for i := range c.Panes {
		size += len(c.Panes[i].Block)
	}
	if size > keptBatch {
		s.batch = s.db.NewBatchWithSize(size + size/8)
	}
}

// keptBatch is the size up to which Pebble keeps the memory of a batch for the next one.
const keptBatch = 1 << 20

// stage puts everything into the batch and returns the tail that it leaves.
func (s *Store) stage(c *processing.Changes) (tail, error) {
	if c.Watermark < s.tail.watermark {
		return tail{}, fmt.Errorf("W falls from %d to %d", s.tail.watermark, c.Watermark)
	}
	next := tail{watermark: c.Watermark, newest: c.Newest, head: s.tail.head, feedBytes: s.tail.feedBytes, counters: c.Counters}
	for _, stage := range []func() error{
		func() error { return s.stageGaps(c.Gaps, c.Cut.Gaps) },
		func() error { return s.stageFaults(c.Faults) },
		func() error { return s.stageHeard(c.Heard) },
		func() error { return s.stagePositions(c) },
		func() error { return s.stageSchemas(c.Schemas) },
		func() error { return s.stageRollups(c.Panes) },
		func() error { return s.stagePanes(c.Panes) },
		func() error { return s.stageSessions(c.Sessions) },
		func() error { return s.stageResults(c.Results) },
		func() error { return s.stageAlerts(c.Alerts) },
		func() error { return s.stageWatches(c.Watches) },
		func() error { return s.stageDigests(c.Digests) },
		func() error { return s.stageFeed(c, &next) },
		func() error { return s.stageMark(c, &next) },
		func() error { return s.trim(c.AtMs, &next) },
	} {
		if err := stage(); err != nil {
			return tail{}, err
		}
	}
	s.value = appendTail(s.value[:0], &next)
	return next, s.batch.Set(commitKey, s.value, nil)
}

// stagePositions stages cursors, floors, those that are cut, and the starts of definitions.
func (s *Store) stagePositions(c *processing.Changes) error {
	for i := range c.Cursors {
		cur := &c.Cursors[i]
		s.key = appendCursorKey(s.key[:0], cur.Topic, cur.Partition)
		s.value = appendCursor(s.value[:0], cur)
		if err := s.batch.Set(s.key, s.value, nil); err != nil {
			return err
		}
	}
	for i := range c.Floors {
		s.key = appendJournalKey(s.key[:0], &c.Floors[i])
		s.value = appendFloor(s.value[:0], &c.Floors[i])
		if err := s.batch.Set(s.key, s.value, nil); err != nil {
			return err
		}
	}
	for i := range c.Cut.Floors {
		s.key = appendJournalKey(s.key[:0], &c.Cut.Floors[i])
		if err := s.batch.Delete(s.key, nil); err != nil {
			return err
		}
	}
	for i := range c.Definitions {
		s.key = appendHashKey(s.key[:0], spaceDefinition, c.Definitions[i].Hash)
		s.value = appendStart(s.value[:0], &c.Definitions[i])
		if err := s.batch.Set(s.key, s.value, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) stageSchemas(changed []processing.Schema) error {
	for i := range changed {
		s.key = appendSchemaKey(s.key[:0], changed[i].Ref)
		s.value = appendSchema(s.value[:0], &changed[i])
		if err := s.batch.Set(s.key, s.value, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) stagePanes(panes []processing.PaneChange) error {
	for i := range panes {
		p := &panes[i]
		var err error
		switch p.Op {
		case processing.PaneMerge:
			s.key = appendPaneKey(s.key[:0], p.PaneKey)
			err = s.batch.Merge(s.key, p.Block, nil)
		case processing.PaneSettle:
			err = s.settlePane(p)
		default:
			err = fmt.Errorf("pane of %s at %d: unknown operation %d", p.Grouping, p.Start, p.Op)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settlePane moves a pane into history; one without rows leaves nothing there.
func (s *Store) settlePane(p *processing.PaneChange) error {
	for _, late := range []bool{false, true} {
		s.key = appendPaneKey(s.key[:0], processing.PaneKey{Grouping: p.Grouping, Start: p.Start, Late: late})
		if err := s.batch.Delete(s.key, nil); err != nil {
			return err
		}
	}
	if len(p.Block) == 0 {
		return nil
	}
	s.key = appendTimeKey(s.key[:0], spaceHistory, p.Grouping, p.Start)
	return s.batch.Set(s.key, p.Block, nil)
}

func (s *Store) stageSessions(sessions []processing.SessionChange) error {
	for i := range sessions {
		c := &sessions[i]
		s.key = appendSessionKey(s.key[:0], c.Kind, c.Shard)
		var err error
		switch {
		case !c.Rewrite:
			err = s.batch.Merge(s.key, c.Block, nil)
		case len(c.Block) == 0:
			err = s.batch.Delete(s.key, nil)
		default:
			err = s.batch.Set(s.key, c.Block, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) stageResults(blocks []processing.ResultBlock) error {
	for i := range blocks {
		b := &blocks[i]
		s.key = appendTimeKey(s.key[:0], spaceResult, b.Hash, b.Start)
		var err error
		if len(b.Results) == 0 && b.Digest.IsZero() {
			err = s.batch.Delete(s.key, nil)
		} else if s.value, err = appendResults(s.value[:0], b); err == nil {
			err = s.batch.Set(s.key, s.value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) stageDigests(changed []processing.DefinitionDigest) error {
	for i := range changed {
		s.key = appendHashKey(s.key[:0], spaceDigest, changed[i].Hash)
		s.value = appendDigest(s.value[:0], &changed[i])
		if err := s.batch.Set(s.key, s.value, nil); err != nil {
			return err
		}
	}
	return nil
}

// stageFeed packs the entries into blocks and checks that they go on where the feed ends.
func (s *Store) stageFeed(c *processing.Changes, next *tail) error {
	s.feed.reset()
	for i := range c.Feed {
		entry := &c.Feed[i]
		if entry.Seq != next.head+1 {
			return fmt.Errorf("feed entry %d follows %d", entry.Seq, next.head)
		}
		if err := s.feed.add(entry, c.AtMs); err != nil {
			return err
		}
		next.head = entry.Seq
		if len(s.feed.body) >= feedBlockSize {
			if err := s.stageFeedBlock(c.AtMs, next); err != nil {
				return err
			}
		}
	}
	if s.feed.count == 0 {
		return nil
	}
	return s.stageFeedBlock(c.AtMs, next)
}

func (s *Store) stageFeedBlock(atMs int64, next *tail) error {
	first := next.head - uint64(s.feed.count) + 1
	value := s.feed.finish(next.feedBytes, atMs)
	next.feedBytes += uint64(len(value))
	s.key = appendFeedKey(s.key[:0], spaceFeed, first)
	if err := s.batch.Set(s.key, value, nil); err != nil {
		return err
	}
	if s.feed.types&^Types(processing.ResultEntry) != 0 {
		s.key = appendFeedKey(s.key[:0], spaceFeedIndex, first)
		if err := s.batch.Set(s.key, []byte{formatV1, byte(s.feed.types)}, nil); err != nil {
			return err
		}
	}
	s.feed.reset()
	return nil
}
