package sequence

import "github.com/tidemark/tidemark/processing/event"

// A chunk is what memory is handed around in: up to chunkRows rows of one slice and lane, in the order in which they
// were held, with their payloads in one arena. Chunks of one size can be used again for anything, and a chunk that is
// nearly empty (commits follow each other quickly when there is little to do) is copied onto the one before it.
type chunk struct {
	arena []byte
	runs  []run // where the partition changes
	n     int
	ms    [chunkRows]uint16 // of the rows, since the start of the slice: all that sorting looks at
	rows  [chunkRows]entry
}

const (
	rowBits    = 7
	chunkRows  = 1 << rowBits
	chunkBytes = 4 << 10   // of arena: thirty-two bytes a row
	chunkCost  = 8 << 10   // roughly what a chunk takes, arena included
	maxArena   = 16 << 10  // an arena that long rows have made bigger than this is not used again
	sliceSpan  = 1000      // milliseconds
	shortList  = chunkRows // a slice with fewer rows is sorted by comparing
)

// entry is the fixed part of a row.
type entry struct {
	offset    event.Offset
	hash      uint64
	partition event.PartitionID
	start     uint32 // of the payload, in the arena; it ends somewhere behind
}

// run is a row from which on all rows are of one partition, up to the next run.
type run struct {
	partition event.PartitionID
	from      int
}

func newChunk() *chunk { return &chunk{arena: make([]byte, 0, chunkBytes)} }

// full reports whether a further row should go elsewhere. A long row is still taken by a chunk that has room left, so
// that there is no row that fits nowhere.
func (c *chunk) full() bool { return c.n == chunkRows || len(c.arena) >= chunkBytes-chunkBytes/8 }

// hold appends a row.
func (c *chunk) hold(shape *Shape, ms uint16, e entry, row []event.Value, pass []bool) {
	if len(c.runs) == 0 || c.runs[len(c.runs)-1].partition != e.partition {
		c.runs = append(c.runs, run{e.partition, c.n})
	}
	e.start = uint32(len(c.arena))
	c.arena = shape.appendPayload(c.arena, row, pass)
	c.rows[c.n], c.ms[c.n] = e, ms
	c.n++
}

// fits reports whether the rows of another chunk fit behind those of c.
func (c *chunk) fits(o *chunk) bool {
	return c.n+o.n <= chunkRows && len(c.arena)+len(o.arena) <= chunkBytes
}

// concat appends the rows of another chunk.
func (c *chunk) concat(o *chunk) {
	for _, r := range o.runs {
		if len(c.runs) == 0 || c.runs[len(c.runs)-1].partition != r.partition {
			c.runs = append(c.runs, run{r.partition, c.n + r.from})
		}
	}
	shift := uint32(len(c.arena))
	c.arena = append(c.arena, o.arena...)
	copy(c.ms[c.n:], o.ms[:o.n])
	rows := c.rows[c.n : c.n+o.n]
	copy(rows, o.rows[:o.n])
	for i := range rows {
		rows[i].start += shift
	}
	c.n += o.n
}

// reset empties the chunk and reports whether it is worth keeping.
func (c *chunk) reset() bool {
	c.arena, c.runs, c.n = c.arena[:0], c.runs[:0], 0
	return cap(c.arena) <= maxArena
}
