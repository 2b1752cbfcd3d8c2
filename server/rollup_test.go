package server

import (
	"context"
	"fmt"
	"math"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/store"
)

// rolledDefinitions have every kind of accumulator, groups past max_groups, totals, offsets, panes that divide no minute, and
// panes longer than one.
const rolledDefinitions = `
version: 1
defaults: false
metrics:
  - {name: users, window: {size: 25s, slide: 10s, offset: 3s}, aggregates: {u: {uniques: userId}}}
  - {name: odd, window: {size: 7s}, value: p95, aggregates: {p95: {quantile: pageViewData.pageLoadTime, q: 0.95}, mean: {avg: pageViewData.pageLoadTime}}}
  - {name: pages, window: {size: 10s}, group_by: {url: pageViewData.url}, max_groups: 3, value: most - least + n, aggregates: {n: {count: true}, least: {min: conversionData.value}, most: {max: conversionData.value}}}
  - {name: busy, window: {size: 20m}, group_by: {url: pageViewData.url, user: userId}, aggregates: {n: {count: true}}, having: n > 1}
  - {name: ends, window: {size: 10s}, value: first - last, aggregates: {n: {count: true}, first: {first: pageViewData.pageLoadTime}, last: {last: pageViewData.pageLoadTime}}}
  - {name: revenue, window: {size: 20s, slide: 10s}, group_by: {currency: conversionData.currency}, value: money / everybody,
     aggregates: {money: {sum: conversionData.value, where: 'eventType == "CONVERSION"'}, everybody: {uniques: userId, total: true}}}
`

// drawDays commits bursts of random events over some days, most panes settled, and now and then opens the store anew.
func drawDays(t *rapid.T, e *engine) {
	w := event.Millis(rapid.SampledFrom([]int64{-3 * int64(day), 0, int64(longStart)}).Draw(t, "start"))
	for range rapid.IntRange(5, 25).Draw(t, "commits") {
		var samples []sample
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			s := sample{at: w + event.Millis(rapid.IntRange(1, 200_000).Draw(t, "at")), user: rapid.SampledFrom([]string{"u1", "u2", "u3"}).Draw(t, "user")}
			if rapid.Bool().Draw(t, "view") {
				s.page, s.load = rapid.SampledFrom([]string{"/", "/a", "/b", "/c", "/d", "/e"}).Draw(t, "page"), rapid.IntRange(1, 5000).Draw(t, "load")
			} else {
				s.money = float64(rapid.IntRange(0, 100).Draw(t, "money"))
			}
			samples = append(samples, s)
		}
		w += event.Millis(rapid.SampledFrom([]int{30_000, 300_000, 4_000_000, 30_000_000}).Draw(t, "advance"))
		e.commit(w, w-100_000, samples)
		if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
			e.reopen()
		}
	}
}

// pointsOfPanes is what a query must find, computed the plain way: every range anew, from every pane in it.
func pointsOfPanes(t testing.TB, q *historyQuery, plan *definition.Plan, v *store.View) map[string]float64 {
	merged := func(grouping int, from, to event.Millis) *window.Pane {
		g := &plan.Groupings[grouping]
		whole, some := window.NewPane(g), false
		err := v.Panes(g.Hash, from, to, func(_ event.Millis, _ bool, block []byte) error {
			p, err := window.DecodeBlock(g, block)
			if err == nil {
				whole.Merge(p)
				some = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !some {
			return nil
		}
		return whole
	}
	points := map[string]float64{}
	for at := q.clock().PaneStart(q.from + q.step - 1); at < q.to && at+q.length-1 <= v.Watermark(); at += q.step {
		var totals *window.Pane
		if q.metric.Total >= 0 {
			totals = merged(q.metric.Total, at, at+q.length)
		}
		rows, _ := window.Evaluate(q.metric, merged(q.metric.Grouping, at, at+q.length), totals, q.length)
		for _, r := range rows {
			group := window.Groups(q.metric, r.Key)
			if !q.filter.takes(group) {
				continue
			}
			value := math.NaN()
			if r.Value.Valid {
				value = r.Value.Float
			}
			points[fmt.Sprintf("%v %d", group, at)] = value
		}
	}
	return points
}

// TestRollUpsAreWhatPanesSay: whatever is rolled up, a query answers to the last bit what all panes say, for every step that
// panes divide.
func TestRollUpsAreWhatPanesSay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := newEngine(t, rolledDefinitions)
		drawDays(rt, e)
		v, err := e.store.View()
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for i := range e.plan.Metrics {
			m := &e.plan.Metrics[i]
			width := e.plan.Groupings[m.Grouping].Width
			unit := event.Millis(rapid.SampledFrom([]int64{1, 60_000, 3_600_000, 86_400_000}).Draw(rt, "unit"))
			if unit > 1 && unit%width != 0 && width < unit {
				unit *= width / 1000 // a step of whole cells and whole panes, although cells are not made of whole panes
			}
			q := historyQuery{metric: m, limit: 1000, filter: make(groupFilter, len(m.Keys)), step: multipleOf(width, unit*event.Millis(rapid.IntRange(1, 3).Draw(rt, "units")))}
			q.length = q.step * event.Millis(rapid.SampledFrom([]int{1, 1, 3}).Draw(rt, "length"))
			q.to = e.w - event.Millis(rapid.IntRange(-100_000, 5_000_000).Draw(rt, "before"))
			q.from = q.to - q.step*event.Millis(rapid.IntRange(1, 30).Draw(rt, "points"))
			if len(m.Keys) > 0 && rapid.Bool().Draw(rt, "filter") {
				value := rapid.SampledFrom([]string{"/", "/a", "/e", "EUR", "u1", "(none)", "(other)"}).Draw(rt, "value")
				q.filter[rapid.IntRange(0, len(m.Keys)-1).Draw(rt, "key")] = &value
			}
			h, err := q.run(context.Background(), e.plan, v)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]float64{}
			for _, one := range h.series {
				for _, p := range one.points {
					value := math.NaN()
					if p.Value != nil {
						value = *p.Value
					}
					got[fmt.Sprintf("%v %d", one.group, p.At)] = value
				}
			}
			want := pointsOfPanes(t, &q, e.plan, v)
			if len(m.Keys) == 0 { // empty ranges are supplied; here only what happened is compared
				for point := range got {
					if _, ok := want[point]; !ok {
						delete(got, point)
					}
				}
			}
			same := gocmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
			if diff := gocmp.Diff(want, got, same); diff != "" {
				rt.Fatalf("%s by %d over %d, [%d, %d), W %d (-panes +history):\n%s", m.Name, q.step, q.length, q.from, q.to, e.w, diff)
			}
		}
	})
}

// multipleOf is the smallest multiple of width that is not below least.
func multipleOf(width, least event.Millis) event.Millis { return (least + width - 1) / width * width }
