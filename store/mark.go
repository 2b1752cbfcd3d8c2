package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing"
)

// The mark of each commit that appended to the feed is kept until the readers that hold the feed have passed it: a reader that tells
// others where it stands, in words that outlive this store, has to know which cursors and which W belong to a sequence. The
// mark that such a reader stands at stays too: by it a reader finds out whether what it finds elsewhere is of this store's history.

// stageMark stages the mark of a commit, if it appends to the feed and anybody holds that.
func (s *Store) stageMark(c *processing.Changes, next *tail) error {
	if len(s.opts.Retention.Holding) == 0 {
		return nil
	}
	cursors, err := s.cursorsAfter(c)
	if err != nil || next.head == s.tail.head {
		return err
	}
	m := processing.Mark{Seq: next.head, Watermark: next.watermark, Cursors: cursors}
	s.key = appendFeedKey(s.key[:0], spaceMark, m.Seq)
	s.value = m.Pack(append(s.value[:0], formatV1))
	return s.batch.Set(s.key, s.value, nil)
}

// cursorsAfter are all cursors as a commit with these changes leaves them.
func (s *Store) cursorsAfter(c *processing.Changes) ([]processing.Cursor, error) {
	if s.cursors == nil {
		v, err := s.View()
		if err != nil {
			return nil, err
		}
		kept, err := v.Cursors()
		if err := errors.Join(err, v.Close()); err != nil {
			return nil, err
		}
		s.cursors = append(make([]processing.Cursor, 0, len(kept)), kept...)
	}
	for i := range c.Gaps {
		if g := &c.Gaps[i]; g.To == processing.Gone {
			s.cursors = slices.DeleteFunc(s.cursors, func(cur processing.Cursor) bool { return cur.Topic == g.Topic && cur.Partition == g.Partition })
		}
	}
	for i := range c.Cursors {
		at, ok := slices.BinarySearchFunc(s.cursors, &c.Cursors[i], func(c processing.Cursor, to *processing.Cursor) int {
			return cmp.Or(cmp.Compare(c.Topic, to.Topic), cmp.Compare(c.Partition, to.Partition))
		})
		if ok {
			s.cursors[at] = c.Cursors[i]
		} else {
			s.cursors = slices.Insert(s.cursors, at, c.Cursors[i])
		}
	}
	return s.cursors, nil
}

func decodeFeedMark(key, value []byte) (processing.Mark, error) {
	d := decodeValue(value)
	if d.err != nil {
		return processing.Mark{}, d.err
	}
	seq, err := parseFeedKey(key)
	if err != nil {
		return processing.Mark{}, err
	}
	m, err := processing.UnpackMark(d.b)
	if err != nil || m.Seq != seq {
		return processing.Mark{}, fmt.Errorf("%w: mark %d", errDamaged, seq)
	}
	return m, nil
}

// Marks returns the first marks after a sequence, at most limit.
func (v *View) Marks(after uint64, limit int) (marks []processing.Mark, err error) {
	_, upper := spaceMark.bounds()
	err = v.scan(appendFeedKey(nil, spaceMark, after+1), upper, func(key, value []byte) error {
		if len(marks) >= limit {
			return errStop
		}
		m, err := decodeFeedMark(key, value)
		marks = append(marks, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	return marks, nil
}

// Marks is View.Marks on the last commit.
func (s *Store) Marks(after uint64, limit int) ([]processing.Mark, error) {
	v, err := s.View()
	if err != nil {
		return nil, err
	}
	marks, err := v.Marks(after, limit)
	return marks, errors.Join(err, v.Close())
}

// Mark returns the mark of a sequence; ok is false when there is none: no commit ended there, or all holding readers are far past
// it.
func (s *Store) Mark(seq uint64) (m processing.Mark, ok bool, err error) {
	key := appendFeedKey(nil, spaceMark, seq)
	value, ok, err := read(s.db, key)
	if err == nil && ok {
		m, err = decodeFeedMark(key, value)
	}
	if err != nil {
		return processing.Mark{}, false, fmt.Errorf("read mark %d: %w", seq, err)
	}
	return m, ok, nil
}

// Standing is the mark of the last commit, whether or not that appended to the feed.
func (s *Store) Standing() (processing.Mark, error) {
	v, err := s.View()
	if err != nil {
		return processing.Mark{}, err
	}
	cursors, err := v.Cursors()
	m := processing.Mark{Seq: v.Head(), Watermark: v.Watermark(), Cursors: cursors}
	return m, errors.Join(err, v.Close())
}

// Journal returns what another fold has to know besides the log.
func (s *Store) Journal() (processing.Journal, error) {
	var j processing.Journal
	v, err := s.View()
	if err != nil {
		return j, err
	}
	j.Floors, err = v.Floors()
	if err == nil {
		j.Gaps, err = v.Gaps()
	}
	if err == nil {
		j.Schemas, err = v.Schemas()
	}
	if err == nil {
		j.Starts, err = v.Starts()
	}
	return j, errors.Join(err, v.Close())
}

// JournalVersion changes with each commit that says anything new about what Journal returns. It begins anew with the process.
func (s *Store) JournalVersion() uint64 { return s.journaled.Load() }

func journals(c *processing.Changes) bool {
	return len(c.Floors)+len(c.Gaps)+len(c.Schemas)+len(c.Definitions) > 0
}

// adoptedKey has the epoch whose outputs are known to follow what was published before.
var adoptedKey = append([]byte{byte(spaceMeta)}, "adopted"...)

// Adopted reports whether Adopt has been called in this epoch.
func (s *Store) Adopted() (bool, error) {
	value, ok, err := read(s.db, adoptedKey)
	if err != nil || !ok {
		return false, err
	}
	d := decodeValue(value)
	epoch := d.string()
	return epoch == s.identity.epoch, d.end()
}

// Adopt notes, for good, that a holding reader goes on after a mark, and that this is known to others under the store's epoch. It is
// synced.
func (s *Store) Adopt(name string, m *processing.Mark) error {
	b := s.db.NewBatch()
	err := errors.Join(
		b.Set(adoptedKey, appendBytes([]byte{formatV1}, s.identity.epoch), nil),
		b.Set(readerKey(name), appendPosition(nil, m.Seq), nil),
		b.Set(appendFeedKey(nil, spaceMark, m.Seq), m.Pack([]byte{formatV1}), nil),
	)
	if err == nil {
		err = b.Commit(pebble.Sync)
	}
	if err := errors.Join(err, b.Close()); err != nil {
		return fmt.Errorf("adopt outputs: %w", err)
	}
	return nil
}

// passMarks stages the deletion of the marks that all holding readers have passed, now that one of them stands at seq. Single keys
// are deleted, not a range: hundreds of thousands of small ranges would cost readers more.
func (s *Store) passMarks(b *pebble.Batch, name string, seq uint64) error {
	if !slices.Contains(s.opts.Retention.Holding, name) {
		return nil
	}
	for _, other := range s.opts.Retention.Holding {
		if other == name {
			continue
		}
		at, _, err := s.Reader(other)
		if err != nil {
			return err
		}
		seq = min(seq, at)
	}
	from := appendFeedKey(nil, spaceMark, s.passed.Load())
	err := scan(s.db, from, appendFeedKey(nil, spaceMark, seq), func(key, _ []byte) error { return b.Delete(key, nil) })
	if err == nil && seq > 0 {
		s.passed.Store(seq)
	}
	return err
}
