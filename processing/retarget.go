package processing

import (
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// Retarget is the target of a fold that makes a state anew from the log as it is now.
//
// A partition whose log is still the one that the state was made from is folded to where the state stands: from where it began
// or, if retention has passed that, from the start of the log. A partition of another log, and one that stands still, is folded
// to the end of what can be read now. Of the journal is kept what speaks of the logs that are read; of gaps those in
// which nothing was lost but what the log can't give. W ends at the state's.
func Retarget(s *State, topic Topic, ends []End) (*Target, error) {
	t := &Target{Watermark: s.Watermark, Starts: s.Definitions}
	kept := make(map[event.PartitionID]bool)
	for _, e := range ends {
		if e.Err != nil {
			return nil, fmt.Errorf("partition %d can't be read yet: %w", e.Partition, e.Err)
		}
		cur, ok := stillOf(s, topic, e)
		if !ok {
			cur = newCursor(topic, e.Partition, e.Start)
			cur.Next = e.Stable
		}
		kept[e.Partition] = ok
		t.Cursors = append(t.Cursors, cur)
	}
	for _, f := range s.Floors {
		if kept[f.Partition] && f.TopicID == topic.ID {
			t.Floors = append(t.Floors, f)
		}
	}
	for _, g := range s.Gaps {
		if g.TopicID == topic.ID && g.From < g.To && g.Dropped == 0 {
			t.Gaps = append(t.Gaps, g)
		}
	}
	for _, known := range s.Schemas {
		known.Starts = slices.Clone(known.Starts)
		for i := range known.Starts {
			if id := known.Starts[i].Partition; !kept[id] {
				known.Starts[i].From = 0 // of another log, all of which comes later
			}
		}
		t.Schemas = append(t.Schemas, known)
	}
	return t, nil
}

// stillOf is the cursor of a partition if the log that it points into is the one that is there.
func stillOf(s *State, topic Topic, e End) (cur Cursor, ok bool) {
	i := slices.IndexFunc(s.Cursors, func(c Cursor) bool { return c.Partition == e.Partition })
	if i < 0 || slices.ContainsFunc(s.Faults, func(f Fault) bool {
		return f.Partition == e.Partition && f.Kind != BatchTooLarge && f.Kind != Unreadable
	}) {
		return cur, false
	}
	cur = s.Cursors[i]
	if cur.ClusterID != topic.ClusterID || cur.TopicID != topic.ID || cur.Next > e.High || cur.Next < e.Start {
		return cur, false
	}
	cur.Start = max(cur.Start, e.Start)
	return cur, true
}
