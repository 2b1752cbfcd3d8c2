package server

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

type timedPane struct {
	start event.Millis
	pane  *window.Pane
}

// queue merges the panes of a range that slides forward. Accumulators can be merged, but not taken apart again, so it
// keeps two stacks: panes are pushed onto the back, together with their merger; when the front is empty the back is
// turned over into the front, where each pane is merged with all newer ones, so that dropping the oldest is a pop.
// Every pane is merged twice, plus once a range, however many panes a range has.
type queue struct {
	grouping *definition.Grouping
	columns  []int        // that are merged: nothing else is decoded
	front    []timedPane  // the oldest last; each merged with those that stand before it
	back     []timedPane  // the oldest first
	sum      *window.Pane // of back; nil while it is empty
}

func (q *queue) push(p timedPane) {
	q.back = append(q.back, p)
	if q.sum == nil {
		q.sum = window.NewPane(q.grouping)
	}
	q.sum.MergeColumns(p.pane, q.columns)
}

// drop forgets the panes that start before a time.
func (q *queue) drop(before event.Millis) {
	for n := len(q.front); n > 0 && q.front[n-1].start < before; n-- {
		q.front = q.front[:n-1]
	}
	if len(q.front) > 0 || len(q.back) == 0 || q.back[0].start >= before {
		return
	}
	for i := len(q.back) - 1; i >= 0 && q.back[i].start >= before; i-- {
		p := q.back[i]
		if n := len(q.front); n > 0 {
			p.pane.MergeColumns(q.front[n-1].pane, q.columns)
		}
		q.front = append(q.front, p)
	}
	clear(q.back)
	q.back, q.sum = q.back[:0], nil
}

// merged is all of them in one, nil when there is none. It is valid until the next push or drop.
func (q *queue) merged() *window.Pane {
	switch {
	case len(q.front) == 0:
		return q.sum
	case q.sum == nil:
		return q.front[len(q.front)-1].pane
	}
	whole := window.NewPane(q.grouping)
	whole.MergeColumns(q.front[len(q.front)-1].pane, q.columns)
	whole.MergeColumns(q.sum, q.columns)
	return whole
}
