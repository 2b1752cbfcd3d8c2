package aggregate

import "github.com/tidemark/tidemark/processing/event"

// Kind is the kind of an accumulator. The numbers are stored on disk.
type Kind uint8

// The kinds of accumulators.
const (
	Count    Kind = 1
	Sum      Kind = 2
	Avg      Kind = 3
	Min      Kind = 4
	Max      Kind = 5
	Uniques  Kind = 6
	Quantile Kind = 7
	First    Kind = 8
	Last     Kind = 9
)

// Input is what one event adds to an accumulator.
type Input struct {
	Value *event.Value // nil for a count
	Hash  uint64       // of Value; only set where the kind is Uniques
	At    event.Order  // the event's place in the total order
}

// Column holds one accumulator for each row of a table. Every kind is a commutative monoid: Add and Merge give the same
// state in any order.
type Column interface {
	// Kind is the column's kind.
	Kind() Kind
	// Len is the number of rows.
	Len() int
	// Grow appends empty rows until there are n.
	Grow(n int)
	// Add adds one event to a row. It reports false when the value can't be held (NaN, infinite, beyond 10^18) and
	// counts as null. A null adds nothing and is fine.
	Add(row int, in *Input) bool
	// Merge adds row src of another column of the same kind to a row.
	Merge(row int, from Column, src int)
	// Result is the row's value; q is the quantile asked for and only matters to quantiles. It is null for what has
	// no value without input, 0 for counts, sums and uniques.
	Result(row int, q float64) event.Value
	// AppendRow appends the row in its canonical form: equal accumulators have equal bytes, however they came about.
	AppendRow(dst []byte, row int) []byte
	// MergeRow adds a row in canonical form to a row and returns what follows it.
	MergeRow(row int, src []byte) (rest []byte, err error)
	// Clear empties one row, so that it can be used for something else.
	Clear(row int)
	// Reset drops all rows and keeps the memory.
	Reset()
}
