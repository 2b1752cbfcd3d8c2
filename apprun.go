package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/store"
)

// flushLimit is how long what is committed may take to get out once the server stops. What is not out by then is published after the
// next start.
const flushLimit = 5 * time.Second

// run serves until ctx ends, commands on this machine among others.
func (a *app) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	group.Go(func() error { return a.serveAdmin(ctx) })
	group.Go(func() error {
		defer stop()
		return a.runParts(ctx)
	})
	return group.Wait()
}

// runParts serves until ctx ends. If what was published is further than the state, the state is folded to there first, silently.
func (a *app) runParts(ctx context.Context) error {
	for {
		target, err := a.serve(ctx)
		if err != nil || target == nil {
			return err
		}
		if err := a.reopen(target); err != nil {
			return err
		}
		if err := a.answerWhile(ctx, a.pipeline.Run); err != nil || ctx.Err() != nil {
			return endedBy(ctx, err)
		}
		a.config.logger.Info("the state stands where the outputs end")
		if err := a.reopen(nil); err != nil {
			return err
		}
	}
}

// reopen replaces the parts that have run: they can't run twice.
func (a *app) reopen(target *processing.Target) error {
	a.source.Close()
	return a.openParts(target)
}

// serve runs all parts. It returns early, with a target, if the state has to be folded to there first.
func (a *app) serve(ctx context.Context) (target *processing.Target, err error) {
	err = a.answerWhile(ctx, func(ctx context.Context) (err error) {
		if target, err = a.publisher.Begin(ctx); err != nil || target != nil {
			return err
		}
		return a.process(ctx)
	})
	return target, err
}

// answerWhile answers while something is being done, and until that has ended. When ctx ends, /readyz says so at once and live
// clients are told goodbye; everything else is answered to the end.
func (a *app) answerWhile(ctx context.Context, do func(context.Context) error) error {
	listener, err := a.listener.Turn()
	if err != nil {
		return err
	}
	answering, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, a.server.Drain)()
	group, answering := errgroup.WithContext(answering)
	group.Go(func() error { return a.server.Run(answering, listener) })
	group.Go(func() error {
		defer stop()
		doing, end := context.WithCancel(ctx)
		defer end()
		defer context.AfterFunc(answering, end)() // the server has failed
		return do(doing)
	})
	return group.Wait()
}

// process folds and publishes. When ctx ends it commits what was taken, and then publishes for a while what is committed.
func (a *app) process(ctx context.Context) error {
	taking, stop := context.WithCancel(ctx)
	defer stop()
	publishing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var group errgroup.Group
	group.Go(func() error {
		err := a.publisher.Run(publishing)
		if err != nil {
			stop()
		}
		return err
	})
	err := a.pipeline.Run(taking)
	if err != nil {
		giveUp()
	}
	a.publisher.Finish()
	limit := time.AfterFunc(flushLimit, func() {
		a.config.logger.Warn("brokers don't take what is committed; it is published after the next start", "waited", flushLimit)
		giveUp()
	})
	defer limit.Stop()
	if published := group.Wait(); err == nil {
		err = published
	}
	return err
}

// publisherFeed is the feed as the publisher reads it: all types.
type publisherFeed struct{ *store.Store }

func (f publisherFeed) Feed(after uint64, limit int) ([]processing.Entry, error) {
	page, err := f.Store.Feed(after, limit, store.AllTypes)
	return page.Entries, err
}

// withOutputs is the pipeline's status with what the publisher has to say.
type withOutputs struct {
	*processing.Pipeline
	publisher *kafka.Publisher
}

// Status implements server.Pipeline.
func (w *withOutputs) Status() processing.Status {
	s := w.Pipeline.Status()
	s.Outputs = w.publisher.Outputs()
	switch {
	case s.Outputs.Fault != "" && (s.Phase == processing.Running || s.Phase == processing.CatchingUp):
		s.Phase, s.Verdict = processing.Faulted, fmt.Sprintf("Nothing is published: %s", s.Outputs.Fault)
	case s.Outputs.Trouble != "" && s.Phase == processing.Starting:
		s.Verdict = fmt.Sprintf("Kafka can't be used yet: %s", s.Outputs.Trouble)
	case s.Outputs.Trouble != "" && s.Phase == processing.Running:
		s.Verdict = fmt.Sprintf("Results wait to be published: %s", s.Outputs.Trouble)
	}
	return s
}

// served is the pipeline that runs now.
type served struct{ atomic.Pointer[withOutputs] }

// Status implements admin.Pipeline.
func (s *served) Status() processing.Status { return s.Load().Status() }

// AcceptGap implements admin.Pipeline.
func (s *served) AcceptGap(ctx context.Context, topic string, only *event.PartitionID) ([]processing.Gap, error) {
	return s.Load().AcceptGap(ctx, topic, only)
}
