package processing

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// report puts a picture of the partitions on the board.
func (l *loop) report() {
	var partitions []PartitionStatus
	for _, id := range sortedIDs(l.intake.partitions) {
		p := l.intake.partitions[id]
		s := PartitionStatus{
			Topic: l.topic.Name, Partition: id, Position: event.Offset(p.seenPosition.Load()), End: l.ends[id].Stable,
			Watermark: event.Millis(p.seenWatermark.Load()), Idle: l.faults[id] == nil && l.idleness.Idle(id),
			epoch: p.seenEpoch.Load(), fetched: p.fetched, resume: p.resume,
		}
		if f := l.faults[id]; f != nil {
			s.Fault, s.FaultKind, s.Advice = f.Detail, f.Kind, f.Advice()
		}
		if l.errand != nil {
			s.End = l.errand.cursors[id].Next
		}
		s.Waiting = l.waiting(id)
		s.End = max(s.End, s.Position)
		s.Lag = int64(s.End - s.Position)
		partitions = append(partitions, s)
	}
	l.markHolder(partitions)
	phase, verdict := l.judge(partitions)
	l.pipeline.status.report(Status{Phase: phase, Verdict: verdict, Held: l.intake.braked, Watermark: l.watermark, Partitions: partitions})
}

// waiting says what the records of a partition wait for, other than W.
func (l *loop) waiting(id event.PartitionID) string {
	lacking := l.intake.lacking(id)
	if len(lacking) == 0 {
		return ""
	}
	text := fmt.Sprintf("waiting for the schema registry to tell %v", lacking[0])
	if n := len(lacking) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	if problem := l.pipeline.library.inquiry.problem(); problem != "" {
		return text + ": " + problem
	}
	return text
}

// markHolder marks the partition that W waits for: the one that is furthest behind.
func (l *loop) markHolder(partitions []PartitionStatus) {
	holder := -1
	for i := range partitions {
		if partitions[i].Idle {
			continue
		}
		if holder < 0 || partitions[i].Watermark < partitions[holder].Watermark {
			holder = i
		}
	}
	if holder >= 0 {
		partitions[holder].HoldsBack = true
	}
}

// judge says in one sentence how things stand.
func (l *loop) judge(partitions []PartitionStatus) (Phase, string) {
	if l.intake.braked != "" {
		return CatchingUp, heldVerdict(l.intake.braked)
	}
	if l.away != nil && len(l.faults) == 0 {
		return CatchingUp, fmt.Sprintf("Kafka does not answer, and the watermark waits: %v", l.away)
	}
	if ids := sortedIDs(l.unknown); len(ids) > 0 {
		return CatchingUp, fmt.Sprintf("Partition %d can't be read yet, and the watermark waits: %v", ids[0], l.unknown[ids[0]])
	}
	var lag int64
	var waiting string
	idle := 0
	for i := range partitions {
		p := &partitions[i]
		if p.Fault != "" {
			return Faulted, fmt.Sprintf("Partition %d stands still: %s. %s", p.Partition, p.Fault, capital(p.Advice))
		}
		if p.Waiting != "" {
			waiting = cmp.Or(waiting, fmt.Sprintf("Partition %d is %s", p.Partition, p.Waiting))
		}
		if end := l.ends[p.Partition]; end.High > end.Stable && p.Position >= end.Stable {
			return Running, fmt.Sprintf("Partition %d waits for an open transaction, and the watermark with it", p.Partition)
		}
		if p.Idle {
			idle++
		}
		lag += p.Lag
	}
	switch {
	case l.errand != nil:
		return CatchingUp, fmt.Sprintf("Folding the log again: %d records to go", lag)
	case waiting != "":
		return CatchingUp, waiting
	case lag > lagged:
		return CatchingUp, fmt.Sprintf("Catching up: %d records behind", lag)
	case idle == len(partitions) && l.watermark == event.NoTime:
		return Running, fmt.Sprintf("Healthy: nothing has arrived on %q yet", l.topic.Name)
	case idle == len(partitions):
		return Running, "Healthy: all partitions are idle"
	default:
		return Running, "Healthy"
	}
}

// lagged is how many records behind is catching up, and no longer the ordinary distance between two looks.
const lagged = 20_000

// reportPositions tells the consumer group how far we are.
func (l *loop) reportPositions(ctx context.Context) error {
	next := make(map[event.PartitionID]event.Offset)
	for _, p := range l.pipeline.Status().Partitions {
		if p.Fault == "" {
			next[p.Partition] = p.Position
		}
	}
	if len(next) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return l.source().ReportPositions(ctx, next)
}
