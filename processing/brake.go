package processing

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// askEvery is how often the brakes are asked while nothing is committed.
const askEvery = time.Second

// askBrakes stops and starts the taking of records as the brakes say.
//
//  1. While one gives a reason, fetching is paused and nothing is handed to the workers; what has arrived waits.
//  2. What the workers have is committed as always, and W goes as far as that brings it. It doesn't follow the clock: each
//     step of it would be a commit, and a full disk is among the reasons.
//  3. Partitions whose logs grow meanwhile aren't at their end, so that they don't become idle.
//
// It reports whether records are taken.
func (l *loop) askBrakes(ctx context.Context) bool {
	reason := ""
	for _, brake := range l.pipeline.options.Brakes {
		if reason = brake(); reason != "" {
			break
		}
	}
	before := l.intake.braked
	l.intake.braked = reason
	switch log := l.pipeline.options.Logger; {
	case before == "" && reason == "":
	case reason == "":
		log.Info("records are taken again")
		l.source().Resume(l.flowing())
		l.intake.handOn(ctx, l.watermark)
		l.report()
	default:
		if before == "" {
			log.Warn("no records are taken", "reason", reason)
			l.source().Pause(l.flowing())
		}
		l.report()
	}
	return reason == ""
}

// flowing are the partitions that would be fetched if no brake held them.
func (l *loop) flowing() []event.PartitionID {
	var ids []event.PartitionID
	for _, id := range sortedIDs(l.intake.partitions) {
		q := l.intake.waiting[id]
		if l.faults[id] == nil && (q == nil || !q.paused) {
			ids = append(ids, id)
		}
	}
	return ids
}

// heldVerdict is the verdict while a brake holds.
func heldVerdict(reason string) string {
	return fmt.Sprintf("No records are taken: %s", reason)
}
