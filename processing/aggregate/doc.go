// Package aggregate holds the accumulators that every number of Tidemark is made of: count, sum, avg, min, max,
// uniques, quantile, first and last.
//
// An accumulator is a commutative monoid with exact arithmetic: what it holds after a set of events does not depend on
// their order, on how they were split over workers, or on where commits fell. Sums are fixed point in units of 10^-9,
// distinct counts are HyperLogLog registers, quantiles are bucket counts of a DDSketch, first and last carry the place
// of their event in the total order. So partial accumulators can be made anywhere and merged in any order.
//
// Accumulators of one kind stand together in a Column, one for each row (a group, a session). A Column is plain
// memory for one goroutine; nothing here reads clocks, does I/O or logs.
//
// Rows have a canonical form: equal accumulators have equal bytes, however they came about, so that bytes can be
// compared and hashed. MergeRow accepts canonical bytes alone, treats them as hostile, and needs memory in proportion
// to them.
//
// Limits: a number that is NaN, infinite or beyond 10^18 is not held. Quantiles are within 1 % of the true value while
// the values span less than 2048 buckets (17 orders of magnitude); beyond that the smallest magnitudes share a bucket.
// Distinct counts have a standard error of 0.81 %.
package aggregate
