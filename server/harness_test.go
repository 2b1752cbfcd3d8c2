package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/store"
)

const testDefinitions = `
version: 1
defaults: false
metrics:
  - {name: views, title: Views, type: PAGE_VIEWS_PER_SECOND, window: {size: 10s}, unit: 1/s, value: n / size,
     description: Page views a second., aggregates: {n: {count: 'eventType == "PAGE_VIEW"'}}}
  - {name: pages, title: Pages, type: TOP_PAGES, window: {size: 10s}, group_by: {url: pageViewData.url}, unit: views, limit: 3,
     description: Views by page., aggregates: {n: {count: 'eventType == "PAGE_VIEW"'}}}
  - {name: users, title: Users, type: ACTIVE_USERS, window: {size: 30s, slide: 10s}, unit: visitors,
     description: Distinct users., aggregates: {u: {uniques: userId}}}
  - {name: revenue, title: Revenue, type: REVENUE_PER_USER, window: {size: 20s, slide: 10s}, group_by: {currency: conversionData.currency},
     description: Money by user., unit: money, value: money / everybody,
     aggregates: {money: {sum: conversionData.value, where: 'eventType == "CONVERSION"'}, everybody: {uniques: userId, total: true}}}
  - {name: load, title: Load time, window: {size: 10s}, unit: ms, value: p95, description: Load time.,
     aggregates: {p95: {quantile: pageViewData.pageLoadTime, q: 0.95}, n: {count: 'pageViewData.url != nil'}}}
`

// sample is one event of the tests.
type sample struct {
	at    event.Millis
	user  string
	page  string  // "": a conversion
	load  int     // of a page view
	money float64 // of a conversion, in euros
	late  bool    // late, but allowed
}

func (e sample) json() string {
	kind, detail := "CONVERSION", fmt.Sprintf(`"conversionData":{"conversionType":"PURCHASE","value":%g,"currency":"EUR"}`, e.money)
	if e.page != "" {
		kind, detail = "PAGE_VIEW", fmt.Sprintf(`"pageViewData":{"url":%q,"title":"","pageLoadTime":%d}`, e.page, e.load)
	}
	return fmt.Sprintf(`{"eventId":"e","timestamp":%d,"eventType":%q,"userId":%q,"sessionId":"s",%s,"metadata":{"source":"test"}}`,
		e.at, kind, e.user, detail)
}

// storeDir is where a test's store is, in a file system of its own.
const storeDir = "/data/store"

// engine folds samples into a store in the plainest way, one commit a call.
type engine struct {
	mu      sync.Mutex // held for a commit, and for an answer to the server
	t       reporter
	plan    *definition.Plan
	options store.Options
	store   *store.Store
	decoder *event.Decoder
	totals  []*window.Totals
	books   []*window.Book
	digests map[definition.Hash]processing.DefinitionDigest
	w       event.Millis
	newest  event.Millis
	seq     uint64
	offset  event.Offset
	server  *Server // is told of commits, if there is one
}

// reporter is a test, a benchmark, or one of the tries of a property, at whose end its engines are closed.
type reporter interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

func newEngine(t reporter, definitions string) *engine {
	t.Helper()
	return newEngineWith(t, definitions, quietStore())
}

func newEngineWith(t reporter, definitions string, options store.Options) *engine {
	t.Helper()
	plan, err := definition.Load("test.yaml", []byte(definitions), schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	options.FS = vfs.NewMem()
	st, err := store.Open(storeDir, options)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := event.NewDecoder(event.Options{
		WriterSchema: schemas.Events, Paths: plan.Paths, TimeSlot: plan.TimeSlot, Encoding: event.JSON,
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, plan: plan, options: options, store: st, decoder: decoder, w: event.NoTime, newest: event.NoTime, digests: make(map[definition.Hash]processing.DefinitionDigest)}
	t.Cleanup(func() {
		if err := e.store.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range plan.Groupings {
		e.totals = append(e.totals, window.NewTotals(&plan.Groupings[i]))
	}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		var overall *window.Totals
		if m.Total >= 0 {
			overall = e.totals[m.Total]
		}
		e.books = append(e.books, window.NewBook(m, e.totals[m.Grouping], overall, event.NoTime))
	}
	return e
}

func quietStore() store.Options {
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	return options
}

// reopen closes the store and opens it again. Servers and views of before must not be used any more.
func (e *engine) reopen() {
	e.t.Helper()
	if err := e.store.Close(); err != nil {
		e.t.Fatal(err)
	}
	var err error
	if e.store, err = store.Open(storeDir, e.options); err != nil {
		e.t.Fatal(err)
	}
}

// commit folds samples, moves the watermark and publishes what that closes and corrects. Panes that start before
// settle are settled.
func (e *engine) commit(w, settle event.Millis, samples []sample, extra ...processing.Entry) {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	ch := &processing.Changes{Watermark: w, AtMs: int64(w)}
	if e.seq == 0 {
		for i := range e.plan.Metrics {
			m := &e.plan.Metrics[i]
			ch.Definitions = append(ch.Definitions, processing.Start{Hash: m.Hash, Name: m.Name, From: event.NoTime})
		}
	}
	tables := make([]*window.Table, len(e.plan.Groupings))
	for i := range tables {
		tables[i] = window.NewTable(&e.plan.Groupings[i])
	}
	for _, s := range samples {
		e.fold(tables, s)
	}
	for i, table := range tables {
		g := &e.plan.Groupings[i]
		for _, d := range table.Take() {
			e.totals[i].Merge(d)
			key := processing.PaneKey{Grouping: g.Hash, Start: d.Start, Late: d.Late}
			ch.Panes = append(ch.Panes, processing.PaneChange{PaneKey: key, Op: processing.PaneMerge, Block: d.Pane.AppendBlock(nil)})
			if d.Late {
				e.touch(i, d.Start)
			}
		}
	}
	results := e.publish(ch, w)
	for i, totals := range e.totals {
		for _, s := range totals.Purge(settle) {
			key := processing.PaneKey{Grouping: e.plan.Groupings[i].Hash, Start: s.Start}
			ch.Panes = append(ch.Panes, processing.PaneChange{PaneKey: key, Op: processing.PaneSettle, Width: e.plan.Groupings[i].Width, Block: s.Pane.AppendBlock(nil)})
		}
	}
	for _, entry := range extra {
		e.seq++
		entry.Seq, entry.AtMs = e.seq, int64(w)
		if a := entry.Alert; a != nil {
			a.Transitions[len(a.Transitions)-1].Seq = e.seq
			ch.Alerts = append(ch.Alerts, *a)
		}
		ch.Feed = append(ch.Feed, entry)
	}
	ch.Counters = processing.Counters{Consumed: int64(e.offset), Applied: int64(e.offset)}
	if err := e.store.Commit(ch); err != nil {
		e.t.Fatal(err)
	}
	e.w = w
	if e.server != nil {
		e.server.Committed(&processing.Committed{Seq: e.seq, Watermark: w, Results: results, Entries: ch.Feed})
	}
}

func (e *engine) touch(grouping int, start event.Millis) {
	for i := range e.books {
		if m := &e.plan.Metrics[i]; m.Grouping == grouping || m.Total == grouping {
			e.books[i].Touch(start, e.w)
		}
	}
}

func (e *engine) publish(ch *processing.Changes, w event.Millis) []window.Result {
	var results []window.Result
	for _, book := range e.books {
		emissions := append(book.Close(e.w, w), book.Correct(w, time.Unix(int64(w), 0))...)
		for _, em := range emissions {
			for _, r := range em.Changed {
				e.seq++
				r.Seq = e.seq
				results = append(results, *r)
				ch.Feed = append(ch.Feed, processing.Entry{Seq: e.seq, Type: processing.ResultEntry, AtMs: ch.AtMs, Result: r})
			}
			for _, r := range em.Published() {
				if r.Withheld() {
					results = append(results, r)
				}
			}
			ch.Results = append(ch.Results, processing.ResultBlock{
				Metric: em.Metric.Name, Hash: em.Metric.Hash, Start: em.Start, Results: em.Published(), Digest: em.Digest(),
			})
		}
	}
	for i, book := range e.books {
		m, t := &e.plan.Metrics[i], book.TakeDigest()
		d := e.digests[m.Hash]
		e.digests[m.Hash] = processing.DefinitionDigest{Hash: m.Hash, Name: m.Name, Facts: d.Facts + t.Facts, Sum: d.Sum.Plus(t.Sum)}
		ch.Digests = append(ch.Digests, e.digests[m.Hash])
	}
	return results
}

func (e *engine) fold(tables []*window.Table, s sample) {
	in := e.input(s)
	for i, table := range tables {
		table.Add(&in, e.plan.Clocks[e.plan.Groupings[i].Clock].PaneStart(s.at), s.late)
	}
}

// input is a sample as the tables take it.
func (e *engine) input(s sample) window.Input {
	space := &e.plan.Events
	row := make([]event.Value, space.Slots)
	if err := e.decoder.Decode(row, []byte(s.json())); err != nil {
		e.t.Fatal(err)
	}
	in := window.Input{
		Time: s.at, At: event.Coordinate{Offset: e.offset}, Row: row,
		Hash: make([]uint64, space.Slots), Pass: make([]bool, len(space.Filters)),
	}
	e.offset++
	e.newest = max(e.newest, s.at)
	for _, d := range space.Derived {
		row[d.Slot] = d.Eval(row)
	}
	for i, f := range space.Filters {
		in.Pass[i] = f.Eval(row)
	}
	for _, slot := range space.HashSlots {
		in.Hash[slot] = row[slot].Hash()
	}
	return in
}

// metricOf finds a metric of a plan.
func metricOf(plan *definition.Plan, name string) *definition.Metric {
	at := slices.IndexFunc(plan.Metrics, func(m definition.Metric) bool { return m.Name == name })
	return &plan.Metrics[at]
}

// Status and Open make the engine a Pipeline.
func (e *engine) Status() processing.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return processing.Status{
		Phase: processing.Running, Verdict: "Healthy", Watermark: e.w, Verified: true,
		Counters: processing.Counters{Consumed: int64(e.offset), Applied: int64(e.offset)},
		Partitions: []processing.PartitionStatus{
			{Topic: "events", Partition: 0, Position: e.offset, End: e.offset + 3, Lag: 3, Rate: 1.5, Watermark: e.w, HoldsBack: true},
			{Topic: "events", Partition: 1, Watermark: event.NoTime, Idle: true, Fault: "its topic was re-created", FaultKind: processing.TopicRecreated, Advice: "decide"},
		},
		Commit: processing.CommitStatus{
			Seq: e.seq, At: time.UnixMilli(99_000), DurationP50: 1500 * time.Microsecond, DurationP99: 20 * time.Millisecond,
		},
	}
}

func (e *engine) Open(context.Context) (*processing.Open, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	o := &processing.Open{Seq: e.seq, Watermark: e.w, Newest: e.newest}
	for _, book := range e.books {
		o.Rows = append(o.Rows, book.OpenRows(e.w, e.newest)...)
	}
	return o, nil
}

// someTraffic is a minute that every test of answers can look at: ten seconds of it without a page view.
func someTraffic(e *engine) {
	var samples []sample
	for i := range 50 {
		at := event.Millis(10_000 + 1_000*i)
		if at >= 30_000 && at < 40_000 {
			continue
		}
		page := []string{"/", "/a", "/b", "=cmd()", "/c"}[i%5]
		samples = append(samples, sample{at: at, user: fmt.Sprint("u", i%7), page: page, load: 10 * i})
	}
	samples = append(samples,
		sample{at: 15_000, user: "u1", money: 20},
		sample{at: 45_000, user: "u9", money: 10.5})
	slices.SortStableFunc(samples, func(a, b sample) int { return int(a.at - b.at) })
	mid := slices.IndexFunc(samples, func(s sample) bool { return s.at >= 40_000 })
	e.commit(34_000, 0, samples[:mid])
	e.commit(54_000, 20_000, samples[mid:], processing.Entry{Type: processing.DeadLetterEntry, DeadLetter: &processing.DeadLetter{
		SchemaID: 7, Reason: "undecodable", Detail: "not an event", Topic: "events", Partition: 3, Offset: 99, Value: []byte("junk"),
	}})
	e.commit(54_000, 20_000, []sample{{at: 41_000, user: "u1", page: "/a", load: 5, late: true}}, processing.Entry{
		Type: processing.LateEntry, Late: &processing.Late{
			Topic: "events", Partition: 3, Count: 2, ByDefinition: map[string]int64{"views": 2},
			Samples: []processing.LateSample{{Offset: 7, EventTimeMs: 1_000}},
		},
	})
	someAlerts(e)
}
