package truth

import (
	"strings"
	"sync/atomic"

	"github.com/tidemark/tidemark/processing/event"
)

// name is one visitor or session, the same for all its events, so that different ones can be counted by marking them.
type name struct {
	text string
	last event.Millis // event time of the latest event
	mark uint64       // of the last count that it was in
}

// names are those of which there are events that a window can still need, and all words that there were: countries, pages and
// the like, of which there are few.
type names struct {
	known map[string]*name
	words map[string]*string
}

// keep is how long a name is kept: longer than any window and its lateness.
const keep = 30 * minute

func (n *names) of(text string, t event.Millis) *name {
	known := n.known[text]
	if known == nil {
		// Decoded strings share memory with the rest of their records, which it would keep.
		known = &name{text: strings.Clone(text), last: t}
		n.known[known.text] = known
	}
	known.last = max(known.last, t)
	return known
}

// forget drops the names that nothing after w can be in one window with.
func (n *names) forget(w event.Millis) {
	for text, known := range n.known {
		if known.last < w-keep {
			delete(n.known, text)
		}
	}
}

// word is the one place where a word stands in memory; nil stays nil.
func (n *names) word(text *string) *string {
	if text == nil {
		return nil
	}
	if n.words[*text] == nil {
		kept := strings.Clone(*text)
		n.words[kept] = &kept
	}
	return n.words[*text]
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
