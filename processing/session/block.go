package session

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// A block is what has been said of one shard's sessions, oldest first:
//
//	byte     the format, 2
//	         then, any number of times:
//	uvarint  length of the key
//	bytes    the key in canonical form, see sequence.AppendKey
//	uvarint  length of the state; 0: the session has closed
//	bytes    the state: see appendState
//
// The last word on a key counts. So a newer block is merged onto an older one by appending it, which is associative and
// costs nothing but the copying; what has been overtaken goes when the shard is rewritten, see Table.TakeChanges.
// Entries that are sorted could be merged for good, but to sort every commit's changes and to compare them again at
// every merge costs more than rewriting does.

// blockFormat is the first byte of every block.
const blockFormat = 2

// ErrBadBlock is returned, wrapped, for bytes that are not a block.
var ErrBadBlock = errors.New("bytes are not a block of sessions")

// MergeBlocks merges blocks of one shard, oldest first. It looks at nothing but their formats.
func MergeBlocks(blocks ...[]byte) ([]byte, error) {
	size := 1
	for i, b := range blocks {
		if err := checkFormat(b); err != nil {
			return nil, fmt.Errorf("merge sessions: block %d of %d: %w", i+1, len(blocks), err)
		}
		size += len(b) - 1
	}
	dst := append(make([]byte, 0, size), blockFormat)
	for _, b := range blocks {
		dst = append(dst, b[1:]...)
	}
	return dst, nil
}

func checkFormat(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: no format", ErrBadBlock)
	}
	if b[0] != blockFormat {
		return fmt.Errorf("%w: format %d", ErrBadBlock, b[0])
	}
	return nil
}

// reader walks the entries of a block. Once more is false, err says whether that was the end.
type reader struct {
	rest  []byte
	more  bool
	key   []byte
	state []byte // empty: closed
	err   error
}

func openBlock(b []byte) (*reader, error) {
	if err := checkFormat(b); err != nil {
		return nil, err
	}
	r := &reader{rest: b[1:]}
	r.next()
	return r, r.err
}

func (r *reader) next() {
	if r.more = len(r.rest) > 0; !r.more {
		return
	}
	if r.key, r.err = r.bytes("key"); r.err == nil {
		r.state, r.err = r.bytes("state")
	}
	r.more = r.err == nil
}

// bytes reads a string of bytes behind its length.
func (r *reader) bytes(what string) ([]byte, error) {
	n, rest, err := readUvarint(r.rest, what)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: %s of %d bytes, %d left", ErrBadBlock, what, n, len(rest))
	}
	r.rest = rest[n:]
	return rest[:n:n], nil
}

// readUvarint refuses numbers that are longer than they need to be.
func readUvarint(b []byte, what string) (uint64, []byte, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 {
		return 0, nil, fmt.Errorf("%w: %s", ErrBadBlock, what)
	}
	return n, b[size:], nil
}

// appendState appends an open session without its key: its first event (zigzag), the time from there to the last,
// partition and offset of the last, the number of events, then the aggregates in the order of the definition: plain
// counts as uvarints, the others in the canonical form of their column.
func (t *Table) appendState(dst []byte, s *shard, slot int32) []byte {
	x, counts := &s.sessions[slot], s.countsOf(slot)
	dst = binary.AppendVarint(dst, int64(x.first))
	dst = binary.AppendUvarint(dst, uint64(x.last-x.first))
	dst = binary.AppendUvarint(dst, uint64(x.partition))
	dst = binary.AppendUvarint(dst, uint64(x.offset))
	dst = binary.AppendUvarint(dst, uint64(counts[eventCount]))
	for i := range t.parts {
		p := &t.parts[i]
		if p.plain {
			dst = binary.AppendUvarint(dst, uint64(counts[p.index]))
		} else {
			dst = s.columns[p.index].AppendRow(dst, int(slot))
		}
	}
	return dst
}

// The fixed fields of a state, in their order.
const (
	stateFirst = iota
	stateSpan
	statePartition
	stateOffset
	stateEvents
	stateFields
)

// loadState fills a slot from a state.
func (t *Table) loadState(s *shard, slot int32, b []byte) error {
	var fields [stateFields]uint64
	var err error
	for i := range fields {
		if fields[i], b, err = readUvarint(b, "state"); err != nil {
			return err
		}
	}
	x, counts := &s.sessions[slot], s.countsOf(slot)
	x.first = event.Millis(int64(fields[stateFirst]>>1) ^ -int64(fields[stateFirst]&1))
	if fields[stateSpan] >= uint64(t.maxDuration) || x.first < -maxTime || x.first > maxTime {
		return fmt.Errorf("%w: a session that can't be open", ErrBadBlock)
	}
	if fields[statePartition] > maxInt32 || fields[stateOffset] > maxInt64 || fields[stateEvents]-1 >= maxInt64 {
		return fmt.Errorf("%w: partition, offset or number of events out of range", ErrBadBlock)
	}
	x.last = x.first + event.Millis(fields[stateSpan])
	x.partition = event.PartitionID(fields[statePartition])
	x.offset = event.Offset(fields[stateOffset])
	counts[eventCount] = int64(fields[stateEvents])
	for i := range t.parts {
		p := &t.parts[i]
		if !p.plain {
			b, err = s.columns[p.index].MergeRow(int(slot), b)
		} else {
			var n uint64
			n, b, err = readUvarint(b, "count")
			if err == nil && n > fields[stateEvents] {
				err = fmt.Errorf("%w: a count beyond the number of events", ErrBadBlock)
			}
			counts[p.index] = int64(n)
		}
		if err != nil {
			return fmt.Errorf("aggregate %q: %w", p.Name, err)
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("%w: %d bytes behind a state", ErrBadBlock, len(b))
	}
	return nil
}

const (
	maxTime  = 1 << 53 // far beyond every event, and safe to add to
	maxInt32 = 1<<31 - 1
	maxInt64 = 1<<63 - 1
)
