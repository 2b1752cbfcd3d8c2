package truth

import (
	"cmp"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// cutter cuts the events that the sequencer took into sessions, in total order.
type cutter struct {
	rules  *Rules
	held   []*fact // taken, and not before W yet
	open   map[string]*Session
	closed []*Session // since the last advance
}

// advance goes to W and returns the sessions that have closed by it since the last time, by ClosedAt, then key.
func (c *cutter) advance(w event.Millis) []*Session {
	var due, held []*fact
	for _, f := range c.held {
		if f.order.Time <= w {
			due = append(due, f)
		} else {
			held = append(held, f)
		}
	}
	c.held = held
	slices.SortFunc(due, func(a, b *fact) int { return a.order.Compare(b.order) })
	for _, f := range due {
		c.take(f)
	}
	for _, s := range c.open {
		if at, reason := c.deadline(s); at <= w {
			c.close(s, at, reason)
		}
	}
	closed := c.closed
	c.closed = nil
	slices.SortFunc(closed, func(a, b *Session) int {
		return cmp.Or(cmp.Compare(a.ClosedAt, b.ClosedAt), cmp.Compare(a.Key, b.Key), cmp.Compare(a.First, b.First))
	})
	return closed
}

// take puts the next event into its session.
func (c *cutter) take(f *fact) {
	t := f.order.Time
	if s := c.open[f.session.text]; s != nil {
		at, reason := c.deadline(s)
		// The end of max_duration comes before the events of its time, the end of the gap after them.
		if at < t || at == t && reason == "max_duration" {
			c.close(s, at, reason)
		}
	}
	s := c.open[f.session.text]
	if s == nil {
		s = &Session{Key: f.session.text, First: t}
		c.open[f.session.text] = s
	}
	s.Last = t
	s.Events++
	if f.is("PAGE_VIEW") {
		s.PageViews++
	}
	if f.is("SESSION_END") {
		c.close(s, t, "end")
	}
}

// deadline is when an open session closes if nothing more comes.
func (c *cutter) deadline(s *Session) (at event.Millis, reason string) {
	gap, most := s.Last+c.rules.SessionGap, s.First+c.rules.MaxDuration
	if most <= gap {
		return most, "max_duration"
	}
	return gap, "gap"
}

func (c *cutter) close(s *Session, at event.Millis, reason string) {
	s.ClosedAt, s.Reason = at, reason
	c.closed = append(c.closed, s)
	delete(c.open, s.Key)
}
