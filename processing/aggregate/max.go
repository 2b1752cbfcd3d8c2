package aggregate

import (
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// maxColumn keeps the largest number. An empty row is infinite, which no held number is.
type maxColumn struct {
	rows []float64
}

func (c *maxColumn) Kind() Kind { return Max }

func (c *maxColumn) Len() int { return len(c.rows) }

func (c *maxColumn) Grow(n int) {
	for len(c.rows) < n {
		c.rows = append(c.rows, math.Inf(-1))
	}
}

func (c *maxColumn) Add(row int, in *Input) bool {
	if in.Value.IsNull() {
		return true
	}
	f, ok := number(in.Value)
	if ok && f > c.rows[row] {
		c.rows[row] = f
	}
	return ok
}

func (c *maxColumn) Merge(row int, from Column, src int) {
	c.rows[row] = max(c.rows[row], from.(*maxColumn).rows[src])
}

func (c *maxColumn) Result(row int, _ float64) event.Value {
	if math.IsInf(c.rows[row], -1) {
		return event.Value{}
	}
	return event.FloatValue(c.rows[row])
}

func (c *maxColumn) AppendRow(dst []byte, row int) []byte {
	return appendNumber(dst, c.rows[row], !math.IsInf(c.rows[row], -1))
}

func (c *maxColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	f, ok, rest, err := readNumber(src)
	if err != nil {
		return nil, fmt.Errorf("merge max: %w", err)
	}
	if ok {
		c.rows[row] = max(c.rows[row], f)
	}
	return rest, nil
}

func (c *maxColumn) Clear(row int) { c.rows[row] = math.Inf(-1) }

func (c *maxColumn) Reset() { c.rows = c.rows[:0] }
