package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/e2e/reference"
	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/store"
)

const languageBase event.Millis = 1_760_000_000_000

// TestAnyDefinitions runs random definitions over random events, out of order, late, and with restarts between, and
// compares every final and every last revision with what the reference says.
func TestAnyDefinitions(t *testing.T) {
	t.Parallel()
	base, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := &definitionsWriter{t: rt, estimates: map[string]bool{}}
		text := w.write()
		plan, err := definition.Load("random.yaml", []byte(text), schemas.Events)
		if err != nil {
			rt.Fatalf("%v\n%s", err, text)
		}
		batches := drawEvents(rt)
		log := memory.NewLog(languagePartitions, rapid.SampledFrom([]int{1, 7, 1000}).Draw(rt, "round"))
		options := languageOptions()
		options.Workers = rapid.IntRange(1, 3).Draw(rt, "workers")
		options.MinCommit = rapid.SampledFrom([]time.Duration{options.MinCommit, 300 * time.Millisecond, time.Second, time.Second}).Draw(rt, "interval")
		// The store in memory checks what the pipeline does to it, the real one is what users have.
		kept, onDisk := memory.NewStore(), vfs.NewMem()
		onPebble := rapid.IntRange(0, 3).Draw(rt, "store") == 0
		var status processing.Status
		var found state
		synctest.Test(t, func(t *testing.T) {
			defer func() { found = stateOf(t, plan, kept, onDisk, onPebble) }()
			for i, batch := range batches {
				if i > 0 {
					pass(time.Duration(i*i) * time.Second)
				}
				log.Append(batch...)
				wait := 3 * time.Second
				if i == len(batches)-1 {
					wait = 6 * time.Minute // everything but a day's window closes
				}
				if !onPebble {
					status = runFor(t, plan, log, kept, options, wait)
					continue
				}
				s := openStore(t, onDisk)
				status = runFor(t, plan, log, s, options, wait)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
		want := reference.Compute(reference.Read(base.YAML, []byte(text)), reference.Input{
			Partitions: byPartition(log, languagePartitions), Floats: []string{"value"}, Floors: found.floors, Watermark: status.Watermark,
		})
		finals, last := found.rows(plan)
		room := func(metric, number string) float64 {
			if number == "value" && w.estimates[metric] {
				return math.Inf(1) // the aggregates that it is made of are compared
			}
			if w.estimates[metric+"."+number] {
				return 0.011
			}
			return 0
		}
		lines := append(want.Diff(finals, true, room), want.Diff(last, false, room)...)
		c := status.Counters
		if got := (reference.Counters{Consumed: c.Consumed, Applied: c.Applied, Filtered: c.Filtered, Late: c.Late, DeadLetters: c.DeadLetters, LatePartly: c.LatePartly}); got != want.Counters {
			lines = append(lines, fmt.Sprintf("counters are %+v, expected %+v", got, want.Counters))
		}
		if len(lines) > 0 {
			rt.Fatalf("%d differences in %d rows:\n%s\n%s", len(lines), len(want.Rows), strings.Join(lines[:min(len(lines), 12)], "\n"), text)
		}
	})
}

const languagePartitions = 3

func languageOptions() processing.Options {
	options := processing.DefaultOptions()
	options.Workers, options.WriterSchema, options.Encoding = 1, schemas.Events, event.JSON
	return options
}

// runFor runs the pipeline for a while.
func runFor(t *testing.T, plan *definition.Plan, log *memory.Log, store processing.Store, options processing.Options, wait time.Duration) processing.Status {
	t.Helper()
	p, err := processing.New(plan, log.Reader(), store, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	pass(wait)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return p.Status()
}

// state is what a store holds in the end.
type state struct {
	floors  []reference.Floor
	windows map[definition.Hash][]window.Result
	entries []processing.Entry
}

func stateOf(t *testing.T, plan *definition.Plan, kept *memory.Store, onDisk vfs.FS, onPebble bool) state {
	t.Helper()
	found := state{windows: make(map[definition.Hash][]window.Result)}
	var from processing.Store = kept
	if onPebble {
		s := openStore(t, onDisk)
		defer func() { _ = s.Close() }()
		from = s
		e := &engine{t: t, store: s}
		found.entries = e.entries()
		e.view(func(v *store.View) (err error) {
			for i := range plan.Metrics {
				m := &plan.Metrics[i]
				if found.windows[m.Hash], err = v.Windows(m.Hash, -1<<60, 1<<60, nil, 1<<30); err != nil {
					return err
				}
			}
			return nil
		})
	} else {
		found.entries = kept.Entries()
		for i := range plan.Metrics {
			found.windows[plan.Metrics[i].Hash] = kept.Windows(plan.Metrics[i].Hash)
		}
	}
	loaded, err := from.Load(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range loaded.Floors {
		found.floors = append(found.floors, reference.Floor{Partition: f.Partition, Offset: f.Offset, Floor: f.Floor})
	}
	return found
}

func (s *state) rows(plan *definition.Plan) (finals, last []reference.Got) {
	metrics := make(map[definition.Hash]*definition.Metric)
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		metrics[m.Hash] = m
		for _, r := range s.windows[m.Hash] {
			last = append(last, gotOf(m, &r))
		}
	}
	for _, e := range s.entries {
		if r := e.Result; r != nil && r.Kind == window.Final {
			finals = append(finals, gotOf(metrics[r.Definition], r))
		}
	}
	return finals, last
}

func gotOf(m *definition.Metric, r *window.Result) reference.Got {
	g := reference.Got{Row: reference.Row{Metric: r.Metric, Start: r.Start, End: r.End, Group: r.Group}}
	g.Value, g.Count, g.Aggregates = pointer(r.Value), r.Count, map[string]*float64{}
	for i, a := range m.Aggregates {
		g.Aggregates[a.Name] = pointer(r.Aggregates[i])
	}
	return g
}

// drawEvents draws batches of records. Time goes on from batch to batch, and back here and there.
func drawEvents(t *rapid.T) [][]event.Record {
	now := languageBase
	batches := make([][]event.Record, rapid.IntRange(1, 3).Draw(t, "batches"))
	for b := range batches {
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now += event.Millis(rapid.SampledFrom([]int{0, 1, 400, 1000, 2500, 9000}).Draw(t, "step"))
			at := now - event.Millis(rapid.SampledFrom([]int{0, 0, 0, 500, 4000, 8000, 30_000, 90_000}).Draw(t, "behind"))
			batches[b] = append(batches[b], drawEvent(t, at, now))
		}
	}
	return batches
}

func drawEvent(t *rapid.T, at, now event.Millis) event.Record {
	of := func(name string, values ...any) any { return rapid.SampledFrom(values).Draw(t, name) }
	user, session := of("user", nil, "u1", "u2", "é", ""), of("session", "s1", "s2", "s3")
	e := map[string]any{
		"eventId": "e", "timestamp": at, "userId": user, "sessionId": session,
		"metadata":   map[string]any{"source": "test"},
		"customData": of("custom", nil, map[string]any{}, map[string]any{"plan": "pro"}, map[string]any{"plan": "free", "x-y": "1"}, map[string]any{"x-y": ""}),
	}
	if of("device", false, true) == true {
		e["sessionData"] = map[string]any{"userAgent": "a", "ipAddress": "i", "deviceType": of("type of device", "DESKTOP", "MOBILE", "TABLET")}
	}
	switch e["eventType"] = of("type", "PAGE_VIEW", "PAGE_VIEW", "CONVERSION", "CONVERSION", "SESSION_END", "CUSTOM"); e["eventType"] {
	case "PAGE_VIEW":
		e["pageViewData"] = map[string]any{
			"url": of("url", "/a", "/b", "/A", "(other)", `\(none)`, "(none)", "/c/é", ""), "title": "",
			"pageLoadTime": of("load", nil, 0, 1, 120, 121, 500, 3000),
		}
	case "CONVERSION":
		e["conversionData"] = map[string]any{
			"conversionType": "PURCHASE", "currency": of("currency", nil, "EUR", "USD"),
			"value": of("value", nil, 0, 19.99, 20, -3.5, 120, 0.1, 1500000, 1e300, -1e19, 1e-7, json.Number("-0.0"), json.Number("120.0")),
		}
	}
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	p := event.PartitionID(len(session.(string)+fmt.Sprint(user))) % languagePartitions
	rec := event.Record{Partition: p, Timestamp: max(at, now), Value: value}
	switch rapid.IntRange(0, 40).Draw(t, "trouble") {
	case 0:
		rec.Value = value[:len(value)/2]
	case 1:
		rec.Timestamp = at - 301_000 // its clock is more than five minutes ahead
	}
	return rec
}

// A value that can't be held is null for the accumulators that would hold it, and counted once for each of them; what
// others make of it, and of the event, is not touched.
func TestValuesThatCantBeHeld(t *testing.T) {
	t.Parallel()
	plan, err := definition.Load("d.yaml", []byte(`
version: 1
defaults: false
sessions:
  - {name: visits, key: sessionId, gap: 10s, aggregates: {spent: {sum: conversionData.value}}}
metrics:
  - name: money
    window: {size: 10s}
    aggregates:
      total: {sum: conversionData.value}
      same: {sum: conversionData.value}
      most: {max: conversionData.value}
      half: {quantile: conversionData.value, q: 0.5}
      kinds: {uniques: conversionData.value}
      n: {count: true}
    value: total
`), schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	log, kept := memory.NewLog(1, 10), memory.NewStore()
	var status processing.Status
	synctest.Test(t, func(t *testing.T) {
		for _, value := range []string{"5", "1e300", "-1.1e18", "1e18"} {
			log.Append(event.Record{Timestamp: languageBase, Value: fmt.Appendf(nil,
				`{"eventId":"e","timestamp":%d,"eventType":"CONVERSION","sessionId":"s","conversionData":{"conversionType":"SIGNUP","value":%s},"metadata":{"source":"t"}}`,
				languageBase, value)})
		}
		status = runFor(t, plan, log, kept, languageOptions(), 5*time.Minute)
	})
	// Two values, and four accumulators that can't hold them: equal sums are one.
	if got := status.Counters; got.BadValues != 8 || got.Applied != 4 || got.DeadLetters != 0 {
		t.Errorf("counters %+v, want 8 bad values of 4 records", got)
	}
	rows := kept.Windows(plan.Metrics[0].Hash)
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	var got []string
	for i, a := range plan.Metrics[0].Aggregates {
		got = append(got, fmt.Sprintf("%s=%.3g", a.Name, rows[0].Aggregates[i].Float))
	}
	const want = "half=5 kinds=4 most=1e+18 n=4 same=1e+18 total=1e+18"
	if text := strings.Join(got, " "); text != want {
		t.Errorf("%s, want %s", text, want)
	}
}
