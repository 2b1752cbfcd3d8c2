package server

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// letterReader reads dead letters that can be decoded, and are dead for another reason: an event time that can't be, say. It
// fills in the fields that definitions use and no others, so that nothing is shown that nobody has asked for.
type letterReader struct {
	names   []string
	mu      sync.Mutex
	decoder *event.Decoder // guarded by mu
	row     []event.Value  // guarded by mu
}

func newLetterReader(plan *definition.Plan) (*letterReader, error) {
	decoder, err := event.NewDecoder(event.Options{WriterSchema: schemas.Events, Paths: plan.Paths, TimeSlot: plan.TimeSlot, Encoding: event.Auto})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	r := &letterReader{decoder: decoder, row: make([]event.Value, len(plan.Paths))}
	for _, path := range plan.Paths {
		r.names = append(r.names, strings.Join(path, "."))
	}
	return r, nil
}

// read returns the fields of a value that are not null, by their paths, or nil when it is no event. Values in a framing are
// left alone: which schema they were written with is the pipeline's to know.
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
