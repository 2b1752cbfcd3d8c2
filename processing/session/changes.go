package session

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// Change is what has to be written of one shard.
type Change struct {
	Shard   int
	Rewrite bool   // Block is all of the shard, nil when no session is open; otherwise Block is merged onto what is there
	Block   []byte // valid until the lane's next TakeChanges
}

// TakeChanges returns what has changed in a lane's shards since it was last called, by shard ascending.
//
// A shard's changed and closed sessions make one block. When more than twice as many entries as there are open sessions
// would have been written since the shard was last rewritten, all of it is written anew. So what is on disk is a small
// multiple of what is open, and rewriting costs no more than half an entry for each that is written.
func (t *Table) TakeChanges(lane int) []Change {
	l := &t.lanes[lane]
	t.clearBlocks(l, lane)
	var changes []Change
	var ends []int // of the blocks: growing moves them
	for n := lane; n < len(t.shards); n += len(t.lanes) {
		s := &t.shards[n]
		if len(s.touched) == 0 && s.goneCount == 0 {
			continue
		}
		before, rewrite := len(l.blocks), s.overgrown(n)
		if rewrite {
			l.blocks = t.appendOpen(l.blocks, s)
		} else {
			l.blocks = t.appendChanges(l.blocks, s)
		}
		s.touched, s.gone, s.goneCount = s.touched[:0], s.gone[:0], 0
		if rewrite || len(l.blocks) > before { // what has opened since the last call may have closed again
			changes = append(changes, Change{Shard: n, Rewrite: rewrite})
			ends = append(ends, len(l.blocks))
		}
	}
	start := 0
	for i, end := range ends {
		if end > start {
			changes[i].Block = l.blocks[start:end:end]
		}
		start = end
	}
	return changes
}

// clearBlocks makes room for what the lane's shards probably have to say, and gives up what a burst needed.
func (t *Table) clearBlocks(l *lane, number int) {
	size := 0
	for n := number; n < len(t.shards); n += len(t.lanes) {
		s := &t.shards[n]
		size += len(s.gone) + len(s.touched)*usualEntry
	}
	if cap(l.blocks) < size || cap(l.blocks) > 4*size+spareBlocks {
		l.blocks = make([]byte, 0, size)
	}
	l.blocks = l.blocks[:0]
}

// usualEntry is more than the bytes of most entries.
const usualEntry = 40

// spareBlocks is how much memory for blocks a lane always keeps.
const spareBlocks = 1 << 20

// overgrown reports whether a shard is to be rewritten. Each shard has a limit of its own, between two and three times
// what is open: in steady traffic all shards would otherwise be rewritten by the same commits.
func (s *shard) overgrown(number int) bool {
	entries := s.written + s.goneCount + len(s.touched)
	return s.written > 0 && entries > 2*s.open+number%staggers*s.open/staggers
}

const staggers = 16

// appendOpen appends a block with all open sessions; without any it appends nothing.
func (t *Table) appendOpen(dst []byte, s *shard) []byte {
	s.written = s.open
	if s.open == 0 {
		return dst
	}
	dst = append(dst, blockFormat)
	for slot := range s.sessions {
		if x := &s.sessions[slot]; x.keyLen > 0 && x.state&isClosed == 0 {
			x.state = isStored
			dst = t.appendSession(dst, s, int32(slot))
		}
	}
	return dst
}

// appendChanges appends a block with what has changed; without any change it appends nothing. A key that has closed may
// have been opened again: that is the last word on it.
func (t *Table) appendChanges(dst []byte, s *shard) []byte {
	before := len(dst)
	dst = append(append(dst, blockFormat), s.gone...)
	s.written += s.goneCount
	for _, slot := range s.touched {
		if x := &s.sessions[slot]; x.state&isTouched != 0 { // else it has closed, or is listed twice
			x.state = isStored
			dst = t.appendSession(dst, s, slot)
			s.written++
		}
	}
	if len(dst) == before+1 {
		return dst[:before]
	}
	return dst
}

func appendKey(dst, key []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(key))), key...)
}

// appendSession appends the entry of an open session. Most states are shorter than 128 bytes, so that one byte is left
// for the length and a longer state is moved.
func (t *Table) appendSession(dst []byte, s *shard, slot int32) []byte {
	dst = appendKey(dst, s.key(slot))
	at := len(dst)
	dst = t.appendState(append(dst, 0), s, slot)
	n := len(dst) - at - 1
	if n < 0x80 {
		dst[at] = byte(n)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	return slices.Replace(dst, at, at+1, length[:binary.PutUvarint(length[:], uint64(n))]...)
}

// Load fills an empty shard from what is on disk. A table that an error has left half filled must not be used.
func (t *Table) Load(shard int, block []byte) error {
	if shard < 0 || shard >= len(t.shards) {
		return fmt.Errorf("load sessions: %w: there is no shard %d", ErrBadBlock, shard)
	}
	s := &t.shards[shard]
	if len(s.sessions) > 0 {
		panic("BUG: sessions were loaded into a shard that is in use")
	}
	states, err := s.lastWords(shard, block)
	if err != nil {
		return fmt.Errorf("load sessions of shard %d: %w", shard, err)
	}
	for slot, state := range states {
		if len(state) == 0 {
			s.leave(s.sessions[slot].tag, int32(slot)+1)
			s.vacate(int32(slot))
			s.open--
			continue
		}
		s.sessions[slot].state = isStored
		if err := t.loadState(s, int32(slot), state); err != nil {
			return fmt.Errorf("load sessions of shard %d: key %q: %w", shard, s.key(int32(slot)), err)
		}
	}
	if s.open > t.maxOpen {
		return fmt.Errorf("load sessions of shard %d: %w: %d sessions, where %d may be open", shard, ErrBadBlock, s.open, t.maxOpen)
	}
	s.relink()
	return nil
}

// lastWords gives every key of a block a slot and returns the last word on each.
func (s *shard) lastWords(shard int, block []byte) (states [][]byte, err error) {
	r, err := openBlock(block)
	if err != nil {
		return nil, err
	}
	var text sequence.KeyText
	for ; r.more; r.next() {
		key, err := sequence.ParseKey(r.key, &text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadBlock, err)
		}
		hash := key.Hash()
		if sequence.ShardOf(hash) != shard {
			return nil, fmt.Errorf("%w: key %q of another shard", ErrBadBlock, r.key)
		}
		slot := s.find(hash, r.key)
		if slot == none {
			slot = s.occupy(hash, r.key)
			states = append(states, nil)
		}
		states[slot] = r.state
		s.written++
	}
	return states, r.err
}

// relink puts sessions that were loaded into the order of their first events, and sets their timers.
func (s *shard) relink() {
	slots := make([]int32, 0, s.open)
	for slot := range s.sessions {
		if s.sessions[slot].keyLen > 0 {
			slots = append(slots, int32(slot))
		}
	}
	slices.SortStableFunc(slots, func(a, b int32) int {
		return cmp.Compare[event.Millis](s.sessions[a].first, s.sessions[b].first)
	})
	for _, slot := range slots {
		s.link(slot)
		s.enqueue(slot)
	}
}
