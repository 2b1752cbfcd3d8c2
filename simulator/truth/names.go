package truth

import (
	"sync/atomic"

	"github.com/tidemark/tidemark/processing/event"
)

// name is one visitor or session, the same for all its events, so that different ones can be counted by marking them.
type name struct {
	text string
	last event.Millis // event time of the latest event
	mark uint64       // of the last count that it was in
}

// names are those of which there are events that a window can still need.
type names map[string]*name

// keep is how long a name is kept: longer than any window and its lateness.
const keep = 30 * minute

func (n names) of(text string, t event.Millis) *name {
	known := n[text]
	if known == nil {
		known = &name{text: text, last: t}
		n[text] = known
	}
	known.last = max(known.last, t)
	return known
}

// forget drops the names that nothing after w can be in one window with.
func (n names) forget(w event.Millis) {
	for text, known := range n {
		if known.last < w-keep {
			delete(n, text)
		}
	}
}

// counts numbers the counts of different names, over all folds.
var counts atomic.Uint64

// distinct counts different names.
func distinct[T any](items []T, nameOf func(T) *name) *float64 {
	mark, n := counts.Add(1), 0
	for _, item := range items {
		if known := nameOf(item); known.mark != mark {
			known.mark = mark
			n++
		}
	}
	return number(float64(n))
}
