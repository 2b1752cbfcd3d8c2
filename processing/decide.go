package processing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// ErrNotFaulted is returned by AcceptGap when there is nothing to decide.
var ErrNotFaulted = errors.New("nothing to decide")

// decision is an operator's word that faulted partitions are to go on without a part of their logs. It is made from what
// the cluster says now, and carried out with a commit, between two records.
type decision struct {
	ctx   context.Context // of whoever waits for it
	topic Topic
	ids   []event.PartitionID // not decided yet
	ends  map[event.PartitionID]End
	past  map[event.PartitionID]event.Offset // where the batches end that can't be read
	part  map[event.PartitionID]event.Offset // where the logs part from what was read
	gaps  []*gapChange                       // that were accepted
	reply chan []Gap
}

// gapChange is a gap that a commit accepts.
type gapChange struct {
	Gap
	clusterID string
	anew      bool // another log than before
	intact    bool // the log before the gap is as it was: what is held of it can be read again
}

// AcceptGap goes on with faulted partitions of a topic without what can't be read: one of them, or all. It returns the gaps
// once they are durable; ErrNotFaulted when there are none.
func (p *Pipeline) AcceptGap(ctx context.Context, topic string, only *event.PartitionID) ([]Gap, error) {
	d := &decision{ctx: ctx, reply: make(chan []Gap, 1)}
	faulted, err := p.faulted(topic, only)
	if err != nil {
		return nil, err
	}
	if err := p.prepare(d, faulted); err != nil {
		return nil, err
	}
	select {
	case p.decisions <- d:
	case <-p.ended:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case gaps := <-d.reply:
		if len(gaps) == 0 {
			return nil, fmt.Errorf("%w: the fault has gone meanwhile", ErrNotFaulted)
		}
		return gaps, nil
	case <-p.ended:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, fmt.Errorf("what was read before the fault is not folded yet: %w", ctx.Err())
	}
}

// faulted are the partitions to decide on.
func (p *Pipeline) faulted(topic string, only *event.PartitionID) ([]PartitionStatus, error) {
	s := p.Status()
	if len(s.Partitions) == 0 {
		return nil, fmt.Errorf("%w yet: the cursors are not verified", ErrNotFaulted)
	}
	if name := s.Partitions[0].Topic; topic != name {
		return nil, fmt.Errorf("%w: the topic that is read is %q, not %q", ErrNotFaulted, name, topic)
	}
	known := false
	faulted := slices.DeleteFunc(s.Partitions, func(st PartitionStatus) bool {
		if only != nil && st.Partition != *only {
			return true
		}
		known = true
		return st.FaultKind == ""
	})
	switch {
	case !known:
		return nil, fmt.Errorf("%w: %s has no partition %d", ErrNotFaulted, topic, *only)
	case len(faulted) == 0 && only != nil:
		return nil, fmt.Errorf("%w: %s/%d is read", ErrNotFaulted, topic, *only)
	case len(faulted) == 0:
		return nil, fmt.Errorf("%w: all partitions of %s are read", ErrNotFaulted, topic)
	}
	return faulted, nil
}

// prepare asks the cluster for what a decision has to know.
func (p *Pipeline) prepare(d *decision, faulted []PartitionStatus) (err error) {
	waiting := func(reason error) { p.options.Logger.Warn("a decision waits for kafka", "error", reason) }
	if d.topic, err = p.source.Open(d.ctx, waiting); err != nil {
		return fmt.Errorf("look at the topic: %w", err)
	}
	ends, err := p.source.Ends(d.ctx)
	if err != nil {
		return fmt.Errorf("look at the log: %w", err)
	}
	d.ends = make(map[event.PartitionID]End)
	d.past, d.part = make(map[event.PartitionID]event.Offset), make(map[event.PartitionID]event.Offset)
	for _, e := range ends {
		d.ends[e.Partition] = e
	}
	epochs := make(map[event.PartitionID]int32)
	for _, s := range faulted {
		d.ids = append(d.ids, s.Partition)
		switch e, there := d.ends[s.Partition]; {
		case !there:
		case e.Err != nil:
			return fmt.Errorf("look at %s/%d: %w", s.Topic, s.Partition, e.Err)
		case s.FaultKind == BatchTooLarge || s.FaultKind == Unreadable:
			if d.past[s.Partition], err = p.source.AfterBatch(d.ctx, s.Partition, max(s.fetched, s.resume)); err != nil {
				return fmt.Errorf("find the end of the batch of %s/%d: %w", s.Topic, s.Partition, err)
			}
		case (s.FaultKind == Diverged || s.FaultKind == TailLost) && s.epoch >= 0:
			epochs[s.Partition] = s.epoch
		}
	}
	return p.prepareParting(d, epochs)
}

// prepareParting finds out where logs that another leader goes on with part from what was read.
func (p *Pipeline) prepareParting(d *decision, epochs map[event.PartitionID]int32) error {
	if len(epochs) == 0 {
		return nil
	}
	ends, err := p.source.EpochEnds(d.ctx, epochs)
	if err != nil {
		return fmt.Errorf("look for where the logs part: %w", err)
	}
	for id, e := range ends {
		if e.End != NoEnd {
			d.part[id] = e.End
		}
	}
	return nil
}

// decidable reports whether a decision waits that can be carried out. Those that nobody waits for any more are dropped.
func (l *loop) decidable() bool {
	l.pending = slices.DeleteFunc(l.pending, func(d *decision) bool { return d.ctx.Err() != nil })
	return slices.ContainsFunc(l.pending, l.isDue)
}

// isDue reports whether everything that was read before the faults of a decision has been folded.
func (l *loop) isDue(d *decision) bool {
	return !slices.ContainsFunc(d.ids, func(id event.PartitionID) bool {
		q := l.intake.waiting[id]
		return q != nil && len(q.answers) > 0
	})
}

// carryOut goes on with the partitions that were decided on. The workers wait at the barrier: nobody uses a partition.
func (l *loop) carryOut(h *harvest) (changes []*gapChange) {
	l.pending = slices.DeleteFunc(l.pending, func(d *decision) bool {
		if !l.isDue(d) {
			return false
		}
		for _, id := range d.ids {
			if f := l.faults[id]; f != nil {
				c := l.accept(f, d)
				d.gaps = append(d.gaps, c)
				changes = append(changes, c)
			}
		}
		l.decided = append(l.decided, d)
		return true
	})
	for _, c := range changes {
		// Floors of records that are not read any more mean nothing to those that take their offsets.
		h.floors = slices.DeleteFunc(h.floors, func(f Floor) bool {
			return f.Partition == c.Partition && (c.anew || f.Offset >= c.To)
		})
	}
	return changes
}

// accept makes the gap of one partition and reads on behind it.
func (l *loop) accept(f *Fault, d *decision) *gapChange {
	id, p := f.Partition, l.intake.partitions[f.Partition]
	next := max(p.position, p.resume)
	c := &gapChange{clusterID: d.topic.ClusterID, Gap: Gap{
		TopicID: d.topic.ID, Topic: d.topic.Name, Partition: id, From: next, To: Gone, Reason: string(f.Kind), AtMs: time.Now().UnixMilli(),
	}}
	delete(l.intake.waiting, id) // it is empty
	l.decidedAt[id] = time.Now()
	e, there := d.ends[id]
	if !there {
		delete(l.intake.partitions, id)
		delete(l.ends, id)
		l.idleness.Remove(id)
		l.clear(id, f)
		return c
	}
	c.anew = p.topicID != d.topic.ID || l.topic.ClusterID != d.topic.ClusterID || f.Kind == ClusterChanged
	if c.anew {
		c.To = e.Start
	} else {
		to := next
		if past, ok := d.past[id]; ok {
			c.intact = true
			to = max(to, past)
		}
		if part, ok := d.part[id]; ok {
			to = min(to, part)
		}
		c.To = min(max(to, e.Start), e.High)
	}
	l.readOn(p, c, e)
	l.clear(id, f)
	return c
}

// readOn starts the reading behind a gap. A new log is like a partition that returns: its first record brings a floor.
func (l *loop) readOn(before *partition, c *gapChange, e End) {
	p := &partition{
		id: before.id, worker: before.worker, progress: before.progress, topicID: c.TopicID,
		resume: c.To, judged: c.To, from: c.To, position: c.To, fetched: c.To, anchor: Anchor{Offset: -1}, proof: Anchor{Offset: -1}, epoch: before.epoch,
	}
	switch {
	case c.anew:
		l.topic.ClusterID, l.topic.ID = c.clusterID, c.TopicID
		p.progress, p.epoch = newProgress(l.pipeline.plan), -1
	case !c.intact:
		p.epoch = -1
	}
	if !c.anew {
		p.progress.Reach(max(before.position, before.resume) - 1)
		p.progress.Observe(l.maxima[p.id], -1)
	}
	p.seenPosition.Store(int64(p.position))
	p.seenEpoch.Store(p.epoch)
	p.seenWatermark.Store(int64(p.progress.Watermark()))
	l.intake.partitions[p.id] = p
	delete(l.courses, p.id)
	l.ends[p.id] = e
	l.idleness.Restart(p.id, c.To >= e.High)
	l.readFrom(map[event.PartitionID]event.Offset{p.id: c.To})
}

// answer tells those who wait for decisions that the commit is durable.
func (l *loop) answer() {
	for _, d := range l.decided {
		gaps := make([]Gap, len(d.gaps))
		for i, c := range d.gaps {
			gaps[i] = c.Gap
			l.pipeline.options.Logger.Warn("gap accepted", "partition", c.Partition, "kind", c.Reason, "from", c.From, "to", c.To, "result", c.String())
		}
		d.reply <- gaps
	}
	l.decided = nil
}

// leap moves the cursor of a partition over a gap. Rows that are held of a log which can't be read again are dropped, so
// that it makes no difference whether the process ends now.
func (c *committer) leap(ch *Changes, g *gapChange) {
	if !g.intact {
		from, _ := c.heldFrom(g.Partition, c.cursors[g.Partition])
		g.Dropped = max(0, g.From-from)
		for _, f := range c.flows {
			f.sequencer.Drop(g.Partition)
		}
	}
	ch.Gaps = append(ch.Gaps, g.Gap)
	delete(c.resume, g.Partition)
	if g.To == Gone {
		delete(c.cursors, g.Partition)
		return
	}
	cur := c.cursors[g.Partition]
	if g.anew {
		*cur = newCursor(Topic{ClusterID: g.clusterID, ID: g.TopicID, Name: g.Topic}, g.Partition, g.To)
		c.topic.ClusterID, c.topic.ID = g.clusterID, g.TopicID
		return
	}
	cur.Next, cur.Start, cur.Anchor = g.To, min(cur.Start, g.To), Anchor{Offset: -1}
	if !g.intact {
		cur.LeaderEpoch = -1
	}
}

// String says what is left out, and where reading goes on.
func (g *Gap) String() string {
	text := fmt.Sprintf("%s/%d goes on at offset %d", g.Topic, g.Partition, g.To)
	switch {
	case g.To == Gone:
		text = fmt.Sprintf("%s/%d is forgotten: the topic has no such partition any more", g.Topic, g.Partition)
	case g.Reason == string(TopicRecreated) || g.Reason == string(ClusterChanged):
		text += fmt.Sprintf(", the start of the new log; the old one was read up to %d", g.From)
	case g.To > g.From:
		text += " without " + span(g.From, g.To)
	case g.To < g.From:
		text += fmt.Sprintf("; what was read there before, up to %d, stays counted", g.From)
	}
	if g.Dropped > 0 {
		text += fmt.Sprintf("; sessions do without what they had not taken yet of %s", span(g.From-g.Dropped, g.From))
	}
	return text
}

// span names offsets.
func span(from, to event.Offset) string {
	if to == from+1 {
		return fmt.Sprintf("offset %d", from)
	}
	return fmt.Sprintf("the offsets %d to %d", from, to-1)
}

// capital makes a sentence of advice.
func capital(s string) string {
	if s == "" || s[0] == '`' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
