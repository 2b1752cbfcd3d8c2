package truth

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// book holds the panes of one metric whose windows can still change.
type book[T any] struct {
	metric   *metric[T]
	lateness event.Millis
	panes    map[event.Millis][]row[T] // by start
	open     map[event.Millis]bool     // windows of these panes, by start
}

// row is one event or session in a pane that took it.
type row[T any] struct {
	item T
	late bool // late but allowed
}

func newBook[T any](m *metric[T], lateness event.Millis) *book[T] {
	return &book[T]{metric: m, lateness: lateness, panes: map[event.Millis][]row[T]{}, open: map[event.Millis]bool{}}
}

// add puts a row into its pane, whether or not an aggregate of a group takes it: totals take all.
func (b *book[T]) add(item T, t event.Millis, late bool) {
	m := b.metric
	pane := startOf(t, m.width)
	if b.panes[pane] == nil {
		for start := startOf(t, m.slide); start+m.size > t; start -= m.slide {
			b.open[start] = true
		}
	}
	b.panes[pane] = append(b.panes[pane], row[T]{item, late})
}

type publisher = func(metric string, windows []Window)

// settle gives out the windows that nothing can change after w, and forgets them.
func (b *book[T]) settle(w event.Millis, publish publisher) {
	b.closeUntil(w-b.lateness, w, publish)
}

// close gives out all windows that have ended by W.
func (b *book[T]) close(w event.Millis, publish publisher) { b.closeUntil(w, w, publish) }

// closeUntil gives out the windows that have ended by until.
func (b *book[T]) closeUntil(until, w event.Millis, publish publisher) {
	m := b.metric
	var ended []event.Millis
	for start := range b.open {
		if start+m.size-1 <= until {
			ended = append(ended, start)
			delete(b.open, start)
		}
	}
	slices.Sort(ended)
	for _, start := range ended {
		publish(m.name, b.window(start, w))
	}
	for pane := range b.panes {
		if last := startOf(pane, m.slide); last+m.size-1 <= until { // of the windows that it is part of
			delete(b.panes, pane)
		}
	}
}

// window lists the groups of one window.
func (b *book[T]) window(start, w event.Millis) []Window {
	m := b.metric
	end := start + m.size
	rows := 0
	for pane := start; pane < end; pane += m.width {
		rows += len(b.panes[pane])
	}
	final, last := make([]T, 0, rows), make([]T, 0, rows)
	for pane := start; pane < end; pane += m.width {
		for _, r := range b.panes[pane] {
			if !r.late || pane+m.width+b.lateness <= end {
				final = append(final, r.item)
			}
			last = append(last, r.item)
		}
	}
	settled := w >= end-1+b.lateness
	finals := publish(m, final)
	lasts := finals
	if len(last) > len(final) {
		lasts = publish(m, last)
	}
	var windows []Window
	for _, group := range slices.Sorted(maps.Keys(union(finals, lasts))) {
		w := Window{Start: start, End: end, Group: map[string]string{}, Final: finals[group], Last: lasts[group], Settled: settled}
		if m.key != "" {
			w.Group[m.key] = group
		}
		windows = append(windows, w)
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
	taken := groups(m, items)
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

// groups sorts what aggregates of groups take by its group.
func groups[T any](m *metric[T], items []T) map[string][]T {
	taken := map[string][]T{}
	if all := where(items, m.takes); m.key == "" && len(all) > 0 {
		taken[""] = all
	} else {
		for _, item := range all {
			group := groupOf(m, item)
			taken[group] = append(taken[group], item)
		}
	}
	return taken
}

func resultOf[T any](m *metric[T], taken, all []T) *Result {
	value, aggregates := m.evaluate(taken, all)
	return &Result{Value: value, Aggregates: aggregates, Count: int64(len(taken))}
}

// groupOf is the group as it is published. Real values that look like a special group are escaped.
func groupOf[T any](m *metric[T], item T) string {
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
