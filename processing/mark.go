package processing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// Mark is the end of a commit that appended to the feed: the last of its sequences, and where the fold stood then. What is
// in the feed up to Seq is what the log says up to these cursors and this W.
type Mark struct {
	Seq       uint64
	Watermark event.Millis
	Cursors   []Cursor // of all partitions, by topic, then partition
}

// Journal is what another fold of the same log has to know besides the log, see Target.
type Journal struct {
	Floors  []Floor
	Gaps    []Gap
	Schemas []Schema
	Starts  []Start
}

// SamePlace reports whether two folds stand at the same place of the same log, whatever they call it.
func (m *Mark) SamePlace(o *Mark) bool {
	if m.Watermark != o.Watermark || len(m.Cursors) != len(o.Cursors) {
		return false
	}
	for i := range m.Cursors {
		if a, b := &m.Cursors[i], &o.Cursors[i]; !a.sameLog(b) || a.Next != b.Next {
			return false
		}
	}
	return true
}

// Reaches reports whether o stands nowhere before m, so that a fold that stands at m can go on to o.
func (m *Mark) Reaches(o *Mark) bool {
	if m.Watermark > o.Watermark {
		return false
	}
	type place struct {
		topic     string
		partition event.PartitionID
	}
	ahead := make(map[place]*Cursor, len(o.Cursors))
	for i := range o.Cursors {
		ahead[place{o.Cursors[i].Topic, o.Cursors[i].Partition}] = &o.Cursors[i]
	}
	for i := range m.Cursors {
		c := &m.Cursors[i]
		to := ahead[place{c.Topic, c.Partition}]
		if to == nil && c.Next == c.Start {
			continue // nothing has been read of it yet
		}
		if to == nil || !c.sameLog(to) || c.Next > to.Next {
			return false
		}
	}
	return true
}

// SharesLog reports whether any log that m was made from is one that o was made from.
func (m *Mark) SharesLog(o *Mark) bool {
	return slices.ContainsFunc(m.Cursors, func(a Cursor) bool {
		return slices.ContainsFunc(o.Cursors, func(b Cursor) bool { return a.sameLog(&b) })
	})
}

func (c *Cursor) sameLog(o *Cursor) bool {
	return c.ClusterID == o.ClusterID && c.TopicID == o.TopicID && c.Topic == o.Topic && c.Partition == o.Partition
}

// markFormat is the first byte of a packed mark.
const markFormat = 1

// ErrBadMark is returned by UnpackMark for bytes that Pack has not written.
var ErrBadMark = errors.New("not a mark of a format that this version knows")

// Pack appends the mark in few bytes: thousands may be kept, and one goes into each transaction. A cursor repeats the
// cluster and the topic only where they differ from those of the cursor before, and tells its times and offsets by their distance
// to each other.
func (m *Mark) Pack(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, markFormat), m.Seq)
	dst = binary.AppendVarint(dst, int64(m.Watermark))
	dst = binary.AppendUvarint(dst, uint64(len(m.Cursors)))
	var last Cursor
	for i := range m.Cursors {
		c := &m.Cursors[i]
		if i > 0 && c.ClusterID == last.ClusterID && c.TopicID == last.TopicID && c.Topic == last.Topic {
			dst = append(dst, 0)
		} else {
			dst = append(dst, 1)
			dst = append(binary.AppendUvarint(dst, uint64(len(c.ClusterID))), c.ClusterID...)
			dst = append(dst, c.TopicID[:]...)
			dst = append(binary.AppendUvarint(dst, uint64(len(c.Topic))), c.Topic...)
		}
		for _, n := range []int64{
			int64(c.Partition) - int64(last.Partition), int64(c.Next), int64(c.Max - last.Max), int64(c.Next - c.HeldFrom),
			int64(c.Max - c.HeldMax), int64(c.LeaderEpoch), int64(c.Next - c.Anchor.Offset), int64(c.Start),
		} {
			dst = binary.AppendVarint(dst, n)
		}
		dst = binary.LittleEndian.AppendUint64(dst, c.Anchor.Hash)
		last = *c
	}
	return dst
}

// UnpackMark reads what Pack has written, and nothing else.
func UnpackMark(b []byte) (Mark, error) {
	u := unpacker{rest: b}
	if u.take(1); u.failed || b[0] != markFormat {
		return Mark{}, ErrBadMark
	}
	m := Mark{Seq: u.uvarint(), Watermark: event.Millis(u.varint())}
	n := u.uvarint()
	const least = 1 + 8 + 8 // bytes of a cursor
	if n > uint64(len(u.rest)/least) {
		return Mark{}, fmt.Errorf("%w: %d cursors", ErrBadMark, n)
	}
	var last Cursor
	for range n {
		c := Cursor{ClusterID: last.ClusterID, TopicID: last.TopicID, Topic: last.Topic}
		if own := u.take(1); len(own) == 1 && own[0] == 1 {
			c.ClusterID = string(u.take(u.uvarint()))
			copy(c.TopicID[:], u.take(16))
			c.Topic = string(u.take(u.uvarint()))
		} else if len(own) == 1 && own[0] > 1 {
			u.failed = true
		}
		c.Partition = event.PartitionID(int64(last.Partition) + u.varint())
		c.Next = event.Offset(u.varint())
		c.Max = last.Max + event.Millis(u.varint())
		c.HeldFrom = c.Next - event.Offset(u.varint())
		c.HeldMax = c.Max - event.Millis(u.varint())
		c.LeaderEpoch = int32(u.varint())
		c.Anchor.Offset = c.Next - event.Offset(u.varint())
		c.Start = event.Offset(u.varint())
		if hash := u.take(8); len(hash) == 8 {
			c.Anchor.Hash = binary.LittleEndian.Uint64(hash)
		}
		m.Cursors = append(m.Cursors, c)
		last = c
	}
	if u.failed || len(u.rest) > 0 {
		return Mark{}, ErrBadMark
	}
	return m, nil
}

// unpacker reads front to back. The first fault sticks.
type unpacker struct {
	rest   []byte
	failed bool
}

func (u *unpacker) take(n uint64) []byte {
	if u.failed || n > uint64(len(u.rest)) {
		u.failed = true
		return nil
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.rest)
	if n <= 0 {
		u.failed = true
		return 0
	}
	u.rest = u.rest[n:]
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.rest)
	if n <= 0 {
		u.failed = true
		return 0
	}
	u.rest = u.rest[n:]
	return v
}
