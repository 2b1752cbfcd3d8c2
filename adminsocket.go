package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tidemark/tidemark/server/admin"
	"github.com/tidemark/tidemark/store"
)

// openAdmin makes the socket by which commands reach this server. The store is open: nobody else serves this directory.
func (a *app) openAdmin() (err error) {
	a.rebuilder = newRebuilder(a)
	a.admin, err = admin.Listen(a.config.data)
	if errors.Is(err, admin.ErrPathTooLong) {
		// All else works: better a server that backup and resume can't reach than none.
		a.config.logger.Warn("commands can't reach this server", "reason", err)
		return nil
	}
	return err
}

func (a *app) serveAdmin(ctx context.Context) error {
	if a.admin == nil {
		return nil
	}
	a.rebuilder.ctx = ctx
	defer a.rebuilder.wait()
	return admin.NewServer(admin.Deps{
		Pipeline: &a.served, Backup: a.store.Backup, Rebuild: a.rebuilder, Version: version(), Logger: a.config.logger,
	}).Run(ctx, a.admin)
}

// adoptRebuilt takes the state that was rebuilt for this start, if there is one.
func (c *appConfig) adoptRebuilt() error {
	options := store.Default()
	options.Logger = c.logger
	old, err := store.Adopt(c.storeDir(), options)
	if err != nil {
		return err
	}
	if old != "" {
		c.logger.Warn("serving the state that was rebuilt from the log", "old", old)
	}
	replaced, err := store.ListSetAside(c.storeDir(), options)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new data directory
	}
	for _, r := range replaced {
		c.logger.Info("a state that was replaced by a rebuilt one is kept; delete it when it is no longer wanted", "dir", r.Dir, "mib", r.Bytes>>20)
	}
	return err
}

// runningServer is the server that runs on a data directory. Its error is admin.ErrNotRunning when there is none.
func runningServer(ctx context.Context, data string) (*admin.Client, error) {
	if data == "" {
		return nil, usageError{errors.New("--data: a directory is needed")}
	}
	client, err := admin.NewClient(data)
	if err != nil {
		return nil, err
	}
	if _, err := client.Status(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// openStopped opens the store of a data directory on which no server runs.
func openStopped(data string, options store.Options) (*store.Store, error) {
	dir := filepath.Join(data, "store")
	if !store.Exists(dir) {
		return nil, fmt.Errorf("open store: %w in %s", store.ErrNoStore, dir)
	}
	s, err := store.Open(dir, options)
	if errors.Is(err, store.ErrInUse) {
		return nil, fmt.Errorf("%w, which doesn't answer at %s", err, filepath.Join(data, admin.SocketName))
	}
	return s, err
}
