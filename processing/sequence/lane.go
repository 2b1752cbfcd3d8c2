package sequence

import (
	"cmp"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// lane holds the rows of one part of the keys.
type lane struct {
	shape    *Shape
	slices   []*slice     // by number ascending
	released event.Millis // the W of the last release
	before   event.Order  // of the row released last
	held     int          // rows
	chunks   int          // that hold rows
	long     int          // bytes of arenas beyond their usual size
	free     []*chunk
	peak     int // chunks in use lately; the free list is kept below it
	rows     [groupRows]Row

	// Sorting; refs are the order of the first slice once it has been sorted.
	refs     []uint32 // chunk << rowBits | row
	segments []segment
	counts   [sliceSpan]uint32
}

// slice is one second's rows.
type slice struct {
	number int64
	chunks []*chunk
	rows   int
	sorted int // rows when it was last sorted: more means that some came since
	cursor int // how many of lane.refs have been released
}

// segment is a run of rows of one partition in one chunk.
type segment struct {
	partition event.PartitionID
	chunk     uint32
	from, to  int
}

// groupRows is the most rows that are handed on at once: enough to fetch them side by side, few enough for the first
// cache.
const groupRows = 32

// spareChunks may always stay in a lane's free list.
const spareChunks = 16

func newLane(shape *Shape) *lane {
	l := &lane{shape: shape, released: event.NoTime, before: event.Order{Time: event.NoTime}}
	for i := range l.rows {
		l.rows[i].Values = make([]event.Value, len(shape.Slots))
	}
	return l
}

func byNumber(s *slice, number int64) int { return cmp.Compare(s.number, number) }

// holds reports whether rows of a slice are held.
func (l *lane) holds(number int64) bool {
	_, found := slices.BinarySearchFunc(l.slices, number, byNumber)
	return found
}

// take appends a batch's chunks to a slice.
func (l *lane) take(number int64, chunks []*chunk) {
	i, found := slices.BinarySearchFunc(l.slices, number, byNumber)
	if !found {
		l.slices = slices.Insert(l.slices, i, &slice{number: number})
	}
	s := l.slices[i]
	for _, c := range chunks {
		s.rows += c.n
		l.held += c.n
		if n := len(s.chunks); n > 0 && s.chunks[n-1].fits(c) {
			s.chunks[n-1].concat(c)
			l.put(c)
			continue
		}
		s.chunks = append(s.chunks, c)
		l.chunks++
		l.long += max(cap(c.arena)-chunkBytes, 0)
	}
	l.peak = max(l.peak, l.chunks)
}

// lend moves up to n free chunks to a batch.
func (l *lane) lend(to []*chunk, n int) []*chunk {
	n = max(min(n, len(l.free)), 0)
	at := len(l.free) - n
	to = append(to, l.free[at:]...)
	clear(l.free[at:])
	l.free = l.free[:at]
	return to
}

// put makes an empty chunk available, unless more are free than lately were in use.
func (l *lane) put(c *chunk) {
	if c.reset() && len(l.free) < l.peak+spareChunks {
		l.free = append(l.free, c)
	}
}

// release hands on the rows with time <= w.
func (l *lane) release(w event.Millis, each func(rows []Row)) {
	if w <= l.released {
		return
	}
	done := 0
	for _, s := range l.slices {
		start := event.Millis(s.number * sliceSpan)
		if start > w {
			break
		}
		if s.sorted < s.rows {
			l.sort(s)
		}
		l.emit(s, start, w, each)
		if s.cursor < s.rows {
			break
		}
		l.recycle(s)
		done++
	}
	l.slices = slices.Delete(l.slices, 0, done)
	l.released = w
	l.peak -= (l.peak - l.chunks + 63) / 64 // memory that a burst needed goes back slowly
	if most := l.peak + spareChunks; len(l.free) > most {
		clear(l.free[most:])
		l.free = l.free[:most]
	}
}

// emit hands on what w has passed of a sorted slice, in groups: the rows of a group lie anywhere, and fetching one does
// not wait for another.
func (l *lane) emit(s *slice, start, w event.Millis, each func(rows []Row)) {
	for s.cursor < s.rows {
		refs := l.refs[s.cursor:min(s.cursor+groupRows, s.rows)]
		n := l.gather(s, refs, start, w)
		if n == 0 {
			return
		}
		each(l.rows[:n])
		s.cursor += n
		l.held -= n
	}
}

// gather fills rows up to w.
func (l *lane) gather(s *slice, refs []uint32, start, w event.Millis) int {
	for n, ref := range refs {
		c, i := s.chunks[ref>>rowBits], ref&(chunkRows-1)
		t := start + event.Millis(c.ms[i])
		if t > w {
			return n
		}
		e, r := &c.rows[i], &l.rows[n]
		r.At = event.Order{Time: t, Coordinate: event.Coordinate{Partition: e.partition, Offset: e.offset}}
		if l.before.Compare(r.At) >= 0 {
			panic("BUG: rows were held twice or not by ascending offset")
		}
		l.before = r.At
		r.KeyHash = e.hash
		l.shape.parsePayload(r, c.arena[e.start:])
	}
	return len(refs)
}

// recycle frees the chunks of a slice that has been released.
func (l *lane) recycle(s *slice) {
	l.chunks -= len(s.chunks)
	for _, c := range s.chunks {
		l.long -= max(cap(c.arena)-chunkBytes, 0)
		l.put(c)
	}
}

// sort puts the order of all of the slice's rows into refs. Rows that came after W was inside the slice are later than
// what has been released of it, so that the released rows are still those before the cursor.
func (l *lane) sort(s *slice) {
	l.refs = slices.Grow(l.refs[:0], s.rows)[:s.rows]
	if s.rows < shortList {
		l.sortShort(s)
	} else {
		l.sortLong(s)
	}
	s.sorted = s.rows
}

// sortShort compares: counting costs a pass over all milliseconds.
func (l *lane) sortShort(s *slice) {
	refs := l.refs[:0]
	for n, c := range s.chunks {
		for i := range c.n {
			refs = append(refs, uint32(n<<rowBits|i))
		}
	}
	slices.SortFunc(refs, func(a, b uint32) int {
		x, y := s.chunks[a>>rowBits], s.chunks[b>>rowBits]
		i, j := a&(chunkRows-1), b&(chunkRows-1)
		if c := cmp.Compare(x.ms[i], y.ms[j]); c != 0 {
			return c
		}
		if c := cmp.Compare(x.rows[i].partition, y.rows[j].partition); c != 0 {
			return c
		}
		return cmp.Compare(x.rows[i].offset, y.rows[j].offset)
	})
	l.refs = refs
}

// sortLong goes through the partitions one after the other, each by ascending offset, and counts out by millisecond,
// which keeps that order.
func (l *lane) sortLong(s *slice) {
	l.segments = segmentsOf(l.segments[:0], s.chunks)
	clear(l.counts[:])
	for _, c := range s.chunks {
		for _, ms := range c.ms[:c.n] {
			l.counts[ms]++
		}
	}
	next := uint32(0)
	for ms, n := range l.counts {
		l.counts[ms] = next
		next += n
	}
	for _, g := range l.segments {
		c, base := s.chunks[g.chunk], g.chunk<<rowBits
		for i := g.from; i < g.to; i++ {
			at := &l.counts[c.ms[i]]
			l.refs[*at] = base | uint32(i)
			*at++
		}
	}
}

// segmentsOf lists the runs by partition, then in the order in which they were held.
func segmentsOf(dst []segment, chunks []*chunk) []segment {
	for n, c := range chunks {
		for i, r := range c.runs {
			to := c.n
			if i+1 < len(c.runs) {
				to = c.runs[i+1].from
			}
			dst = append(dst, segment{r.partition, uint32(n), r.from, to})
		}
	}
	slices.SortFunc(dst, func(a, b segment) int {
		if c := cmp.Compare(a.partition, b.partition); c != 0 {
			return c
		}
		if c := cmp.Compare(a.chunk, b.chunk); c != 0 {
			return c
		}
		return cmp.Compare(a.from, b.from)
	})
	return dst
}
