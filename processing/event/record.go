package event

import (
	"cmp"
	"math"
	"time"
)

// Millis is a point in event time, or a span of it: milliseconds since the Unix epoch, or between two such points.
type Millis int64

// NoTime is the time of something that has not happened: a partition without a record has it as M_p, and it is below every real time.
const NoTime Millis = math.MinInt64

// RFC3339 shows a time as people read it.
func (m Millis) RFC3339() string {
	if m == NoTime {
		return "none yet"
	}
	return time.UnixMilli(int64(m)).UTC().Format(time.RFC3339Nano)
}

// Offset is a position in one partition's log.
type Offset int64

// PartitionID is the number of a partition of the events topic.
type PartitionID int32

// Coordinate says where in the events topic a record stands.
type Coordinate struct {
	Partition PartitionID
	Offset    Offset
}

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one Kafka message. Key, Value and Headers alias the fetch buffer and must not be kept or changed.
type Record struct {
	Partition PartitionID
	Offset    Offset
	Timestamp Millis // Kafka's: of creation or of append, as the topic says
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Order is the place of an event in the total order: event time, then partition, then offset.
// All events come from one topic, so that the topic needs no place in it.
type Order struct {
	Time Millis
	Coordinate
}

// Compare orders as cmp.Compare does.
func (a Order) Compare(b Order) int {
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Partition, b.Partition); c != 0 {
		return c
	}
	return cmp.Compare(a.Offset, b.Offset)
}
