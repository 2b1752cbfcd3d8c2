package truth

import (
	"math"
	"math/big"
	"slices"
)

func number(f float64) *float64 { return &f }

func count[T any](items []T) *float64 { return number(float64(len(items))) }

func where[T any](items []T, takes func(T) bool) []T {
	n := 0
	for _, item := range items {
		if takes(item) {
			n++
		}
	}
	if n == len(items) {
		return items
	}
	taken := make([]T, 0, n)
	for _, item := range items {
		if takes(item) {
			taken = append(taken, item)
		}
	}
	return taken
}

// ratio divides; by zero, or with a null, it is null.
func ratio(a, b *float64) *float64 {
	if a == nil || b == nil || *b == 0 {
		return nil
	}
	return number(*a / *b)
}

// sum adds billionths: each value is rounded to them once, ties to even, and from there on everything is exact.
// Nulls and what can't be held add nothing.
func sum[T any](items []T, value func(T) *float64) *float64 {
	billionths := new(big.Int)
	for _, item := range items {
		x := value(item)
		if x == nil || math.IsNaN(*x) || math.Abs(*x) > 1e18 {
			continue
		}
		billionths.Add(billionths, inBillionths(*x))
	}
	f, _ := new(big.Rat).SetFrac(billionths, big.NewInt(1e9)).Float64()
	return &f
}

func inBillionths(x float64) *big.Int {
	exact := new(big.Rat).SetFloat64(x)
	exact.Mul(exact, big.NewRat(1e9, 1))
	// Round to even: down, then up where the rest is above a half, or is a half and the number odd.
	whole, rest := new(big.Int).DivMod(exact.Num(), exact.Denom(), new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(exact.Denom()) {
	case 1:
		whole.Add(whole, big.NewInt(1))
	case 0:
		whole.Add(whole, big.NewInt(int64(whole.Bit(0))))
	}
	return whole
}

func sorted[T any](items []T, value func(T) *float64) []float64 {
	var values []float64
	for _, item := range items {
		if x := value(item); x != nil {
			values = append(values, *x)
		}
	}
	slices.Sort(values)
	return values
}

// quantile is the value at rank q*(n-1), rounded down.
func quantile(sorted []float64, q float64) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	return number(sorted[int(q*float64(len(sorted)-1))])
}
