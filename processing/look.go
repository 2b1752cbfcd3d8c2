package processing

import (
	"context"
	"log/slog"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// look is what the cluster says of the ends, or why it doesn't.
type look struct {
	ends []End
	err  error
}

// lookLimit is how long an answer may take before the verdict says that there is none.
const lookLimit = 10 * time.Second

// lookAround asks the cluster for the ends of all partitions, again and again.
func (l *loop) lookAround(taking context.Context) error {
	ticker := time.NewTicker(l.pipeline.options.LookEvery)
	defer ticker.Stop()
	said := absence{logger: l.pipeline.options.Logger}
	for {
		select {
		case <-taking.Done():
			return nil
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(taking, lookLimit)
		ends, err := l.source().Ends(limited)
		cancel()
		if taking.Err() != nil {
			return nil
		}
		said.tell(err)
		select {
		case l.looks <- look{ends, err}:
		case <-taking.Done():
		}
		if err != nil || l.errand != nil {
			continue
		}
		if err := l.reportPositions(taking); err != nil && taking.Err() == nil {
			l.pipeline.options.Logger.Debug("report positions", "error", err)
		}
	}
}

// logStarts are the offsets at which the logs start, of the partitions that are read.
func (l *loop) logStarts() map[event.PartitionID]event.Offset {
	starts := make(map[event.PartitionID]event.Offset, len(l.ends))
	for id, e := range l.ends {
		if l.faults[id] == "" {
			starts[id] = e.Start
		}
	}
	return starts
}

// absence logs when a cluster stops to answer, now and then why, and when it answers again.
type absence struct {
	logger *slog.Logger
	said   time.Time // the last time; zero: it answers
}

const repeatAbsence = 30 * time.Second

func (a *absence) tell(err error) {
	switch {
	case err == nil && !a.said.IsZero():
		a.said = time.Time{}
		a.logger.Info("kafka answers again")
	case err != nil && time.Since(a.said) >= repeatAbsence:
		a.said = time.Now()
		a.logger.Warn("kafka doesn't answer; asking again", "error", err)
	}
}
