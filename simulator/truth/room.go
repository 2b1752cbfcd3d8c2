package truth

import "math"

// What the engine's estimates may be off by.
//
// Quantiles are within 1 % of the value at their rank, by construction. Distinct counts are HyperLogLogs of 2^14
// registers: their standard error is 1.04/sqrt(2^14), 0.8125 % (Flajolet et al., 2007), and five of them, 4.06 %, are
// exceeded once in 1.7 million times: four would be exceeded once in sixteen thousand, and so many windows are compared in an
// hour. Of few values this is less than one, and what counts is how many of n values fell into a register that was taken: about
// n(n-1)/2^15, as a Poisson distribution has it. Each such value is missing from the count, so that as many may be missing as are
// not exceeded once in 1.7 million times either. A single value is exact, and the engine rounds to whole numbers.
const (
	registers     = 1 << 14
	sigmas        = 5
	oftener       = 1.0 / 1_744_278 // how often more than five standard errors are exceeded
	quantileError = 0.01
)

// estimate says how much of a number the engine's may be off by: a quantile, or a quotient of which one part or both count
// different values.
type estimate struct {
	relative     float64
	above, below string // aggregates that count different values; empty: exact
}

// room is the relative error that is allowed when a result is expected.
func (e estimate) room(want *Result) float64 {
	of := func(aggregate string) float64 {
		if n := want.Aggregates[aggregate]; n != nil {
			return DistinctRoom(*n)
		}
		return 0
	}
	// At worst the parts are off in opposite directions.
	return e.relative + (1+of(e.above))/(1-of(e.below)) - 1
}

// DistinctRoom is the relative error that a count of n different values may have.
func DistinctRoom(n float64) float64 {
	if n < 1 {
		return 0
	}
	asymptotic := math.Floor(sigmas*1.04/math.Sqrt(registers)*n + 0.5)
	return max(asymptotic, float64(collisions(n*(n-1)/(2*registers)))) / n
}

// collisions is the least number that a Poisson distribution of a mean exceeds less often than five standard errors.
func collisions(mean float64) int {
	if mean > 4 { // the asymptotic error is larger from here on
		return 0
	}
	term := math.Exp(-mean)
	rest := 1 - term // that there are more than k
	k := 0
	for rest > oftener {
		k++
		term *= mean / float64(k)
		rest -= term
	}
	return k
}
