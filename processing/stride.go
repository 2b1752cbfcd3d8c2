package processing

import (
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// stride bounds how far W goes with one commit, so that its batch stays small when W could leap: much would close and settle
// at once. What that takes is not known before, so W begins with a small step and goes on by larger ones while they turn out
// to be cheap, as TCP's slow start does (RFC 5681, section 3.1). Nothing depends on where W stops.
type stride struct {
	length  event.Millis // how far W may go with the next commit
	taken   event.Millis // how far it went with the last
	limited bool         // it could have gone further
}

const (
	// maxClosing is about how many bytes closing and settling may put into a commit. With maxCommitBytes, and what was on
	// its way to the workers then, that is less than 64 MiB.
	maxClosing = 24 << 20
	// easyStride is free unless it was found to be expensive, leastStride always.
	easyStride, leastStride event.Millis = 60_000, 1_000
	// longestStride is no bound in practice. It keeps sums from overflowing.
	longestStride event.Millis = 1 << 50
	// growth is how much further W may go with the next commit than with the last.
	growth = 4
)

// bound is where W goes with the next commit on its way from w to want. Before it has a value it comes from the lowest time
// that was read.
func (s *stride) bound(w, lowest, want event.Millis) event.Millis {
	if w == event.NoTime {
		w = lowest
	}
	if want <= w {
		s.taken, s.limited = 0, false
		return want
	}
	to := min(want, w+s.length)
	s.taken, s.limited = to-w, to < want
	return to
}

// learn takes what closing and settling put into the last commit.
func (s *stride) learn(closing int64) {
	switch {
	case s.taken == 0:
	case closing*growth <= maxClosing:
		// What was allowed before is given up slowly: partitions that are read in turns let W go by fits and starts.
		s.length = min(max(s.taken*growth, s.length/2, easyStride), longestStride)
	default:
		s.length = max(event.Millis(float64(s.taken)*maxClosing/float64(closing)), leastStride)
	}
}

// closing is about how many bytes of a batch tell of windows that closed or were corrected, and of panes that settled.
func (c *Changes) closing() int64 {
	size := 0
	for i := range c.Results {
		for k := range c.Results[i].Results {
			size += lengthOf(&c.Results[i].Results[k])
		}
	}
	for i := range c.Feed {
		if r := c.Feed[i].Result; r != nil {
			size += lengthOf(r)
		}
	}
	for i := range c.Panes {
		if c.Panes[i].Op == PaneSettle {
			size += 2 * len(c.Panes[i].Block) // what has happened is kept, and rolled up
		}
	}
	return int64(size)
}

func lengthOf(r *window.Result) int {
	size := 48 + 9*len(r.Aggregates)
	for _, g := range r.Group {
		size += len(g)
	}
	return size
}
