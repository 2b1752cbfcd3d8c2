package server

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
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
  - {name: skewed, window: {size: 65m, slide: 60m, offset: 15m10s}, aggregates: {n: {count: true}}}
  - {name: odd, window: {size: 7s}, value: p95, aggregates: {p95: {quantile: pageViewData.pageLoadTime, q: 0.95}, mean: {avg: pageViewData.pageLoadTime}}}
  - {name: pages, window: {size: 10s}, group_by: {url: pageViewData.url}, max_groups: 3, value: most - least + n, aggregates: {n: {count: true}, least: {min: conversionData.value}, most: {max: conversionData.value}}}
  - {name: busy, window: {size: 20m}, group_by: {url: pageViewData.url, user: userId}, aggregates: {n: {count: true}}, having: n > 1}
  - {name: ends, window: {size: 10s}, value: first - last, aggregates: {n: {count: true}, first: {first: pageViewData.pageLoadTime}, last: {last: pageViewData.pageLoadTime}}}
  - {name: revenue, window: {size: 20s, slide: 10s}, group_by: {currency: conversionData.currency}, value: money / everybody,
     aggregates: {money: {sum: conversionData.value, where: 'eventType == "CONVERSION"'}, everybody: {uniques: userId, total: true}}}
`

// randomDays commits bursts of random events over some days, most panes settled, and now and then opens the store anew.
func randomDays(rng *rand.Rand, e *engine) {
	w := []event.Millis{-3 * day, 0, longStart}[rng.IntN(3)]
	for range 5 + rng.IntN(25) {
		var samples []sample
		for range rng.IntN(25) {
			s := sample{at: w + event.Millis(1+rng.IntN(200_000)), user: fmt.Sprint("u", rng.IntN(4))}
			if rng.IntN(3) > 0 {
				s.page, s.load = []string{"/", "/a", "/b", "/c", "/d", "/e"}[rng.IntN(6)], 1+rng.IntN(5000)
			} else {
				s.money = float64(rng.IntN(100))
			}
			samples = append(samples, s)
		}
		w += []event.Millis{30_000, 300_000, 4_000_000, 30_000_000}[rng.IntN(4)]
		e.commit(w, w-100_000, samples)
		if rng.IntN(10) == 0 {
			e.reopen()
		}
	}
}

// randomQuery asks for a metric by a step that its panes divide, mostly one that cells divide too.
func randomQuery(rng *rand.Rand, e *engine, m *definition.Metric) *historyQuery {
	width := e.plan.Groupings[m.Grouping].Width
	unit := []event.Millis{1, 60_000, hour, day}[rng.IntN(4)]
	if unit > width && unit%width != 0 {
		unit *= width / 1000 // whole cells and whole panes, although cells are not made of whole panes
	}
	step := (unit*event.Millis(1+rng.IntN(3)) + width - 1) / width * width
	q := &historyQuery{metric: m, limit: 1000, filter: make(groupFilter, len(m.Keys)), step: step, length: step}
	if rng.IntN(3) == 0 {
		q.length *= 3
	}
	q.to = e.w + event.Millis(rng.IntN(5_000_000)-4_000_000)
	q.from = q.to - q.step*event.Millis(1+rng.IntN(30))
	if len(m.Keys) > 0 && rng.IntN(3) > 0 {
		value := []string{"/", "/a", "/e", "EUR", "u1", "(none)", "(other)"}[rng.IntN(7)]
		q.filter[rng.IntN(len(m.Keys))] = &value
	}
	return q
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
		rng := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(rt, "seed")))
		e := newEngine(rt, rolledDefinitions)
		randomDays(rng, e)
		v, err := e.store.View()
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for range 3 {
			for i := range e.plan.Metrics {
				compareWithPanes(rt, t, e, v, randomQuery(rng, e, &e.plan.Metrics[i]))
			}
		}
	})
}

func compareWithPanes(rt *rapid.T, t *testing.T, e *engine, v *store.View, q *historyQuery) {
	h, err := q.run(context.Background(), e.plan, v)
	if err != nil {
		t.Fatal(err)
	}
	want, got := pointsOfPanes(t, q, e.plan, v), map[string]float64{}
	for _, one := range h.series {
		for _, p := range one.points {
			at := fmt.Sprintf("%v %d", one.group, p.At)
			if _, happened := want[at]; !happened && len(q.metric.Keys) == 0 {
				continue // an empty range, which is supplied: only what happened is compared
			}
			if got[at] = math.NaN(); p.Value != nil {
				got[at] = *p.Value
			}
		}
	}
	same := gocmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
	if diff := gocmp.Diff(want, got, same); diff != "" {
		rt.Fatalf("%s by %d over %d, [%d, %d), W %d (-panes +history):\n%s", q.metric.Name, q.step, q.length, q.from, q.to, e.w, diff)
	}
}
