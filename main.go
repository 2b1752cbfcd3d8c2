// Tidemark is a real-time event-analytics server: it reads Avro events from Kafka, folds them into windows and
// sessions, keeps that state together with its Kafka positions, and serves the results as REST history, a WebSocket
// live feed, Kafka topics and an embedded dashboard.
//
// This package wires and nothing else: one file per command, flags become the configuration of the packages below.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once the end has begun a second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], streams{out: os.Stdout, err: os.Stderr, env: os.LookupEnv, terminal: isTerminal(os.Stderr)})
	stop()
	os.Exit(code)
}

// isTerminal reports whether somebody watches: progress is drawn there, elsewhere it is logged.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
