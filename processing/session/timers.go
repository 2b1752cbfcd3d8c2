package session

import (
	"bytes"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// due is when an open session will close if nothing more happens, and why. When both timers come at the same time,
// max_duration is first.
func (t *Table) due(x *session) (event.Millis, Reason) {
	byGap, byDuration := x.last+t.gap, x.first+t.maxDuration
	if byDuration <= byGap {
		return byDuration, MaxDuration
	}
	return byGap, Gap
}

// run runs a shard's timers in order: those of max_duration up to one time, those of the gap up to another.
func (t *Table) run(s *shard, l *lane, duration, gap event.Millis, closed func(*Closed)) {
	for {
		oldest, byDuration := s.oldest, never
		if oldest != none {
			byDuration = s.sessions[oldest].first + t.maxDuration
		}
		quiet, byGap := s.quietest(gap-t.gap), never
		if quiet != none {
			byGap = s.sessions[quiet].last + t.gap
		}
		switch {
		case oldest != none && byDuration <= duration && byDuration <= byGap:
			t.close(s, l, oldest, byDuration, MaxDuration, closed)
		case quiet != none:
			t.close(s, l, quiet, byGap, Gap, closed)
		default:
			return
		}
	}
}

// never is later than every timer.
const never = event.Millis(math.MaxInt64)

// makeRoom sees to it that a session can start at a time in a shard that is full.
func (t *Table) makeRoom(s *shard, l *lane, at event.Millis, closed func(*Closed)) {
	t.run(s, l, at, at-1, closed)
	if s.open >= t.maxOpen {
		t.close(s, l, s.quietest(never), at, Evicted, closed)
	}
}

// timer is a session's entry in the queue of its shard. It is not moved when the session takes another event: the time
// in it is a lower bound, put right when the entry comes to the front. A session that closes early leaves its entry
// behind, and keeps its slot until the entry has gone: entries are ordered by what the slot holds.
type timer struct {
	last event.Millis // at most the session's last event
	slot int32
}

// quietest returns the open session with the oldest last event, the smallest key among equals, if that event is no
// later than the limit.
func (s *shard) quietest(limit event.Millis) int32 {
	for len(s.queue) > 0 && s.queue[0].last <= limit {
		front := &s.queue[0]
		x := &s.sessions[front.slot]
		switch {
		case x.state&isClosed != 0:
			s.dequeue()
		case front.last < x.last:
			front.last = x.last
			s.sink(0)
		default:
			return front.slot
		}
	}
	return none
}

// enqueue adds a session's timer.
func (s *shard) enqueue(slot int32) {
	s.queue = append(double(s.queue), timer{s.sessions[slot].last, slot})
	i := len(s.queue) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !s.sooner(&s.queue[i], &s.queue[up]) {
			return
		}
		s.queue[i], s.queue[up] = s.queue[up], s.queue[i]
		i = up
	}
}

// dequeue removes the front, which is of a closed session, and frees its slot.
func (s *shard) dequeue() {
	s.vacate(s.queue[0].slot)
	n := len(s.queue) - 1
	s.queue[0] = s.queue[n]
	s.queue = s.queue[:n]
	s.sink(0)
}

// sink puts an entry that has become later where it belongs.
func (s *shard) sink(i int) {
	for {
		down := 2*i + 1
		if down >= len(s.queue) {
			return
		}
		if other := down + 1; other < len(s.queue) && s.sooner(&s.queue[other], &s.queue[down]) {
			down = other
		}
		if !s.sooner(&s.queue[down], &s.queue[i]) {
			return
		}
		s.queue[i], s.queue[down] = s.queue[down], s.queue[i]
		i = down
	}
}

func (s *shard) sooner(a, b *timer) bool {
	if a.last != b.last {
		return a.last < b.last
	}
	return bytes.Compare(s.key(a.slot), s.key(b.slot)) < 0
}

// sweep drops the timers of closed sessions once they are the greater part: end markers would otherwise fill the queue
// with a gap's worth of them.
func (s *shard) sweep() {
	if closed := len(s.queue) - s.open; closed <= s.open+sweepSlack {
		return
	}
	kept := s.queue[:0]
	for _, e := range s.queue {
		if s.sessions[e.slot].state&isClosed != 0 {
			s.vacate(e.slot)
		} else {
			kept = append(kept, e)
		}
	}
	s.queue = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		s.sink(i)
	}
}

const sweepSlack = 32
