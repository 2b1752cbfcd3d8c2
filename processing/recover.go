package processing

import (
	"fmt"
	"math"
	"slices"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// loaded is what the loop needs of the state as it was loaded. It never changes.
type loaded struct {
	cursors map[event.PartitionID]*Cursor
	floors  map[event.PartitionID][]window.Floor
}

func newLoaded(s *State) loaded {
	l := loaded{make(map[event.PartitionID]*Cursor), make(map[event.PartitionID][]window.Floor)}
	for i := range s.Cursors {
		cur := s.Cursors[i]
		l.cursors[cur.Partition] = &cur
	}
	for _, f := range s.Floors {
		l.floors[f.Partition] = append(l.floors[f.Partition], window.Floor{Offset: f.Offset, Floor: f.Floor})
	}
	return l
}

// hasRead reports whether any record was read before.
func (l *loaded) hasRead() bool {
	for _, cur := range l.cursors {
		if cur.Anchor.Offset >= 0 {
			return true
		}
	}
	return false
}

// newCommitter rebuilds in memory what the store holds.
func newCommitter(p *Pipeline, s *State) (*committer, error) {
	c := &committer{
		plan: p.plan, store: p.store,
		cursors: make(map[event.PartitionID]*Cursor), resume: make(map[event.PartitionID]event.Offset),
		counters: s.Counters, watermark: s.Watermark, newest: s.Newest, seq: s.Head,
		jobs: make(chan job, 1), done: make(chan commitDone, 1), opens: make(chan chan *Open),
	}
	for i := range s.Cursors {
		cur := s.Cursors[i]
		c.cursors[cur.Partition] = &cur
		if cur.HeldFrom < cur.Next {
			c.resume[cur.Partition] = cur.Next
		}
	}
	if err := c.loadPanes(s); err != nil {
		return nil, err
	}
	if err := c.loadSessions(s, p.options.Workers); err != nil {
		return nil, err
	}
	c.loadBooks(s)
	var err error
	if c.rules, err = newRulebook(p.plan, s); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *committer) loadPanes(s *State) error {
	byHash := make(map[definition.Hash]int)
	for i := range c.plan.Groupings {
		g := &c.plan.Groupings[i]
		byHash[g.Hash] = i
		c.totals = append(c.totals, window.NewTotals(g))
	}
	for _, b := range s.Panes {
		i, ok := byHash[b.Grouping]
		if !ok {
			continue // of a definition that is not in force
		}
		pane, err := window.DecodeBlock(&c.plan.Groupings[i], b.Block)
		if err != nil {
			return fmt.Errorf("pane %d of grouping %s: %w", b.Start, b.Grouping, err)
		}
		c.totals[i].Merge(window.Delta{Start: b.Start, Late: b.Late, Pane: pane})
	}
	return nil
}

func (c *committer) loadSessions(s *State, lanes int) error {
	byHash := make(map[definition.Hash]*flow)
	for i := range c.plan.Sessions {
		f := newFlow(c.plan, i, lanes)
		byHash[c.plan.Sessions[i].Hash] = f
		c.flows = append(c.flows, f)
	}
	for _, b := range s.Sessions {
		if f := byHash[b.Kind]; f != nil {
			if err := f.sessions.Load(b.Shard, b.Block); err != nil {
				return fmt.Errorf("sessions %s, shard %d: %w", f.kind.Name, b.Shard, err)
			}
		}
	}
	return nil
}

// ended is the From of a definition that is no longer in force: it starts anew if it comes back.
const ended = event.Millis(math.MaxInt64)

// startKinds returns for each session kind from when on its closed sessions are whole. A kind that the state does not
// know starts here. A session that began before, and lacks the events from then, closes at its max_duration at the latest.
func (c *committer) startKinds(from map[definition.Hash]event.Millis, first event.Millis) []event.Millis {
	whole := make([]event.Millis, len(c.plan.Sessions))
	for i := range c.plan.Sessions {
		k := &c.plan.Sessions[i]
		start, ok := from[k.Hash]
		if !ok || start == ended {
			start = first
			c.starts = append(c.starts, Start{Hash: k.Hash, Name: k.Name, From: start})
		}
		whole[i] = start
		if start != event.NoTime {
			whole[i] += k.MaxDuration
		}
	}
	return whole
}

func (c *committer) isKind(h definition.Hash) bool {
	return slices.ContainsFunc(c.plan.Sessions, func(k definition.SessionKind) bool { return k.Hash == h })
}

// loadBooks resumes the closed windows that can still change. A definition that the state does not know starts here:
// its first window is the first that no record read before can belong to.
func (c *committer) loadBooks(s *State) {
	from := make(map[definition.Hash]event.Millis)
	for _, st := range s.Definitions {
		from[st.Hash] = st.From
	}
	first := c.newest
	if first != event.NoTime {
		first++
	}
	kinds := c.startKinds(from, first)
	inForce := make(map[definition.Hash]*window.Book)
	for i := range c.plan.Metrics {
		m := &c.plan.Metrics[i]
		start, ok := from[m.Hash]
		if !ok || start == ended {
			start = first
			if m.From != definition.FromEvents {
				start = max(start, kinds[m.From])
			}
			c.starts = append(c.starts, Start{Hash: m.Hash, Name: m.Name, From: start})
		}
		var overall *window.Totals
		if m.Total >= 0 {
			overall = c.totals[m.Total]
		}
		book := window.NewBook(m, c.totals[m.Grouping], overall, start)
		inForce[m.Hash] = book
		c.books = append(c.books, book)
	}
	for _, st := range s.Definitions {
		if inForce[st.Hash] == nil && st.From != ended && !c.isKind(st.Hash) {
			c.starts = append(c.starts, Start{Hash: st.Hash, Name: st.Name, From: ended})
		}
	}
	for _, b := range s.Results {
		if book := inForce[b.Hash]; book != nil {
			book.Resume(b.Start, b.Results)
		}
	}
	for _, book := range c.books {
		book.Recall(c.watermark)
	}
}
