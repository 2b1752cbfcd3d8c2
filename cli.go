package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/server"
	"github.com/tidemark/tidemark/store"
)

// The exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2  // wrong usage, configuration or definitions
	exitDecision = 3  // a decision is needed
	exitStore    = 75 // the store could not be written: start again, the restart is the recovery
)

// streams are what a command has of the world around it.
type streams struct {
	out, err io.Writer
	env      func(string) (string, bool)
	terminal bool // err is one
}

// commands is the command line. Each command is described by its own file.
type commands struct {
	Demo     demoCommand     `cmd:"" help:"Run everything in one process: an embedded broker, simulated traffic and the server."`
	Serve    serveCommand    `cmd:"" help:"Run the server."`
	Simulate simulateCommand `cmd:"" help:"Write simulated traffic into the events topic."`
	Check    checkCommand    `cmd:"" help:"Check definitions and print the plan that they compile to."`
	Inspect  inspectCommand  `cmd:"" help:"Show what a data directory holds. The server must not be running on it."`
	Digest   digestCommand   `cmd:"" help:"Print what the definitions have made, as one number each. The server must not be running on it."`
	Replay   replayCommand   `cmd:"" help:"Fold the log again up to where a state stands, and compare. The server must not be running on it."`
	Health   healthCommand   `cmd:"" help:"Ask a running server on this machine whether it is well."`
	Backup   backupCommand   `cmd:"" help:"Write a consistent copy of the state to a new directory, while the server runs or not."`
	Restore  restoreCommand  `cmd:"" help:"Make the state of a new data directory from a backup."`
	Resume   resumeCommand   `cmd:"" help:"Let the running server go on with partitions that stand still."`
	Rebuild  rebuildCommand  `cmd:"" help:"Make a new state from the log beside the old one; the next start takes it."`
	Version  versionCommand  `cmd:"" help:"Print the version."`

	Config string `placeholder:"FILE" help:"YAML file with flags, by their names: 'listen: 127.0.0.1:9000'. Flags and environment variables go before it."`
}

// run is the whole program: it parses the command line, runs the command until it is done or ctx ends, and returns the
// exit code.
func run(ctx context.Context, args []string, std streams) int {
	var cli commands
	exit := -1
	config := &configFile{env: std.env}
	parser, err := kong.New(&cli,
		kong.Name("tidemark"),
		kong.Description("Real-time event analytics from Kafka: windows, sessions, history and a live dashboard in one binary.\n\nTo see it: tidemark demo"),
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { exit = code }),
		kong.Resolvers(config),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ValueFormatter(describeFlag),
		kong.DefaultEnvars("TIDEMARK"),
		kong.Vars{"log_level": "info"},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&std),
	)
	if err != nil {
		panic("BUG: the command line: " + err.Error())
	}
	parsed, err := understand(parser, config, args, &std)
	if exit >= 0 {
		return exit // --help has been printed
	}
	if err == nil {
		err = parsed.Run()
	}
	return report(&std, err)
}

// describeFlag adds the default where the placeholder has taken its place.
func describeFlag(v *kong.Value) string {
	told := *v
	if v.HasDefault && v.Tag.PlaceHolder != "" {
		told.Help = fmt.Sprintf("%s Default: %s.", v.Help, v.Default)
	}
	return kong.DefaultHelpValueFormatter(&told)
}

// decisionError is what a person has to decide on; it says what there is to choose from.
type decisionError struct{ err error }

func (e decisionError) Error() string { return e.err.Error() }
func (e decisionError) Unwrap() error { return e.err }

// report says what went wrong, each fault on its own line, and returns the exit code for it.
func report(std *streams, err error) int {
	if err == nil {
		return exitDone
	}
	var (
		faults definition.Faults
		config configFaults
		usage  usageError
		line   lineError
		commit *processing.CommitError
		decide decisionError
	)
	switch {
	case errors.As(err, &faults), errors.As(err, &config), errors.As(err, &usage), errors.As(err, &line),
		errors.Is(err, server.ErrAddrInUse), errors.Is(err, kafka.ErrAddrInUse):
		tellUsage(std, err)
		return exitUsage
	case store.IsDamaged(err):
		fmt.Fprintf(std.err, "tidemark: the store is damaged: %v; restore a backup, or rebuild it from the log\n", err)
		return exitDecision
	case errors.As(err, &commit):
		fmt.Fprintf(std.err, "tidemark: the store could not be written: %v; start again to recover\n", commit.Err)
		return exitStore
	case errors.As(err, &decide):
		fmt.Fprintf(std.err, "tidemark: %v\n", err)
		return exitDecision
	default:
		fmt.Fprintf(std.err, "tidemark: %v\n", err)
		return exitFailed
	}
}
