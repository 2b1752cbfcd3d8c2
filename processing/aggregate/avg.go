package aggregate

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// avgColumn keeps sum and count; their quotient is rounded once, when it is asked for.
type avgColumn struct {
	rows []mean
}

type mean struct {
	sum   fixed
	count int64
}

func (c *avgColumn) Kind() Kind { return Avg }

func (c *avgColumn) Len() int { return len(c.rows) }

func (c *avgColumn) Grow(n int) { c.rows = growZeroed(c.rows, n) }

func (c *avgColumn) Add(row int, in *Input) bool {
	if in.Value.IsNull() {
		return true
	}
	x, ok := fixedOf(in.Value)
	if ok {
		c.rows[row].merge(&mean{x, 1})
	}
	return ok
}

func (c *avgColumn) Merge(row int, from Column, src int) {
	c.rows[row].merge(&from.(*avgColumn).rows[src])
}

func (c *avgColumn) Result(row int, _ float64) event.Value {
	m := &c.rows[row]
	if m.count <= 0 {
		return event.Value{}
	}
	return event.FloatValue(m.sum.over(uint64(m.count)))
}

func (c *avgColumn) AppendRow(dst []byte, row int) []byte {
	m := &c.rows[row]
	dst = binary.AppendUvarint(dst, uint64(m.count))
	if m.count == 0 {
		return dst
	}
	return m.sum.appendTo(dst)
}

func (c *avgColumn) MergeRow(row int, src []byte) (rest []byte, err error) {
	sum, count, rest, err := readAvg(src)
	if err != nil {
		return nil, fmt.Errorf("merge avg: %w", err)
	}
	c.rows[row].merge(&mean{sum, count})
	return rest, nil
}

func (c *avgColumn) Clear(row int) { c.rows[row] = mean{} }

func (c *avgColumn) Reset() { c.rows = c.rows[:0] }

func (m *mean) merge(o *mean) {
	m.sum.add(&o.sum)
	m.count += o.count
}

func readAvg(src []byte) (sum fixed, count int64, rest []byte, err error) {
	n, rest, err := readUvarint(src)
	if err != nil || n == 0 {
		return fixed{}, 0, rest, err
	}
	if n > math.MaxInt64 {
		return fixed{}, 0, nil, fmt.Errorf("count %d: %w", n, ErrCorrupt)
	}
	sum, rest, err = readFixed(rest)
	return sum, int64(n), rest, err
}
