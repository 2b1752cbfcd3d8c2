package aggregate

import (
	"encoding/binary"

	"github.com/tidemark/tidemark/processing/event"
)

// AppendFact appends what a row says, apart from where it was read: its canonical form, but for first and last the value
// and its time alone. Partition and offset of that event would tell the same events, spread over other partitions, apart.
func AppendFact(dst []byte, c Column, row int) []byte {
	var w *witness
	switch c := c.(type) {
	case *firstColumn:
		w = &c.rows[row]
	case *lastColumn:
		w = &c.rows[row]
	default:
		return c.AppendRow(dst, row)
	}
	dst = appendValue(dst, &w.value)
	if w.value.Kind == event.Null {
		return dst
	}
	return binary.AppendVarint(dst, int64(w.at.Time))
}
