package memory

import (
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/session"
	"github.com/tidemark/tidemark/processing/window"
)

func (s *Store) check(c *processing.Changes) error {
	if c.Watermark < s.watermark {
		return fmt.Errorf("the watermark moves back from %d to %d", s.watermark, c.Watermark)
	}
	for i, e := range c.Feed {
		if want := uint64(len(s.entries) + i + 1); e.Seq != want {
			return fmt.Errorf("entry %d of the feed where %d is next", e.Seq, want)
		}
	}
	switch {
	case !s.silent:
		if err := s.alerts.check(c); err != nil {
			return err
		}
	case len(c.Feed) > 0:
		return fmt.Errorf("a silent fold makes %d entries", len(c.Feed))
	}
	for _, f := range c.Cut.Floors {
		if s.floors[event.Coordinate{Partition: f.Partition, Offset: f.Offset}] != f {
			return fmt.Errorf("floor %+v is cut and was not there", f)
		}
	}
	for _, cur := range c.Cursors {
		old, ok := s.cursors[cur.Partition]
		if slices.ContainsFunc(c.Gaps, func(g processing.Gap) bool { return g.Partition == cur.Partition && g.To == cur.Next }) {
			continue // somebody decided that it may
		}
		if cur.HeldFrom > cur.Next || ok && (cur.Next < old.Next || cur.Max < old.Max || cur.HeldFrom < old.HeldFrom || cur.Start != old.Start) {
			return fmt.Errorf("a cursor moves from %+v to %+v", old, cur)
		}
	}
	for _, f := range c.Floors {
		old, ok := s.floors[event.Coordinate{Partition: f.Partition, Offset: f.Offset}]
		if ok && old.TopicID == f.TopicID || f.Floor > s.watermark && !s.follows {
			return fmt.Errorf("floor %+v, but W was %d", f, s.watermark)
		}
	}
	return nil
}

func (s *Store) applyPanes(changes []processing.PaneChange) error {
	for _, p := range changes {
		if p.Op == processing.PaneSettle {
			other := p.PaneKey
			other.Late = true
			delete(s.panes, p.PaneKey)
			delete(s.panes, other)
			s.history[p.PaneKey] = slices.Clone(p.Block)
			continue
		}
		block := slices.Clone(p.Block)
		if old := s.panes[p.PaneKey]; old != nil {
			var err error
			if block, err = window.MergeBlocks(old, block); err != nil {
				return err
			}
		}
		s.panes[p.PaneKey] = block
	}
	return nil
}

func (s *Store) applySessions(changes []processing.SessionChange) error {
	for _, c := range changes {
		key := shard{c.Kind, c.Shard}
		block := slices.Clone(c.Block)
		if old := s.sessions[key]; old != nil && !c.Rewrite {
			var err error
			if block, err = session.MergeBlocks(old, block); err != nil {
				return err
			}
		}
		s.sessions[key] = block
		if c.Rewrite && len(c.Block) == 0 {
			delete(s.sessions, key)
		}
	}
	return nil
}
