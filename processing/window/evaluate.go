package window

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Row is what a metric makes of one group of merged panes.
type Row struct {
	Key        []byte // encoded group, see Pane; aliases the pane
	Value      definition.Number
	Aggregates []definition.Number // in the order of Metric.Aggregates
	Count      int64

	from *Pane // that the numbers were computed of, and the row there
	at   int
}

// Evaluate computes a metric's rows from the merged panes of a range: rows is of the metric's grouping, totals of its
// grouping of totals (nil when it has none, or nothing happened). They come in rank order: by value descending, null
// last, then by group; what stands for many groups has no rank among them and comes last of all. All that the metric's
// `having` lets through are returned, and Publish cuts the list. What stands for many groups can't be judged by it and
// passes. It also reports whether any event was taken, so that a range with nothing to show can be told from an empty one.
func Evaluate(m *definition.Metric, rows, totals *Pane, size event.Millis) (published []Row, took bool) {
	if rows == nil || rows.Len() == 0 {
		return nil, false
	}
	seconds := float64(size) / 1000
	numbers := make([]definition.Number, rows.Len()*len(m.Aggregates))
	out := make([]Row, 0, rows.Len())
	for r := range rows.Len() {
		aggregates := numbers[r*len(m.Aggregates) : (r+1)*len(m.Aggregates) : (r+1)*len(m.Aggregates)]
		fill(aggregates, m, rows, totals, r)
		count := rows.Column(m.Count).Result(r, 0)
		if count.Int() == 0 {
			continue // the row belongs to another metric of the grouping: nothing of this one took an event
		}
		took = true
		row := Row{Key: rows.Key(r), Value: m.Formula(aggregates, seconds), Aggregates: aggregates, Count: count.Int(), from: rows, at: r}
		if isOther(row.Key) || passes(m, &row, seconds) {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, compareRank)
	return out, took
}

// passes reports whether the metric's `having` lets a row through.
func passes(m *definition.Metric, row *Row, seconds float64) bool {
	return m.Having == nil || m.Having(row.Value, row.Aggregates, row.Count, seconds)
}

// Empty is the row of a window without events: 0 or null, as the aggregates and the formula say. It reports false where
// the metric's `having` withholds such windows.
func Empty(m *definition.Metric, size event.Millis) (row Row, published bool) {
	aggregates := make([]definition.Number, len(m.Aggregates))
	for i, a := range m.Aggregates {
		c := aggregate.New(a.Kind)
		c.Grow(1)
		aggregates[i] = number(c.Result(0, a.Quantile))
	}
	seconds := float64(size) / 1000
	row = Row{Aggregates: aggregates, Value: m.Formula(aggregates, seconds)}
	return row, passes(m, &row, seconds)
}

// fill computes a row's aggregates.
func fill(dst []definition.Number, m *definition.Metric, rows, totals *Pane, r int) {
	for i, a := range m.Aggregates {
		switch {
		case !a.Total:
			dst[i] = number(rows.Column(a.Column).Result(r, a.Quantile))
		case totals != nil && totals.Len() > 0:
			dst[i] = number(totals.Column(a.Column).Result(0, a.Quantile))
		default:
			c := aggregate.New(a.Kind)
			c.Grow(1)
			dst[i] = number(c.Result(0, a.Quantile))
		}
	}
}

func number(v event.Value) definition.Number {
	f, ok := v.Number()
	return definition.Number{Float: f, Valid: ok}
}

func compareRank(a, b Row) int {
	switch {
	case isOther(a.Key) != isOther(b.Key):
		if isOther(b.Key) {
			return -1
		}
		return 1
	case a.Value.Valid != b.Value.Valid:
		if a.Value.Valid {
			return -1
		}
		return 1
	case a.Value.Valid && a.Value.Float != b.Value.Float:
		return cmp.Compare(b.Value.Float, a.Value.Float)
	default:
		return bytes.Compare(a.Key, b.Key)
	}
}

// Publish cuts ranked rows to the metric's limit. What is cut is folded into `(other)` where that has a meaning: where
// all aggregates are counts or sums.
func Publish(m *definition.Metric, ranked []Row, rows, totals *Pane, size event.Millis) []Row {
	named := 0
	for _, r := range ranked {
		if !isOther(r.Key) {
			named++
		}
	}
	if len(m.Keys) == 0 || named <= m.Limit {
		return ranked
	}
	kept := make([]Row, 0, m.Limit+1)
	rest := NewPane(&definition.Grouping{Columns: rows.grouping.Columns, MaxGroups: 1})
	for _, r := range ranked {
		if !isOther(r.Key) && len(kept) < m.Limit {
			kept = append(kept, r)
			continue
		}
		at, _ := rows.Find(r.Key)
		rest.MergeRow(rows, at, 0)
	}
	if !m.Additive() {
		return kept
	}
	other := Row{Key: []byte{tagOther}, Aggregates: make([]definition.Number, len(m.Aggregates)), from: rest}
	fill(other.Aggregates, m, rest, totals, 0)
	other.Value = m.Formula(other.Aggregates, float64(size)/1000)
	count := rest.Column(m.Count).Result(0, 0)
	other.Count = count.Int()
	return append(kept, other)
}
