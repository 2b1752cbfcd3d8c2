package store

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// appendCursor leaves out topic and partition, which are the key.
func appendCursor(dst []byte, c *processing.Cursor) []byte {
	dst = append(dst, formatV1)
	dst = appendBytes(dst, c.ClusterID)
	dst = append(dst, c.TopicID[:]...)
	dst = binary.AppendVarint(dst, int64(c.Next))
	dst = binary.AppendVarint(dst, int64(c.Max))
	dst = binary.AppendVarint(dst, int64(c.HeldFrom))
	dst = binary.AppendVarint(dst, int64(c.HeldMax))
	dst = binary.AppendVarint(dst, int64(c.LeaderEpoch))
	dst = binary.AppendVarint(dst, int64(c.Anchor.Offset))
	dst = binary.LittleEndian.AppendUint64(dst, c.Anchor.Hash)
	return binary.AppendVarint(dst, int64(c.Start))
}

func decodeCursor(key, value []byte) (c processing.Cursor, err error) {
	topic, partition, rest, err := parseTopic(key[1:])
	if err != nil {
		return c, err
	}
	if len(rest) > 0 {
		return c, fmt.Errorf("%w: key of a cursor", errDamaged)
	}
	d := decodeValue(value)
	c = processing.Cursor{
		ClusterID:   d.string(),
		TopicID:     d.hash(),
		Topic:       topic,
		Partition:   partition,
		Next:        event.Offset(d.varint()),
		Max:         d.millis(),
		HeldFrom:    event.Offset(d.varint()),
		HeldMax:     d.millis(),
		LeaderEpoch: d.int32(),
		Anchor:      processing.Anchor{Offset: event.Offset(d.varint()), Hash: d.uint64()},
		Start:       event.Offset(d.varint()),
	}
	return c, d.end()
}

func appendFloor(dst []byte, f *processing.Floor) []byte {
	dst = append(dst, formatV1)
	dst = append(dst, f.TopicID[:]...)
	return binary.AppendVarint(dst, int64(f.Floor))
}

func decodeFloor(key, value []byte) (f processing.Floor, err error) {
	topic, partition, rest, err := parseTopic(key[1:])
	if err != nil {
		return f, err
	}
	if len(rest) != 8 {
		return f, fmt.Errorf("%w: key of a floor", errDamaged)
	}
	d := decodeValue(value)
	f = processing.Floor{
		TopicID:   d.hash(),
		Topic:     topic,
		Partition: partition,
		Offset:    event.Offset(binary.BigEndian.Uint64(rest) ^ 1<<63),
		Floor:     d.millis(),
	}
	return f, d.end()
}

func appendStart(dst []byte, s *processing.Start) []byte {
	dst = append(dst, formatV1)
	dst = appendBytes(dst, s.Name)
	return binary.AppendVarint(dst, int64(s.From))
}

func decodeStart(key, value []byte) (s processing.Start, err error) {
	if s.Hash, err = parseHashKey(key); err != nil {
		return s, err
	}
	d := decodeValue(value)
	s.Name, s.From = d.string(), d.millis()
	return s, d.end()
}

// appendSchema leaves out the Ref, which is the key.
func appendSchema(dst []byte, s *processing.Schema) []byte {
	dst = append(dst, formatV1)
	dst = appendBytes(dst, s.Type)
	dst = appendBytes(dst, s.Text)
	dst = binary.AppendUvarint(dst, uint64(len(s.Starts)))
	for _, start := range s.Starts {
		dst = binary.AppendVarint(dst, int64(start.Partition))
		dst = binary.AppendVarint(dst, int64(start.From))
	}
	return dst
}

func decodeSchema(key, value []byte) (s processing.Schema, err error) {
	if s.Ref, err = parseSchemaKey(key); err != nil {
		return s, err
	}
	d := decodeValue(value)
	s.Type, s.Text = d.string(), d.string()
	if n := d.count(2); n > 0 {
		s.Starts = make([]processing.SchemaStart, n)
	}
	for i := range s.Starts {
		s.Starts[i] = processing.SchemaStart{Partition: event.PartitionID(d.int32()), From: event.Offset(d.varint())}
	}
	return s, d.end()
}

// identity is what makes a store this store.
type identity struct {
	instance string
	epoch    string
}

func appendIdentity(dst []byte, id identity) []byte {
	dst = append(dst, formatV1)
	dst = appendBytes(dst, id.instance)
	return appendBytes(dst, id.epoch)
}

func decodeIdentity(value []byte) (id identity, err error) {
	d := decodeValue(value)
	id = identity{instance: d.string(), epoch: d.string()}
	return id, d.end()
}

// tail is where the last commit left what has one value for the whole store.
type tail struct {
	watermark event.Millis
	newest    event.Millis // event time
	head      uint64       // of the feed
	feedBytes uint64       // of all feed blocks ever written: see feedBlock.before
	counters  processing.Counters
}

func appendTail(dst []byte, t *tail) []byte {
	dst = append(dst, formatV1)
	dst = binary.AppendVarint(dst, int64(t.watermark))
	dst = binary.AppendVarint(dst, int64(t.newest))
	dst = binary.AppendUvarint(dst, t.head)
	dst = binary.AppendUvarint(dst, t.feedBytes)
	c := &t.counters
	for _, n := range []int64{c.Consumed, c.Applied, c.Filtered, c.Late, c.DeadLetters, c.Duplicates, c.LatePartly, c.BadValues} {
		dst = binary.AppendVarint(dst, n)
	}
	return dst
}

func decodeTail(value []byte) (t tail, err error) {
	d := decodeValue(value)
	t.watermark = d.millis()
	t.newest = d.millis()
	t.head = d.uvarint()
	t.feedBytes = d.uvarint()
	c := &t.counters
	for _, n := range []*int64{&c.Consumed, &c.Applied, &c.Filtered, &c.Late, &c.DeadLetters, &c.Duplicates, &c.LatePartly, &c.BadValues} {
		*n = d.varint()
	}
	return t, d.end()
}

func appendPosition(dst []byte, seq uint64) []byte {
	return binary.AppendUvarint(append(dst, formatV1), seq)
}

func decodePosition(value []byte) (uint64, error) {
	d := decodeValue(value)
	seq := d.uvarint()
	return seq, d.end()
}
