package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/refold"
	"github.com/tidemark/tidemark/store"
)

type replayCommand struct {
	FromStore    string   `required:"" placeholder:"DIR" help:"Data directory, or backup, whose state is folded again. It is only read; no server may run on it."`
	Into         string   `required:"" placeholder:"DIR" help:"New data directory for what comes of it."`
	Base         string   `placeholder:"DIR" help:"Backup, or data directory, to start from instead of from where the state began."`
	Verify       bool     `help:"Compare both states: print 'match', or the first window that differs and end with 1."`
	KafkaBrokers []string `placeholder:"HOST:PORT" help:"Brokers that have the log. Without them: the embedded broker of --from-store, which must not be running."`
	kafkaFlags
	patienceFlags
	encodingFlags
	definitionFlags
	workerFlags
	logFlags
}

// Run folds the log again.
func (c *replayCommand) Run(ctx context.Context, std *streams) (err error) {
	logger, err := c.logger(std.err)
	if err != nil {
		return err
	}
	plan, security, err := c.settings(std, logger)
	if err != nil {
		return err
	}
	from, err := openOriginal(c.FromStore, "--from-store", plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := sameDefinitions(plan, from.State.Definitions); err != nil {
		return usageError{err}
	}
	if len(from.State.Cursors) == 0 {
		return fmt.Errorf("the store in %s has read nothing yet: there is nothing to fold again", c.FromStore)
	}
	restrictFiles()
	cluster, stop, err := openLog(kafka.Cluster{Brokers: c.KafkaBrokers, Security: security, Logger: logger, Patience: c.KafkaWait}, c.FromStore)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return c.replay(ctx, std, &refold.Fold{
		Plan: plan, Cluster: cluster, Encoding: event.Encoding(c.EventsEncoding), Workers: c.Workers, Logger: logger,
	}, from)
}

func (c *replayCommand) check(std *streams) error {
	_, _, err := c.settings(std, slog.New(slog.DiscardHandler))
	return err
}

// settings is what the flags say. It reports everything that is wrong.
func (c *replayCommand) settings(std *streams, logger *slog.Logger) (*definition.Plan, *kafka.Security, error) {
	plan, err := c.load()
	security, insecure := c.security(c.KafkaBrokers, std, logger)
	return plan, security, errors.Join(c.workerFlags.validate(), c.patienceFlags.validate(), err, insecure)
}

// replay makes the new store. One that does not get where it should is removed.
func (c *replayCommand) replay(ctx context.Context, std *streams, f *refold.Fold, from *refold.Original) (err error) {
	undo, err := claimDirectory(c.Into, "--into")
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, undo())
		}
	}()
	into, began, err := c.newStore(f.Plan, f.Logger)
	if err != nil {
		return err
	}
	err = show(ctx, std, f, into, from.State, began)
	var verdict *refold.Difference
	if err == nil && c.Verify {
		verdict, err = refold.Compare(f.Plan, from, into, began)
	}
	if err := errors.Join(err, into.Close()); err != nil {
		return explainReplay(ctx, err, c.Base == "")
	}
	done = true
	if !c.Verify {
		return nil
	}
	return verdict.Print(std.out)
}

// newStore makes the store that is folded into: an empty one, or a copy of the base. began is the state that it starts from.
func (c *replayCommand) newStore(plan *definition.Plan, logger *slog.Logger) (_ *store.Store, began *processing.State, err error) {
	options := store.Default()
	options.Logger, options.Retention = logger, store.KeepAll()
	dir := filepath.Join(c.Into, "store")
	if c.Base != "" {
		base, err := storeIn(c.Base, "--base")
		if err != nil {
			return nil, nil, err
		}
		if err := store.Copy(base, dir, options); err != nil {
			return nil, nil, fmt.Errorf("--base: %w", inUse(err))
		}
	}
	into, err := store.Open(dir, options)
	if err != nil {
		return nil, nil, err
	}
	if began, err = into.Load(plan); err != nil {
		return nil, nil, errors.Join(err, into.Close())
	}
	if c.Base != "" {
		logger.Info("starting from a base", "watermark", began.Watermark.RFC3339(), "records", began.Counters.Consumed)
	}
	return into, began, nil
}

// explainReplay says what to do where there is something.
func explainReplay(ctx context.Context, err error, whole bool) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; nothing is kept of what was folded")
	case !errors.Is(err, processing.ErrLogTooShort):
		return err
	case whole:
		return decisionError{fmt.Errorf("%w; --base BACKUP starts from a backup that the log still reaches back to", err)}
	}
	return decisionError{fmt.Errorf("%w; --base has to name a later backup", err)}
}

// openOriginal opens a store to read it.
func openOriginal(dir, flag string, plan *definition.Plan) (*refold.Original, error) {
	path, err := storeIn(dir, flag)
	if err != nil {
		return nil, err
	}
	from, err := refold.OpenOriginal(path, plan)
	return from, inUse(err)
}

// inUse adds what to do about a store that a server has open.
func inUse(err error) error {
	if errors.Is(err, store.ErrInUse) {
		return fmt.Errorf("%w; stop the server, or name a backup of it and, with --kafka-brokers, its brokers", err)
	}
	return err
}

// storeIn finds the store in a data directory, or in a backup, whose files must be those that were backed up.
func storeIn(dir, flag string) (string, error) {
	for _, path := range []string{filepath.Join(dir, "store"), dir} {
		if !store.Exists(path) {
			continue
		}
		if err := store.CheckBackup(store.Default().FS, filepath.Dir(path)); err != nil {
			return "", fmt.Errorf("%s: %w", flag, err)
		}
		return path, nil
	}
	if err := store.CheckBackup(store.Default().FS, dir); err != nil {
		return "", fmt.Errorf("%s: %w", flag, err) // one that has lost its store
	}
	return "", usageError{fmt.Errorf("%s: there is no store in %s", flag, dir)}
}

// sameDefinitions refuses a plan that is not the one that the store was last written with: what only one of them knows
// could not be compared.
func sameDefinitions(plan *definition.Plan, starts []processing.Start) error {
	stored := make(map[definition.Hash]string)
	for i := range starts {
		if st := &starts[i]; !st.Ended() {
			stored[st.Hash] = st.Name
		}
	}
	var here, there []string
	known := func(hash definition.Hash, name string) {
		if _, ok := stored[hash]; !ok {
			here = append(here, name)
		}
		delete(stored, hash)
	}
	for i := range plan.Metrics {
		known(plan.Metrics[i].Hash, plan.Metrics[i].Name)
	}
	for i := range plan.Sessions {
		known(plan.Sessions[i].Hash, plan.Sessions[i].Name)
	}
	for i := range plan.Rules {
		known(plan.Rules[i].Hash, plan.Rules[i].Name)
	}
	for _, name := range stored {
		there = append(there, name)
	}
	var faults []error
	for _, f := range []struct {
		names []string
		text  string
	}{{here, "the store does not have them in force as they are defined here"}, {there, "the store has them in force, as they are not defined here"}} {
		if slices.Sort(f.names); len(f.names) > 0 {
			faults = append(faults, fmt.Errorf("--definitions: %s: %s", strings.Join(f.names, ", "), f.text))
		}
	}
	return errors.Join(faults...)
}

// openLog is the cluster that has the log: that of the brokers, or the embedded broker of a data directory.
func openLog(cluster kafka.Cluster, dir string) (kafka.Cluster, func() error, error) {
	stop := func() error { return nil }
	if len(cluster.Brokers) == 0 {
		path := filepath.Join(dir, "broker")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return cluster, nil, usageError{fmt.Errorf("--kafka-brokers: needed, as %s has no embedded broker", dir)}
		}
		broker, err := kafka.StartBroker(kafka.BrokerOptions{Listen: "127.0.0.1:0", Dir: path, Logger: cluster.Logger})
		if err != nil {
			return cluster, nil, err
		}
		cluster.Brokers, stop = []string{broker.Addr()}, broker.Close
	}
	if err := cluster.Validate(); err != nil {
		return cluster, nil, usageError{errors.Join(err, stop())}
	}
	return cluster, stop, nil
}

// claimDirectory makes a directory for something new. undo removes what was made in it.
func claimDirectory(dir, flag string) (undo func() error, err error) {
	names, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		return func() error { return os.RemoveAll(dir) }, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	case len(names) > 0:
		return nil, usageError{fmt.Errorf("%s: %s is not empty", flag, dir)}
	}
	return func() error {
		return errors.Join(os.RemoveAll(filepath.Join(dir, "store")), os.RemoveAll(filepath.Join(dir, "store.tmp")))
	}, nil
}

// show folds with a progress bar.
func show(ctx context.Context, std *streams, f *refold.Fold, into *store.Store, to, began *processing.State) error {
	start := time.Now()
	total := to.Counters.Consumed - began.Counters.Consumed
	bar := newProgress(std, f.Logger, "Folding again", total)
	err := f.Run(ctx, into, processing.TargetOf(to), func(s *processing.Status) {
		bar.update(s.Counters.Consumed - began.Counters.Consumed)
	})
	bar.end()
	if err != nil {
		return err
	}
	took := time.Since(start)
	f.Logger.Info("folded again", "records", total, "took", took.Round(time.Millisecond), "per_second", int64(float64(total)/took.Seconds()),
		"watermark", to.Watermark.RFC3339())
	return nil
}
