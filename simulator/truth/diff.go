package truth

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing/event"
)

// Row is one window and group of a metric, as the engine gave it.
type Row struct {
	Metric     string
	Start, End event.Millis
	Group      map[string]string
	Result
}

// DiffFinals compares the finals, one row for each that was published. It returns a line for every difference, sorted.
func (e *Expected) DiffFinals(got []Row) []string {
	return e.diff(got, func(w *Window) (*Result, bool) { return w.Final, true })
}

// DiffLast compares the last revisions. A window that has not settled may still lack corrections: its value is not compared.
func (e *Expected) DiffLast(got []Row) []string {
	return e.diff(got, func(w *Window) (*Result, bool) { return w.Last, w.Settled })
}

// DiffPublished compares the last revisions as topics have them, where windows without events are left out.
func (e *Expected) DiffPublished(got []Row) []string {
	return e.diff(got, func(w *Window) (*Result, bool) {
		if w.Final == nil && w.Last != nil && w.Last.Count == 0 {
			return nil, true
		}
		return w.Last, w.Settled
	})
}

// DiffAlerts compares alerts, one row for each.
func (e *Expected) DiffAlerts(got []Alert) []string {
	var lines []string
	rows := map[string]*Alert{}
	for i := range got {
		name := alertName(&got[i])
		if rows[name] != nil {
			lines = append(lines, name+": came twice")
		}
		rows[name] = &got[i]
	}
	for i := range e.Alerts {
		want := &e.Alerts[i]
		name := alertName(want)
		row := rows[name]
		delete(rows, name)
		if row == nil {
			lines = append(lines, name+": is missing")
			continue
		}
		if row.EndedAt != want.EndedAt {
			lines = append(lines, fmt.Sprintf("%s: ended at %d, expected %d", name, row.EndedAt, want.EndedAt))
		}
		if row.Metric != want.Metric || row.Window.Start != want.Window.Start || row.Window.End != want.Window.End {
			lines = append(lines, fmt.Sprintf("%s: rests on %s [%d,%d), expected %s [%d,%d)", name, row.Metric, row.Window.Start, row.Window.End,
				want.Metric, want.Window.Start, want.Window.End))
		}
		room := tolerances(want.Metric)["value"].room(want.Window.Final)
		if value := row.Window.Final.Value; !equal(want.Window.Final.Value, value, room) {
			lines = append(lines, fmt.Sprintf("%s: value is %s, expected %s", name, text(value), text(want.Window.Final.Value)))
		}
	}
	for name := range rows {
		lines = append(lines, name+": should not be there")
	}
	slices.Sort(lines)
	return lines
}

func alertName(a *Alert) string { return fmt.Sprintf("%s from %d", a.Rule, a.StartedAt) }

func (e *Expected) diff(got []Row, pick func(*Window) (want *Result, compare bool)) []string {
	var lines []string
	rows := map[string]*Row{}
	for i := range got {
		name := rowName(got[i].Metric, got[i].Start, got[i].End, got[i].Group)
		if rows[name] != nil {
			lines = append(lines, name+": came twice")
		}
		rows[name] = &got[i]
	}
	for _, m := range Metrics() {
		for i := range e.windows[m] {
			w := &e.windows[m][i]
			name := rowName(m, w.Start, w.End, w.Group)
			row := rows[name]
			delete(rows, name)
			want, compare := pick(w)
			switch {
			case !compare:
			case want == nil && row != nil && !e.impliedEmpty(row):
				lines = append(lines, name+": should not be there")
			case want != nil && row == nil:
				lines = append(lines, name+": is missing")
			case want != nil:
				lines = append(lines, diffResults(name, tolerances(m), want, &row.Result)...)
			}
		}
	}
	for name, row := range rows {
		if !e.impliedEmpty(row) {
			lines = append(lines, name+": should not be there")
		}
	}
	slices.Sort(lines)
	return lines
}

// impliedEmpty reports whether a row may be there although no event made it: the empty window of an ungrouped metric.
func (e *Expected) impliedEmpty(row *Row) bool {
	var empty *float64
	var grouped, known bool
	for _, m := range eventMetrics {
		if m.name == row.Metric {
			empty, grouped, known = m.empty, m.key != "", true
		}
	}
	for _, m := range sessionMetrics {
		if m.name == row.Metric {
			empty, known = m.empty, true
		}
	}
	return known && !grouped && row.Count == 0 && row.End-1 <= e.Watermark && equal(empty, row.Value, 0)
}

func tolerances(name string) map[string]estimate {
	for _, m := range eventMetrics {
		if m.name == name {
			return m.tolerance
		}
	}
	return nil // those of sessions are exact
}

func diffResults(name string, tolerance map[string]estimate, expected, got *Result) []string {
	var lines []string
	differ := func(what string, want, got *float64) {
		if !equal(want, got, tolerance[what].room(expected)) {
			lines = append(lines, fmt.Sprintf("%s: %s is %s, expected %s", name, what, text(got), text(want)))
		}
	}
	differ("value", expected.Value, got.Value)
	differ("count", number(float64(expected.Count)), number(float64(got.Count)))
	for _, a := range slices.Sorted(maps.Keys(expected.Aggregates)) {
		if _, there := got.Aggregates[a]; !there {
			lines = append(lines, fmt.Sprintf("%s: %s is missing", name, a))
			continue
		}
		differ(a, expected.Aggregates[a], got.Aggregates[a])
	}
	for _, a := range slices.Sorted(maps.Keys(got.Aggregates)) {
		if _, there := expected.Aggregates[a]; !there {
			lines = append(lines, fmt.Sprintf("%s: %s should not be there", name, a))
		}
	}
	return lines
}

// exact is the room that float64 needs to say the same number by another way.
const exact = 1e-12

func equal(want, got *float64, room float64) bool {
	if want == nil || got == nil {
		return want == nil && got == nil
	}
	return math.Abs(*got-*want) <= (room+exact)*math.Abs(*want)
}

func text(f *float64) string {
	if f == nil {
		return "null"
	}
	return fmt.Sprint(*f)
}

func rowName(metric string, start, end event.Millis, group map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%d,%d)", metric, start, end)
	for _, key := range slices.Sorted(maps.Keys(group)) {
		fmt.Fprintf(&b, " %s=%s", key, group[key])
	}
	return b.String()
}
