package processing

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// W gets to where it may go and no further, each commit takes it on, and what closes with one is about bounded from the second on, if the
// least step is not too much. Where little closes, few commits get anywhere.
func TestStride(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		perSecond := random.Int64N(maxClosing/2) >> random.IntN(32) // what closes in a second of event time
		s := stride{length: easyStride}
		w, lowest := event.NoTime, event.Millis(random.Int64N(1<<42))
		want := lowest + 1 + event.Millis(random.Int64N(1<<40))
		for commits := 0; w < want; commits++ {
			next := s.bound(w, lowest, want)
			from := max(w, lowest)
			if next > want || next <= w || next-from < min(leastStride, want-from) || s.limited != (next < want) {
				t.Fatalf("seed %d: W goes from %d to %d on its way to %d, limited=%t", seed, w, next, want, s.limited)
			}
			cost := int64(next-from) / 1000 * perSecond
			if commits > 0 && cost > maxClosing*5/4 && next-from > leastStride {
				t.Fatalf("seed %d: commit %d takes %d bytes", seed, commits, cost)
			}
			w = next
			s.learn(cost)
			if commits > 20 && perSecond == 0 {
				t.Fatalf("seed %d: nothing closes, and W needs %d commits for %d ms", seed, commits, want-lowest)
			}
			if commits == 1000 {
				want = w // dense: it would take long
			}
		}
		if got := s.bound(w, lowest, w); got != w || s.limited {
			t.Fatalf("seed %d: W moves to %d, it may stay at %d", seed, got, w)
		}
	}
	s := stride{length: easyStride}
	for _, lowest := range []event.Millis{noLowest, 7} {
		if got := s.bound(event.NoTime, lowest, event.NoTime); got != event.NoTime || s.limited || s.taken != 0 {
			t.Errorf("nothing was read, or nothing can be said of it yet, and W is %d", got)
		}
	}
}
