package aggregate

import (
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// sumColumn adds numbers up, exactly.
type sumColumn struct {
	rows []fixed
}

func (c *sumColumn) Kind() Kind { return Sum }

func (c *sumColumn) Len() int { return len(c.rows) }

func (c *sumColumn) Grow(n int) { c.rows = growZeroed(c.rows, n) }

func (c *sumColumn) Add(row int, in *Input) bool {
	if in.Value.IsNull() {
		return true
	}
	x, ok := fixedOf(in.Value)
	if ok {
		c.rows[row].add(&x)
	}
	return ok
}

func (c *sumColumn) Merge(row int, from Column, src int) {
	c.rows[row].add(&from.(*sumColumn).rows[src])
}

func (c *sumColumn) Result(row int, _ float64) event.Value {
	return event.FloatValue(c.rows[row].over(1))
}

func (c *sumColumn) AppendRow(dst []byte, row int) []byte { return c.rows[row].appendTo(dst) }

func (c *sumColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	x, rest, err := readFixed(src)
	if err != nil {
		return nil, fmt.Errorf("merge sum: %w", err)
	}
	c.rows[row].add(&x)
	return rest, nil
}

func (c *sumColumn) Clear(row int) { c.rows[row] = fixed{} }

func (c *sumColumn) Reset() { c.rows = c.rows[:0] }
