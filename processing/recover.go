package processing

import (
	"fmt"

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
	known := inForceBefore(s)
	if err := c.loadPanes(s); err != nil {
		return nil, err
	}
	if err := c.loadSessions(s, known, p.options.Workers); err != nil {
		return nil, err
	}
	c.loadBooks(s, known)
	var err error
	if c.rules, err = newRulebook(p.plan, s, c.startRules(known)); err != nil {
		return nil, err
	}
	c.endOthers(s)
	c.ledger = newLedger(p.plan, s, c.starts)
	return c, nil
}

// inForceBefore says from when on the definitions count that were in force last. All others start anew.
func inForceBefore(s *State) map[definition.Hash]event.Millis {
	from := make(map[definition.Hash]event.Millis, len(s.Definitions))
	for _, st := range s.Definitions {
		if !st.Ended() {
			from[st.Hash] = st.From
		}
	}
	return from
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

// loadSessions resumes the open sessions. Those of a kind that starts anew were left when it went out of force: what came
// in between is not in them, and they are dropped.
func (c *committer) loadSessions(s *State, known map[definition.Hash]event.Millis, lanes int) error {
	byHash := make(map[definition.Hash]*flow)
	for i := range c.plan.Sessions {
		f := newFlow(c.plan, i, lanes)
		byHash[c.plan.Sessions[i].Hash] = f
		c.flows = append(c.flows, f)
	}
	for _, b := range s.Sessions {
		f := byHash[b.Kind]
		if f == nil {
			continue
		}
		if _, ok := known[b.Kind]; !ok {
			c.dropped = append(c.dropped, SessionChange{Kind: b.Kind, Shard: b.Shard, Rewrite: true})
			continue
		}
		if err := f.sessions.Load(b.Shard, b.Block); err != nil {
			return fmt.Errorf("sessions %s, shard %d: %w", f.kind.Name, b.Shard, err)
		}
	}
	return nil
}

// startKinds returns for each session kind from when on its closed sessions are whole. A kind that the state does not
// know starts here, and takes the events from then on. A session that had events before, and lacks them, closes at its
// max_duration at the latest.
func (c *committer) startKinds(known map[definition.Hash]event.Millis, first event.Millis) []event.Millis {
	whole := make([]event.Millis, len(c.plan.Sessions))
	for i := range c.plan.Sessions {
		k := &c.plan.Sessions[i]
		start, ok := known[k.Hash]
		if !ok {
			start = first
			c.starts = append(c.starts, Start{Hash: k.Hash, Name: k.Name, From: start})
		}
		c.flows[i].from = start
		whole[i] = start
		if start != event.NoTime {
			whole[i] += k.MaxDuration
		}
	}
	return whole
}

// startRules returns for each rule which windows it judges: those that end after a time. A rule that the state does not know
// judges those that W has still to pass.
func (c *committer) startRules(known map[definition.Hash]event.Millis) []event.Millis {
	from := make([]event.Millis, len(c.plan.Rules))
	for i := range c.plan.Rules {
		r := &c.plan.Rules[i]
		start, ok := known[r.Hash]
		if !ok {
			start = c.watermark
			c.starts = append(c.starts, Start{Hash: r.Hash, Name: r.Name, From: start})
		}
		from[i] = start
	}
	return from
}

// endOthers notes which definitions are no longer in force.
func (c *committer) endOthers(s *State) {
	inForce := make(map[definition.Hash]bool)
	for i := range c.plan.Metrics {
		inForce[c.plan.Metrics[i].Hash] = true
	}
	for i := range c.plan.Sessions {
		inForce[c.plan.Sessions[i].Hash] = true
	}
	for i := range c.plan.Rules {
		inForce[c.plan.Rules[i].Hash] = true
	}
	for _, st := range s.Definitions {
		if !inForce[st.Hash] && !st.Ended() {
			c.starts = append(c.starts, Start{Hash: st.Hash, Name: st.Name, From: ended})
		}
	}
}

// loadBooks resumes the closed windows that can still change. A definition that the state does not know starts here:
// its first window is the first that no record read before can belong to.
func (c *committer) loadBooks(s *State, known map[definition.Hash]event.Millis) {
	first := c.newest
	if first != event.NoTime {
		first++
	}
	kinds := c.startKinds(known, first)
	inForce := make(map[definition.Hash]*window.Book)
	for i := range c.plan.Metrics {
		m := &c.plan.Metrics[i]
		start, ok := known[m.Hash]
		if !ok {
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
	for _, b := range s.Results {
		if book := inForce[b.Hash]; book != nil {
			book.Resume(b.Start, b.Results, b.Digest)
		}
	}
	for _, book := range c.books {
		book.Recall(c.watermark)
	}
}
