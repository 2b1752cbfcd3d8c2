package schemas

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
)

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		ref   Ref
		frame string
		text  string
	}{
		"a registry's number":  {Registered(258), "\x00\x00\x00\x01\x02", "schema id 258"},
		"the largest":          {Registered(1<<31 - 1), "\x00\x7f\xff\xff\xff", "schema id 2147483647"},
		"a negative one":       {Registered(-1), "\x00\xff\xff\xff\xff", "schema id -1"},
		"a fingerprint":        {Fingerprinted(0x0807060504030201), "\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08", "the schema of fingerprint 0102030405060708"},
		"no framing, no frame": {Ref{}, "", "no schema"},
	} {
		t.Run(name, func(t *testing.T) {
			framed := append(AppendFrame(nil, c.ref), "value"...)
			if string(framed) != c.frame+"value" {
				t.Errorf("framed: %x", framed)
			}
			if c.ref.String() != c.text {
				t.Errorf("text: %s", c.ref)
			}
			if f := FramingOf(framed); f != c.ref.Framing {
				t.Errorf("told as %d", f)
			}
			ref, value, err := Unframe(c.ref.Framing, framed)
			if err != nil || ref != c.ref || string(value) != "value" {
				t.Errorf("unframed: %v %q %v", ref, value, err)
			}
		})
	}
}

func TestWhatIsNotFramed(t *testing.T) {
	for _, c := range []struct {
		framing Framing
		value   string
		want    error
	}{
		{SingleObject, "", ErrNotSingleObject}, {SingleObject, "\xc3", ErrNotSingleObject}, {SingleObject, "\xc3\x02\x01\x02\x03\x04\x05\x06\x07\x08", ErrNotSingleObject},
		{SingleObject, "\xc3\x01\x01\x02\x03\x04\x05\x06\x07", ErrNotSingleObject},
		{Confluent, "", ErrNotConfluent}, {Confluent, "\x00\x00\x00\x01", ErrNotConfluent}, {Confluent, "\x01\x00\x00\x00\x01", ErrNotConfluent},
	} {
		if _, _, err := Unframe(c.framing, []byte(c.value)); !errors.Is(err, c.want) {
			t.Errorf("%x: %v, want %v", c.value, err, c.want)
		}
	}
}

func FuzzUnframe(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x02v"))
	f.Add([]byte("\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08"))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, framing := range []Framing{NoFraming, SingleObject, Confluent} {
			ref, payload, err := Unframe(framing, value)
			if err == nil && !bytes.Equal(append(AppendFrame(nil, ref), payload...), value) {
				t.Errorf("%x is unframed to %v and %x", value, ref, payload)
			}
		}
	})
}

// The library has an encoder for single objects: what it writes has our fingerprint.
func TestFingerprintIsThatOfSingleObjects(t *testing.T) {
	for _, schema := range []string{Events, Metrics, Alerts, `"string"`} {
		fingerprint, err := Fingerprint(schema)
		if err != nil {
			t.Fatal(err)
		}
		s := avro.MustParse(`"string"`)
		if schema != `"string"` {
			s = avro.MustParse(schema)
		}
		ours := AppendFrame(nil, Fingerprinted(fingerprint))
		if theirs := singleObjectHeaderOf(t, s); !bytes.Equal(ours, theirs) {
			t.Errorf("%x, the library has %x", ours, theirs)
		}
	}
	if _, err := Fingerprint("{"); err == nil {
		t.Error("what is no schema has a fingerprint")
	}
}

// singleObjectHeaderOf finds the header that a schema takes: it is the only one that it doesn't refuse for its fingerprint.
func singleObjectHeaderOf(t *testing.T, s *avro.Schema) []byte {
	t.Helper()
	h := avro.NewRabin()
	_, _ = h.Write(s.Canonical())
	header := AppendFrame(nil, Fingerprinted(h.Sum64()))
	var into any
	_, err := s.DecodeSingleObject(header, &into)
	if err != nil && strings.Contains(err.Error(), "fingerprint") {
		t.Fatal(err)
	}
	return header
}

func TestInline(t *testing.T) {
	const money = `{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"cents","type":"long"},{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A"]}}]}`
	for name, c := range map[string]struct {
		schema string
		others []string
		want   string // canonical form
	}{
		"nothing to do": {`{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, nil, `{"name":"R","type":"record","fields":[{"name":"a","type":"int"}]}`},
		"a type, used twice, and one inside of it": {
			`{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"a","type":"Money"},{"name":"b","type":["null","shop.Money"]},{"name":"k","type":"Kind"}]}`,
			[]string{money},
			`{"name":"shop.Order","type":"record","fields":[{"name":"a","type":{"name":"shop.Money","type":"record","fields":[{"name":"cents","type":"long"},{"name":"kind","type":{"name":"shop.Kind","type":"enum","symbols":["A"]}}]}},{"name":"b","type":["null","shop.Money"]},{"name":"k","type":"shop.Kind"}]}`,
		},
		"a type without a namespace, by a type of its own": {
			`{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"a","type":"Plain"},{"name":"b","type":{"type":"map","values":"other.Deep"}}]}`,
			[]string{`{"type":"record","name":"other.Deep","fields":[{"name":"self","type":["null","Deep"]},{"name":"m","type":"shop.Money"}]}`, `{"type":"fixed","name":"Plain","size":2}`, money},
			`{"name":"shop.Order","type":"record","fields":[{"name":"a","type":{"name":"Plain","type":"fixed","size":2}},{"name":"b","type":{"type":"map","values":{"name":"other.Deep","type":"record","fields":[{"name":"self","type":["null","other.Deep"]},{"name":"m","type":{"name":"shop.Money","type":"record","fields":[{"name":"cents","type":"long"},{"name":"kind","type":{"name":"shop.Kind","type":"enum","symbols":["A"]}}]}}]}}}]}`,
		},
		"a type that the schema defines itself": {
			`{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"a","type":{"type":"enum","name":"Money","symbols":["X"]}},{"name":"b","type":"Money"}]}`,
			[]string{money},
			`{"name":"shop.Order","type":"record","fields":[{"name":"a","type":{"name":"shop.Money","type":"enum","symbols":["X"]}},{"name":"b","type":"shop.Money"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := Inline(c.schema, c.others...)
			if err != nil {
				t.Fatal(err)
			}
			s, err := avro.Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if diff := cmp.Diff(c.want, string(s.Canonical())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, bad := range [][]string{{"{"}, {`"string"`, "{"}, {`"string" 1`}} {
		if _, err := Inline(bad[0], bad[1:]...); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
