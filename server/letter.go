package server

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// letterReader reads dead letters that can be decoded, and are dead for another reason: an event time that can't be, say. It
// fills in the fields that definitions use and no others, so that nothing is shown that nobody has asked for.
type letterReader struct {
	names   []string
	reader  *event.Reader
	mu      sync.Mutex
	decoder *event.Decoder // guarded by mu
	writers event.Writers  // guarded by mu
	row     []event.Value  // guarded by mu
}

func newLetterReader(plan *definition.Plan) (*letterReader, error) {
	o := event.Options{WriterSchema: schemas.Events, Paths: plan.Paths, TimeSlot: plan.TimeSlot, Encoding: event.Auto}
	decoder, err := event.NewDecoder(o)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	r := &letterReader{decoder: decoder, writers: make(event.Writers), row: make([]event.Value, len(plan.Paths))}
	if r.reader, err = event.NewReader(o.WriterSchema, o.Paths, o.TimeSlot); err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	fingerprint, err := schemas.Fingerprint(schemas.Events)
	if err != nil {
		return nil, err
	}
	r.learn([]processing.Schema{{
		Ref: schemas.Fingerprinted(fingerprint), RegisteredSchema: processing.RegisteredSchema{Type: processing.AvroSchema, Text: schemas.Events},
	}})
	for _, path := range plan.Paths {
		r.names = append(r.names, strings.Join(path, "."))
	}
	return r, nil
}

// learn takes the schemas that the state knows, which framed values may name.
func (r *letterReader) learn(known []processing.Schema) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range known {
		if k := &known[i]; r.writers[k.Ref] == nil {
			r.writers[k.Ref] = processing.CompileWriter(k.Ref, k.RegisteredSchema, r.reader)
		}
	}
	r.decoder.Use(r.writers)
}

// read returns the fields of a value that are not null, by their paths, or nil when it is no event, or of a schema that is not
// known.
func (r *letterReader) read(value []byte) map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.decoder.Decode(r.row, value); err != nil {
		return nil
	}
	fields := make(map[string]any)
	for i := range r.row {
		switch v := &r.row[i]; v.Kind {
		case event.Bool:
			fields[r.names[i]] = v.Bool()
		case event.Int:
			fields[r.names[i]] = v.Int()
		case event.Float:
			if f := v.Float(); f-f == 0 { // JSON has no other numbers
				fields[r.names[i]] = f
			}
		case event.String:
			fields[r.names[i]] = string(v.Bytes())
		}
	}
	return fields
}
