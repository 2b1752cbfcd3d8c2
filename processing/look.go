package processing

import (
	"context"
	"log/slog"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// look is what the cluster says of the ends, or why it doesn't.
type look struct {
	ends   []End
	epochs map[event.PartitionID]EpochEnd // of partitions that the cluster could not tell of before
	err    error
}

// lookLimit is how long an answer may take before the verdict says that there is none.
const lookLimit = 10 * time.Second

// lookAround asks the cluster for the ends of all partitions, again and again.
func (l *loop) lookAround(taking context.Context) error {
	ticker := time.NewTicker(l.pipeline.options.LookEvery)
	defer ticker.Stop()
	said := absence{logger: l.pipeline.options.Logger}
	unverified := l.unverified
	for {
		select {
		case <-taking.Done():
			return nil
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(taking, lookLimit)
		seen := l.lookOnce(limited, unverified)
		cancel()
		err := seen.err
		if taking.Err() != nil {
			return nil
		}
		said.tell(err)
		select {
		case l.looks <- seen:
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
		if l.faults[id] == nil {
			starts[id] = e.Start
		}
	}
	return starts
}

// lookOnce asks for the ends, and for the epochs of those partitions whose cursors could not be verified at the start. These
// are taken off the list once they are told of.
func (l *loop) lookOnce(ctx context.Context, unverified map[event.PartitionID]bool) look {
	ends, err := l.source().Ends(ctx)
	if err != nil {
		return look{err: err}
	}
	var told []End
	for _, e := range ends {
		if e.Err == nil && unverified[e.Partition] {
			told = append(told, e)
		}
	}
	epochs, err := l.epochs(ctx, told)
	if err != nil {
		return look{err: err}
	}
	for _, e := range told {
		delete(unverified, e.Partition)
	}
	return look{ends: ends, epochs: epochs}
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
