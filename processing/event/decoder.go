package event

import (
	"fmt"
)

// Path names a field of an event, outermost record first: {"pageViewData", "url"}. A map is entered by key.
type Path []string

// Encoding is how values are encoded.
type Encoding string

// The encodings.
const (
	Auto Encoding = "auto" // by the first byte: '{' is JSON, C3 01 and 00 are framings, anything else is Avro
	JSON Encoding = "json" // by the Avro field names
	Avro Encoding = "avro" // raw binary
)

// Options say what a Decoder reads.
type Options struct {
	WriterSchema string   // Avro schema of the events, a record
	Paths        []Path   // what slot i of a row is filled with
	TimeSlot     int      // the slot of the event time
	Encoding     Encoding // Auto needs a schema whose first field is a non-empty string
}

// Decoder fills rows with the fields that paths name. It is not safe for concurrent use; every worker has its own.
type Decoder struct {
	auto     bool
	isJSON   bool // unless auto
	slots    int
	timeSlot int
	machine  machine
	json     jsonReader
}

// NewDecoder compiles a decoder. The errors of paths that lead nowhere are *PathErrors, all of them joined.
func NewDecoder(o Options) (*Decoder, error) {
	switch o.Encoding {
	case Auto, JSON, Avro:
	default:
		return nil, fmt.Errorf("new decoder: unknown encoding %q", o.Encoding)
	}
	if o.TimeSlot < 0 || o.TimeSlot >= len(o.Paths) {
		return nil, fmt.Errorf("new decoder: time slot %d of %d paths", o.TimeSlot, len(o.Paths))
	}
	t, err := parseSchema(o.WriterSchema)
	if err != nil {
		return nil, fmt.Errorf("new decoder: %w", err)
	}
	p, err := project(t, o.Paths, o.TimeSlot)
	if err != nil {
		return nil, fmt.Errorf("new decoder: %w", err)
	}
	return &Decoder{
		auto:     o.Encoding == Auto,
		isJSON:   o.Encoding == JSON,
		slots:    len(o.Paths),
		timeSlot: o.TimeSlot,
		machine:  machine{program: compile(t, p)},
		json:     jsonReader{event: t, wanted: p},
	}, nil
}

// Decode fills the first slots of a row, one for each path, and leaves the others alone. The row aliases value, or memory
// that is valid until the next Decode. The error of a value that is no event is a *BadRecord; the row is then undefined.
func (d *Decoder) Decode(row []Value, value []byte) error {
	row = row[:d.slots]
	isJSON := d.isJSON
	if d.auto {
		var bad *BadRecord
		if isJSON, bad = detect(value); bad != nil {
			return bad
		}
	}
	var bad *BadRecord
	if isJSON {
		bad = d.json.decode(row, value)
	} else {
		bad = d.decodeAvro(row, value)
	}
	if bad != nil {
		return bad
	}
	if row[d.timeSlot].Kind != Int {
		return undecodable("the event time is null")
	}
	return nil
}

// detect tells the encoding by the first byte: JSON or raw Avro.
func detect(value []byte) (isJSON bool, bad *BadRecord) {
	switch {
	case len(value) == 0:
		return false, undecodable("the value is empty")
	case value[0] == '{':
		return true, nil
	case value[0] == 0x00:
		return false, undecodable("the value starts with 00: Confluent framing, which is not read")
	case len(value) > 1 && value[0] == 0xC3 && value[1] == 0x01:
		return false, undecodable("the value starts with C3 01: Avro's single-object encoding, which is not read")
	default:
		return false, nil
	}
}

func (d *Decoder) decodeAvro(row []Value, value []byte) *BadRecord {
	m := &d.machine
	m.begin(row, value)
	end := m.run(m.routines[0], 0, 0)
	if end < 0 {
		return undecodable("%s, at byte %d: %s", m.fault.path, m.fault.at, m.fault.what)
	}
	if end < len(value) {
		return undecodable("%d bytes follow the end of the record", len(value)-end)
	}
	if m.checkTexts(end); m.badText != noBadText {
		at := m.badText
		path, start := m.whereText(at)
		return undecodable("%s, at byte %d: it is not valid UTF-8, from byte %d on", path, start, at)
	}
	return nil
}
