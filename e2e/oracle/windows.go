package oracle

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// row is one event or session in a pane that took it.
type row[T any] struct {
	item T
	time event.Millis
	late bool // late but allowed
}

// eventRows are the events that a metric's panes took, whether or not an aggregate of a group takes them: totals take all.
func eventRows(m *metric[*fact], facts []*fact, allowed event.Millis) []row[*fact] {
	var rows []row[*fact]
	for _, f := range facts {
		v := f.judged(startOf(f.order.Time, m.width)+m.width, allowed)
		if v != late {
			rows = append(rows, row[*fact]{f, f.order.Time, v == lateButAllowed})
		}
	}
	return rows
}

// sessionRows are the closed sessions, each a fact at the time it closed.
func sessionRows(sessions []Session) []row[*Session] {
	var rows []row[*Session]
	for i := range sessions {
		rows = append(rows, row[*Session]{&sessions[i], sessions[i].ClosedAt, false})
	}
	return rows
}

// windowsOf lists the windows that have ended by W.
func windowsOf[T any](m *metric[T], rows []row[T], lateness, watermark event.Millis) []Window {
	inWindow := map[event.Millis][]row[T]{}
	for _, r := range rows {
		for start := startOf(r.time, m.slide); start+m.size > r.time; start -= m.slide {
			if start+m.size-1 <= watermark {
				inWindow[start] = append(inWindow[start], r)
			}
		}
	}
	var windows []Window
	for _, start := range slices.Sorted(maps.Keys(inWindow)) {
		end := start + m.size
		var final, last []T
		for _, r := range inWindow[start] {
			paneEnd := startOf(r.time, m.width) + m.width
			if !r.late || paneEnd+lateness <= end {
				final = append(final, r.item)
			}
			last = append(last, r.item)
		}
		settled := watermark >= end-1+lateness
		finals, lasts := publish(m, final), publish(m, last)
		for _, group := range slices.Sorted(maps.Keys(union(finals, lasts))) {
			w := Window{Start: start, End: end, Group: map[string]string{}, Final: finals[group], Last: lasts[group], Settled: settled}
			if m.key != "" {
				w.Group[m.key] = group
			}
			windows = append(windows, w)
		}
	}
	return windows
}

func union(a, b map[string]*Result) map[string]*Result {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// publish computes what a window publishes from all that is in it: every group, or the first ones by value and the rest as one.
func publish[T any](m *metric[T], items []T) map[string]*Result {
	taken := map[string][]T{}
	for _, item := range items {
		if m.takes(item) {
			group := groupOf(m, item)
			taken[group] = append(taken[group], item)
		}
	}
	results := map[string]*Result{}
	for group, of := range taken {
		results[group] = resultOf(m, of, items)
	}
	if len(results) <= limit {
		return results
	}
	ranked := slices.SortedFunc(maps.Keys(results), func(a, b string) int {
		return cmp.Or(cmp.Compare(*results[b].Value, *results[a].Value), cmp.Compare(a, b))
	})
	var rest []T
	for _, group := range ranked[limit:] {
		rest = append(rest, taken[group]...)
		delete(results, group)
	}
	results["(other)"] = resultOf(m, rest, items)
	return results
}

func resultOf[T any](m *metric[T], taken, all []T) *Result {
	value, aggregates := m.evaluate(taken, all)
	return &Result{Value: value, Aggregates: aggregates, Count: int64(len(taken))}
}

// groupOf is the group as it is published. Real values that look like a special group are escaped.
func groupOf[T any](m *metric[T], item T) string {
	if m.key == "" {
		return ""
	}
	value := m.group(item)
	switch {
	case value == nil:
		return "(none)"
	case *value == "(none)" || *value == "(other)":
		return `\` + *value
	default:
		return *value
	}
}
