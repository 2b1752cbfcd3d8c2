package window

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Floor is a journaled lower bound of W_p for the records from an offset on.
type Floor struct {
	Offset event.Offset
	Floor  event.Millis
}

// Progress is how far one partition has come in event time. It is owned by whoever folds the partition.
type Progress struct {
	max            event.Millis // M_p
	floor          event.Millis // the highest of those at or below the offset reached
	outOfOrderness event.Millis
	ahead          []Floor // journaled, not reached yet, by offset
}

// NewProgress starts at M_p = max, with the floors that a journal holds for offsets from where the reading starts.
func NewProgress(outOfOrderness, max event.Millis, journal []Floor) Progress {
	return Progress{max: max, floor: event.NoTime, outOfOrderness: outOfOrderness, ahead: journal}
}

// Reach applies the journaled floors at or below the offset of the record that is about to be judged.
func (p *Progress) Reach(o event.Offset) {
	for len(p.ahead) > 0 && p.ahead[0].Offset <= o {
		p.Raise(p.ahead[0].Floor)
		p.ahead = p.ahead[1:]
	}
}

// Raise lifts the floor; it never lowers it.
func (p *Progress) Raise(floor event.Millis) { p.floor = max(p.floor, floor) }

// Observe takes a decoded record into M_p, after it was judged. A producer's clock that runs ahead is held back by
// the record's Kafka timestamp; records without one (-1) count by their event time.
func (p *Progress) Observe(t, kafka event.Millis) {
	if kafka >= 0 && kafka < t {
		t = kafka
	}
	p.max = max(p.max, t)
}

// Max is M_p, NoTime before the first record.
func (p *Progress) Max() event.Millis { return p.max }

// Watermark is W_p: no event at or before it is expected any more. It is NoTime before the first record.
func (p *Progress) Watermark() event.Millis {
	if p.max == event.NoTime {
		return p.floor
	}
	return max(p.floor, p.max-p.outOfOrderness-1)
}

// Verdict says how a record stands to a pane.
type Verdict uint8

// The verdicts.
const (
	OnTime      Verdict = iota
	LateAllowed         // after the watermark passed the pane's end, within the allowed lateness
	TooLate             // refused
)

// Judge judges a record by W_p as it stood before the record, for the pane that starts at start.
func Judge(c *definition.Clock, start, watermark event.Millis) Verdict {
	last := start + c.Width - 1
	switch {
	case watermark < last:
		return OnTime
	case watermark < last+c.Lateness:
		return LateAllowed
	default:
		return TooLate
	}
}
