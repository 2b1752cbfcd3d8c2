package sequence

import (
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// drop forgets the rows of a partition. Those that were released and are not recycled yet go too, so that the rows before a
// slice's cursor are still those that were released.
func (l *lane) drop(p event.PartitionID) {
	for _, s := range l.slices {
		released := 0
		if s.cursor > 0 {
			if s.sorted < s.rows {
				l.sort(s)
			}
			for _, ref := range l.refs[:s.cursor] {
				if s.chunks[ref>>rowBits].rows[ref&(chunkRows-1)].partition == p {
					released++
				}
			}
		}
		dropped := 0
		s.chunks = slices.DeleteFunc(s.chunks, func(c *chunk) bool {
			dropped += c.drop(p)
			if c.n > 0 {
				return false
			}
			l.chunks--
			l.long -= max(cap(c.arena)-chunkBytes, 0)
			l.put(c)
			return true
		})
		s.rows -= dropped
		s.cursor -= released
		l.held -= dropped - released
		s.sorted = 0 // refs point to where rows were
	}
	// A slice whose rows have all been released is done with.
	l.slices = slices.DeleteFunc(l.slices, func(s *slice) bool {
		if s.cursor < s.rows {
			return false
		}
		l.recycle(s)
		return true
	})
}

// drop removes the rows of a partition and returns how many there were. Their payloads stay in the arena.
func (c *chunk) drop(p event.PartitionID) int {
	if !slices.ContainsFunc(c.runs, func(r run) bool { return r.partition == p }) {
		return 0
	}
	kept := 0
	c.runs = c.runs[:0]
	for i := range c.n {
		e := c.rows[i]
		if e.partition == p {
			continue
		}
		if n := len(c.runs); n == 0 || c.runs[n-1].partition != e.partition {
			c.runs = append(c.runs, run{e.partition, kept})
		}
		c.rows[kept], c.ms[kept] = e, c.ms[i]
		kept++
	}
	dropped := c.n - kept
	c.n = kept
	return dropped
}
