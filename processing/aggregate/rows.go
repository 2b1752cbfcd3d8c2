package aggregate

import "slices"

// growZeroed lengthens rows to n. What is beyond the length is left over from before a Reset.
func growZeroed[T any](rows []T, n int) []T {
	if n <= len(rows) {
		return rows
	}
	old := len(rows)
	rows = slices.Grow(rows, n-old)[:n]
	clear(rows[old:])
	return rows
}

// growKept lengthens rows to n like growZeroed, but takes the rows from before a Reset as they are: they have been
// emptied and bring their memory along.
func growKept[T any](rows []T, n int) []T {
	if n <= cap(rows) {
		return rows[:max(n, len(rows))]
	}
	old := rows[:cap(rows)]
	rows = slices.Grow(old, n-len(old))
	clear(rows[len(old):cap(rows)])
	return rows[:n]
}

// keptRows is how many rows keep large memory across a Reset. A table with more rows than this has most of it in rows
// that another group will get next time.
const keptRows = 64
