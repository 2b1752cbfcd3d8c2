package processing

import (
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// course says which records of a partition a fold takes: those from next on, outside of the gaps, before the end. It is owned
// by the loop; partitions of which everything is taken have none.
type course struct {
	next event.Offset // the first that has not been taken
	end  event.Offset // the target's position; noEnd without a target
	gaps []Gap        // not jumped yet, by From
}

// noEnd is the end of a course that goes on for ever.
const noEnd = event.Offset(math.MaxInt64)

// newCourse starts at an offset, behind the gaps that are there. It is nil when there is nothing to leave out.
func newCourse(next, end event.Offset, gaps []Gap) *course {
	c := &course{next: next, end: end, gaps: gaps}
	c.jump()
	if c.end == noEnd && len(c.gaps) == 0 {
		return nil
	}
	return c
}

// jump leaps the gaps that the course has come to.
func (c *course) jump() (leapt bool) {
	for len(c.gaps) > 0 && c.next >= c.gaps[0].From {
		if c.next < c.gaps[0].To {
			c.next, leapt = c.gaps[0].To, true
		}
		c.gaps = c.gaps[1:]
	}
	c.next = min(c.next, c.end)
	return leapt
}

// arrived reports whether everything up to the end was taken.
func (c *course) arrived() bool { return c.next >= c.end }

// keep removes from a fetch answer what is not taken. leapt says that reading has to go on at next, behind a gap.
func (c *course) keep(f *Fetched) (leapt bool) {
	kept := f.Records[:0]
	gaps := c.gaps
	for i := range f.Records {
		o := f.Records[i].Offset
		for len(gaps) > 0 && o >= gaps[0].To {
			gaps = gaps[1:]
		}
		if o < c.next || o >= c.end || len(gaps) > 0 && o >= gaps[0].From {
			continue
		}
		kept = append(kept, f.Records[i])
	}
	f.Records = kept
	if f.Position > c.next {
		c.next = min(f.Position, c.end)
		leapt = c.jump()
	}
	f.Position = c.next
	return leapt
}

// follow takes of a fetch answer what the partition's course takes. An answer of which nothing is left says nothing.
func (l *loop) follow(f *arrival) (says bool) {
	c := l.courses[f.Partition]
	if c == nil {
		return true
	}
	from, records := c.next, len(f.Records)
	leapt := c.keep(&f.Fetched)
	if len(f.Records) < records {
		f.uses = usesOf(l.pipeline.options.Encoding, f.Records)
	}
	switch {
	case c.arrived():
		f.Err = nil
		l.source().Pause([]event.PartitionID{f.Partition})
	case leapt:
		f.Err = nil // of what is in the gap
		l.readFrom(map[event.PartitionID]event.Offset{f.Partition: c.next})
	}
	return f.Err != nil || c.next > from
}
