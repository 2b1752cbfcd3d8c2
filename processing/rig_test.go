package processing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

const rigSchema = `{"type": "record", "name": "Event", "fields": [
	{"name": "id", "type": "string"}, {"name": "time", "type": "long"},
	{"name": "url", "type": ["null", "string"]}, {"name": "user", "type": ["null", "string"]}]}`

const rigSource = `version: 1
defaults: false
source: {time: time, id: id, min_time: 1970-01-01}
`

// rigViews counts events by page, ten seconds at a time.
const rigViews = `
  - {name: views, window: {size: 10s}, group_by: {url: url}, limit: 2, aggregates: {n: {count: true}}}`

// rigVisits cuts the events of a user into sessions, which hold events until W has passed them.
const rigVisits = `sessions:
  - {name: visits, key: user, gap: 20s}
metrics:
  - {name: closed, from: visits, window: {size: 20s}, aggregates: {n: {count: true}, events: {sum: events}}, value: n}`

const rigMetrics = rigVisits + rigViews

// rig runs a pipeline over a log and a store in memory.
type rig struct {
	*processing.Pipeline
	t      *testing.T
	log    *memory.Log
	store  *memory.Store
	reader *memory.Reader
	plan   *definition.Plan
	seen   *witness
	stop   context.CancelFunc
	ended  chan error
}

// witness notes what observers are told.
type witness struct {
	mu      sync.Mutex
	commits []processing.Committed
}

func (w *witness) Committed(c *processing.Committed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commits = append(w.commits, *c)
}

func (w *witness) all() []processing.Committed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.commits)
}

// rigPlan compiles definitions, which may bring a source of their own.
func rigPlan(t *testing.T, rest string) *definition.Plan {
	t.Helper()
	if !strings.HasPrefix(rest, "version:") {
		rest = rigSource + rest
	}
	plan, err := definition.Load("rig", []byte(rest), rigSchema)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func start(t *testing.T, log *memory.Log, store *memory.Store, definitions string, change ...func(*processing.Options)) *rig {
	t.Helper()
	options := processing.DefaultOptions()
	options.Workers, options.WriterSchema, options.Encoding = 2, rigSchema, event.JSON
	for _, c := range change {
		c(&options)
	}
	r := &rig{t: t, log: log, store: store, reader: log.Reader(), plan: rigPlan(t, definitions), seen: &witness{}, ended: make(chan error, 1)}
	var err error
	if r.Pipeline, err = processing.New(r.plan, r.reader, store, options); err != nil {
		t.Fatal(err)
	}
	r.Observe(r.seen)
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.ended <- r.Run(ctx) }()
	return r
}

// end stops the run in order.
func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("run: %v", err)
	}
}

// pass lets time go by in the bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// rec is a record of a partition, at a time, with fields such as "url=/a".
func rec(p event.PartitionID, at time.Duration, fields ...string) event.Record {
	values := map[string]any{"id": "x", "time": at.Milliseconds()}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		values[name] = value
	}
	text, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return event.Record{Partition: p, Timestamp: event.Millis(at.Milliseconds()), Value: text}
}

// windows are the last revisions of a metric: "0s /a=3".
func (r *rig) windows(metric string) []string {
	var out []string
	for i := range r.plan.Metrics {
		if m := &r.plan.Metrics[i]; m.Name == metric {
			for _, w := range r.store.Windows(m.Hash) {
				out = append(out, fmt.Sprintf("%ds %s=%s", w.Start/1000, strings.Join(w.Group, ","), strconv.FormatFloat(w.Value.Float, 'g', -1, 64)))
			}
		}
	}
	return out
}

// watermark is W in the way of scripts.
func (r *rig) watermark() string { return clock(r.Status().Watermark) }

func clock(w event.Millis) string {
	if w == event.NoTime {
		return "never"
	}
	return (time.Duration(w) * time.Millisecond).String()
}

func (r *rig) partition(id event.PartitionID) processing.PartitionStatus {
	for _, p := range r.Status().Partitions {
		if p.Partition == id {
			return p
		}
	}
	return processing.PartitionStatus{Partition: -1}
}

func (r *rig) want(what string, got, want any) {
	r.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		r.t.Errorf("%s: %s, want %s", what, g, w)
	}
}

var errDisk = errors.New("the disk is full")
