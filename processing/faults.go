package processing

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// fault stops the reading of a partition. Nothing is guessed: it holds W until somebody decides.
func (l *loop) fault(id event.PartitionID, kind FaultKind, detail string) {
	if l.faults[id] != nil {
		return
	}
	f := &Fault{TopicID: l.topic.ID, Topic: l.topic.Name, Partition: id, Kind: kind, Detail: detail, AtMs: time.Now().UnixMilli()}
	if cur := l.pipeline.loaded.cursors[id]; cur != nil {
		f.TopicID = cur.TopicID
	}
	if p := l.intake.partitions[id]; p != nil {
		f.TopicID, f.Next = p.topicID, max(event.Offset(p.seenPosition.Load()), p.resume)
	}
	if old := l.pipeline.loaded.faults[id]; old != nil && old.Kind == kind && old.Next == f.Next {
		f.AtMs = old.AtMs // it stood before the restart
	}
	l.faults[id] = f
	if l.errand != nil {
		l.errand.fail(id, errors.New(detail))
		return
	}
	l.found = append(l.found, *f)
	l.pipeline.options.Logger.Error("partition faulted", "partition", id, "kind", string(kind), "reason", detail, "advice", f.Advice())
	l.source().Pause([]event.PartitionID{id})
	l.report()
}

// clear takes back what the store says of a partition that is read.
func (l *loop) clear(id event.PartitionID, f *Fault) {
	if f != nil {
		cleared := *f
		cleared.Cleared = true
		l.found = append(l.found, cleared)
	}
	delete(l.faults, id)
}

// mismatch says why a cursor and the log that it points into do not belong together; an empty kind when they do.
func (l *loop) mismatch(cur *Cursor, e End, epoch *EpochEnd) (FaultKind, string) {
	switch {
	case cur.ClusterID != l.topic.ClusterID:
		return ClusterChanged, fmt.Sprintf("the state was made from cluster %q, this is cluster %q", cur.ClusterID, l.topic.ClusterID)
	case cur.TopicID != l.topic.ID:
		return TopicRecreated, recreated(l.topic.ID, cur.TopicID)
	case cur.Next > e.High:
		return TailLost, fmt.Sprintf("the log ends at offset %d, before the position %d: its tail was lost", e.High, cur.Next)
	case cur.HeldFrom < e.Start:
		return RetentionPassed, fmt.Sprintf("the log starts at offset %d, the state needs it from %d: retention has passed it", e.Start, cur.HeldFrom)
	case epoch == nil || cur.Next == cur.Start:
		return "", ""
	case epoch.End == NoEnd:
		return Diverged, fmt.Sprintf("the position %d belongs to leader epoch %d, of which the log knows nothing: another log was put in its place", cur.Next, cur.LeaderEpoch)
	case epoch.End < cur.Next:
		return Diverged, fmt.Sprintf("the records of leader epoch %d end at offset %d, before the position %d: what was read from there on was lost or replaced",
			cur.LeaderEpoch, epoch.End, cur.Next)
	default:
		return "", ""
	}
}

func recreated(now, before [16]byte) string {
	return fmt.Sprintf("its topic was re-created: id %s, the state was made from %s", hex.EncodeToString(now[:]), hex.EncodeToString(before[:]))
}

// checkProofs faults the partitions whose log has another record where the state has read its last.
func (l *loop) checkProofs() {
	for id, p := range l.intake.partitions {
		if p.disproved.Load() {
			l.fault(id, RecordReplaced, fmt.Sprintf("the record at offset %d is not the one that was read there: the log was replaced", p.proof.Offset))
		}
		if p.astray.Load() {
			l.fault(id, RecordReplaced, "the journal has no floor for a record that W had passed: it is not that of this log")
		}
	}
}

// inspect takes what a look says of a partition that is read or faulted. It reports whether it may be read on.
func (l *loop) inspect(p *partition, e End) bool {
	if e.TopicID != p.topicID && e.TopicID != [16]byte{} {
		l.fault(p.id, TopicRecreated, recreated(e.TopicID, p.topicID))
		return false
	}
	f := l.faults[p.id]
	if f == nil {
		return true
	}
	if f.Kind != OutOfRange {
		return false
	}
	// The broker doesn't say on which side of the log a fetch was; the ends do.
	switch next := p.fetched; {
	case next < e.Start:
		l.refine(f, RetentionPassed, fmt.Sprintf("the log starts at offset %d, the next to be read was %d: retention has passed it", e.Start, next))
	case next > e.High:
		l.refine(f, TailLost, fmt.Sprintf("the log ends at offset %d, before the position %d: its tail was lost", e.High, next))
	}
	return false
}

// refine says more exactly what a fault is.
func (l *loop) refine(f *Fault, kind FaultKind, detail string) {
	f.Kind, f.Detail = kind, detail
	l.found = append(l.found, *f)
	l.pipeline.options.Logger.Error("partition faulted", "partition", f.Partition, "kind", string(kind), "reason", detail, "advice", f.Advice())
}
