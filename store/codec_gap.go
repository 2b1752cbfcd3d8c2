package store

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// appendGapKey orders the gaps of a partition by To, then by when they were accepted.
func appendGapKey(dst []byte, g *processing.Gap) []byte {
	dst = appendTopic(append(dst, byte(spaceGap)), g.Topic, g.Partition)
	dst = binary.BigEndian.AppendUint64(dst, uint64(g.To)^1<<63)
	return binary.BigEndian.AppendUint64(dst, uint64(g.AtMs)^1<<63)
}

// appendGap leaves out what is in the key.
func appendGap(dst []byte, g *processing.Gap) []byte {
	dst = append(dst, formatV1)
	dst = append(dst, g.TopicID[:]...)
	dst = binary.AppendVarint(dst, int64(g.From))
	dst = binary.AppendVarint(dst, int64(g.Dropped))
	return appendBytes(dst, g.Reason)
}

func decodeGap(key, value []byte) (g processing.Gap, err error) {
	topic, partition, rest, err := parseTopic(key[1:])
	if err != nil {
		return g, err
	}
	if len(rest) != 16 {
		return g, fmt.Errorf("%w: key of a gap", errDamaged)
	}
	d := decodeValue(value)
	g = processing.Gap{
		TopicID: d.hash(), Topic: topic, Partition: partition,
		From: event.Offset(d.varint()), Dropped: event.Offset(d.varint()), To: event.Offset(binary.BigEndian.Uint64(rest) ^ 1<<63),
		Reason: d.string(), AtMs: int64(binary.BigEndian.Uint64(rest[8:]) ^ 1<<63),
	}
	return g, d.end()
}

func appendFaultKey(dst []byte, topic string, p event.PartitionID) []byte {
	return appendTopic(append(dst, byte(spaceFault)), topic, p)
}

// appendFault leaves out topic and partition, which are the key.
func appendFault(dst []byte, f *processing.Fault) []byte {
	dst = append(dst, formatV1)
	dst = append(dst, f.TopicID[:]...)
	dst = appendBytes(dst, string(f.Kind))
	dst = appendBytes(dst, f.Detail)
	dst = binary.AppendVarint(dst, int64(f.Next))
	return binary.AppendVarint(dst, f.AtMs)
}

func decodeFault(key, value []byte) (f processing.Fault, err error) {
	topic, partition, rest, err := parseTopic(key[1:])
	if err != nil {
		return f, err
	}
	if len(rest) > 0 {
		return f, fmt.Errorf("%w: key of a fault", errDamaged)
	}
	d := decodeValue(value)
	f = processing.Fault{
		TopicID: d.hash(), Topic: topic, Partition: partition, Kind: processing.FaultKind(d.string()), Detail: d.string(),
		Next: event.Offset(d.varint()), AtMs: d.varint(),
	}
	return f, d.end()
}
