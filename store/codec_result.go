package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// compareGroups is the order of rows within a window, and of WindowPos.
func compareGroups(a, b []string) int { return slices.Compare(a, b) }

// appendResults encodes the rows of one window, sorted by group, of which there may be none. Metric, hash, start and end are
// the window's and stand once.
func appendResults(dst []byte, block *processing.ResultBlock) ([]byte, error) {
	rows := block.Results
	byGroup := func(a, b window.Result) int { return compareGroups(a.Group, b.Group) }
	if !slices.IsSortedFunc(rows, byGroup) {
		rows = slices.Clone(rows)
		slices.SortFunc(rows, byGroup)
	}
	var end event.Millis
	if len(rows) > 0 {
		end = rows[0].End
	}
	dst = append(dst, formatV2)
	dst = appendBytes(dst, block.Metric)
	dst = block.Digest.Append(dst)
	dst = binary.AppendVarint(dst, int64(end))
	dst = binary.AppendUvarint(dst, uint64(len(rows)))
	for i := range rows {
		r := &rows[i]
		if r.Metric != block.Metric || r.Definition != block.Hash || r.Start != block.Start || r.End != end {
			return nil, fmt.Errorf("window %s [%d, %d): row of %s [%d, %d)", block.Metric, block.Start, end, r.Metric, r.Start, r.End)
		}
		dst = appendRow(dst, r)
	}
	return dst, nil
}

func decodeResults(key, value []byte) (b processing.ResultBlock, err error) {
	if b.Hash, b.Start, err = parseTimeKey(key); err != nil {
		return b, err
	}
	d := decodeFormat(value, formatV2)
	b.Metric, b.Digest = d.string(), d.sum()
	end := d.millis()
	if n := d.count(rowSize); n > 0 {
		b.Results = make([]window.Result, n)
	}
	for i := range b.Results {
		b.Results[i] = window.Result{Metric: b.Metric, Definition: b.Hash, Start: b.Start, End: end}
		d.row(&b.Results[i])
	}
	return b, d.end()
}

// decodeWindowDigest reads no further than it must.
func decodeWindowDigest(value []byte) (digest.Sum, error) {
	d := decodeFormat(value, formatV2)
	_ = d.bytes() // the metric
	sum := d.sum()
	return sum, d.err
}

// rowSize is the least number of bytes that a row takes.
const rowSize = 7

// rowTruncated is set in the byte of the kind.
const rowTruncated = 0x80

// appendRow encodes what differs between the rows of a window.
func appendRow(dst []byte, r *window.Result) []byte {
	kind := byte(r.Kind)
	if r.Truncated {
		kind |= rowTruncated
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(r.Group)))
	for _, g := range r.Group {
		dst = appendBytes(dst, g)
	}
	dst = binary.AppendUvarint(dst, uint64(r.Revision))
	dst = appendNumber(dst, r.Value)
	dst = binary.AppendUvarint(dst, uint64(len(r.Aggregates)))
	for _, a := range r.Aggregates {
		dst = appendNumber(dst, a)
	}
	dst = binary.AppendVarint(dst, r.Count)
	return binary.AppendUvarint(dst, r.Seq)
}

func (d *decoder) row(r *window.Result) {
	kind := d.byte()
	r.Kind = window.Kind(kind &^ rowTruncated)
	r.Truncated = kind&rowTruncated != 0
	if n := d.count(1); n > 0 {
		r.Group = make([]string, n)
		for i := range r.Group {
			r.Group[i] = d.string()
		}
	}
	revision := d.uvarint()
	if revision > math.MaxInt32 {
		d.fail("revision")
	}
	r.Revision = int(revision)
	r.Value = d.number()
	if n := d.count(1); n > 0 {
		r.Aggregates = make([]definition.Number, n)
		for i := range r.Aggregates {
			r.Aggregates[i] = d.number()
		}
	}
	r.Count = d.varint()
	r.Seq = d.uvarint()
}
