package aggregate

import (
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// UniquesColumn estimates how many distinct values there were. It reads Input.Hash and takes values of every kind. Like
// CountColumn, it is exported for loops over events.
type UniquesColumn struct {
	rows   []registers
	sorted []uint32 // scratch of AppendRow
}

func (c *UniquesColumn) Kind() Kind { return Uniques }

func (c *UniquesColumn) Len() int { return len(c.rows) }

func (c *UniquesColumn) Grow(n int) { c.rows = growKept(c.rows, n) }

func (c *UniquesColumn) Add(row int, in *Input) bool {
	if !in.Value.IsNull() {
		c.AddHash(row, in.Hash)
	}
	return true
}

// AddHash adds a value that is not null by its hash.
func (c *UniquesColumn) AddHash(row int, hash uint64) {
	r := &c.rows[row]
	register, rank := place(hash)
	if r.dense != nil {
		if r.dense[register] < rank {
			r.dense[register] = rank
		}
		return
	}
	r.addSparse(register, rank)
	if r.dense == nil && len(c.rows) == 1 {
		r.hurry() // a row without groups beside it is that of all events
	}
}

func (c *UniquesColumn) Merge(row int, from Column, src int) {
	c.rows[row].merge(&from.(*UniquesColumn).rows[src])
}

func (c *UniquesColumn) Result(row int, _ float64) event.Value {
	return event.FloatValue(c.rows[row].estimate())
}

func (c *UniquesColumn) AppendRow(dst []byte, row int) []byte {
	dst, c.sorted = c.rows[row].appendTo(dst, c.sorted[:0])
	return dst
}

func (c *UniquesColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	rest, err = c.rows[row].mergeBytes(src)
	if err != nil {
		return nil, fmt.Errorf("merge uniques: %w", err)
	}
	return rest, nil
}

func (c *UniquesColumn) Clear(row int) { c.rows[row].reset() }

func (c *UniquesColumn) Reset() {
	for i := range c.rows {
		if i < keptRows {
			c.rows[i].reset()
		} else {
			c.rows[i] = registers{}
		}
	}
	c.rows = c.rows[:0]
}
