package event

import (
	"fmt"

	"github.com/tidemark/tidemark/schemas"
)

// Reader is the schema that events are read by, and the fields that are read of them. It is safe for concurrent use.
type Reader struct {
	event *avroType
	slots *projection
}

// NewReader compiles a reader's side. The errors of paths that lead nowhere are *PathErrors, all of them joined.
func NewReader(schema string, paths []Path, timeSlot int) (*Reader, error) {
	if timeSlot < 0 || timeSlot >= len(paths) {
		return nil, fmt.Errorf("time slot %d of %d paths", timeSlot, len(paths))
	}
	t, err := parseSchema(schema)
	if err != nil {
		return nil, err
	}
	p, err := project(t, paths, timeSlot)
	if err != nil {
		return nil, err
	}
	return &Reader{t, p}, nil
}

// Writer is what it takes to read the values of one schema. It is safe for concurrent use, by all decoders whose options
// have the reader's schema, paths and time slot.
type Writer struct {
	program *program
	refused *BadRecord // not nil: all values are this
	partly  []string
}

// Writers are the schemas that framed values may name.
type Writers map[schemas.Ref]*Writer

// Writer compiles how values that were written with a schema are read, by the rules of Avro's schema resolution. The
// error holds every fault.
func (r *Reader) Writer(schema string) (*Writer, error) {
	t, err := parseSchema(schema)
	if err != nil {
		return nil, err
	}
	program, partly, err := compileResolved(t, r.event, r.slots)
	if err != nil {
		return nil, err
	}
	return &Writer{program: program, partly: partly}, nil
}

// Refuse is a writer whose values are all bad, for one reason.
func Refuse(reason Reason, detail string) *Writer {
	return &Writer{refused: &BadRecord{Reason: reason, Detail: detail}}
}

// Refused is why all values of the writer are bad; nil if they are not.
func (w *Writer) Refused() *BadRecord { return w.refused }

// Unreadable lists what the schema allows and the reader's has no place for: values that hold such are bad.
func (w *Writer) Unreadable() []string { return w.partly }
