package processing

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// beginnings says from when on each definition of the plan is in force. It never changes.
//
//  1. One that the state knows as being in force began where the state says.
//  2. A target goes before the state: it knows what happened to the definitions since.
//  3. Every other begins here, with nothing: also one that comes back. What the state still holds of it is from before, and
//     would mix with what is read from now on.
type beginnings struct {
	from    map[definition.Hash]event.Millis
	anew    map[definition.Hash]bool // whatever the state holds of it is from before it began
	changed []Start                  // to be written: those that are new to the state, and those that are no longer in force
}

func newBeginnings(plan *definition.Plan, s *State, target *Target) *beginnings {
	b := &beginnings{from: make(map[definition.Hash]event.Millis), anew: make(map[definition.Hash]bool)}
	was, then := inForce(s.Definitions), make(map[definition.Hash]event.Millis)
	if target != nil {
		then = inForce(target.Starts)
	}
	begin := func(hash definition.Hash, name string, here event.Millis) {
		from, known := was[hash]
		if told, ok := then[hash]; ok {
			from, known = told, known && from == told
		} else if !known {
			from = here
		}
		b.from[hash] = from
		if !known {
			b.anew[hash] = true
			b.changed = append(b.changed, Start{Hash: hash, Name: name, From: from})
		}
	}
	// The first time that no record read before can have.
	first := s.Newest
	if first != event.NoTime {
		first++
	}
	for i := range plan.Sessions {
		begin(plan.Sessions[i].Hash, plan.Sessions[i].Name, first)
	}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		from := first
		if m.From != definition.FromEvents {
			from = max(first, b.wholeFrom(&plan.Sessions[m.From], s.Watermark))
		}
		begin(m.Hash, m.Name, from)
	}
	for i := range plan.Rules {
		begin(plan.Rules[i].Hash, plan.Rules[i].Name, s.Watermark)
	}
	for _, st := range s.Definitions {
		if _, ok := b.from[st.Hash]; !ok && !st.Ended() {
			b.changed = append(b.changed, Start{Hash: st.Hash, Name: st.Name, From: ended})
		}
	}
	return b
}

// wholeFrom is from when on windows over a kind's closed sessions are whole, for a metric that begins as W stands: their
// sessions close later, in a quiet topic too, where W is ahead of the newest event. And none of them lacks events from
// before the kind was in force: one that had such events closes at its max_duration at the latest.
func (b *beginnings) wholeFrom(k *definition.SessionKind, w event.Millis) event.Millis {
	from := w
	if from != event.NoTime {
		from++
	}
	if began := b.from[k.Hash]; began != event.NoTime {
		from = max(from, began+k.MaxDuration)
	}
	return from
}

// inForce are the definitions in force, and from when on.
func inForce(list []Start) map[definition.Hash]event.Millis {
	from := make(map[definition.Hash]event.Millis, len(list))
	for i := range list {
		if st := &list[i]; !st.Ended() {
			from[st.Hash] = st.From
		}
	}
	return from
}
