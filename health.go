package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/server"
)

type healthCommand struct {
	Listen  string        `default:"127.0.0.1:8080" placeholder:"ADDR" help:"The address that the server was given to listen on."`
	Ready   bool          `help:"Ask whether it is ready, not only alive."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

func (c *healthCommand) check(*streams) error {
	if c.Timeout <= 0 {
		return usageError{fmt.Errorf("--timeout: %v is not positive", c.Timeout)}
	}
	return nil
}

// Run ends with an error unless the server is well. It is for images without a shell.
func (c *healthCommand) Run(ctx context.Context, std *streams) error {
	if err := c.check(std); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	path := "/livez"
	if c.Ready {
		path = "/readyz"
	}
	if err := server.Probe(ctx, c.Listen, path); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return nil
}
