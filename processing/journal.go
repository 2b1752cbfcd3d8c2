package processing

import (
	"cmp"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// journal is what the verdicts on a log depend on beside the log: the state's own and, with a target, what the fold that is
// repeated has decided since. It never changes.
type journal struct {
	floors  []Floor // by partition, then offset
	gaps    []Gap   // by partition, then To
	schemas []Schema

	// What the state does not have yet. It is written with the first commit: the records that it is about may come later.
	newFloors  []Floor
	newGaps    []Gap
	newSchemas []Schema // whole
}

func newJournal(s *State, target *Target) *journal {
	j := &journal{floors: slices.Clone(s.Floors), gaps: slices.Clone(s.Gaps), schemas: slices.Clone(s.Schemas)}
	if target == nil {
		return j
	}
	known := make(map[Floor]bool, len(j.floors))
	for _, f := range j.floors {
		known[f] = true
	}
	for _, f := range target.Floors {
		if !known[f] {
			j.newFloors = append(j.newFloors, f)
		}
	}
	for _, g := range target.Gaps {
		if !slices.ContainsFunc(j.gaps, g.same) {
			j.newGaps = append(j.newGaps, g)
		}
	}
	j.floors, j.gaps = append(j.floors, j.newFloors...), append(j.gaps, j.newGaps...)
	slices.SortStableFunc(j.floors, func(a, b Floor) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	slices.SortStableFunc(j.gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.To, b.To))
	})
	j.addSchemas(target.Schemas)
	return j
}

// same reports whether two gaps are one; when it was decided on does not matter.
func (g *Gap) same(o Gap) bool {
	return g.TopicID == o.TopicID && g.Partition == o.Partition && g.From == o.From && g.To == o.To
}

// addSchemas adds schemas, and to those that are known the partitions where they are not.
func (j *journal) addSchemas(list []Schema) {
	at := make(map[schemas.Ref]int, len(j.schemas))
	for i := range j.schemas {
		at[j.schemas[i].Ref] = i
	}
	for _, s := range list {
		i, ok := at[s.Ref]
		if !ok {
			at[s.Ref] = len(j.schemas)
			j.schemas = append(j.schemas, s)
			j.newSchemas = append(j.newSchemas, s)
			continue
		}
		merged := j.schemas[i]
		merged.Starts = slices.Clone(merged.Starts)
		for _, start := range s.Starts {
			if !slices.ContainsFunc(merged.Starts, func(x SchemaStart) bool { return x.Partition == start.Partition }) {
				merged.Starts = append(merged.Starts, start)
			}
		}
		if len(merged.Starts) > len(j.schemas[i].Starts) {
			slices.SortFunc(merged.Starts, func(a, b SchemaStart) int { return cmp.Compare(a.Partition, b.Partition) })
			j.schemas[i] = merged
			j.newSchemas = append(j.newSchemas, merged)
		}
	}
}

// record is the part of the journal that the committer cuts: it is kept as long as the log, or the state, needs it.
type record struct {
	floors map[event.PartitionID][]Floor // by offset; owned by the committer, like the gaps
	gaps   map[event.PartitionID][]Gap   // by To
}

func newRecord(s *State) record {
	r := record{floors: make(map[event.PartitionID][]Floor), gaps: make(map[event.PartitionID][]Gap)}
	r.add(s.Floors, s.Gaps)
	return r
}

func (r *record) add(floors []Floor, gaps []Gap) {
	for _, g := range gaps {
		// Floors of another log go with it, and those of offsets that are read once more.
		r.floors[g.Partition] = slices.DeleteFunc(r.floors[g.Partition], func(f Floor) bool { return f.TopicID != g.TopicID || f.Offset >= g.To })
	}
	for _, f := range floors {
		r.floors[f.Partition] = append(r.floors[f.Partition], f)
		slices.SortStableFunc(r.floors[f.Partition], func(a, b Floor) int { return cmp.Compare(a.Offset, b.Offset) })
	}
	for _, g := range gaps {
		r.gaps[g.Partition] = append(r.gaps[g.Partition], g)
	}
}

// cut removes what no fold of the log as it is now can need, and returns it: the log starts behind it, so that every fold
// starts at a state that has passed it, or holds rows from later on. Of the floors that the state has passed the last
// stays: it is what W_p of the first held row is at least.
func (r *record) cut(cursors map[event.PartitionID]*Cursor, starts map[event.PartitionID]event.Offset) (cut Cut) {
	for id, start := range starts {
		cur := cursors[id]
		if cur == nil {
			continue
		}
		passed := min(start, cur.HeldFrom)
		floors := r.floors[id]
		n := 0
		for n+1 < len(floors) && floors[n+1].Offset <= passed && floors[n].Offset < start {
			n++
		}
		if n > 0 {
			cut.Floors = append(cut.Floors, floors[:n]...)
			r.floors[id] = slices.Clone(floors[n:])
		}
		r.gaps[id] = slices.DeleteFunc(r.gaps[id], func(g Gap) bool {
			gone := g.TopicID == cur.TopicID && max(g.From, g.To) <= passed
			if gone {
				cut.Gaps = append(cut.Gaps, g)
			}
			return gone
		})
	}
	return cut
}
