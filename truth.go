package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/simulator/truth"
)

// truthSink is where the simulator's records go: into the topic and, when it was asked for, into the truth of them.
type truthSink struct {
	writer *kafka.Writer
	file   *truth.File // nil: not asked for
}

// sink begins the truth when there is to be one. What other records in the topic come to it can't know.
func (c *simulateCommand) sink(ctx context.Context, w *kafka.Writer, partitions int) (*truthSink, error) {
	if c.Truth == "" {
		return &truthSink{writer: w}, nil
	}
	written, err := w.Written(ctx)
	if err != nil {
		return nil, err
	}
	if written > 0 {
		return nil, usageError{fmt.Errorf("--truth: topic %q holds or held %d records that the truth would not know of: give it an empty one", c.EventsTopic, written)}
	}
	file, err := truth.CreateFile(c.Truth, partitions)
	if err != nil {
		return nil, err
	}
	return &truthSink{w, file}, nil
}

// Write implements simulator.Writer.
func (s *truthSink) Write(ctx context.Context, records []event.Record) error {
	if s.file != nil {
		for i := range records {
			s.file.Add(&records[i])
		}
	}
	return s.writer.Write(ctx, records)
}

// commit puts the truth in its place. An interrupted run has none: what of its last records arrived is not known.
func (s *truthSink) commit(ctx context.Context, logger *slog.Logger) error {
	switch {
	case s.file == nil:
		return nil
	case ctx.Err() != nil:
		logger.Warn("interrupted: no truth was written")
		return nil
	default:
		return s.file.Commit()
	}
}

func (s *truthSink) close(logger *slog.Logger) {
	if s.file == nil {
		return
	}
	if err := s.file.Close(); err != nil {
		logger.Error("remove what is left of the truth", slog.Any("err", errors.Unwrap(err)))
	}
}
