package store

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/event"
)

// checkAlert refuses what could not be listed, resolved or dropped again.
func checkAlert(a *alert.Alert) error {
	switch {
	case a.ID == "":
		return fmt.Errorf("alert of %s has no id", a.Definition)
	case a.State != alert.Firing && a.State != alert.Resolved:
		return fmt.Errorf("alert %s is %s", a.ID, a.State)
	case len(a.Transitions) == 0:
		return fmt.Errorf("alert %s has no transition", a.ID)
	case (a.State == alert.Firing) != (a.EndedAt == event.NoTime):
		return fmt.Errorf("alert %s is %s and ended at %d", a.ID, a.State, a.EndedAt)
	}
	return nil
}

func appendAlertValue(dst []byte, a *alert.Alert) []byte {
	return appendAlert(append(dst, formatV1), a)
}

func decodeAlertValue(value []byte) (alert.Alert, error) {
	d := decodeValue(value)
	a := d.alert()
	return a, d.end()
}

// appendAlert encodes an alert as values of the alert keyspace and entries of the feed hold it.
func appendAlert(dst []byte, a *alert.Alert) []byte {
	for _, text := range []string{
		a.ID, a.Definition, a.Type, a.Severity, a.Title, a.Description, a.PatternMatched, a.RecommendedAction,
	} {
		dst = appendBytes(dst, text)
	}
	dst = append(dst, a.Hash[:]...)
	dst = append(dst, byte(a.State))
	dst = binary.AppendVarint(dst, int64(a.StartedAt))
	dst = binary.AppendVarint(dst, int64(a.EndedAt))
	dst = appendNumber(dst, a.Value)
	dst = appendLabels(dst, a.Group)
	dst = appendLabels(dst, a.Context)
	dst = appendReadings(dst, a.Metrics)
	dst = appendList(dst, a.AffectedUsers, appendBytes[string])
	dst = appendBytes(dst, a.Window.Metric)
	dst = append(dst, a.Window.Definition[:]...)
	dst = binary.AppendVarint(dst, int64(a.Window.Start))
	dst = binary.AppendVarint(dst, int64(a.Window.End))
	dst = appendList(dst, a.Records, func(dst []byte, r alert.Record) []byte {
		dst = appendBytes(dst, r.Topic)
		dst = binary.AppendVarint(dst, int64(r.Partition))
		return binary.AppendVarint(dst, int64(r.Offset))
	})
	return appendList(dst, a.Transitions, func(dst []byte, t alert.Transition) []byte {
		dst = append(dst, byte(t.State))
		dst = binary.AppendVarint(dst, int64(t.At))
		return binary.AppendUvarint(dst, t.Seq)
	})
}

func (d *decoder) alert() (a alert.Alert) {
	for _, text := range []*string{
		&a.ID, &a.Definition, &a.Type, &a.Severity, &a.Title, &a.Description, &a.PatternMatched, &a.RecommendedAction,
	} {
		*text = d.string()
	}
	a.Hash = d.hash()
	a.State = d.alertState()
	a.StartedAt = d.millis()
	a.EndedAt = d.millis()
	a.Value = d.number()
	a.Group = decodeList(d, 2, (*decoder).label)
	a.Context = decodeList(d, 2, (*decoder).label)
	a.Metrics = decodeList(d, 2, func(d *decoder) alert.Reading { return alert.Reading{Name: d.string(), Number: d.number()} })
	a.AffectedUsers = decodeList(d, 1, (*decoder).string)
	a.Window = alert.Window{Metric: d.string(), Definition: d.hash(), Start: d.millis(), End: d.millis()}
	a.Records = decodeList(d, 3, func(d *decoder) alert.Record {
		return alert.Record{
			Topic:      d.string(),
			Coordinate: event.Coordinate{Partition: event.PartitionID(d.int32()), Offset: event.Offset(d.varint())},
		}
	})
	a.Transitions = decodeList(d, 3, func(d *decoder) alert.Transition {
		return alert.Transition{State: d.alertState(), At: d.millis(), Seq: d.uvarint()}
	})
	if len(a.Transitions) == 0 {
		d.fail("transitions of an alert")
	}
	return a
}

func (d *decoder) alertState() alert.State {
	s := alert.State(d.byte())
	if s != alert.Firing && s != alert.Resolved {
		d.fail("state of an alert")
	}
	return s
}

func appendLabels(dst []byte, labels []alert.Label) []byte {
	return appendList(dst, labels, func(dst []byte, l alert.Label) []byte {
		return appendBytes(appendBytes(dst, l.Name), l.Text)
	})
}

func (d *decoder) label() alert.Label { return alert.Label{Name: d.string(), Text: d.string()} }

func appendReadings(dst []byte, readings []alert.Reading) []byte {
	return appendList(dst, readings, func(dst []byte, r alert.Reading) []byte {
		return appendNumber(appendBytes(dst, r.Name), r.Number)
	})
}

func appendList[T any](dst []byte, list []T, each func([]byte, T) []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, elem := range list {
		dst = each(dst, elem)
	}
	return dst
}

// decodeList reads a list whose elements take at least size bytes each; an empty one is nil. It stops at the first fault.
func decodeList[T any](d *decoder, size int, each func(*decoder) T) (list []T) {
	for range d.count(size) {
		if d.err != nil {
			return nil
		}
		list = append(list, each(d))
	}
	return list
}

// alertMark is what the indexes of alerts say of each, so that those that nobody asks for need not be read.
type alertMark struct {
	state    alert.State
	endedAt  event.Millis
	typ      string
	severity string
}

func markOf(a *alert.Alert) alertMark { return alertMark{a.State, a.EndedAt, a.Type, a.Severity} }

func appendMark(dst []byte, m *alertMark) []byte {
	dst = append(dst, formatV1, byte(m.state))
	dst = binary.AppendVarint(dst, int64(m.endedAt))
	return appendBytes(appendBytes(dst, m.typ), m.severity)
}

func decodeMark(value []byte) (alertMark, error) {
	d := decodeValue(value)
	m := alertMark{state: d.alertState(), endedAt: d.millis(), typ: d.string(), severity: d.string()}
	return m, d.end()
}

// appendWatch leaves out rule and group, which are the key. The block is the rule's own affair.
func appendWatch(dst, block []byte) []byte { return append(append(dst, formatV1), block...) }

func decodeWatch(value []byte) ([]byte, error) {
	d := decodeValue(value)
	return append([]byte(nil), d.b...), d.err
}
