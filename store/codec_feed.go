package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// feedBlockSize is when a block of entries is full. Pebble's cost is by key, so that a commit's entries share few.
const feedBlockSize = 256 << 10

// feedBlock is the value of the feed keyspace, entries packed:
//
//	format, bytes of all blocks before, wall clock, mask of types,
//	the metrics that results name: count, then (name, hash),
//	entries: count, then (type, clock against the block's, length, payload)
//
// A reader that looks for one type skips the payloads of the others.
type feedBlock struct {
	first   uint64
	before  uint64 // feed bytes before this block: the difference of two is what lies between
	size    int    // of the value
	atMs    int64
	types   TypeSet
	metrics []metricName
	count   int
	entries decoder
}

type metricName struct {
	name string
	hash definition.Hash
}

// feedEncoder packs entries into blocks. Its buffers are reused.
type feedEncoder struct {
	metrics []metricName
	types   TypeSet
	count   int
	body    []byte
	payload []byte
	value   []byte
}

func (e *feedEncoder) reset() {
	e.metrics = e.metrics[:0]
	e.types = 0
	e.count = 0
	e.body = e.body[:0]
}

func (e *feedEncoder) add(entry *processing.Entry, atMs int64) error {
	e.payload = e.payload[:0]
	switch {
	case entry.Type == processing.ResultEntry && entry.Result != nil:
		e.addResult(entry.Result)
	case entry.Type == processing.AlertEntry && entry.Alert != nil:
		if err := checkAlert(entry.Alert); err != nil {
			return fmt.Errorf("feed entry %d: %w", entry.Seq, err)
		}
		e.payload = appendAlert(e.payload, entry.Alert)
	case entry.Type == processing.DeadLetterEntry && entry.DeadLetter != nil:
		e.payload = appendDeadLetter(e.payload, entry.DeadLetter)
	case entry.Type == processing.LateEntry && entry.Late != nil:
		e.payload = appendLate(e.payload, entry.Late)
	default:
		return fmt.Errorf("feed entry %d: type %d does not say what it carries", entry.Seq, entry.Type)
	}
	e.types |= Types(entry.Type)
	e.count++
	e.body = append(e.body, byte(entry.Type))
	e.body = binary.AppendVarint(e.body, entry.AtMs-atMs)
	e.body = appendBytes(e.body, e.payload)
	return nil
}

func (e *feedEncoder) addResult(r *window.Result) {
	m := metricName{r.Metric, r.Definition}
	i := slices.Index(e.metrics, m)
	if i < 0 {
		i = len(e.metrics)
		e.metrics = append(e.metrics, m)
	}
	e.payload = binary.AppendUvarint(e.payload, uint64(i))
	e.payload = binary.AppendVarint(e.payload, int64(r.Start))
	e.payload = binary.AppendVarint(e.payload, int64(r.End-r.Start))
	e.payload = appendRow(e.payload, r)
}

// finish returns the block's value, valid until the next one.
func (e *feedEncoder) finish(before uint64, atMs int64) []byte {
	v := append(e.value[:0], formatV1)
	v = binary.AppendUvarint(v, before)
	v = binary.AppendVarint(v, atMs)
	v = append(v, byte(e.types))
	v = binary.AppendUvarint(v, uint64(len(e.metrics)))
	for _, m := range e.metrics {
		v = appendBytes(v, m.name)
		v = append(v, m.hash[:]...)
	}
	v = binary.AppendUvarint(v, uint64(e.count))
	e.value = append(v, e.body...)
	return e.value
}

// decodeFeedHeader reads what retention and backlog need.
func decodeFeedHeader(key, value []byte) (b feedBlock, d decoder, err error) {
	first, err := parseFeedKey(key)
	if err != nil {
		return b, d, err
	}
	d = decodeValue(value)
	b = feedBlock{first: first, before: d.uvarint(), size: len(value), atMs: d.varint(), types: TypeSet(d.byte())}
	return b, d, d.err
}

func decodeFeedBlock(key, value []byte) (feedBlock, error) {
	b, d, err := decodeFeedHeader(key, value)
	if err != nil {
		return b, err
	}
	b.metrics = make([]metricName, d.count(1+16))
	for i := range b.metrics {
		b.metrics[i] = metricName{name: d.string(), hash: d.hash()}
	}
	b.count = d.count(3)
	b.entries = d
	return b, d.err
}

var knownTypes = Types(processing.ResultEntry, processing.AlertEntry, processing.DeadLetterEntry, processing.LateEntry)

// next reads the entry after the last one read. An entry of a type that is not wanted, or whose sequence is not above
// after, is not decoded: ok is false.
func (b *feedBlock) next(seq, after uint64, types TypeSet) (entry processing.Entry, ok bool, err error) {
	d := &b.entries
	kind := processing.EntryType(d.byte())
	atMs := b.atMs + d.varint()
	payload := decoder{b: d.bytes()}
	if !knownTypes.Has(kind) {
		d.fail("type of a feed entry")
	}
	if d.err != nil || seq <= after || !types.Has(kind) {
		return entry, false, d.err
	}
	entry = processing.Entry{Seq: seq, Type: kind, AtMs: atMs}
	switch kind {
	case processing.ResultEntry:
		entry.Result = payload.result(b.metrics)
	case processing.AlertEntry:
		a := payload.alert()
		entry.Alert = &a
	case processing.DeadLetterEntry:
		entry.DeadLetter = payload.deadLetter()
	case processing.LateEntry:
		entry.Late = payload.late()
	}
	return entry, true, payload.end()
}

func (d *decoder) result(metrics []metricName) *window.Result {
	i := d.uvarint()
	if i >= uint64(len(metrics)) {
		d.fail("metric of a feed entry")
		return nil
	}
	r := &window.Result{Metric: metrics[i].name, Definition: metrics[i].hash}
	r.Start = d.millis()
	r.End = r.Start + d.millis()
	d.row(r)
	return r
}

func appendDeadLetter(dst []byte, l *processing.DeadLetter) []byte {
	dst = appendBytes(dst, l.Reason)
	dst = appendBytes(dst, l.Detail)
	dst = appendBytes(dst, l.Topic)
	dst = binary.AppendVarint(dst, int64(l.Partition))
	dst = binary.AppendVarint(dst, int64(l.Offset))
	dst = binary.AppendVarint(dst, int64(l.SchemaID))
	dst = appendNullable(dst, l.Key)
	dst = appendNullable(dst, l.Value)
	if l.Truncated {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func (d *decoder) deadLetter() *processing.DeadLetter {
	l := &processing.DeadLetter{
		Reason:    d.string(),
		Detail:    d.string(),
		Topic:     d.string(),
		Partition: event.PartitionID(d.int32()),
		Offset:    event.Offset(d.varint()),
		SchemaID:  d.int32(),
		Key:       d.nullable(),
		Value:     d.nullable(),
	}
	switch d.byte() {
	case 0:
	case 1:
		l.Truncated = true
	default:
		d.fail("truncation of a dead letter")
	}
	return l
}

// appendNullable keeps nil apart from empty: a Kafka key or value that is null is not one of no bytes.
func appendNullable(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 0)
	}
	return appendBytes(append(dst, 1), v)
}

func (d *decoder) nullable() []byte {
	switch d.byte() {
	case 0:
		return nil
	case 1:
		return append([]byte{}, d.bytes()...)
	default:
		d.fail("tag of a key or value")
		return nil
	}
}

// appendLate writes the definitions sorted, so that equal entries have equal bytes.
func appendLate(dst []byte, l *processing.Late) []byte {
	dst = appendBytes(dst, l.Topic)
	dst = binary.AppendVarint(dst, int64(l.Partition))
	dst = binary.AppendVarint(dst, l.Count)
	dst = binary.AppendUvarint(dst, uint64(len(l.ByDefinition)))
	for _, name := range slices.Sorted(maps.Keys(l.ByDefinition)) {
		dst = appendBytes(dst, name)
		dst = binary.AppendVarint(dst, l.ByDefinition[name])
	}
	dst = binary.AppendUvarint(dst, uint64(len(l.Samples)))
	for _, s := range l.Samples {
		dst = binary.AppendVarint(dst, int64(s.Offset))
		dst = binary.AppendVarint(dst, int64(s.EventTimeMs))
	}
	return dst
}

func (d *decoder) late() *processing.Late {
	l := &processing.Late{Topic: d.string(), Partition: event.PartitionID(d.int32()), Count: d.varint()}
	if n := d.count(2); n > 0 {
		l.ByDefinition = make(map[string]int64, n)
		for range n {
			name := d.string()
			l.ByDefinition[name] = d.varint()
		}
	}
	if n := d.count(2); n > 0 {
		l.Samples = make([]processing.LateSample, n)
		for i := range l.Samples {
			l.Samples[i] = processing.LateSample{Offset: event.Offset(d.varint()), EventTimeMs: d.millis()}
		}
	}
	return l
}
