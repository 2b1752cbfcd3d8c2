package processing

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
)

// ledger keeps the digests of the definitions in force. It is owned by the committer. What the state has of others stays
// there as it is.
type ledger struct {
	digests map[definition.Hash]*DefinitionDigest
	changed map[definition.Hash]bool // since the last take
}

// newLedger takes up the digests of a plan's definitions. Those of starts begin with nothing, and so does one that the
// state has no digest of.
func newLedger(plan *definition.Plan, s *State, starts []Start) *ledger {
	l := &ledger{digests: make(map[definition.Hash]*DefinitionDigest), changed: make(map[definition.Hash]bool)}
	stored := make(map[definition.Hash]DefinitionDigest, len(s.Digests))
	for _, d := range s.Digests {
		stored[d.Hash] = d
	}
	for _, start := range starts {
		delete(stored, start.Hash)
	}
	open := func(h definition.Hash, name string) {
		d, ok := stored[h]
		if !ok {
			d = DefinitionDigest{Hash: h, Name: name}
			l.changed[h] = true
		}
		l.digests[h] = &d
	}
	for i := range plan.Metrics {
		open(plan.Metrics[i].Hash, plan.Metrics[i].Name)
	}
	for i := range plan.Sessions {
		open(plan.Sessions[i].Hash, plan.Sessions[i].Name)
	}
	for i := range plan.Rules {
		open(plan.Rules[i].Hash, plan.Rules[i].Name)
	}
	return l
}

// inForce reports whether the digest of a definition is kept.
func (l *ledger) inForce(h definition.Hash) bool { return l.digests[h] != nil }

// add adds what a definition in force has made since the last commit.
func (l *ledger) add(h definition.Hash, t digest.Tally) {
	if t == (digest.Tally{}) {
		return
	}
	d := l.digests[h]
	d.Facts += t.Facts
	d.Sum = d.Sum.Plus(t.Sum)
	l.changed[h] = true
}

// take returns the digests that have changed, by name.
func (l *ledger) take() []DefinitionDigest {
	out := make([]DefinitionDigest, 0, len(l.changed))
	for h := range l.changed {
		out = append(out, *l.digests[h])
	}
	clear(l.changed)
	slices.SortFunc(out, func(a, b DefinitionDigest) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), bytes.Compare(a.Hash[:], b.Hash[:]))
	})
	return out
}
