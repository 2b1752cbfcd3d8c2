package processing

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

func newLoop(p *Pipeline) *loop {
	l := &loop{
		pipeline: p, watermark: p.committer.watermark, interval: p.options.MinCommit, first: true, stride: stride{length: easyStride},
		ends: make(map[event.PartitionID]End), maxima: make(map[event.PartitionID]event.Millis),
		errand: newErrand(p.options.Target), courses: make(map[event.PartitionID]*course),
		faults: make(map[event.PartitionID]*Fault), decidedAt: make(map[event.PartitionID]time.Time), unknown: make(map[event.PartitionID]error), timer: time.NewTimer(p.options.MinCommit),
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
	epochs, err := l.firstEpochs(ctx, ends)
	if err != nil {
		return err
	}
	if l.errand == nil {
		l.resume(ends, epochs)
	} else if err := l.setOut(ctx, ends, epochs); err != nil {
		return err
	}
	l.unverified = make(map[event.PartitionID]bool)
	for id := range l.unknown {
		l.unverified[id] = true
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

// firstEpochs asks where the logs end that the cursors belong to, until the cluster answers.
func (l *loop) firstEpochs(ctx context.Context, ends []End) (map[event.PartitionID]EpochEnd, error) {
	for {
		epochs, err := l.epochs(ctx, ends)
		if err == nil {
			return epochs, nil
		}
		l.pipeline.options.Logger.Warn("ask the cluster for leader epochs", "error", err)
		l.pipeline.status.waiting(err)
		select {
		case <-time.After(l.pipeline.options.LookEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// epochs asks where the leader epochs of loaded cursors end, for the partitions that the cluster tells of. It may be
// called from any goroutine.
func (l *loop) epochs(ctx context.Context, ends []End) (map[event.PartitionID]EpochEnd, error) {
	asked := make(map[event.PartitionID]int32)
	for _, e := range ends {
		if cur := l.pipeline.loaded.cursors[e.Partition]; cur != nil && e.Err == nil && cur.LeaderEpoch >= 0 && cur.Next > cur.Start {
			asked[e.Partition] = cur.LeaderEpoch
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	return l.source().EpochEnds(ctx, asked)
}

// resume starts the reading of all partitions that check out.
func (l *loop) resume(ends []End, epochs map[event.PartitionID]EpochEnd) {
	known := make(map[event.PartitionID]bool, len(ends))
	for _, e := range ends {
		known[e.Partition] = true
	}
	for id := range l.pipeline.loaded.cursors {
		if !known[id] {
			l.add(id, End{Partition: id})
			l.fault(id, PartitionGone, fmt.Sprintf("the topic %q has no partition %d any more", l.topic.Name, id))
		}
	}
	for id, f := range l.pipeline.loaded.faults {
		if l.pipeline.loaded.cursors[id] == nil {
			l.clear(id, f)
		}
	}
	l.assign(ends, epochs)
}

// assign makes new partitions known and starts to read them.
func (l *loop) assign(ends []End, epochs map[event.PartitionID]EpochEnd) {
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
		var epoch *EpochEnd
		if found, ok := epochs[e.Partition]; ok {
			epoch = &found
		}
		if kind, detail := l.mismatch(cur, e, epoch); kind != "" {
			l.fault(e.Partition, kind, detail)
			continue
		}
		l.clear(e.Partition, l.pipeline.loaded.faults[e.Partition])
		if c := l.courses[e.Partition]; c != nil && c.arrived() {
			continue
		}
		positions[e.Partition] = l.intake.partitions[e.Partition].position
	}
	if len(positions) > 0 {
		l.readFrom(positions)
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
		adopted := newCursor(l.topic, id, from)
		cur = &adopted
		l.adopted = append(l.adopted, adopted)
	}
	progress := window.NewProgress(l.pipeline.plan.Source.OutOfOrderness, cur.HeldMax, l.pipeline.loaded.floorsOf(cur))
	progress.Reach(cur.HeldFrom - 1)
	p := &partition{
		id: id, worker: int(id) % len(l.intake.workers), progress: progress,
		resume: cur.Next, judged: cur.Next, from: cur.HeldFrom, position: cur.HeldFrom, anchor: cur.Anchor, proof: cur.Anchor,
		epoch: cur.LeaderEpoch, topicID: cur.TopicID,
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
	p.fetched = p.position
	p.seenPosition.Store(int64(p.position))
	p.seenEpoch.Store(p.epoch)
	p.seenWatermark.Store(int64(progress.Watermark()))
	l.intake.partitions[id] = p
	l.maxima[id] = cur.Max
	l.idleness.Add(id, p.position >= e.High)
	return cur
}

// newCursor is the cursor of a partition whose reading begins.
func newCursor(t Topic, id event.PartitionID, start event.Offset) Cursor {
	return Cursor{
		ClusterID: t.ClusterID, TopicID: t.ID, Topic: t.Name, Partition: id,
		Next: start, Max: event.NoTime, HeldFrom: start, HeldMax: event.NoTime, Start: start,
		LeaderEpoch: -1, Anchor: Anchor{Offset: -1},
	}
}

// newProgress is that of a partition of which nothing was read.
func newProgress(plan *definition.Plan) window.Progress {
	return window.NewProgress(plan.Source.OutOfOrderness, event.NoTime, nil)
}

// ofTopic leaves out the partitions of another topic of the same name: they are not ours before somebody says so.
func ofTopic(ends []End, id [16]byte) []End {
	return slices.DeleteFunc(slices.Clone(ends), func(e End) bool { return e.TopicID != id && e.TopicID != [16]byte{} })
}

// look takes what the cluster says of the ends: lag, idleness, new partitions. If it says nothing, nothing is idle: what
// is known of the ends gets old.
func (l *loop) look(seen look) {
	l.away = seen.err
	if seen.err != nil {
		l.report()
		return
	}
	ends := slices.DeleteFunc(slices.Clone(seen.ends), func(e End) bool { return e.SentAt.Before(l.decidedAt[e.Partition]) })
	for _, e := range ends {
		if e.Err != nil {
			continue
		}
		p := l.intake.partitions[e.Partition]
		if p == nil || !l.inspect(p, e) {
			continue
		}
		l.ends[e.Partition] = e
		// An open transaction, whose records can't be read yet, lies between Stable and High: it holds W too.
		l.idleness.Looked(e.Partition, e.SentAt, event.Offset(p.seenPosition.Load()) >= e.High)
	}
	l.assign(ofTopic(ends, l.topic.ID), seen.epochs)
	l.report()
}
