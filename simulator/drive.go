package simulator

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// Writer takes records. It may keep their keys and values but not the slice.
type Writer interface {
	Write(ctx context.Context, records []event.Record) error
}

// Pace is how fast the timeline is lived through.
type Pace struct {
	// Unpaced writes as fast as the writer takes it. Otherwise a record is written once the clock has reached the time of
	// its arrival plus Lag; what lies in the past is caught up with at once.
	Unpaced bool
	// Lag shifts the timeline against the clock; default 0.
	Lag time.Duration
	// Progress is told after every write; nil is told nothing.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Records   int64
	Bytes     int64        // of keys and values
	EventTime event.Millis // of the last arrival
}

const (
	tick         = 50 * time.Millisecond
	largestBatch = 4096
)

// Run writes the simulator's records until there are no more or ctx ends, which is not an error.
func Run(ctx context.Context, s *Simulator, w Writer, pace Pace) error {
	var (
		batch    = make([]event.Record, 0, largestBatch)
		progress Progress
		ahead    event.Record // drawn, and not due yet
	)
	at, more := s.Next(&ahead)
	for more && ctx.Err() == nil {
		due := endOfTime
		if !pace.Unpaced {
			due = event.Millis(time.Now().Add(-pace.Lag).UnixMilli())
		}
		for more && at <= due && len(batch) < largestBatch {
			batch = append(batch, ahead)
			progress.Records++
			progress.Bytes += int64(len(ahead.Key) + len(ahead.Value))
			progress.EventTime = at
			at, more = s.Next(&ahead)
		}
		if len(batch) == 0 {
			wait(ctx, tick)
			continue
		}
		full := len(batch) == largestBatch
		if err := w.Write(ctx, batch); err != nil {
			if ctx.Err() != nil {
				return nil // what failed is that we were told to stop
			}
			return fmt.Errorf("write %d records: %w", len(batch), err)
		}
		clear(batch)
		batch = batch[:0]
		if pace.Progress != nil {
			pace.Progress(progress)
		}
		if !full && more && !pace.Unpaced {
			wait(ctx, tick)
		}
	}
	return nil
}

// wait returns after a time or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
