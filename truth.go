package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/simulator/truth"
)

// truthSink is where the simulator's records go: into the topic and, when it was asked for, into the truth of them.
type truthSink struct {
	writer  *kafka.Writer
	file    *truth.File // nil: not asked for
	silence truth.Silence
	silent  int           // how often a partition fell silent while others went on
	longest time.Duration // of these
}

// sink begins the truth when there is to be one. What other records in the topic come to it can't know.
func (c *simulateCommand) sink(ctx context.Context, w *kafka.Writer, partitions int) (*truthSink, error) {
	s := &truthSink{writer: w}
	if c.Truth == "" {
		return s, nil
	}
	written, err := w.Written(ctx)
	if err != nil {
		return nil, err
	}
	if written > 0 {
		return nil, usageError{fmt.Errorf("--truth: topic %q holds or held %d records that the truth would not know of: give it an empty one", c.EventsTopic, written)}
	}
	if s.file, err = truth.CreateFile(c.Truth, partitions); err != nil {
		return nil, err
	}
	s.silence = truth.NewSilence(partitions)
	return s, nil
}

// Write implements simulator.Writer.
func (s *truthSink) Write(ctx context.Context, records []event.Record) error {
	if s.file != nil {
		now := time.Now()
		for i := range records {
			s.file.Add(&records[i])
			if length := s.silence.Broken(records[i].Partition, now); length > 0 {
				s.silent++
				s.longest = max(s.longest, length)
			}
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
	}
	if s.silent > 0 {
		logger.Warn("partitions fell silent while others went on: a server that read along took them for idle, and may have judged their late events otherwise than the truth; a higher rate avoids this",
			slog.Int("times", s.silent), slog.Duration("longest", s.longest.Round(time.Second)))
	}
	return s.file.Commit()
}

func (s *truthSink) close(logger *slog.Logger) {
	if s.file == nil {
		return
	}
	if err := s.file.Close(); err != nil {
		logger.Error("remove what is left of the truth", slog.Any("err", err))
	}
}
