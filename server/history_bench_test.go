package server

import (
	"context"
	"fmt"
	"testing"

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
)

// settleLong commits panes that have settled, an hour a commit: in each pane every group has an event, of one of twenty users.
func settleLong(t testing.TB, e *engine, groups int, from, to event.Millis) {
	inputs := make([]window.Input, groups)
	for i := range inputs {
		inputs[i] = e.input(sample{at: from, user: fmt.Sprint("u", i%20), page: fmt.Sprintf("/page/%d", i), load: 20 + i})
	}
	for at := from; at < to; at += hour {
		ch := &processing.Changes{Watermark: at + hour, AtMs: int64(at)}
		for i := range e.plan.Groupings {
			g := &e.plan.Groupings[i]
			table := window.NewTable(g)
			for start := at; start < min(at+hour, to); start += g.Width {
				for k := range inputs {
					inputs[k].Time = start
					table.Add(&inputs[k], start, false)
				}
			}
			for _, d := range table.Take() {
				ch.Panes = append(ch.Panes, processing.PaneChange{
					PaneKey: processing.PaneKey{Grouping: g.Hash, Start: d.Start}, Op: processing.PaneSettle, Width: g.Width, Block: d.Pane.AppendBlock(nil),
				})
			}
		}
		if err := e.store.Commit(ch); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkLongHistory asks for one series and for all of them, from the store to the points, without JSON.
func BenchmarkLongHistory(b *testing.B) {
	for _, groups := range []int{1, 10, 100} {
		e := newEngine(b, longDefinitions)
		settleLong(b, e, groups, longStart, longStart+7*day)
		one := "/page/0"
		for _, c := range []struct {
			name, metric string
			filter       *string
			step, length event.Millis
		}{
			{"day-by-10s", "pages", &one, 10_000, day},
			{"day-by-1m", "pages", &one, 60_000, day},
			{"day-by-1m-all", "pages", nil, 60_000, day},
			{"day-by-1m-users", "users", nil, 60_000, day},
			{"day-by-1m-load", "load", nil, 60_000, day},
			{"week-by-1h", "pages", &one, hour, 7 * day},
			{"week-by-1h-all", "pages", nil, hour, 7 * day},
			{"week-by-1h-users", "users", nil, hour, 7 * day},
		} {
			b.Run(fmt.Sprintf("groups=%d/%s", groups, c.name), func(b *testing.B) {
				q := historyQuery{metric: metricOf(e.plan, c.metric), from: longStart, to: longStart + c.length, step: c.step, length: c.step, limit: 100}
				q.filter = make(groupFilter, len(q.metric.Keys))
				if c.filter != nil {
					q.filter[0] = c.filter
				}
				b.ReportAllocs()
				for range b.N {
					v, err := e.store.View()
					if err != nil {
						b.Fatal(err)
					}
					h, err := q.run(context.Background(), e.plan, v)
					if err != nil || len(h.series) == 0 || len(h.series[0].points) < int(c.length/c.step)-1 {
						b.Fatalf("%d series (%v)", len(h.series), err)
					}
					if err := v.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
