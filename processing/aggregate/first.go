package aggregate

import (
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// firstColumn keeps the value of the event that is earliest in the total order. It takes values of every kind; a Result
// that is a String is valid until the row changes.
type firstColumn struct {
	rows []witness
}

func (c *firstColumn) Kind() Kind { return First }

func (c *firstColumn) Len() int { return len(c.rows) }

func (c *firstColumn) Grow(n int) { c.rows = growKept(c.rows, n) }

func (c *firstColumn) Add(row int, in *Input) bool {
	c.offer(row, in.At, in.Value)
	return true
}

func (c *firstColumn) Merge(row int, from Column, src int) {
	o := &from.(*firstColumn).rows[src]
	c.offer(row, o.at, &o.value)
}

func (c *firstColumn) Result(row int, _ float64) event.Value { return c.rows[row].value }

func (c *firstColumn) AppendRow(dst []byte, row int) []byte { return c.rows[row].appendTo(dst) }

func (c *firstColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	w, rest, err := readWitness(src)
	if err != nil {
		return nil, fmt.Errorf("merge first: %w", err)
	}
	c.offer(row, w.at, &w.value)
	return rest, nil
}

func (c *firstColumn) Clear(row int) { c.rows[row].reset() }

func (c *firstColumn) Reset() {
	for i := range c.rows {
		c.rows[i].reset()
	}
	c.rows = c.rows[:0]
}

func (c *firstColumn) offer(row int, at event.Order, v *event.Value) {
	w := &c.rows[row]
	if !v.IsNull() && (w.value.IsNull() || w.compare(at, v) < 0) {
		w.keep(at, v)
	}
}
