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
	floors  map[event.PartitionID][]Floor // by offset
	gaps    map[event.PartitionID][]Gap   // by To
	faults  map[event.PartitionID]*Fault
}

// newLoaded takes the journal, to which a target adds what its own fold has written there.
func newLoaded(s *State, journal *journal) loaded {
	l := loaded{
		make(map[event.PartitionID]*Cursor), make(map[event.PartitionID][]Floor), make(map[event.PartitionID][]Gap), make(map[event.PartitionID]*Fault),
	}
	for i := range s.Cursors {
		cur := s.Cursors[i]
		l.cursors[cur.Partition] = &cur
	}
	for _, f := range journal.floors {
		l.floors[f.Partition] = append(l.floors[f.Partition], f)
	}
	for _, g := range journal.gaps {
		l.gaps[g.Partition] = append(l.gaps[g.Partition], g)
	}
	for i := range s.Faults {
		f := s.Faults[i]
		l.faults[f.Partition] = &f
	}
	return l
}

// floorsOf are the floors of a partition's log. Those of one of the same name that was there before say nothing of it.
func (l *loaded) floorsOf(cur *Cursor) (floors []window.Floor) {
	for _, f := range l.floors[cur.Partition] {
		if f.TopicID == cur.TopicID {
			floors = append(floors, window.Floor{Offset: f.Offset, Floor: f.Floor})
		}
	}
	return floors
}

// gapsOf are the gaps that reading a partition from an offset on comes to.
func (l *loaded) gapsOf(cur *Cursor, from event.Offset) (ahead []Gap) {
	for _, g := range l.gaps[cur.Partition] {
		if g.TopicID == cur.TopicID && g.To > max(from, g.From) {
			ahead = append(ahead, g)
		}
	}
	return ahead
}

// hasRead reports whether any record was read before.
func (l *loaded) hasRead() bool {
	for _, cur := range l.cursors {
		if cur.Anchor.Offset >= 0 || cur.Next > cur.Start {
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
		counters: s.Counters, watermark: s.Watermark, newest: s.Newest, seq: s.Head, silent: p.options.Silent,
		record: newRecord(s),
		jobs:   make(chan job, 1), done: make(chan commitDone, 1), opens: make(chan chan *Open),
	}
	for i := range s.Cursors {
		cur := s.Cursors[i]
		c.cursors[cur.Partition] = &cur
		if cur.HeldFrom < cur.Next {
			c.resume[cur.Partition] = cur.Next
		}
	}
	c.opening = opening{starts: p.begins.changed, floors: p.journal.newFloors, gaps: p.journal.newGaps, schemas: p.journal.newSchemas}
	if err := c.loadPanes(s); err != nil {
		return nil, err
	}
	if err := c.loadSessions(s, p.begins, p.options.Workers); err != nil {
		return nil, err
	}
	c.loadBooks(s, p.begins)
	var err error
	if c.rules, err = newRulebook(p.plan, s, p.begins); err != nil {
		return nil, err
	}
	c.hear(s.Heard, p.options.Target)
	c.ledger = newLedger(p.plan, s, p.begins.changed)
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

// loadSessions resumes the open sessions. Those of a kind that starts anew were left when it went out of force: what came
// in between is not in them, and they are dropped.
func (c *committer) loadSessions(s *State, begins *beginnings, lanes int) error {
	byHash := make(map[definition.Hash]*flow)
	for i := range c.plan.Sessions {
		f := newFlow(c.plan, i, lanes)
		f.from = begins.from[f.kind.Hash]
		byHash[c.plan.Sessions[i].Hash] = f
		c.flows = append(c.flows, f)
	}
	for _, b := range s.Sessions {
		f := byHash[b.Kind]
		if f == nil {
			continue
		}
		if begins.anew[b.Kind] {
			c.opening.sessions = append(c.opening.sessions, SessionChange{Kind: b.Kind, Shard: b.Shard, Rewrite: true})
			continue
		}
		if err := f.sessions.Load(b.Shard, b.Block); err != nil {
			return fmt.Errorf("sessions %s, shard %d: %w", f.kind.Name, b.Shard, err)
		}
	}
	return nil
}

// hear tells the books above which revision they have to go on. A silent fold tells those that go on from its end.
func (c *committer) hear(heard Heard, target *Target) {
	if !c.silent {
		for _, book := range c.books {
			book.Hear(heard.Revision, heard.Watermark)
		}
		return
	}
	if highest := max(heard.Revision, target.Revision); highest > 0 {
		c.opening.heard = &Heard{Revision: highest, Watermark: target.Watermark}
	}
}

// loadBooks resumes the closed windows that can still change.
func (c *committer) loadBooks(s *State, begins *beginnings) {
	inForce := make(map[definition.Hash]*window.Book)
	for i := range c.plan.Metrics {
		m := &c.plan.Metrics[i]
		var overall *window.Totals
		if m.Total >= 0 {
			overall = c.totals[m.Total]
		}
		book := window.NewBook(m, c.totals[m.Grouping], overall, begins.from[m.Hash])
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
