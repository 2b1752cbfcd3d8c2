package sequence

import "github.com/tidemark/tidemark/processing/event"

// Batch holds the events that one worker has accepted between two barriers.
//
// It belongs to the worker until the barrier, and to the committer from there on. Sequencer.Add takes the rows out and
// leaves an empty batch with fresh memory, which can go to any worker.
type Batch struct {
	shape    *Shape
	laneOf   *[Shards]uint8
	lanes    int
	slices   map[int64]*batchSlice
	near     [nearSlices]*batchSlice // by the low bits of the slice's number, to pass by the map
	used     []*batchSlice           // all slices with rows, in the order of their first row
	spare    []*batchSlice
	free     []*chunk
	n        int
	earliest event.Millis
}

// nearSlices is a power of two that covers the seconds that are usually being filled at the same time.
const nearSlices = 64

// batchSlice is one slice's part of a batch.
type batchSlice struct {
	number int64
	lanes  [][]*chunk
	firsts []first
	seen   []uint64 // bit p: partition p has a first
}

// first is the first row that a partition has in a slice.
type first struct {
	partition event.PartitionID
	offset    event.Offset
	maxBefore event.Millis
}

// Hold keeps an event until W has passed it. Within a partition, events come by ascending offset. maxBefore is the
// partition's M_p as it stood before the event; keyHash is the hash of the key, which must not be null; row and pass
// are in the slots and filters of the events' space and are copied, texts as event.AppendKept cuts them.
func (b *Batch) Hold(time event.Millis, at event.Coordinate, maxBefore event.Millis, keyHash uint64, row []event.Value, pass []bool) {
	keyHash = row[b.shape.KeySlot].KeptHash(keyHash)
	number := sliceOf(time)
	s := b.near[number&(nearSlices-1)]
	if s == nil || s.number != number {
		s = b.slice(number)
	}
	s.note(at, maxBefore)
	lane := &s.lanes[b.laneOf[ShardOf(keyHash)]]
	var c *chunk
	if n := len(*lane); n > 0 && !(*lane)[n-1].full() {
		c = (*lane)[n-1]
	} else {
		c = b.chunk()
		*lane = append(*lane, c)
	}
	ms := uint16(int64(time) - number*sliceSpan)
	c.hold(b.shape, ms, entry{offset: at.Offset, hash: keyHash, partition: at.Partition}, row, pass)
	b.n++
	b.earliest = min(b.earliest, time)
}

// Len is the number of rows.
func (b *Batch) Len() int { return b.n }

// sliceOf numbers the slices; times before 1970 are no reason to lose the order.
func sliceOf(t event.Millis) int64 {
	n := int64(t) / sliceSpan
	if int64(t)%sliceSpan < 0 {
		n--
	}
	return n
}

// slice finds or starts a slice.
func (b *Batch) slice(number int64) *batchSlice {
	s := b.slices[number]
	if s == nil {
		if n := len(b.spare); n > 0 {
			s, b.spare = b.spare[n-1], b.spare[:n-1]
		} else {
			s = &batchSlice{lanes: make([][]*chunk, b.lanes)}
		}
		s.number = number
		b.slices[number] = s
		b.used = append(b.used, s)
	}
	b.near[number&(nearSlices-1)] = s
	return s
}

func (b *Batch) chunk() *chunk {
	n := len(b.free)
	if n == 0 {
		return newChunk()
	}
	c := b.free[n-1]
	b.free = b.free[:n-1]
	return c
}

// note remembers the first row of each partition.
func (s *batchSlice) note(at event.Coordinate, maxBefore event.Millis) {
	word, bit := int(at.Partition>>6), uint64(1)<<(at.Partition&63)
	if word < len(s.seen) && s.seen[word]&bit != 0 {
		return
	}
	for word >= len(s.seen) {
		s.seen = append(s.seen, 0)
	}
	s.seen[word] |= bit
	s.firsts = append(s.firsts, first{at.Partition, at.Offset, maxBefore})
}

// reset empties the batch once its chunks have been taken.
func (b *Batch) reset() {
	for _, s := range b.used {
		for i := range s.lanes {
			clear(s.lanes[i])
			s.lanes[i] = s.lanes[i][:0]
		}
		s.firsts = s.firsts[:0]
		clear(s.seen)
		b.near[s.number&(nearSlices-1)] = nil
	}
	clear(b.slices)
	b.spare = append(b.spare, b.used...)
	b.spare = b.spare[:min(len(b.spare), nearSlices)]
	b.used = b.used[:0]
	b.n, b.earliest = 0, noEarliest
}
