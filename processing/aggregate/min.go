package aggregate

import (
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// minColumn keeps the smallest number. An empty row is infinite, which no held number is.
type minColumn struct {
	rows []float64
}

func (c *minColumn) Kind() Kind { return Min }

func (c *minColumn) Len() int { return len(c.rows) }

func (c *minColumn) Grow(n int) {
	for len(c.rows) < n {
		c.rows = append(c.rows, math.Inf(1))
	}
}

func (c *minColumn) Add(row int, in *Input) bool {
	if in.Value.IsNull() {
		return true
	}
	f, ok := number(in.Value)
	if ok && f < c.rows[row] {
		c.rows[row] = f
	}
	return ok
}

func (c *minColumn) Merge(row int, from Column, src int) {
	c.rows[row] = min(c.rows[row], from.(*minColumn).rows[src])
}

func (c *minColumn) Result(row int, _ float64) event.Value {
	if math.IsInf(c.rows[row], 1) {
		return event.Value{}
	}
	return event.FloatValue(c.rows[row])
}

func (c *minColumn) AppendRow(dst []byte, row int) []byte {
	return appendNumber(dst, c.rows[row], !math.IsInf(c.rows[row], 1))
}

func (c *minColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	f, ok, rest, err := readNumber(src)
	if err != nil {
		return nil, fmt.Errorf("merge min: %w", err)
	}
	if ok {
		c.rows[row] = min(c.rows[row], f)
	}
	return rest, nil
}

func (c *minColumn) Clear(row int) { c.rows[row] = math.Inf(1) }

func (c *minColumn) Reset() { c.rows = c.rows[:0] }
