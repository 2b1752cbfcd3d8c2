package digest

// Tally is the digest of some facts, or what changes a digest: how many facts came, less those that went, and their sum.
type Tally struct {
	Facts int64
	Sum   Sum
}

// Add adds a fact by its term.
func (t *Tally) Add(term Sum) {
	t.Facts++
	t.Sum = t.Sum.Plus(term)
}

// Replace takes back one term and adds another. Either may be the digest of nothing, which is no fact.
func (t *Tally) Replace(old, term Sum) {
	t.Sum = t.Sum.Minus(old).Plus(term)
	if !old.IsZero() {
		t.Facts--
	}
	if !term.IsZero() {
		t.Facts++
	}
}

// Plus adds two tallies.
func (t Tally) Plus(o Tally) Tally { return Tally{t.Facts + o.Facts, t.Sum.Plus(o.Sum)} }
