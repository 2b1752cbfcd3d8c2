package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing"
)

// ErrTruncated is returned when entries behind the position asked for have been dropped: going on would skip them.
var ErrTruncated = errors.New("feed no longer reaches back that far")

// TypeSet is a set of entry types.
type TypeSet uint8

// AllTypes is every type of entry.
const AllTypes TypeSet = 0xff

// Types returns the set of the given types.
func Types(types ...processing.EntryType) TypeSet {
	var s TypeSet
	for _, t := range types {
		s |= 1 << (t & 7)
	}
	return s
}

// Has reports whether t is in the set.
func (s TypeSet) Has(t processing.EntryType) bool { return t < 8 && s&(1<<t) != 0 }

// FeedPage is a run of feed entries.
type FeedPage struct {
	Entries []processing.Entry
	Head    uint64 // the last sequence of the feed, 0 before the first
	First   uint64 // the first sequence that is kept; Head + 1 while there is none

	limit int
	bytes int // of the dead letters' keys and values
}

// maxPageBytes ends a page: 1000 dead letters can hold 128 MiB, and clients that ask for them may come in numbers.
const maxPageBytes = 4 << 20

// full reports whether the page takes no further entry. It always takes one.
func (p *FeedPage) full() bool { return len(p.Entries) >= p.limit || p.bytes >= maxPageBytes }

// Feed returns the first entries after a sequence that have one of the types, at most limit, and fewer when they are
// large: there are more unless the last one is Head, or none was returned. It returns ErrTruncated,
// with a page that has only Head and First, when the feed does not reach back to after. Past the head it is empty.
func (v *View) Feed(after uint64, limit int, types TypeSet) (FeedPage, error) {
	page := FeedPage{Head: v.tail.head, limit: limit}
	var err error
	if page.First, err = v.First(); err != nil {
		return FeedPage{}, err
	}
	if after >= page.Head || limit <= 0 {
		return page, nil
	}
	if after+1 < page.First {
		return page, fmt.Errorf("%w: %d is asked for, %d is the first kept", ErrTruncated, after+1, page.First)
	}
	it, err := v.iterate(spaceFeed.bounds())
	if err != nil {
		return FeedPage{}, fmt.Errorf("read feed: %w", err)
	}
	if types.Has(processing.ResultEntry) {
		err = page.walk(it, after, types)
	} else {
		err = v.walkIndex(&page, it, after, types)
	}
	if err := errors.Join(err, it.Close()); err != nil {
		return FeedPage{}, fmt.Errorf("read feed: %w", err)
	}
	return page, nil
}

// walk reads block after block.
func (p *FeedPage) walk(it *pebble.Iterator, after uint64, types TypeSet) error {
	// The block that holds after+1 is the last one that starts at or before it.
	for ok := it.SeekLT(appendFeedKey(nil, spaceFeed, after+2)); ok && !p.full(); ok = it.Next() {
		if err := p.add(it, after, types); err != nil {
			return err
		}
	}
	return nil // what went wrong, if anything did, comes out of Close
}

// walkIndex reads only the blocks that hold more than results: rare entries must not cost a walk over the whole feed.
func (v *View) walkIndex(p *FeedPage, it *pebble.Iterator, after uint64, types TypeSet) error {
	if !it.SeekLT(appendFeedKey(nil, spaceFeed, after+2)) {
		return nil
	}
	first, err := parseFeedKey(it.Key())
	if err != nil {
		return err
	}
	_, upper := spaceFeedIndex.bounds()
	return v.scan(appendFeedKey(nil, spaceFeedIndex, first), upper, func(key, value []byte) error {
		d := decodeValue(value)
		mask := TypeSet(d.byte())
		seq, err := parseFeedKey(key)
		if err := errors.Join(err, d.end()); err != nil {
			return err
		}
		if mask&types == 0 {
			return nil
		}
		if p.full() {
			return errStop
		}
		if !it.SeekGE(appendFeedKey(nil, spaceFeed, seq)) {
			return fmt.Errorf("%w: no feed block %d", errDamaged, seq)
		}
		return p.add(it, after, types)
	})
}

// add decodes the block under the iterator.
func (p *FeedPage) add(it *pebble.Iterator, after uint64, types TypeSet) error {
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	block, err := decodeFeedBlock(it.Key(), value)
	if err != nil {
		return err
	}
	if block.types&types == 0 {
		return nil
	}
	for i := 0; i < block.count && !p.full(); i++ {
		entry, ok, err := block.next(block.first+uint64(i), after, types)
		if err != nil {
			return fmt.Errorf("entry %d: %w", block.first+uint64(i), err)
		}
		if ok {
			p.Entries = append(p.Entries, entry)
			if d := entry.DeadLetter; d != nil {
				p.bytes += len(d.Key) + len(d.Value)
			}
		}
	}
	return nil
}

// First is the first sequence of the feed that is kept; Head + 1 while there is none.
func (v *View) First() (uint64, error) {
	first := v.tail.head + 1
	lower, upper := spaceFeed.bounds()
	err := v.scan(lower, upper, func(key, _ []byte) (err error) {
		if first, err = parseFeedKey(key); err != nil {
			return err
		}
		return errStop
	})
	if err != nil {
		return 0, fmt.Errorf("read start of feed: %w", err)
	}
	return first, nil
}

// Feed is View.Feed on the last commit.
func (s *Store) Feed(after uint64, limit int, types TypeSet) (FeedPage, error) {
	v, err := s.View()
	if err != nil {
		return FeedPage{}, err
	}
	page, err := v.Feed(after, limit, types)
	return page, errors.Join(err, v.Close())
}

// SaveReader keeps the position of a feed reader: it is done with everything up to seq. It is not synced by itself but
// by the next commit, so that after a crash a reader may see entries again, never miss one. Marks that nobody needs any
// more go with it.
func (s *Store) SaveReader(name string, seq uint64) error {
	b := s.db.NewBatch()
	err := errors.Join(b.Set(readerKey(name), appendPosition(nil, seq), nil), s.passMarks(b, name, seq))
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err := errors.Join(err, b.Close()); err != nil {
		return fmt.Errorf("save position of %s: %w", name, err)
	}
	return nil
}

// Reader returns a feed reader's position; ok is false when it never saved one.
func (s *Store) Reader(name string) (seq uint64, ok bool, err error) {
	value, ok, err := read(s.db, readerKey(name))
	if err == nil && ok {
		seq, err = decodePosition(value)
	}
	if err != nil {
		return 0, false, fmt.Errorf("read position of %s: %w", name, err)
	}
	return seq, ok, nil
}

// Backlog returns how many bytes of the feed a reader has still to read, counted from the block it is in.
func (s *Store) Backlog(name string) (uint64, error) {
	seq, _, err := s.Reader(name)
	if err != nil {
		return 0, err
	}
	v, err := s.View()
	if err != nil {
		return 0, err
	}
	n, err := v.bytesAfter(seq)
	if err := errors.Join(err, v.Close()); err != nil {
		return 0, fmt.Errorf("read backlog of %s: %w", name, err)
	}
	return n, nil
}

// FeedBytes returns the size of the whole feed.
func (s *Store) FeedBytes() (uint64, error) {
	v, err := s.View()
	if err != nil {
		return 0, err
	}
	n, err := v.bytesAfter(0)
	if err := errors.Join(err, v.Close()); err != nil {
		return 0, fmt.Errorf("read size of feed: %w", err)
	}
	return n, nil
}

// bytesAfter is the size of the blocks from the one that holds seq + 1 on.
func (v *View) bytesAfter(seq uint64) (uint64, error) {
	if seq >= v.tail.head {
		return 0, nil
	}
	it, err := v.iterate(spaceFeed.bounds())
	if err != nil {
		return 0, err
	}
	n, err := v.bytesFrom(it, seq)
	return n, errors.Join(err, it.Close())
}

func (v *View) bytesFrom(it *pebble.Iterator, seq uint64) (uint64, error) {
	if !it.SeekLT(appendFeedKey(nil, spaceFeed, seq+2)) && !it.First() {
		return 0, nil
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return 0, err
	}
	b, _, err := decodeFeedHeader(it.Key(), value)
	if err != nil {
		return 0, err
	}
	return v.tail.feedBytes - b.before, nil
}
