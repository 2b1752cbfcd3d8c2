package event

import (
	"fmt"

	"github.com/tidemark/tidemark/schemas"
)

// Path names a field of an event, outermost record first: {"pageViewData", "url"}. A map is entered by key.
type Path []string

// Encoding is how values are encoded.
type Encoding string

// The encodings.
const (
	Auto             Encoding = "auto"               // by the first byte: '{' is JSON, C3 01 and 00 are framings, anything else is Avro
	JSON             Encoding = "json"               // by the Avro field names
	Avro             Encoding = "avro"               // raw binary
	AvroSingleObject Encoding = "avro-single-object" // binary, after the fingerprint of its schema
	AvroConfluent    Encoding = "avro-confluent"     // binary, after the number of its schema in a registry
)

// framing is what stands before values of an encoding.
func (e Encoding) framing() schemas.Framing {
	switch e {
	case AvroSingleObject:
		return schemas.SingleObject
	case AvroConfluent:
		return schemas.Confluent
	default:
		return schemas.NoFraming
	}
}

// FramingOf is the framing that a value of the encoding has.
func (e Encoding) FramingOf(value []byte) schemas.Framing {
	if e == Auto {
		return schemas.FramingOf(value)
	}
	return e.framing()
}

// Ref names the schema of a framed value of the encoding; false for a value that is not framed, or not well.
func (e Encoding) Ref(value []byte) (schemas.Ref, bool) {
	framing := e.FramingOf(value)
	if framing == schemas.NoFraming {
		return schemas.Ref{}, false
	}
	ref, _, err := schemas.Unframe(framing, value)
	return ref, err == nil
}

// Options say what a Decoder reads.
type Options struct {
	WriterSchema string   // Avro schema of the events, a record: what values without framing were written with, and all are read as
	Paths        []Path   // what slot i of a row is filled with
	TimeSlot     int      // the slot of the event time
	Encoding     Encoding // Auto needs a schema whose first field is a non-empty string
}

// Decoder fills rows with the fields that paths name. It is not safe for concurrent use; every worker has its own.
type Decoder struct {
	encoding Encoding
	slots    int
	timeSlot int
	plain    *program // for values without framing
	machine  machine
	json     jsonReader

	writers Writers
	ref     schemas.Ref // of the framed value before
	writer  *Writer     // its schema; nil when there was none
}

// NewDecoder compiles a decoder. The errors of paths that lead nowhere are *PathErrors, all of them joined.
func NewDecoder(o Options) (*Decoder, error) {
	switch o.Encoding {
	case Auto, JSON, Avro, AvroSingleObject, AvroConfluent:
	default:
		return nil, fmt.Errorf("new decoder: unknown encoding %q", o.Encoding)
	}
	r, err := NewReader(o.WriterSchema, o.Paths, o.TimeSlot)
	if err != nil {
		return nil, fmt.Errorf("new decoder: %w", err)
	}
	return &Decoder{
		encoding: o.Encoding,
		slots:    len(o.Paths),
		timeSlot: o.TimeSlot,
		plain:    compile(r.event, r.slots),
		json:     jsonReader{event: r.event, wanted: r.slots},
	}, nil
}

// Use gives the decoder the schemas that framed values may name from now on. It keeps them, and changes nothing.
func (d *Decoder) Use(writers Writers) {
	d.writers, d.ref, d.writer = writers, schemas.Ref{}, nil
}

// Decode fills the first slots of a row, one for each path, and leaves the others alone. The row aliases value, or memory
// that is valid until the next Decode. The error of a value that is no event is a *BadRecord; the row is then undefined.
func (d *Decoder) Decode(row []Value, value []byte) error {
	var bad *BadRecord
	// A length of a string that is not empty: neither an odd number nor 0. That is most values.
	if d.encoding == Auto && len(value) > 0 && value[0] != '{' && value[0] != 0x00 && value[0]&1 == 0 {
		bad = d.decodeAvro(row[:d.slots], value, d.plain)
	} else {
		bad = d.decode(row[:d.slots], value)
	}
	if bad != nil {
		return bad
	}
	if row[d.timeSlot].Kind != Int {
		return undecodable("the event time is null")
	}
	return nil
}

func (d *Decoder) decode(row []Value, value []byte) *BadRecord {
	switch d.encoding {
	case Auto:
		return d.decodeDetected(row, value)
	case Avro:
		return d.decodeAvro(row, value, d.plain)
	case JSON:
		return d.json.decode(row, value)
	default:
		return d.decodeFramed(row, value, d.encoding.framing())
	}
}

// decodeDetected tells the encoding by the first byte.
func (d *Decoder) decodeDetected(row []Value, value []byte) *BadRecord {
	switch framing := schemas.FramingOf(value); {
	case len(value) == 0:
		return undecodable("the value is empty")
	case value[0] == '{':
		return d.json.decode(row, value)
	case framing != schemas.NoFraming:
		return d.decodeFramed(row, value, framing)
	default:
		return d.decodeAvro(row, value, d.plain)
	}
}

// decodeFramed reads a value with the schema that it names.
func (d *Decoder) decodeFramed(row []Value, value []byte, framing schemas.Framing) *BadRecord {
	ref, payload, err := schemas.Unframe(framing, value)
	if err != nil {
		return undecodable("%v", err)
	}
	if ref != d.ref || d.writer == nil {
		d.ref, d.writer = ref, d.writers[ref]
	}
	switch w := d.writer; {
	case w == nil:
		return &BadRecord{UnknownSchema, ref.String() + " is not known"}
	case w.refused != nil:
		return w.refused
	default:
		return d.decodeAvro(row, payload, w.program)
	}
}

func (d *Decoder) decodeAvro(row []Value, value []byte, program *program) *BadRecord {
	m := &d.machine
	m.begin(program, row, value)
	end := m.run(program.routines[0], 0, 0)
	if end < 0 {
		return m.fault.bad()
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
