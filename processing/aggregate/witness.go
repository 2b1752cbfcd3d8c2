package aggregate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// witness is a value and the place of its event in the total order.
type witness struct {
	at    event.Order
	value event.Value // null: none yet
	text  []byte      // what value aliases if it is a String
}

// compare orders by place. Rows that are no events of the log, like closed sessions, may share a place; then the
// values decide, so that it still doesn't matter which of them comes first.
func (w *witness) compare(at event.Order, v *event.Value) int {
	if c := at.Compare(w.at); c != 0 {
		return c
	}
	var a, b [32]byte
	return bytes.Compare(appendValue(a[:0], v), appendValue(b[:0], &w.value))
}

// keep copies the value: what it was read from will be overwritten.
func (w *witness) keep(at event.Order, v *event.Value) {
	w.at, w.value = at, *v
	if v.Kind == event.String {
		w.text = append(w.text[:0], v.Bytes()...)
		w.value = event.StringValue(w.text)
	}
}

func (w *witness) reset() { w.value = event.Value{} }

func (w *witness) appendTo(dst []byte) []byte {
	dst = appendValue(dst, &w.value)
	if w.value.IsNull() {
		return dst
	}
	dst = binary.AppendVarint(dst, int64(w.at.Time))
	dst = binary.AppendVarint(dst, int64(w.at.Partition))
	return binary.AppendVarint(dst, int64(w.at.Offset))
}

// appendValue appends the kind and the value.
func appendValue(dst []byte, v *event.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case event.Bool:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case event.Int:
		return binary.AppendVarint(dst, v.Int())
	case event.Float:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case event.String:
		dst = binary.AppendUvarint(dst, uint64(len(v.Bytes())))
		return append(dst, v.Bytes()...)
	default:
		return dst
	}
}

// readWitness reads a witness whose text aliases src.
func readWitness(src []byte) (w witness, rest []byte, err error) {
	w.value, src, err = readValue(src)
	if err != nil || w.value.IsNull() {
		return w, src, err
	}
	var time, partition, offset int64
	if time, src, err = readVarint(src); err != nil {
		return w, nil, err
	}
	if partition, src, err = readVarint(src); err != nil {
		return w, nil, err
	}
	if offset, src, err = readVarint(src); err != nil {
		return w, nil, err
	}
	if int64(int32(partition)) != partition {
		return w, nil, fmt.Errorf("partition %d: %w", partition, ErrCorrupt)
	}
	w.at = event.Order{Time: event.Millis(time), Coordinate: event.Coordinate{
		Partition: event.PartitionID(partition), Offset: event.Offset(offset),
	}}
	return w, src, nil
}

func readValue(src []byte) (v event.Value, rest []byte, err error) {
	if len(src) == 0 {
		return v, nil, fmt.Errorf("value is missing: %w", ErrCorrupt)
	}
	kind, src := event.Kind(src[0]), src[1:]
	switch {
	case kind == event.Null:
		return v, src, nil
	case kind == event.Bool && len(src) >= 1 && src[0] <= 1:
		return event.BoolValue(src[0] == 1), src[1:], nil
	case kind == event.Int:
		n, rest, err := readVarint(src)
		return event.IntValue(n), rest, err
	case kind == event.Float && len(src) >= 8:
		return event.FloatValue(math.Float64frombits(binary.BigEndian.Uint64(src))), src[8:], nil
	case kind == event.String:
		n, src, err := readUvarint(src)
		if err == nil && n > uint64(len(src)) {
			err = fmt.Errorf("text of %d bytes: %w", n, ErrCorrupt)
		}
		if err != nil {
			return v, nil, err
		}
		return event.StringValue(src[:n]), src[n:], nil
	default:
		return v, nil, fmt.Errorf("value of kind %d: %w", kind, ErrCorrupt)
	}
}
