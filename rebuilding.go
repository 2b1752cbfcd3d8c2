package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/server/admin"
	"github.com/tidemark/tidemark/store"
)

// remake makes a new state from the log beside the old one, and tells nobody of what it makes: others have read that before.
//
//   - A partition whose log is the one that the old state was made from is folded up to where the outputs end, from where it began
//     or, if retention has passed that, from the start of the log. What comes after is folded, and published, after the next start.
//   - A partition of another log is folded up to its present end.
//   - The journal is carried over where it still applies, and W ends at what it was where the outputs end.
//   - If nothing has been published yet, everything is told, up to where the old state stands.
type remake struct {
	refold
	topic string
	dir   string // of the old store
	old   *store.Store
}

// run makes it. watch is told now and then how many offsets were passed, of how many.
func (r *remake) run(ctx context.Context, watch func(done, total int64)) error {
	target, err := r.target(ctx)
	if err != nil {
		return err
	}
	options := store.Default()
	options.Logger, options.Instance, options.Retention = r.logger, r.old.Instance(), store.KeepAll()
	path, err := store.Rebuilding(r.dir, options)
	if err != nil {
		return err
	}
	into, err := store.Open(path, options)
	if err != nil {
		return err
	}
	err = r.fold(ctx, into, target, watch)
	if err := errors.Join(err, into.Close()); err != nil {
		return err
	}
	return store.Rebuilt(r.dir, options)
}

func (r *remake) fold(ctx context.Context, into *store.Store, target *processing.Target, watch func(done, total int64)) error {
	if len(target.Cursors) == 0 {
		return errors.New("the topic has no partitions: there is nothing to fold")
	}
	began := make(map[event.PartitionID]event.Offset)
	total := int64(0)
	for _, c := range target.Cursors {
		began[c.Partition] = c.Start
		total += int64(c.Next - c.Start)
	}
	return r.refold.run(ctx, into, target, func(s *processing.Status) {
		done := int64(0)
		for _, p := range s.Partitions {
			done += int64(p.Position - began[p.Partition])
		}
		watch(done, total)
	})
}

// target is where the new state is to stand.
func (r *remake) target(ctx context.Context) (*processing.Target, error) {
	old, err := r.journal()
	if err != nil {
		return nil, err
	}
	source, err := kafka.NewSource(kafka.SourceOptions{Cluster: r.cluster, Topic: r.topic, Group: positionsGroup})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	topic, err := source.Open(ctx, func(reason error) { r.logger.Warn("rebuild: waiting for kafka", "error", reason) })
	if err != nil {
		return nil, fmt.Errorf("look at the topic: %w", err)
	}
	ends, err := source.Ends(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the log: %w", err)
	}
	target, err := processing.Retarget(old, topic, ends)
	if err == nil {
		target.Revision, err = r.highestRevision()
	}
	return target, err
}

// highestRevision is how far the revisions have got that the old state has published, or is about to.
func (r *remake) highestRevision() (_ int, err error) {
	v, err := r.old.View()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return v.HighestRevision(r.plan)
}

// journal is where the old state stands, and what it has decided.
func (r *remake) journal() (_ *processing.State, err error) {
	v, err := r.old.View()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	s := &processing.State{}
	for _, read := range []func() error{
		func() error { return r.standing(s) },
		func() error { s.Floors, err = v.Floors(); return err },
		func() error { s.Gaps, err = v.Gaps(); return err },
		func() error { s.Faults, err = v.Faults(); return err },
		func() error { s.Schemas, err = v.Schemas(); return err },
		func() error { s.Definitions, err = v.Starts(); return err },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// standing is where the outputs end or, if there are none yet, where the old state stands.
func (r *remake) standing(s *processing.State) error {
	published, _, err := r.old.Reader(kafka.PublisherReader)
	if err != nil {
		return err
	}
	m, ok, err := r.old.Mark(published)
	if err == nil && !ok {
		r.silent = published > 0
		m, err = r.old.Standing()
	}
	s.Watermark, s.Cursors = m.Watermark, m.Cursors
	return err
}

// rebuilder makes a new state while the old one is served.
type rebuilder struct {
	app    *app
	ctx    context.Context // of the server; set before the socket is served
	group  sync.WaitGroup  // what was started
	mu     sync.Mutex
	status admin.Rebuild // guarded by mu
}

func newRebuilder(a *app) *rebuilder {
	return &rebuilder{app: a, status: admin.Rebuild{State: admin.RebuildNone}}
}

// Start implements admin.Rebuilder.
func (b *rebuilder) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.status.State; s == admin.RebuildRunning || s == admin.RebuildReady {
		return fmt.Errorf("%w: it is %s", admin.ErrBusy, s)
	}
	b.status = admin.Rebuild{State: admin.RebuildRunning}
	c := b.app.config
	r := &remake{
		refold: refold{
			plan: c.plan, cluster: b.app.cluster, encoding: c.framing.events, writers: slices.Clone(c.framing.writers), silent: true,
			workers: max(1, c.workers/2), logger: c.logger.With("work", "rebuild"),
		},
		topic: c.topics.EventsTopic, dir: c.storeDir(), old: b.app.store,
	}
	b.group.Go(func() { b.run(r) })
	return nil
}

func (b *rebuilder) run(r *remake) {
	r.logger.Info("rebuild begun")
	err := r.run(b.ctx, func(done, total int64) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.status.Records, b.status.Total = done, total
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		r.logger.Error("rebuild failed; nothing has changed", "error", err)
		b.status.State, b.status.Detail = admin.RebuildFailed, err.Error()
		return
	}
	r.logger.Info("rebuild done: the next start takes the new state")
	b.status.State, b.status.Records = admin.RebuildReady, b.status.Total
}

// Progress implements admin.Rebuilder.
func (b *rebuilder) Progress() admin.Rebuild {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// wait returns once what was started has come to its end.
func (b *rebuilder) wait() { b.group.Wait() }
