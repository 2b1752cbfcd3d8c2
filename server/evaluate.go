package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

// historyQuery asks for the values of a metric over [t, t+length), for every t in [from, to) that step divides.
type historyQuery struct {
	metric   *definition.Metric
	from, to event.Millis
	step     event.Millis
	length   event.Millis // at least step
	filter   groupFilter
	limit    int // series
}

// history is what a query found.
type history struct {
	series   []*series
	warnings []string
}

// series is the points of one group. A group has no point where nothing happened in it.
type series struct {
	group  []string
	points []wire.Point
	total  float64 // of its values; ranks the series
}

// clock aligns the points.
func (q *historyQuery) clock() definition.Clock {
	return definition.Clock{Width: q.step, Offset: q.metric.Offset % q.step}
}

// maxKept bounds the points of all series together, those that are left out in the end included.
const maxKept = 2_000_000

var errTooLarge = &wire.Problem{
	Type: "/problems/query-too-large", Title: "The query would make too many points", Status: http.StatusUnprocessableEntity,
	Detail: "ask for a shorter range, a larger step, or one group",
}

// run evaluates the query. Only ranges that W has closed are shown, none that starts before the definition's state is
// whole, and none of which a part has been dropped.
func (q *historyQuery) run(ctx context.Context, plan *definition.Plan, v *store.View) (*history, error) {
	starts, err := startsOf(v)
	if err != nil {
		return nil, err
	}
	first := q.clock().PaneStart(q.from + q.step - 1)
	if from, ok := starts[q.metric.Hash]; ok && from > first {
		first = q.clock().PaneStart(from + q.step - 1)
	}
	first, warnings, err := q.skipDropped(plan, v, first)
	if err != nil {
		return nil, err
	}
	end := min(q.to, v.Watermark()-q.length+2) // of the range of starts
	if v.Watermark() == event.NoTime || first >= end {
		return &history{warnings: warnings}, nil
	}
	takes := q.takes()
	c, err := q.collect(ctx, plan, v, first, end, takes)
	if errors.Is(err, window.ErrFolded) { // so that all groups have to be read to know what is left of some
		c, err = q.collect(ctx, plan, v, first, end, nil)
	}
	if err != nil {
		return nil, err
	}
	h := c.history()
	h.warnings = append(warnings, h.warnings...)
	return h, nil
}

// takes is the filter for keys of groups; nil when it takes all of them.
func (q *historyQuery) takes() func(key []byte) bool {
	if !slices.ContainsFunc(q.filter, func(want *string) bool { return want != nil }) {
		return nil
	}
	return func(key []byte) bool { return q.filter.takes(window.Groups(q.metric, key)) }
}

// collect evaluates the ranges that start in [first, end).
func (q *historyQuery) collect(ctx context.Context, plan *definition.Plan, v *store.View, first, end event.Millis, takes func([]byte) bool) (*collector, error) {
	c := &collector{query: q, groups: make(map[string]*series)}
	if len(q.metric.Keys) == 0 {
		var err error
		if c.supplyFrom, c.supply, err = firstEvent(q.metric, plan, v); err != nil {
			return nil, err
		}
		empty, published := window.Empty(q.metric, q.length)
		c.empty, c.supply = wire.NumberOf(empty.Value), c.supply && published
	}
	return c, q.evaluate(ctx, plan, v, first, end, takes, c)
}

// evaluate walks the cells once, both of the metric's groups and of its totals, and hands each range to the collector.
func (q *historyQuery) evaluate(ctx context.Context, plan *definition.Plan, v *store.View, first, end event.Millis, takes func([]byte) bool, c *collector) error {
	last := q.clock().PaneStart(end - 1)
	columns, totalColumns := columnsOf(q.metric)
	rows := newSlider(q, v, &plan.Groupings[q.metric.Grouping], first, last, columns, takes)
	defer rows.stop()
	var totals *slider
	if q.metric.Total >= 0 {
		totals = newSlider(q, v, &plan.Groupings[q.metric.Total], first, last, totalColumns, nil)
		defer totals.stop()
	}
	for t := first; t <= last; t += q.step {
		if err := ctx.Err(); err != nil {
			return err
		}
		pane, err := rows.merged(t, t+q.length)
		if err != nil {
			return err
		}
		var total *window.Pane
		if totals != nil {
			if total, err = totals.merged(t, t+q.length); err != nil {
				return err
			}
		}
		if err := c.add(t, pane, total); err != nil {
			return err
		}
	}
	return nil
}

// collector gathers the points.
type collector struct {
	query      *historyQuery
	groups     map[string]*series // by encoded group; nil where the filter does not take it
	kept       int
	truncated  bool
	supply     bool         // ungrouped, and there is a window with an event:
	supplyFrom event.Millis // ranges from there on have a point even if nothing happened
	empty      wire.Number  // that point's value
}

func (c *collector) add(t event.Millis, rows, totals *window.Pane) error {
	found, took := window.Evaluate(c.query.metric, rows, totals, c.query.length)
	for i := range found {
		if one := c.seriesOf(&found[i]); one != nil {
			one.points = append(one.points, wire.Point{At: t, Value: wire.NumberOf(found[i].Value)})
			if found[i].Value.Valid {
				one.total += found[i].Value.Float
			}
			c.kept++
		}
	}
	if !took && c.supply && t >= c.supplyFrom {
		one := c.seriesOf(&window.Row{})
		one.points = append(one.points, wire.Point{At: t, Value: c.empty})
	}
	c.truncated = c.truncated || rows != nil && rows.Truncated()
	if c.kept > maxKept {
		return errTooLarge
	}
	return nil
}

func (c *collector) seriesOf(row *window.Row) *series {
	one, known := c.groups[string(row.Key)]
	if !known {
		if group := window.Groups(c.query.metric, row.Key); c.query.filter.takes(group) {
			one = &series{group: group}
		}
		c.groups[string(row.Key)] = one
	}
	return one
}

// history ranks the series and cuts the list.
func (c *collector) history() *history {
	h := &history{}
	for _, one := range c.groups {
		if one != nil {
			h.series = append(h.series, one)
		}
	}
	slices.SortFunc(h.series, func(a, b *series) int {
		return cmp.Or(cmp.Compare(b.total, a.total), slices.Compare(a.group, b.group))
	})
	if left := len(h.series) - c.query.limit; left > 0 {
		h.series = h.series[:c.query.limit]
		h.warnings = append(h.warnings, fmt.Sprintf("%d more series are left out: raise `limit`, or pick groups", left))
	}
	if c.truncated {
		h.warnings = append(h.warnings, "in some panes there were more groups than max_groups: the rest is in (other)")
	}
	return h
}
