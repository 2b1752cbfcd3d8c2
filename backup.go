package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/tidemark/tidemark/server/admin"
	"github.com/tidemark/tidemark/store"
)

type backupCommand struct {
	Data string `default:"./tidemark-data" placeholder:"DIR" help:"Data directory."`
	To   string `required:"" placeholder:"DIR" help:"New directory for the backup."`
}

// Run lets the server write a backup, or writes it if none is running.
func (c *backupCommand) Run(ctx context.Context, std *streams) error {
	to, err := filepath.Abs(c.To)
	if err != nil {
		return err
	}
	restrictFiles()
	m, err := c.backup(ctx, to)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s: %d files, %.1f MiB, watermark %s, feed up to %d\n", c.To, len(m.Files), float64(m.Bytes())/(1<<20), m.Watermark.RFC3339(), m.Head)
	return nil
}

func (c *backupCommand) backup(ctx context.Context, to string) (*store.Manifest, error) {
	client, err := runningServer(ctx, c.Data)
	if err == nil {
		defer client.Close()
		return client.Backup(ctx, to)
	}
	if !errors.Is(err, admin.ErrNotRunning) && !errors.Is(err, admin.ErrPathTooLong) {
		return nil, err
	}
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	s, err := openStopped(c.Data, options)
	if err != nil {
		return nil, err
	}
	m, err := s.Backup(ctx, to)
	return m, errors.Join(err, s.Close())
}

type restoreCommand struct {
	From string `required:"" placeholder:"DIR" help:"Backup."`
	Data string `default:"./tidemark-data" placeholder:"DIR" help:"Data directory, which has no store yet."`
}

func (c *restoreCommand) check(*streams) error {
	if c.Data == "" {
		return usageError{errors.New("--data: a directory is needed")}
	}
	return nil
}

// Run makes a store of a backup.
func (c *restoreCommand) Run(std *streams) error {
	if err := c.check(std); err != nil {
		return err
	}
	restrictFiles()
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	m, err := store.Restore(c.From, filepath.Join(c.Data, "store"), options)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s: %.1f MiB, made %s, watermark %s, feed up to %d\n", c.Data, float64(m.Bytes())/(1<<20), m.MadeAt.Format("2006-01-02T15:04:05Z"), m.Watermark.RFC3339(), m.Head)
	return nil
}
