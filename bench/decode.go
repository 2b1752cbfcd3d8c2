package bench

import (
	"encoding/binary"
	"errors"
	"math"
)

// Event holds the fields of an AnalyticsEvent that the default metrics use. Texts alias the value; nil is null.
type Event struct {
	Timestamp       int64
	EventType       int
	UserID          []byte
	SessionID       []byte
	URL             []byte
	PageLoadTime    int32
	HasPageLoadTime bool
	Country         []byte
	DeviceType      int // -1: none
	Value           float64
	HasValue        bool
	Currency        []byte
}

var errBad = errors.New("bad event")

// reader reads binary Avro; bad is set once anything does not fit.
type reader struct {
	buf []byte
	pos int
	bad bool
}

func (r *reader) long() int64 {
	u, n := binary.Uvarint(r.buf[r.pos:])
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.pos += n
	return int64(u>>1) ^ -int64(u&1)
}

// small reads an int of one byte, which is all that this schema's branches and symbols need.
func (r *reader) small(limit int) int {
	if r.pos < len(r.buf) {
		if b := int(r.buf[r.pos]); b&1 == 0 && b>>1 < limit {
			r.pos++
			return b >> 1
		}
	}
	r.bad = true
	return 0
}

func (r *reader) text() []byte {
	var n int
	if r.pos < len(r.buf) && r.buf[r.pos] < 0x80 {
		b := r.buf[r.pos]
		n = int(b>>1) ^ -int(b&1)
		r.pos++
	} else {
		n = int(r.long())
	}
	if n < 0 || n > len(r.buf)-r.pos {
		r.bad = true
		return nil
	}
	start := r.pos
	r.pos += n
	return r.buf[start:r.pos:r.pos]
}

func (r *reader) nullableText() []byte {
	if r.small(2) == 1 {
		return r.text()
	}
	return nil
}

// Decode reads an AnalyticsEvent from raw binary Avro, to the last byte.
func Decode(e *Event, value []byte) error {
	r := reader{buf: value}
	*e = Event{DeviceType: -1}
	r.text() // eventId
	e.Timestamp = r.long()
	e.EventType = r.small(5)
	e.UserID = r.nullableText()
	e.SessionID = r.text()
	if r.small(2) == 1 {
		e.URL = r.text()
		r.text()         // title
		r.nullableText() // referrer
		if r.small(2) == 1 {
			e.PageLoadTime, e.HasPageLoadTime = int32(r.long()), true
		}
	}
	if r.small(2) == 1 {
		r.text() // userAgent
		r.text() // ipAddress
		e.Country = r.nullableText()
		r.nullableText() // city
		e.DeviceType = r.small(4)
		r.nullableText() // browser
		r.nullableText() // os
	}
	if r.small(2) == 1 {
		r.conversion(e)
	}
	if r.small(2) == 1 {
		r.customData()
	}
	r.text() // source
	r.text() // version
	r.text() // environment
	if r.bad || r.pos != len(value) {
		return errBad
	}
	return nil
}

func (r *reader) conversion(e *Event) {
	r.small(5) // conversionType
	if r.small(2) == 1 {
		if len(r.buf)-r.pos < 8 {
			r.bad = true
			return
		}
		e.Value, e.HasValue = math.Float64frombits(binary.LittleEndian.Uint64(r.buf[r.pos:])), true
		r.pos += 8
	}
	e.Currency = r.nullableText()
	r.nullableText() // productId
	r.nullableText() // category
}

func (r *reader) customData() {
	for !r.bad {
		n := r.long()
		if n == 0 {
			return
		}
		if n < 0 {
			n = -n
			r.long() // size of the block
		}
		for ; n > 0 && !r.bad; n-- {
			r.text()
			r.text()
		}
	}
}
