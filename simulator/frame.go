package simulator

import (
	"fmt"

	"github.com/tidemark/tidemark/schemas"
)

// frameOf is what stands before each value of an encoding.
func frameOf(o *Options) ([]byte, error) {
	switch o.Encoding {
	case AvroSingleObject:
		fingerprint, err := schemas.Fingerprint(schemas.Events)
		if err != nil {
			return nil, fmt.Errorf("events schema: %w", err)
		}
		return schemas.AppendFrame(nil, schemas.Fingerprinted(fingerprint)), nil
	case AvroConfluent:
		return schemas.AppendFrame(nil, schemas.Registered(o.SchemaID)), nil
	default:
		return nil, nil
	}
}

// appendValue writes an event as the options say.
func (s *Simulator) appendValue(dst []byte, m *message) []byte {
	if s.options.Encoding == JSON {
		return appendJSON(dst, m)
	}
	return appendAvro(append(dst, s.frame...), m)
}
