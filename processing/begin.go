package processing

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

func newLoop(p *Pipeline) *loop {
	l := &loop{
		pipeline: p, watermark: p.committer.watermark, interval: p.options.MinCommit, first: true,
		ends: make(map[event.PartitionID]End), maxima: make(map[event.PartitionID]event.Millis),
		errand: newErrand(p.options.Target), courses: make(map[event.PartitionID]*course),
		faults: make(map[event.PartitionID]string), unknown: make(map[event.PartitionID]error), timer: time.NewTimer(p.options.MinCommit),
		answers: make(chan []arrival), looks: make(chan look),
	}
	shared := &shared{}
	shared.lowest.Store(noLowest)
	l.intake = intake{
		source: p.source, shared: shared, maxAhead: p.plan.Source.MaxAhead, final: math.MaxInt64, library: p.library,
		partitions: make(map[event.PartitionID]*partition), waiting: make(map[event.PartitionID]*queue),
	}
	if l.errand != nil {
		l.intake.final = l.errand.Watermark
	}
	return l
}

// begin opens the source, checks every cursor against it and starts reading where the state ends. Nothing is resumed
// on a log that is not provably the same: such a partition is faulted.
func (l *loop) begin(ctx context.Context) error {
	topic, err := l.source().Open(ctx, l.pipeline.status.waiting)
	if err != nil {
		return fmt.Errorf("open the events topic: %w", err)
	}
	l.topic = topic
	l.pipeline.committer.topic = topic
	for range l.pipeline.options.Workers {
		w, err := newWorker(l.pipeline, topic.Name, l.intake.shared, l.watermark)
		if err != nil {
			return err
		}
		l.intake.workers = append(l.intake.workers, w)
	}
	ends, err := l.firstLook(ctx)
	if err != nil {
		return err
	}
	source := &l.pipeline.plan.Source
	l.idleness = window.NewIdleness(duration(source.IdleTimeout), duration(source.CloseWhenIdle), !l.pipeline.loaded.hasRead(), time.Now())
	if l.errand == nil {
		l.resume(ends)
	} else if err := l.setOut(ctx, ends); err != nil {
		return err
	}
	l.askBrakes(ctx)
	l.report()
	l.pipeline.status.verified()
	return nil
}

func duration(m event.Millis) time.Duration { return time.Duration(m) * time.Millisecond }

// firstLook asks for the ends until the cluster answers.
func (l *loop) firstLook(ctx context.Context) ([]End, error) {
	for {
		ends, err := l.source().Ends(ctx)
		if err == nil {
			return ends, nil
		}
		l.pipeline.options.Logger.Warn("look at the cluster", "error", err)
		l.pipeline.status.waiting(err)
		select {
		case <-time.After(l.pipeline.options.LookEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// resume starts the reading of all partitions that check out.
func (l *loop) resume(ends []End) {
	known := make(map[event.PartitionID]bool, len(ends))
	for _, e := range ends {
		known[e.Partition] = true
	}
	for id := range l.pipeline.loaded.cursors {
		if !known[id] {
			l.add(id, End{Partition: id})
			l.fault(id, fmt.Sprintf("the topic %q has no partition %d any more", l.topic.Name, id))
		}
	}
	l.assign(ends)
}

// assign makes new partitions known and starts to read them.
func (l *loop) assign(ends []End) {
	positions := make(map[event.PartitionID]event.Offset)
	for _, e := range ends {
		if l.intake.partitions[e.Partition] != nil || l.errand != nil && l.errand.cursors[e.Partition] == nil {
			continue
		}
		if e.Err != nil {
			l.unknown[e.Partition] = e.Err
			continue
		}
		delete(l.unknown, e.Partition)
		cur := l.add(e.Partition, e)
		l.ends[e.Partition] = e
		if reason := l.mismatch(cur, e); reason != "" {
			l.fault(e.Partition, reason)
			continue
		}
		if c := l.courses[e.Partition]; c != nil && c.arrived() {
			continue
		}
		positions[e.Partition] = l.intake.partitions[e.Partition].position
	}
	if len(positions) > 0 {
		l.source().Assign(positions)
		if l.intake.braked != "" {
			l.source().Pause(sortedIDs(positions))
		}
	}
}

// add makes a partition known, with the cursor that the state has of it or a new one at the start of its log.
func (l *loop) add(id event.PartitionID, e End) *Cursor {
	cur := l.pipeline.loaded.cursors[id]
	from, end := e.Start, noEnd
	if l.errand != nil {
		from, end = l.errand.cursors[id].Start, l.errand.cursors[id].Next
	}
	if cur == nil {
		cur = &Cursor{
			ClusterID: l.topic.ClusterID, TopicID: l.topic.ID, Topic: l.topic.Name, Partition: id,
			Next: from, Max: event.NoTime, HeldFrom: from, HeldMax: event.NoTime, Start: from,
			Anchor: Anchor{Offset: -1},
		}
		l.adopted = append(l.adopted, *cur)
	}
	progress := window.NewProgress(l.pipeline.plan.Source.OutOfOrderness, cur.HeldMax, l.pipeline.loaded.floorsOf(cur))
	progress.Reach(cur.HeldFrom - 1)
	p := &partition{
		id: id, worker: int(id) % len(l.intake.workers), progress: progress,
		resume: cur.Next, judged: cur.Next, from: cur.HeldFrom, position: cur.HeldFrom, anchor: cur.Anchor, proof: cur.Anchor,
	}
	if l.errand != nil {
		p.judged, p.journaled = end, true
	}
	switch at := cur.Anchor.Offset; {
	case at < 0:
	case at >= e.Start:
		p.position = min(p.position, at) // the last record is read again, to see that it is the same
	default:
		l.pipeline.options.Logger.Warn("retention has passed the last record read: it can't be compared", "partition", id, "offset", at)
	}
	if c := newCourse(p.position, end, l.pipeline.loaded.gapsOf(cur, p.position)); c != nil {
		l.courses[id], p.position = c, c.next
	}
	p.seenPosition.Store(int64(p.position))
	p.seenWatermark.Store(int64(progress.Watermark()))
	l.intake.partitions[id] = p
	l.maxima[id] = cur.Max
	l.idleness.Add(id)
	return cur
}

// mismatch says why a cursor and the log that it points into do not belong together; "" when they do.
func (l *loop) mismatch(cur *Cursor, e End) string {
	switch {
	case cur.ClusterID != l.topic.ClusterID:
		return fmt.Sprintf("the state was made from cluster %q, this is cluster %q", cur.ClusterID, l.topic.ClusterID)
	case cur.TopicID != l.topic.ID:
		return fmt.Sprintf("its topic was re-created: id %s, the state was made from %s", hex.EncodeToString(l.topic.ID[:]), hex.EncodeToString(cur.TopicID[:]))
	case cur.Next > e.High:
		return fmt.Sprintf("the log ends at offset %d, before the position %d: its tail was lost", e.High, cur.Next)
	case cur.HeldFrom < e.Start:
		return fmt.Sprintf("the log starts at offset %d, the state needs it from %d: retention has passed it", e.Start, cur.HeldFrom)
	default:
		return ""
	}
}

// checkProofs faults the partitions whose log has another record where the state has read its last.
func (l *loop) checkProofs() {
	for id, p := range l.intake.partitions {
		if p.disproved.Load() {
			l.fault(id, fmt.Sprintf("the record at offset %d is not the one that was read there: the log was replaced", p.proof.Offset))
		}
		if p.astray.Load() {
			l.fault(id, "the journal has no floor for a record that W had passed: it is not that of this log")
		}
	}
}

// look takes what the cluster says of the ends: lag, idleness, new partitions. If it says nothing, nothing is idle: what
// is known of the ends gets old.
func (l *loop) look(seen look) {
	l.away = seen.err
	if seen.err != nil {
		l.report()
		return
	}
	for _, e := range seen.ends {
		if e.Err != nil {
			continue
		}
		p := l.intake.partitions[e.Partition]
		if p == nil || l.faults[e.Partition] != "" {
			continue
		}
		l.ends[e.Partition] = e
		// An open transaction, whose records can't be read yet, lies between Stable and High: it holds W too.
		l.idleness.Looked(e.Partition, e.SentAt, event.Offset(p.seenPosition.Load()) >= e.High)
	}
	l.assign(seen.ends)
	l.report()
}
