package aggregate

import (
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// lastColumn keeps the value of the event that is latest in the total order. It takes values of every kind; a Result
// that is a String is valid until the row changes.
type lastColumn struct {
	rows []witness
}

func (c *lastColumn) Kind() Kind { return Last }

func (c *lastColumn) Len() int { return len(c.rows) }

func (c *lastColumn) Grow(n int) { c.rows = growKept(c.rows, n) }

func (c *lastColumn) Add(row int, in *Input) bool {
	c.offer(row, in.At, in.Value)
	return true
}

func (c *lastColumn) Merge(row int, from Column, src int) {
	o := &from.(*lastColumn).rows[src]
	c.offer(row, o.at, &o.value)
}

func (c *lastColumn) Result(row int, _ float64) event.Value { return c.rows[row].value }

func (c *lastColumn) AppendRow(dst []byte, row int) []byte { return c.rows[row].appendTo(dst) }

func (c *lastColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	w, rest, err := readWitness(src)
	if err != nil {
		return nil, fmt.Errorf("merge last: %w", err)
	}
	c.offer(row, w.at, &w.value)
	return rest, nil
}

func (c *lastColumn) Clear(row int) { c.rows[row].reset() }

func (c *lastColumn) Reset() {
	for i := range c.rows {
		c.rows[i].reset()
	}
	c.rows = c.rows[:0]
}

func (c *lastColumn) offer(row int, at event.Order, v *event.Value) {
	w := &c.rows[row]
	if !v.IsNull() && (w.value.IsNull() || w.compare(at, v) > 0) {
		w.keep(at, v)
	}
}
