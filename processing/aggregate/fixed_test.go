package aggregate

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

func (x fixed) big() *big.Int {
	var b [24]byte
	negative := x.negative()
	x.withSign(negative).putMagnitude(&b)
	n := new(big.Int).SetBytes(b[:])
	if negative {
		n.Neg(n)
	}
	return n
}

// roundedUnits is the slow way: the exact value times 10^9, ties to even.
func roundedUnits(f float64) *big.Int {
	r := new(big.Rat).Mul(new(big.Rat).SetFloat64(f), big.NewRat(unit, 1))
	twice := new(big.Int).Lsh(r.Num(), 1)
	double := new(big.Int).Lsh(r.Denom(), 1)
	q, rest := new(big.Int).DivMod(twice.Add(twice, r.Denom()), double, new(big.Int))
	if rest.Sign() == 0 && q.Bit(0) == 1 {
		q.Sub(q, big.NewInt(1)) // floor(x + 1/2) went up from a tie
	}
	return q
}

func TestFixedOfFloatIsExactTiesToEven(t *testing.T) {
	check := func(t interface{ Errorf(string, ...any) }, f float64) {
		v := event.FloatValue(f)
		x, ok := fixedOf(&v)
		if !ok {
			t.Errorf("%v is not held", f)
			return
		}
		if want := roundedUnits(f); x.big().Cmp(want) != 0 {
			t.Errorf("%v is %v units, want %v", f, x.big(), want)
		}
	}
	tie := math.Ldexp(1, -10) // 976562.5 units
	for _, f := range []float64{
		0, 0.1, 49.99, -49.99, tie, 3 * tie, 5 * tie, -tie, -3 * tie, 1e-9, 5e-10, 4.9999e-10, 1e18, -1e18, 1e18 - 128,
		1<<53 + 2, 5e-324, 2.2e-308, math.Ldexp(1, -30), math.Ldexp(1<<53-1, -84), math.Ldexp(1<<53-1, -64), math.Ldexp(1<<53-1, -85),
	} {
		check(t, f)
	}
	rapid.Check(t, func(t *rapid.T) {
		mantissa := rapid.Int64Range(-1<<53, 1<<53).Draw(t, "mantissa")
		f := math.Ldexp(float64(mantissa), rapid.IntRange(-120, 6).Draw(t, "exponent"))
		if math.Abs(f) <= limit {
			check(t, f)
		}
	})
}

func TestFixedOfIntIsExact(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 1<<53 + 1, 1e18, -1e18, 999_999_999_999_999_999} {
		v := event.IntValue(n)
		x, ok := fixedOf(&v)
		if want := new(big.Int).Mul(big.NewInt(n), big.NewInt(unit)); !ok || x.big().Cmp(want) != 0 {
			t.Errorf("%d is %v units, want %v", n, x.big(), want)
		}
	}
	for _, n := range []int64{1e18 + 1, -1e18 - 1, math.MaxInt64, math.MinInt64} {
		v := event.IntValue(n)
		if _, ok := fixedOf(&v); ok {
			t.Errorf("%d is held", n)
		}
	}
}

// Sums of more than 128 bits come out whole again, which a sum that saturates could not promise in every order.
func TestFixedDoesNotSaturate(t *testing.T) {
	huge := fixed{math.MaxUint64, math.MaxInt64, 0} // 2^127 - 1
	x := huge
	x.add(&huge)
	less := huge.withSign(true)
	x.add(&less)
	if x != huge {
		t.Errorf("max + max - max is %v", x.big())
	}
}

func TestFixedRoundsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.IntRange(1, 3).Draw(t, "words")
		var x fixed
		for i := range words {
			x[i] = rapid.Uint64().Draw(t, "word")
		}
		x[2] &^= 1 << 63
		x[words-1] >>= rapid.IntRange(0, 63).Draw(t, "shift")
		x = x.withSign(rapid.Bool().Draw(t, "negative"))
		n := rapid.OneOf(rapid.Just(uint64(1)), rapid.Uint64Range(1, 1<<40), rapid.Uint64Range(1, math.MaxInt64)).Draw(t, "n")
		d := new(big.Int).Mul(new(big.Int).SetUint64(n), big.NewInt(unit))
		want, _ := new(big.Rat).SetFrac(x.big(), d).Float64()
		if got := x.over(n); got != want {
			t.Errorf("%v / (%d * 10^9) is %v, want %v", x.big(), n, got, want)
		}
	})
}
