package processing

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// What Run returns of a fold with a target that can't be made. Nothing has been folded then, unless the log changes meanwhile.
var (
	// ErrLogTooShort is returned when the log no longer has records that the fold would have to take.
	ErrLogTooShort = errors.New("the log does not reach back far enough")
	// ErrOtherLog is returned when the log is not the one that the target was made from.
	ErrOtherLog = errors.New("the log is not the one that the state was made from")
	// ErrPastTarget is returned when the state that the fold is to start from has gone further than the target.
	ErrPastTarget = errors.New("the state is past its target")
)

// Target is where another fold of the same log stood. A fold with a target reads nothing beyond it, knows no idleness, takes
// its floors, gaps and schemas from it, makes none of its own, and ends once W is the target's.
type Target struct {
	Watermark event.Millis
	Cursors   []Cursor
	Floors    []Floor
	Gaps      []Gap
	Schemas   []Schema
	Starts    []Start
	Revision  int // the highest that others have read of any result; 0: nothing was published. For a silent fold, see Heard
}

// TargetOf is the target at which a state stands.
func TargetOf(s *State) *Target {
	return &Target{
		Watermark: s.Watermark, Cursors: s.Cursors, Floors: s.Floors, Gaps: s.Gaps, Schemas: s.Schemas, Starts: s.Definitions,
	}
}

// validate reports every fault.
func (t *Target) validate() error {
	var faults []error
	seen := make(map[event.PartitionID]bool)
	for i := range t.Cursors {
		c := &t.Cursors[i]
		if seen[c.Partition] {
			faults = append(faults, fmt.Errorf("target: two cursors of partition %d", c.Partition))
		}
		seen[c.Partition] = true
		if c.Topic != t.Cursors[0].Topic {
			faults = append(faults, fmt.Errorf("target: cursors of the topics %q and %q", t.Cursors[0].Topic, c.Topic))
		}
		if c.Start > c.Next {
			faults = append(faults, fmt.Errorf("target: partition %d starts at %d, behind its position %d", c.Partition, c.Start, c.Next))
		}
	}
	return errors.Join(faults...)
}

// errand is a fold's way to its target.
//
//  1. Only partitions of the target are read, from where the state stands or, if it does not know them, from where the
//     target's state began; never beyond the target's cursor.
//  2. A partition that has arrived holds W no longer. The others do, whether their records come or not: nothing is idle. So
//     W_p of a record is never behind W, and its floors are those of the journal.
//  3. W stops at the target's W, and gets there when all partitions have arrived. Then the fold ends.
//  4. What can't be read ends the fold: there is nobody to wait for.
//
// It is owned by the loop.
type errand struct {
	*Target
	cursors map[event.PartitionID]*Cursor
	failed  error
}

func newErrand(t *Target) *errand {
	if t == nil {
		return nil
	}
	e := &errand{Target: t, cursors: make(map[event.PartitionID]*Cursor, len(t.Cursors))}
	for i := range t.Cursors {
		e.cursors[t.Cursors[i].Partition] = &t.Cursors[i]
	}
	return e
}

// setOut checks the whole errand before anything is read.
func (l *loop) setOut(ctx context.Context, ends []End, epochs map[event.PartitionID]EpochEnd) error {
	for slices.ContainsFunc(ends, func(e End) bool { return e.Err != nil && l.errand.cursors[e.Partition] != nil }) {
		select {
		case <-time.After(l.pipeline.options.LookEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if ends, err = l.firstLook(ctx); err != nil {
			return err
		}
	}
	byID := make(map[event.PartitionID]*End, len(ends))
	for i := range ends {
		byID[ends[i].Partition] = &ends[i]
	}
	loaded := &l.pipeline.loaded
	var faults []error
	if l.watermark > l.errand.Watermark {
		faults = append(faults, fmt.Errorf("%w: its watermark is %d, the target's %d", ErrPastTarget, l.watermark, l.errand.Watermark))
	}
	for _, id := range sortedIDs(loaded.cursors) {
		if cur := loaded.cursors[id]; l.errand.cursors[id] == nil && cur.Next > cur.Start {
			faults = append(faults, fmt.Errorf("%w: it has read partition %d, the target has not", ErrPastTarget, id))
		}
	}
	for _, id := range sortedIDs(l.errand.cursors) {
		if err := l.checkLeg(loaded.cursors[id], l.errand.cursors[id], byID[id]); err != nil {
			faults = append(faults, fmt.Errorf("partition %d: %w", id, err))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	l.assign(ends, epochs)
	return l.errand.failed
}

// checkLeg says why a partition can't be brought from the state's cursor, nil if it has none, to the target's.
func (l *loop) checkLeg(cur, target *Cursor, e *End) error {
	from, needed := target.Start, target.Start
	if cur != nil {
		from, needed = cur.Next, cur.HeldFrom
	}
	switch {
	case target.ClusterID != l.topic.ClusterID:
		return fmt.Errorf("%w: that was in cluster %q, this is cluster %q", ErrOtherLog, target.ClusterID, l.topic.ClusterID)
	case target.TopicID != l.topic.ID:
		return fmt.Errorf("%w: the topic was re-created: its id is %s, and was %s", ErrOtherLog, hex.EncodeToString(l.topic.ID[:]), hex.EncodeToString(target.TopicID[:]))
	case e == nil:
		return fmt.Errorf("%w: the topic %q does not have it", ErrOtherLog, l.topic.Name)
	case cur != nil && (cur.ClusterID != target.ClusterID || cur.TopicID != target.TopicID):
		return fmt.Errorf("%w: the state to start from is of another topic or cluster", ErrOtherLog)
	case from > target.Next:
		return fmt.Errorf("%w: it has read up to %d, the target up to %d", ErrPastTarget, from, target.Next)
	case target.Next > e.High:
		return fmt.Errorf("%w: it ends at %d, the target had read up to %d: its tail was lost", ErrOtherLog, e.High, target.Next)
	}
	if err := l.checkGaps(target); err != nil {
		return err
	}
	if c := newCourse(needed, target.Next, l.pipeline.loaded.gapsOf(target, needed)); c.next < target.Next && c.next < e.Start {
		return fmt.Errorf("%w: it starts at %d, and is needed from %d", ErrLogTooShort, e.Start, c.next)
	}
	return nil
}

// checkGaps refuses gaps that can't be met again, as the log itself had been replaced there: what was read before is gone.
func (l *loop) checkGaps(target *Cursor) error {
	for _, g := range l.pipeline.journal.newGaps {
		switch {
		case g.Partition != target.Partition:
		case g.TopicID != target.TopicID:
			return fmt.Errorf("%w: the topic was re-created since, and what was read before is gone", ErrLogTooShort)
		case g.To < g.From:
			return fmt.Errorf("%w: records from %d to %d were read and then lost from the log", ErrLogTooShort, g.To, g.From)
		case g.Dropped > 0:
			return fmt.Errorf("%w: sessions did without records from %d to %d, which were lost before they took them", ErrLogTooShort, g.From-g.Dropped, g.From-1)
		}
	}
	return nil
}

// reached reports whether a partition has been read up to its target cursor.
func (l *loop) reached(id event.PartitionID) bool {
	return event.Offset(l.intake.partitions[id].seenPosition.Load()) >= l.errand.cursors[id].Next
}

// errandWatermark is W on the way to a target.
func (l *loop) errandWatermark() event.Millis {
	w := l.errand.Watermark
	if lowest, waits := l.lowest(func(id event.PartitionID) bool { return !l.reached(id) }); waits {
		w = min(w, lowest)
	}
	return max(l.watermark, w)
}

// arrived reports whether the target has been reached and committed.
func (l *loop) arrived() bool {
	if l.errand == nil || l.first || l.busy || l.intake.unharvested || l.watermark != l.errand.Watermark {
		return false
	}
	for id := range l.errand.cursors {
		if l.intake.partitions[id] == nil || !l.reached(id) {
			return false
		}
	}
	return true
}

// prove compares the last records of a fold that has arrived with those of the target: the log may be another although its
// names are the same. The committer has nothing to do then.
func (l *loop) prove() error {
	var faults []error
	for _, id := range sortedIDs(l.errand.cursors) {
		want, got := l.errand.cursors[id].Anchor, l.pipeline.committer.cursors[id].Anchor
		if want.Offset >= 0 && got != want {
			faults = append(faults, fmt.Errorf("partition %d: %w: the last record was that at offset %d, and is another", id, ErrOtherLog, want.Offset))
		}
	}
	return errors.Join(faults...)
}

// fail ends the fold.
func (e *errand) fail(id event.PartitionID, reason error) {
	if e.failed == nil {
		e.failed = fmt.Errorf("partition %d: %w", id, reason)
	}
}

// errInterrupted is returned by Run when ctx ends before the target is reached.
var errInterrupted = errors.New("interrupted on the way to the target")
