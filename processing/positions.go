package processing

import "github.com/tidemark/tidemark/processing/event"

// moveCursors stages cursors and floors.
func (c *committer) moveCursors(ch *Changes, j *job) {
	h := &j.harvest
	dirty := make(map[event.PartitionID]bool, len(h.moved))
	for _, cur := range j.adopted {
		// Where the state starts to read is part of it, also of a partition that has no record yet.
		c.cursors[cur.Partition] = &cur
		dirty[cur.Partition] = true
	}
	for _, mv := range h.moved {
		if c.resume[mv.id] <= mv.position {
			delete(c.resume, mv.id)
		}
		cur := c.cursors[mv.id]
		if mv.position >= cur.Next { // those that are read again may be of older leaders
			cur.LeaderEpoch = mv.epoch
		}
		cur.Next, cur.Max = max(cur.Next, mv.position), max(cur.Max, mv.max)
		if mv.anchor.Offset > cur.Anchor.Offset {
			cur.Anchor = mv.anchor
		}
		dirty[mv.id] = true
	}
	floors := h.floors // of the logs that were read up to here
	for i := range floors {
		floors[i].TopicID = c.topic.ID
	}
	ch.Floors = append(ch.Floors, floors...)
	for i := range j.gaps {
		c.leap(ch, j.gaps[i])
		dirty[j.gaps[i].Partition] = j.gaps[i].To != Gone
	}
	for id, cur := range c.cursors {
		from, heldMax := c.heldFrom(id, cur)
		if from != cur.HeldFrom || heldMax != cur.HeldMax {
			cur.HeldFrom, cur.HeldMax = from, heldMax
			dirty[id] = true
		}
	}
	for id, moved := range dirty {
		if moved {
			ch.Cursors = append(ch.Cursors, *c.cursors[id])
		}
	}
	c.record.add(ch.Floors, ch.Gaps)
	ch.Cut = c.record.cut(c.cursors, j.logs)
}

// heldFrom is where a restart has to read from. While a partition's held rows are still being read again after a
// restart, the sequencer does not know them all, and the cursor stays what it was.
func (c *committer) heldFrom(id event.PartitionID, cur *Cursor) (event.Offset, event.Millis) {
	if _, again := c.resume[id]; again {
		return cur.HeldFrom, cur.HeldMax
	}
	from, heldMax := cur.Next, cur.Max
	for _, f := range c.flows {
		if o, m, ok := f.sequencer.HeldFrom(id); ok && o < from {
			from, heldMax = o, m
		}
	}
	return from, heldMax
}
