package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/refold"
	"github.com/tidemark/tidemark/server/admin"
)

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
	r := &refold.Rebuild{
		Fold: refold.Fold{
			Plan: c.plan, Cluster: b.app.cluster, Encoding: c.framing.events, Writers: slices.Clone(c.framing.writers), Silent: true,
			Workers: max(1, c.workers/2), Logger: c.logger.With("work", "rebuild"),
		},
		Topic: c.topics.EventsTopic, Dir: c.storeDir(), Old: b.app.store,
	}
	b.group.Go(func() { b.run(r) })
	return nil
}

func (b *rebuilder) run(r *refold.Rebuild) {
	r.Logger.Info("rebuild begun")
	err := r.Run(b.ctx, func(done, total int64) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.status.Records, b.status.Total = done, total
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		r.Logger.Error("rebuild failed; nothing has changed", "error", err)
		b.status.State, b.status.Detail = admin.RebuildFailed, err.Error()
		return
	}
	r.Logger.Info("rebuild done: the next start takes the new state")
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
