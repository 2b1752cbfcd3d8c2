package event

import (
	"fmt"
	"time"
)

// Reason says in one word why a record is a dead letter.
type Reason string

// The reasons.
const (
	Undecodable          Reason = "undecodable"           // not an event of the schema
	UnknownSchema        Reason = "unknown_schema"        // framed with a schema that nobody knows
	IncompatibleSchema   Reason = "incompatible_schema"   // written with a schema that can't be read as the events schema
	FutureTimestamp      Reason = "future_timestamp"      // event time too far ahead of the record's Kafka timestamp
	ImplausibleTimestamp Reason = "implausible_timestamp" // event time too early or past all plans, or no Kafka timestamp to judge it by
)

// BadRecord is the error of a record that can't be an event. It belongs into the dead letters; reading goes on.
type BadRecord struct {
	Reason Reason
	Detail string // what is wrong and where, for people
}

func (b *BadRecord) Error() string { return string(b.Reason) + ": " + b.Detail }

func undecodable(format string, args ...any) *BadRecord {
	return &BadRecord{Reason: Undecodable, Detail: fmt.Sprintf(format, args...)}
}

// CheckTime judges an event time by the record's Kafka timestamp, never by a clock: it must not be more than maxSkew
// ahead of it, nor before minTime. A record without Kafka timestamp (negative) is bad too: nothing would bound its
// event time, and one event far in the future would make all that follow late. Whatever both say, it must not be past
// the year 9999, so that sums of times stay times. It returns nil for a good time.
func CheckTime(eventTime, kafkaTimestamp, maxSkew, minTime Millis) *BadRecord {
	switch {
	case eventTime < minTime:
		return &BadRecord{ImplausibleTimestamp, fmt.Sprintf("event time %s is before %s", eventTime.text(), minTime.text())}
	case kafkaTimestamp < 0:
		return &BadRecord{ImplausibleTimestamp, fmt.Sprintf("the record has no Kafka timestamp (%d) to judge the event time %s by",
			kafkaTimestamp, eventTime.text())}
	case eventTime > kafkaTimestamp && eventTime-kafkaTimestamp > maxSkew:
		return &BadRecord{FutureTimestamp, fmt.Sprintf("event time %s is more than %s ahead of the record's Kafka timestamp %s",
			eventTime.text(), time.Duration(maxSkew)*time.Millisecond, kafkaTimestamp.text())}
	case eventTime >= year10000:
		return &BadRecord{ImplausibleTimestamp, fmt.Sprintf("event time %s is past the year 9999", eventTime.text())}
	default:
		return nil
	}
}

// The years that are written with four digits.
const year0, year10000 Millis = -62167219200000, 253402300800000

// text shows a time as people read it, and beyond the four-digit years as the number that it is.
func (m Millis) text() string {
	if m < year0 || m >= year10000 {
		return fmt.Sprintf("%d ms", int64(m))
	}
	return time.UnixMilli(int64(m)).UTC().Format("2006-01-02T15:04:05.000Z")
}
