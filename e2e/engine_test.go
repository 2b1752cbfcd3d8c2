package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/simulator"
	"github.com/tidemark/tidemark/store"
)

// engine is one run of the pipeline over a log and a store in memory.
type engine struct {
	t        *testing.T
	store    *store.Store
	pipeline *processing.Pipeline
	stop     context.CancelFunc
	ended    chan error
}

func openStore(t *testing.T, fs vfs.FS, holding ...string) *store.Store {
	t.Helper()
	options := store.Default()
	options.Retention.Holding = holding // readers
	options.FS = fs
	options.Logger = slog.New(slog.DiscardHandler)
	options.Fatal = func(err error) { t.Errorf("store: %v", err) }
	s, err := store.Open("/data/store", options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs the pipeline until end is called.
func start(t *testing.T, plan *definition.Plan, log *memory.Log, fs vfs.FS, workers int) *engine {
	t.Helper()
	s := openStore(t, fs)
	return startOn(t, plan, log, s, s, workers)
}

// startOn runs the pipeline over a store that something may stand in front of.
func startOn(t *testing.T, plan *definition.Plan, log *memory.Log, s *store.Store, front processing.Store, workers int) *engine {
	t.Helper()
	options := processing.DefaultOptions()
	options.Workers, options.WriterSchema, options.Encoding = workers, schemas.Events, event.Auto
	p, err := processing.New(plan, log.Reader(), front, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	e := &engine{t: t, store: s, pipeline: p, stop: stop, ended: make(chan error, 1)}
	go func() { e.ended <- p.Run(ctx) }()
	return e
}

// end stops the pipeline in order and closes the store.
func (e *engine) end() {
	e.t.Helper()
	e.stop()
	if err := <-e.ended; err != nil {
		e.t.Errorf("run: %v", err)
	}
	if err := e.store.Close(); err != nil {
		e.t.Errorf("close: %v", err)
	}
}

// digests are those of all definitions, by name; and how many floors the journal has.
func (e *engine) digests() (digests map[string]string, floors int) {
	v, err := e.store.View()
	if err != nil {
		e.t.Fatal(err)
	}
	defer v.Close()
	list, err := v.DigestsInForce()
	if err != nil {
		e.t.Fatal(err)
	}
	journal, err := v.Floors()
	if err != nil {
		e.t.Fatal(err)
	}
	digests = make(map[string]string)
	for _, d := range list {
		digests[d.Name] = fmt.Sprintf("%d facts, %s", d.Facts, d.Sum)
	}
	return digests, len(journal)
}

func defaults(t *testing.T) *definition.Plan {
	t.Helper()
	plan, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// traffic is what the simulator makes, in the order of arrival.
func traffic(t *testing.T, change func(*simulator.Options)) []event.Record {
	t.Helper()
	o := simulator.Default()
	o.Start = 1_760_000_000_000
	change(&o)
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var records []event.Record
	for {
		var r event.Record
		if _, ok := s.Next(&r); !ok {
			return records
		}
		records = append(records, r)
	}
}

// pass lets time go by, in a bubble of fake time.
func pass(d time.Duration) { <-time.After(d) }

func TestPipelineClosesAllWindowsWhenTheLogFallsQuiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memory.NewLog(4, 500)
		log.Append(traffic(t, func(o *simulator.Options) { o.Count, o.Rate, o.Partitions = 20_000, 200, 4 })...)
		e := start(t, defaults(t), log, vfs.NewMem(), 2)
		pass(45 * time.Minute) // idle, then quiet, then every session has closed
		t.Logf("%+v", e.pipeline.Status())
		e.end()
	})
}
