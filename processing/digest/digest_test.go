package digest_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/digest"
)

func number(s digest.Sum) *big.Int { return new(big.Int).SetBytes(s.Append(nil)) }

func TestSumsAreNumbersMod128(t *testing.T) {
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	sums := rapid.Custom(func(t *rapid.T) digest.Sum {
		half := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1<<64 - 1}))
		return digest.Sum{Hi: half.Draw(t, "hi"), Lo: half.Draw(t, "lo")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := sums.Draw(t, "a"), sums.Draw(t, "b")
		want := new(big.Int).Add(number(a), number(b))
		if got := number(a.Plus(b)); got.Cmp(want.Mod(want, modulus)) != 0 {
			t.Fatalf("%v + %v = %v, want %v", a, b, got, want)
		}
		if got := a.Plus(b).Minus(b); got != a {
			t.Fatalf("%v + %v - the same = %v", a, b, got)
		}
		if got := digest.From([16]byte(a.Append(nil))); got != a {
			t.Fatalf("%v came back as %v", a, got)
		}
	})
}

func TestOf(t *testing.T) {
	// printf abc | sha256sum
	if got := digest.Of([]byte("abc")).String(); got != "ba7816bf8f01cfea414140de5dae2223" {
		t.Errorf("got %s", got)
	}
}

func TestTalliesCountWhatIsThere(t *testing.T) {
	one, other := digest.Of([]byte("one")), digest.Of([]byte("other"))
	var tally digest.Tally
	tally.Add(one)
	tally.Replace(digest.Sum{}, other)
	if want := (digest.Tally{Facts: 2, Sum: one.Plus(other)}); tally != want {
		t.Errorf("got %v, want %v", tally, want)
	}
	tally.Replace(other, one)
	if want := (digest.Tally{Facts: 2, Sum: one.Plus(one)}); tally != want {
		t.Errorf("got %v, want %v", tally, want)
	}
	tally.Replace(one, digest.Sum{})
	if want := (digest.Tally{Facts: 1, Sum: one}); tally != want || tally.Plus(tally) != (digest.Tally{Facts: 2, Sum: one.Plus(one)}) {
		t.Errorf("got %v, want %v", tally, want)
	}
}
