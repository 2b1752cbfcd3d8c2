package aggregate

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// CountColumn counts events. It needs no value. The commonest column by far, it is exported so that a loop over events
// can call Increment without the interface between.
type CountColumn struct {
	rows []int64
}

func (c *CountColumn) Kind() Kind { return Count }

func (c *CountColumn) Len() int { return len(c.rows) }

func (c *CountColumn) Grow(n int) { c.rows = growZeroed(c.rows, n) }

func (c *CountColumn) Add(row int, _ *Input) bool {
	c.Increment(row)
	return true
}

// Increment is Add.
func (c *CountColumn) Increment(row int) { c.rows[row]++ }

// IncrementBy is Add for many events at once.
func (c *CountColumn) IncrementBy(row int, events int64) { c.rows[row] += events }

func (c *CountColumn) Merge(row int, from Column, src int) {
	c.rows[row] += from.(*CountColumn).rows[src]
}

func (c *CountColumn) Result(row int, _ float64) event.Value { return event.IntValue(c.rows[row]) }

func (c *CountColumn) AppendRow(dst []byte, row int) []byte {
	return binary.AppendUvarint(dst, uint64(c.rows[row]))
}

func (c *CountColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	n, rest, err := readUvarint(src)
	if err != nil {
		return nil, fmt.Errorf("merge count: %w", err)
	}
	c.rows[row] += int64(n)
	return rest, nil
}

func (c *CountColumn) Clear(row int) { c.rows[row] = 0 }

func (c *CountColumn) Reset() { c.rows = c.rows[:0] }
