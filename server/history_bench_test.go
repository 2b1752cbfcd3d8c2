package server

import (
	"context"
	"fmt"
	"testing"

	"github.com/tidemark/tidemark/bench"
	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// longDefinitions are metrics of short panes: a count by group, distinct users, and a quantile.
const longDefinitions = `
version: 1
defaults: false
metrics:
  - {name: pages, title: Pages, type: TOP_PAGES, window: {size: 5s}, group_by: {url: pageViewData.url}, unit: views,
     description: Views by page., aggregates: {n: {count: 'eventType == "PAGE_VIEW"'}}}
  - {name: users, title: Users, type: ACTIVE_USERS, window: {size: 5m, slide: 10s}, unit: visitors,
     description: Distinct users., aggregates: {u: {uniques: userId}}}
  - {name: load, title: Load time, window: {size: 10s}, unit: ms, value: p95, description: Load time.,
     aggregates: {p95: {quantile: pageViewData.pageLoadTime, q: 0.95}, n: {count: 'pageViewData.url != nil'}}}
`

// longStart is a midnight.
const longStart event.Millis = 1_735_689_600_000

const (
	hour = event.Millis(3_600_000)
	day  = 24 * hour
	year = 365 * day
)

// settleLong commits panes that have settled, those of the first minutes of every hour: in each pane every group has an event,
// of one of twenty users, so that all panes of a grouping have one block. What is settled is rolled up when it returns.
func settleLong(t testing.TB, e *engine, groups int, from, to event.Millis, minutes int) {
	t.Helper()
	blocks := make([][]byte, len(e.plan.Groupings))
	for i := range blocks {
		table := window.NewTable(&e.plan.Groupings[i])
		for k := range groups {
			in := e.input(sample{at: from, user: fmt.Sprint("u", k%20), page: fmt.Sprintf("/page/%02d", k), load: 20 + k})
			table.Add(&in, from, false)
		}
		blocks[i] = table.Take()[0].Pane.AppendBlock(nil)
	}
	commit := func(ch *processing.Changes) {
		if err := e.store.Commit(ch); err != nil {
			t.Fatal(err)
		}
	}
	ch := &processing.Changes{}
	for at := from; at < to; at += hour {
		ch.Watermark, ch.AtMs = at+hour, int64(at)
		for i := range e.plan.Groupings {
			g := &e.plan.Groupings[i]
			for start := at; start < at+event.Millis(minutes)*60_000; start += g.Width {
				ch.Panes = append(ch.Panes, processing.PaneChange{
					PaneKey: processing.PaneKey{Grouping: g.Hash, Start: start}, Op: processing.PaneSettle, Width: g.Width, Block: blocks[i],
				})
			}
		}
		if len(ch.Panes) > 1000 {
			commit(ch)
			ch = &processing.Changes{}
		}
	}
	if len(ch.Panes) > 0 {
		commit(ch)
	}
	for range 4 {
		commit(&processing.Changes{Watermark: to, AtMs: int64(to)})
	}
}

// longQuery is a query over a time since longStart, of one of its groups if that is given.
func longQuery(e *engine, metric, group string, step, length event.Millis) *historyQuery {
	q := &historyQuery{metric: metricOf(e.plan, metric), from: longStart, to: longStart + length, step: step, length: step, limit: 100}
	q.filter = make(groupFilter, len(q.metric.Keys))
	if group != "" {
		q.filter[0] = &group
	}
	return q
}

// read runs a query in a view of its own and returns how many blocks it took.
func (e *engine) read(t testing.TB, q *historyQuery) (h *history, blocks int) {
	t.Helper()
	v, err := e.store.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if h, err = q.run(context.Background(), e.plan, v); err != nil {
		t.Fatal(err)
	}
	return h, v.BlocksRead()
}

// TestLongViewsReadCells holds how many blocks a query may read: about as many as its points need.
func TestLongViewsReadCells(t *testing.T) {
	e := newEngine(t, longDefinitions)
	settleLong(t, e, 3, longStart, longStart+30*day, 2)
	for _, c := range []struct {
		metric       string
		step, length event.Millis
		blocks       int
	}{
		{"pages", day, 29 * day, 29},
		{"users", day, 29 * day, 29},
		{"load", 7 * day, 28 * day, 28},
		{"pages", hour, 7 * day, 7 * 24},
		{"load", 6 * hour, 7 * day, 7 * 24},
		{"pages", 60_000, day, 24 * 2}, // two minutes of each hour
		{"users", 300_000, day, 24 * 2},
		{"pages", 5_000, day, 24 * 24},
	} {
		if h, blocks := e.read(t, longQuery(e, c.metric, "", c.step, c.length)); blocks > c.blocks || len(h.series) == 0 {
			t.Errorf("%s by %s over %s: %d blocks for %d series, want at most %d", c.metric, span(c.step), span(c.length), blocks, len(h.series), c.blocks)
		}
	}
}

// BenchmarkLongHistory asks for one series and for all of them, from the store to the points, without JSON. A week has all of
// its panes, of 5 and 10 s; a year has those of a minute of every hour.
func BenchmarkLongHistory(b *testing.B) {
	for _, groups := range []int{1, 10, 100} {
		e := newEngine(b, longDefinitions)
		settleLong(b, e, groups, longStart, longStart+7*day, 60)
		one := fmt.Sprintf("/page/%02d", groups/2)
		benchmarkLong(b, e, fmt.Sprintf("groups=%d/series-day-by-10s", groups), longQuery(e, "pages", one, 10_000, day))
		benchmarkLong(b, e, fmt.Sprintf("groups=%d/series-day-by-1m", groups), longQuery(e, "pages", one, 60_000, day))
		benchmarkLong(b, e, fmt.Sprintf("groups=%d/all-day-by-1m", groups), longQuery(e, "pages", "", 60_000, day))
		benchmarkLong(b, e, fmt.Sprintf("groups=%d/uniques-day-by-1m", groups), longQuery(e, "users", "", 60_000, day))
		benchmarkLong(b, e, fmt.Sprintf("groups=%d/quantile-day-by-1m", groups), longQuery(e, "load", "", 60_000, day))
		benchmarkLong(b, e, fmt.Sprintf("groups=%d/series-week-by-1h", groups), longQuery(e, "pages", one, hour, 7*day))
		benchmarkLong(b, e, fmt.Sprintf("groups=%d/all-week-by-1h", groups), longQuery(e, "pages", "", hour, 7*day))
	}
	e := newEngine(b, longDefinitions)
	settleLong(b, e, 100, longStart, longStart+year, 1)
	benchmarkLong(b, e, "groups=100/series-year-by-1d", longQuery(e, "pages", "/page/50", day, year-day))
	benchmarkLong(b, e, "groups=100/all-year-by-1d", longQuery(e, "pages", "", day, year-day))
	benchmarkLong(b, e, "groups=100/series-year-by-1h", longQuery(e, "pages", "/page/50", hour, year-day))
	benchmarkLong(b, e, "groups=100/uniques-year-by-1d", longQuery(e, "users", "", day, year-day))
}

func benchmarkLong(b *testing.B, e *engine, name string, q *historyQuery) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		var blocks int
		cpu := bench.CPUTime()
		for b.Loop() {
			var h *history
			if h, blocks = e.read(b, q); len(h.series) == 0 {
				b.Fatal("nothing is there")
			}
		}
		b.ReportMetric(float64(bench.CPUTime()-cpu)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(blocks), "blocks/op")
	})
}
