package sequence

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// Sequencer holds rows until W has passed them. It belongs to the committer: only NewBatch may be called from anywhere
// at any time, and Release may run for several lanes at once, while nothing else runs.
type Sequencer struct {
	shape  Shape
	laneOf [Shards]uint8
	lanes  []*lane
	marks  []*mark // by slice ascending
}

// mark remembers where each partition's rows of a slice begin.
type mark struct {
	number int64
	firsts map[event.PartitionID]first
}

// noEarliest is the earliest time of a batch without rows.
const noEarliest = event.Millis(math.MaxInt64)

// NewSequencer returns an empty sequencer with 1 to 256 lanes.
func NewSequencer(shape Shape, lanes int) *Sequencer {
	if lanes < 1 || lanes > Shards {
		panic("BUG: a sequencer has 1 to 256 lanes")
	}
	s := &Sequencer{shape: shape}
	for i := range s.laneOf {
		s.laneOf[i] = uint8(i % lanes)
	}
	for range lanes {
		s.lanes = append(s.lanes, newLane(&s.shape))
	}
	return s
}

// NewBatch returns an empty batch for Hold.
func (s *Sequencer) NewBatch() *Batch {
	return &Batch{
		shape: &s.shape, laneOf: &s.laneOf, lanes: len(s.lanes),
		slices: make(map[int64]*batchSlice), earliest: noEarliest,
	}
}

// Lanes is the number of lanes; shard n is in lane n % Lanes.
func (s *Sequencer) Lanes() int { return len(s.lanes) }

// Add takes over the rows of a batch and leaves it empty, with memory to go on. The batches of one partition are added
// in the order in which they were filled, and none has a row that W has passed.
func (s *Sequencer) Add(b *Batch) {
	for _, l := range s.lanes {
		if b.earliest <= l.released {
			panic("BUG: a row was held that the watermark had passed")
		}
	}
	given := 0
	s.forget()
	for _, from := range b.used {
		s.mark(from)
		for i, chunks := range from.lanes {
			if len(chunks) > 0 {
				s.lanes[i].take(from.number, chunks)
				given += len(chunks)
			}
		}
	}
	s.restock(b, given)
	b.reset()
}

// restock gives a batch as much free memory as it has just needed, and takes away what is far more.
func (s *Sequencer) restock(b *Batch, needed int) {
	for _, l := range s.lanes {
		b.free = l.lend(b.free, needed-len(b.free))
	}
	if most := 2*needed + spareChunks; len(b.free) > most {
		clear(b.free[most:])
		b.free = b.free[:most]
	}
}

// Release hands on the rows of a lane with time <= w that have not been handed on yet, in total order.
func (s *Sequencer) Release(w event.Millis, lane int, each func(r *Row)) {
	s.ReleaseGroups(w, lane, func(rows []Row) {
		for i := range rows {
			each(&rows[i])
		}
	})
}

// ReleaseGroups is Release with several rows at a time: whoever looks something up for each can do so side by side.
func (s *Sequencer) ReleaseGroups(w event.Millis, lane int, each func(rows []Row)) {
	s.lanes[lane].release(w, each)
}

// Len is the number of rows held.
func (s *Sequencer) Len() int {
	n := 0
	for _, l := range s.lanes {
		n += l.held
	}
	return n
}

// Bytes is roughly the memory in use, free lists included.
func (s *Sequencer) Bytes() int {
	n := 0
	for _, l := range s.lanes {
		n += (l.chunks+len(l.free))*chunkCost + l.long + 4*cap(l.refs)
	}
	return n
}

// HeldFrom says from which offset on a partition must be read again to get back all rows held of it, and M_p just
// before that offset; ok is false when none is held. It is exact to the slice: of a slice that W has only reached into,
// the offset may be that of a row that has been released. Whoever reads again must drop rows with time <= W.
func (s *Sequencer) HeldFrom(p event.PartitionID) (from event.Offset, maxBefore event.Millis, ok bool) {
	s.forget()
	for _, m := range s.marks {
		if f, held := m.firsts[p]; held && (!ok || f.offset < from) {
			from, maxBefore, ok = f.offset, f.maxBefore, true
		}
	}
	return from, maxBefore, ok
}

// Drop forgets all rows of a partition that have not been handed on, and that it has ever had any.
func (s *Sequencer) Drop(p event.PartitionID) {
	for _, l := range s.lanes {
		l.drop(p)
	}
	for _, m := range s.marks {
		delete(m.firsts, p)
	}
}

// mark remembers the first rows of a batch's slice. What is there already is older.
func (s *Sequencer) mark(from *batchSlice) {
	i, found := slices.BinarySearchFunc(s.marks, from.number, byNumberOfMark)
	if !found {
		s.marks = slices.Insert(s.marks, i, &mark{from.number, make(map[event.PartitionID]first, len(from.firsts))})
	}
	firsts := s.marks[i].firsts
	for _, f := range from.firsts {
		if _, ok := firsts[f.partition]; !ok {
			firsts[f.partition] = f
		}
	}
}

func byNumberOfMark(m *mark, number int64) int { return cmp.Compare(m.number, number) }

// forget drops the marks of slices that every lane has released.
func (s *Sequencer) forget() {
	s.marks = slices.DeleteFunc(s.marks, func(m *mark) bool {
		for _, l := range s.lanes {
			if l.holds(m.number) {
				return false
			}
		}
		return true
	})
}
