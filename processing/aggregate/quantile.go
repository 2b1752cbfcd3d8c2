package aggregate

import (
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// quantileColumn keeps how many numbers fell into each bucket; any quantile can be asked of it.
type quantileColumn struct {
	rows []sketch
}

func (c *quantileColumn) Kind() Kind { return Quantile }

func (c *quantileColumn) Len() int { return len(c.rows) }

func (c *quantileColumn) Grow(n int) { c.rows = growKept(c.rows, n) }

func (c *quantileColumn) Add(row int, in *Input) bool {
	if in.Value.IsNull() {
		return true
	}
	f, ok := number(in.Value)
	if ok {
		c.rows[row].add(f)
	}
	return ok
}

func (c *quantileColumn) Merge(row int, from Column, src int) {
	c.rows[row].merge(&from.(*quantileColumn).rows[src])
}

func (c *quantileColumn) Result(row int, q float64) event.Value {
	f, ok := c.rows[row].quantile(q)
	if !ok {
		return event.Value{}
	}
	return event.FloatValue(f)
}

func (c *quantileColumn) AppendRow(dst []byte, row int) []byte { return c.rows[row].appendTo(dst) }

func (c *quantileColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	rest, err = c.rows[row].mergeBytes(src)
	if err != nil {
		return nil, fmt.Errorf("merge quantile: %w", err)
	}
	return rest, nil
}

func (c *quantileColumn) Clear(row int) { c.rows[row].reset() }

func (c *quantileColumn) Reset() {
	for i := range c.rows {
		if i < keptRows {
			c.rows[i].reset()
		} else {
			c.rows[i] = sketch{}
		}
	}
	c.rows = c.rows[:0]
}
