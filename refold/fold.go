package refold

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/schemas"
)

// watchEvery is how often somebody is told how far a fold has come.
const watchEvery = 100 * time.Millisecond

// Fold folds a log into a store up to where another one stands.
type Fold struct {
	Plan     *definition.Plan
	Cluster  kafka.Cluster
	Encoding event.Encoding
	Writers  []string // texts of schemas that events may have besides those that the target has
	Silent   bool     // nothing goes into the feed
	Workers  int
	Logger   *slog.Logger
}

// Run folds until the target is reached. watch is told now and then how far it is.
func (f *Fold) Run(ctx context.Context, into processing.Store, target *processing.Target, watch func(*processing.Status)) error {
	source, err := kafka.NewSource(kafka.SourceOptions{Cluster: f.Cluster, Topic: target.Cursors[0].Topic})
	if err != nil {
		return err
	}
	defer source.Close()
	options := processing.DefaultOptions()
	options.Workers, options.WriterSchema, options.Encoding, options.Logger = f.Workers, schemas.Events, f.Encoding, f.Logger
	options.WriterSchemas, options.Silent, options.Target = f.Writers, f.Silent, target
	pipeline, err := processing.New(f.Plan, source, into, options)
	if err != nil {
		return err
	}
	group, watching := errgroup.WithContext(ctx)
	watching, arrived := context.WithCancel(watching)
	group.Go(func() error {
		defer arrived()
		return pipeline.Run(ctx)
	})
	group.Go(func() error {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				status := pipeline.Status()
				watch(&status)
			case <-watching.Done():
				return nil
			}
		}
	})
	return group.Wait()
}
