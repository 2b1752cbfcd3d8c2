package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/twmb/avro"
)

// Framing is what stands before a binary Avro value to say which schema it was written with.
type Framing uint8

// The framings.
const (
	NoFraming    Framing = iota
	SingleObject         // C3 01 and the schema's fingerprint, little endian: Avro's single-object encoding
	Confluent            // 00 and the number that a schema registry gave the schema, big endian
)

// Ref names the schema of a framed value.
type Ref struct {
	Framing Framing
	ID      uint64 // a fingerprint (CRC-64-AVRO), or the registry's number, which has 32 bits and a sign
}

// Fingerprinted is the Ref of a schema in single-object encoding.
func Fingerprinted(fingerprint uint64) Ref { return Ref{SingleObject, fingerprint} }

// Registered is the Ref of a schema in a registry.
func Registered(id int32) Ref { return Ref{Confluent, uint64(uint32(id))} }

// RegistryID is the registry's number of a schema; 0 for a schema that is named otherwise.
func (r Ref) RegistryID() int32 {
	if r.Framing != Confluent {
		return 0
	}
	return int32(uint32(r.ID))
}

// String names the schema for people. A fingerprint is shown by its bytes as they stand in the value, as most tools do.
func (r Ref) String() string {
	switch r.Framing {
	case SingleObject:
		return fmt.Sprintf("the schema of fingerprint %016x", bits.ReverseBytes64(r.ID))
	case Confluent:
		return fmt.Sprintf("schema id %d", r.RegistryID())
	default:
		return "no schema"
	}
}

// What Unframe finds wrong with a value.
var (
	ErrNotSingleObject = errors.New("the value is not in single-object encoding: it does not start with C3 01 and a fingerprint")
	ErrNotConfluent    = errors.New("the value is not in Confluent framing: it does not start with 00 and a schema id")
)

// The lengths of what stands before the value itself.
const (
	singleObjectHeader = 2 + 8
	confluentHeader    = 1 + 4
)

// FramingOf tells the framing by the first bytes. Raw values whose first field is a string that is not empty are never taken
// for framed ones: they start with its length, an even number, and C3 01 would be odd.
func FramingOf(value []byte) Framing {
	switch {
	case len(value) > 1 && value[0] == 0xC3 && value[1] == 0x01:
		return SingleObject
	case len(value) > 0 && value[0] == 0x00:
		return Confluent
	default:
		return NoFraming
	}
}

// Unframe splits a framed value. It returns ErrNotSingleObject or ErrNotConfluent when the value is in another framing or
// ends inside of this one.
func Unframe(f Framing, value []byte) (ref Ref, payload []byte, err error) {
	switch f {
	case SingleObject:
		if FramingOf(value) != SingleObject || len(value) < singleObjectHeader {
			return Ref{}, nil, ErrNotSingleObject
		}
		return Ref{SingleObject, binary.LittleEndian.Uint64(value[2:])}, value[singleObjectHeader:], nil
	case Confluent:
		if FramingOf(value) != Confluent || len(value) < confluentHeader {
			return Ref{}, nil, ErrNotConfluent
		}
		return Ref{Confluent, uint64(binary.BigEndian.Uint32(value[1:]))}, value[confluentHeader:], nil
	default:
		return Ref{}, value, nil
	}
}

// AppendFrame appends what stands before a value that was written with a schema.
func AppendFrame(dst []byte, r Ref) []byte {
	switch r.Framing {
	case SingleObject:
		return binary.LittleEndian.AppendUint64(append(dst, 0xC3, 0x01), r.ID)
	case Confluent:
		return binary.BigEndian.AppendUint32(append(dst, 0x00), uint32(r.ID))
	default:
		return dst
	}
}

// Fingerprint is the CRC-64-AVRO of a schema's canonical form.
func Fingerprint(schema string) (uint64, error) {
	s, err := avro.Parse(schema)
	if err != nil {
		return 0, fmt.Errorf("parse schema: %w", err)
	}
	h := avro.NewRabin()
	_, _ = h.Write(s.Canonical()) // never fails
	return h.Sum64(), nil
}
