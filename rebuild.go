package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/refold"
	"github.com/tidemark/tidemark/server/admin"
	"github.com/tidemark/tidemark/store"
)

type rebuildCommand struct {
	Data         string   `default:"./tidemark-data" placeholder:"DIR" help:"Data directory. A server that runs on it does the work; the flags below are for when none does."`
	KafkaBrokers []string `placeholder:"HOST:PORT" help:"Brokers that have the log. Without them: the embedded broker of the data directory."`
	kafkaFlags
	patienceFlags
	EventsTopic string `default:"events" help:"Topic that events are read from."`
	encodingFlags
	writerFlags
	definitionFlags
	workerFlags
	logFlags
}

// Run makes a new state, and shows how far it is.
func (c *rebuildCommand) Run(ctx context.Context, std *streams) error {
	logger, err := c.logger(std.err)
	if err != nil {
		return err
	}
	if err := c.workerFlags.validate(); err != nil {
		return err
	}
	client, err := runningServer(ctx, c.Data)
	switch {
	case err == nil:
		defer client.Close()
		err = c.watch(ctx, std, logger, client)
	case errors.Is(err, admin.ErrNotRunning), errors.Is(err, admin.ErrPathTooLong):
		err = c.rebuild(ctx, std, logger)
	}
	if err == nil {
		fmt.Fprintf(std.out, "The new state is in %s. The next start takes it and keeps the old one beside it.\n", filepath.Join(c.Data, "store.rebuilt"))
	}
	return err
}

// watch lets the server do it.
func (c *rebuildCommand) watch(ctx context.Context, std *streams, logger *slog.Logger, client *admin.Client) error {
	status, err := client.StartRebuild(ctx)
	if errors.Is(err, admin.ErrBusy) {
		status, err = client.Rebuild(ctx) // somebody else has begun
	}
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	bar := newProgress(std, logger, "Rebuilding", 0)
	defer bar.end()
	for status.State == admin.RebuildRunning {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("rebuild: the server goes on with it; `tidemark rebuild` shows how far it is")
		}
		if status, err = client.Rebuild(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("rebuild: %w", err)
		}
		bar.total = max(1, status.Total)
		bar.update(status.Records)
	}
	if status.State == admin.RebuildFailed {
		return fmt.Errorf("rebuild: %s", status.Detail)
	}
	return nil
}

func (c *rebuildCommand) check(std *streams) error {
	_, err := c.settings(std, slog.New(slog.DiscardHandler))
	return err
}

// settings is what the flags say to a rebuild without a server, but for the cluster. It reports everything that is wrong. Which
// schemas a registry has told is in the state, so that none is asked.
func (c *rebuildCommand) settings(std *streams, logger *slog.Logger) (refold.Fold, error) {
	f := refold.Fold{Encoding: event.Encoding(c.EventsEncoding), Silent: true, Workers: c.Workers, Logger: logger}
	var faults [3]error
	f.Plan, faults[0] = c.load()
	f.Cluster.Security, faults[1] = c.security(c.KafkaBrokers, std, logger)
	f.Writers, faults[2] = c.writers(f.Encoding, f.Plan, logger)
	f.Cluster.Brokers, f.Cluster.Logger, f.Cluster.Patience = c.KafkaBrokers, logger, c.KafkaWait
	return f, errors.Join(append(faults[:], c.workerFlags.validate(), c.patienceFlags.validate())...)
}

// rebuild does it here. The store stays locked meanwhile: no server can start.
func (c *rebuildCommand) rebuild(ctx context.Context, std *streams, logger *slog.Logger) (err error) {
	fold, err := c.settings(std, logger)
	if err != nil {
		return err
	}
	restrictFiles()
	options := store.Default()
	options.Logger = logger
	old, err := openStopped(c.Data, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	var stop func() error
	if fold.Cluster, stop, err = openLog(fold.Cluster, c.Data); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r := &refold.Rebuild{Fold: fold, Topic: c.EventsTopic, Dir: filepath.Join(c.Data, "store"), Old: old}
	bar := newProgress(std, logger, "Rebuilding", 0)
	defer bar.end()
	err = r.Run(ctx, func(done, total int64) {
		bar.total = max(1, total)
		bar.update(done)
	})
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	return nil
}
