package processing

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// Options configure a pipeline.
type Options struct {
	Workers      int            // that fold; 0: one a core
	WriterSchema string         // Avro schema of the events: of those without framing, and what all others are read as
	Encoding     event.Encoding // of the events
	MinCommit    time.Duration  // between commits when there is little to do; default 20 ms
	MaxCommit    time.Duration  // between commits while catching up; default 1 s
	LookEvery    time.Duration  // between looks at the cluster: ends, new partitions; default 2 s
	Logger       *slog.Logger

	WriterSchemas  []string      // Avro schemas that events in single-object encoding may have, besides WriterSchema
	Registry       Registry      // of the schemas of events in Confluent framing; nil: these are dead letters
	RegistryTries  int           // until a schema that it does not know is refused; default 5
	RegistryPause  time.Duration // between these; default 2.5 s
	RegistryMemory time.Duration // how long a refusal is believed before it is asked again; default 30 s

	Target *Target // nil: fold for ever
	Silent bool    // with a Target: nothing goes into the feed, which others have read before
	Brakes []Brake // any of them stops the taking of records for a while
}

// Brake is asked now and then whether records may be taken. While it gives a reason, none are: what was taken is committed,
// reads go on, and the reason is the pipeline's verdict. It must return quickly.
type Brake func() (reason string)

// DefaultOptions are the options that users get.
func DefaultOptions() Options {
	return Options{
		MinCommit: 20 * time.Millisecond, MaxCommit: time.Second, LookEvery: 2 * time.Second, Logger: slog.New(slog.DiscardHandler),
		RegistryTries: 5, RegistryPause: 2500 * time.Millisecond, RegistryMemory: 30 * time.Second,
	}
}

// Validate reports every fault.
func (o *Options) Validate() error {
	var faults []error
	if o.Workers < 0 {
		faults = append(faults, fmt.Errorf("workers: %d is negative", o.Workers))
	}
	if o.MinCommit <= 0 || o.MaxCommit < o.MinCommit {
		faults = append(faults, fmt.Errorf("commit interval: want 0 < %v <= %v", o.MinCommit, o.MaxCommit))
	}
	if o.LookEvery <= 0 {
		faults = append(faults, fmt.Errorf("look interval: %v is not positive", o.LookEvery))
	}
	if o.RegistryTries < 1 || o.RegistryPause <= 0 || o.RegistryMemory <= 0 {
		faults = append(faults, fmt.Errorf("registry: %d tries, %v between them and %v of memory are not all positive", o.RegistryTries, o.RegistryPause, o.RegistryMemory))
	}
	if o.Target != nil {
		faults = append(faults, o.Target.validate())
	} else if o.Silent {
		faults = append(faults, errors.New("silent: only a fold with a target can be"))
	}
	return errors.Join(faults...)
}
