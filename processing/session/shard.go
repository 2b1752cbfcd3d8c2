package session

import (
	"bytes"
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// shard holds the sessions of one part of the keys, in slots that are used again.
type shard struct {
	sessions []session
	counts   []int64 // of each slot, one after the other: its events, then the plain counts
	columns  []aggregate.Column
	width    int      // counts a slot
	long     [][]byte // by slot: keys that don't fit into theirs; only as long as there were such keys
	vacant   []int32
	open     int

	cells  []cell  // open sessions by hash: linear probing, a power of two, at most half full
	queue  []timer // open sessions by last event, and some that have closed; a heap
	oldest int32   // open sessions by first event, a list
	newest int32

	// Since the last TakeChanges:
	touched   []int32 // slots; one may be there twice, or have closed since
	gone      []byte  // entries of a block: stored keys whose session has closed
	goneCount int
	// Since the shard was last rewritten:
	written int // entries
}

// session is one slot: one cache line, with a key that is a number or a UUID.
type session struct {
	first     event.Millis
	last      event.Millis
	offset    event.Offset      // of the last event
	partition event.PartitionID // of the last event
	older     int32             // neighbours in the order of first events
	newer     int32
	tag       uint32 // as in the slot's cell
	state     state
	keyLen    uint8 // longKey if the key is elsewhere; 0 if the slot is vacant
	key       [shortKey]byte
}

// state is a set of flags.
type state uint8

const (
	isTouched state = 1 << iota // since the last TakeChanges
	isStored                    // on disk, in some form
	isClosed                    // the slot only waits for its timer to go
)

const (
	shortKey = 22 // fills the line
	longKey  = 255
)

// cell is one place of the hash table. A slot of 0 is empty, others are one higher than the slot.
type cell struct {
	tag  uint32 // the low half of the hash
	slot int32
}

// eventCount is the place of the number of events among a slot's counts.
const eventCount = 0

func (s *shard) init(counts int, kinds []aggregate.Kind) {
	s.width, s.oldest, s.newest = counts, none, none
	for _, k := range kinds {
		s.columns = append(s.columns, aggregate.New(k))
	}
}

// find returns the slot of a key's open session, or none.
func (s *shard) find(hash uint64, key []byte) int32 {
	if s.open == 0 {
		return none
	}
	tag, mask := uint32(hash), uint32(len(s.cells)-1)
	for i := tag & mask; s.cells[i].slot != 0; i = (i + 1) & mask {
		if s.cells[i].tag != tag {
			continue
		}
		slot := s.cells[i].slot - 1
		if bytes.Equal(s.key(slot), key) {
			return slot
		}
	}
	return none
}

// start opens a session for an event that is still to be added.
func (s *shard) start(r *sequence.Row) int32 {
	slot := s.occupy(r.KeyHash, r.Key)
	x := &s.sessions[slot]
	x.first, x.last = r.At.Time, r.At.Time
	s.link(slot)
	s.enqueue(slot)
	return slot
}

// occupy takes a free slot for a key and enters it into the hash table.
func (s *shard) occupy(hash uint64, key []byte) int32 {
	slot := int32(len(s.sessions))
	if n := len(s.vacant); n > 0 {
		slot, s.vacant = s.vacant[n-1], s.vacant[:n-1]
	} else {
		s.sessions = append(double(s.sessions), session{})
		s.counts = append(double(s.counts), make([]int64, s.width)...)
		for _, c := range s.columns {
			c.Grow(len(s.sessions))
		}
	}
	x := &s.sessions[slot]
	x.tag = uint32(hash)
	if len(key) <= shortKey {
		x.keyLen = uint8(copy(x.key[:], key))
	} else {
		x.keyLen = longKey
		for len(s.long) <= int(slot) {
			s.long = append(s.long, nil)
		}
		s.long[slot] = bytes.Clone(key)
	}
	s.open++
	if 2*s.open > len(s.cells) {
		s.rehash()
	}
	s.enter(cell{x.tag, slot + 1})
	return slot
}

// double makes room for twice as much in a slice that is full: append adds a quarter, and would copy four times as
// much while a shard fills.
func double[E any](s []E) []E {
	if len(s) < cap(s) {
		return s
	}
	return slices.Grow(s, max(len(s), 16))
}

// key is the key of a slot in canonical form; it is valid until the slot is vacated or the shard grows.
func (s *shard) key(slot int32) []byte {
	x := &s.sessions[slot]
	if x.keyLen == longKey {
		return s.long[slot]
	}
	return x.key[:x.keyLen]
}

func (s *shard) countsOf(slot int32) []int64 {
	at := int(slot) * s.width
	return s.counts[at : at+s.width : at+s.width]
}

// touch notes that a session has changed.
func (s *shard) touch(slot int32) {
	x := &s.sessions[slot]
	if x.state&isTouched == 0 {
		x.state |= isTouched
		s.touched = append(s.touched, slot)
	}
}

// remove takes a closed session out of everything but the queue.
func (s *shard) remove(slot int32) {
	x := &s.sessions[slot]
	s.leave(x.tag, slot+1)
	s.unlink(slot)
	s.open--
	if x.state&isStored != 0 {
		s.gone = append(appendKey(s.gone, s.key(slot)), 0)
		s.goneCount++
	}
	x.state = isClosed
	clear(s.countsOf(slot))
	for _, c := range s.columns {
		c.Clear(int(slot))
	}
	if s.queue[0].slot == slot {
		s.dequeue()
	} else {
		s.sweep()
	}
}

// vacate makes the slot of a closed session free.
func (s *shard) vacate(slot int32) {
	x := &s.sessions[slot]
	if x.keyLen == longKey {
		s.long[slot] = nil
	}
	*x = session{}
	s.vacant = append(s.vacant, slot)
}

// link appends a session to the list by first event.
func (s *shard) link(slot int32) {
	x := &s.sessions[slot]
	x.older, x.newer = s.newest, none
	if s.newest == none {
		s.oldest = slot
	} else {
		s.sessions[s.newest].newer = slot
	}
	s.newest = slot
}

func (s *shard) unlink(slot int32) {
	x := &s.sessions[slot]
	if x.older == none {
		s.oldest = x.newer
	} else {
		s.sessions[x.older].newer = x.newer
	}
	if x.newer == none {
		s.newest = x.older
	} else {
		s.sessions[x.newer].older = x.older
	}
}

// enter puts a cell into the first free place from its own on.
func (s *shard) enter(c cell) {
	mask := uint32(len(s.cells) - 1)
	i := c.tag & mask
	for s.cells[i].slot != 0 {
		i = (i + 1) & mask
	}
	s.cells[i] = c
}

// leave empties a cell and moves up those behind it that would not be found any more.
func (s *shard) leave(tag uint32, slot int32) {
	mask := uint32(len(s.cells) - 1)
	i := tag & mask
	for s.cells[i].slot != slot {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; s.cells[j].slot != 0; j = (j + 1) & mask {
		if home := s.cells[j].tag & mask; (j-home)&mask >= (j-i)&mask {
			s.cells[i], i = s.cells[j], j
		}
	}
	s.cells[i] = cell{}
}

func (s *shard) rehash() {
	old := s.cells
	s.cells = make([]cell, max(2*len(old), 8))
	for _, c := range old {
		if c.slot != 0 {
			s.enter(c)
		}
	}
}
