package simulator

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// Both encoders must say the same of the same event, to readers that know only the schema.
func TestEncodingsAgree(t *testing.T) {
	o := options()
	o.Rate, o.Count = 20, 5_000
	inAvro := events(t, o)
	o.Encoding = JSON
	inJSON := events(t, o)
	kinds := map[string]int{}
	for i := range inAvro {
		if diff := cmp.Diff(inAvro[i], inJSON[i]); diff != "" {
			t.Fatalf("event %d, avro against json:\n%s", i, diff)
		}
		kinds[inAvro[i].EventType]++
	}
	for _, kind := range eventNames {
		if kinds[kind] == 0 {
			t.Errorf("no %s among 5,000 events", kind)
		}
	}
}

// A framing is what stands before the raw value, and nothing else changes: not even what is bad.
func TestFramedValuesAreTheRawOnes(t *testing.T) {
	fingerprint, err := schemas.Fingerprint(schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	for encoding, ref := range map[Encoding]schemas.Ref{AvroSingleObject: schemas.Fingerprinted(fingerprint), AvroConfluent: schemas.Registered(41)} {
		raw, err := New(options())
		if err != nil {
			t.Fatal(err)
		}
		o := options()
		o.Encoding, o.SchemaID = encoding, 41
		framed, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			var a, b event.Record
			raw.Next(&a)
			framed.Next(&b)
			got, value, err := schemas.Unframe(ref.Framing, b.Value)
			if err != nil || got != ref || !bytes.Equal(value, a.Value) || !bytes.Equal(a.Key, b.Key) || a.Partition != b.Partition {
				t.Fatalf("%s: %v of %x, %v; raw %x", encoding, got, b.Value, err, a.Value)
			}
		}
	}
}

func TestEncodeFields(t *testing.T) {
	m := message{
		id: makeUUID(1, 2), session: makeUUID(3, 4), time: 1_772_000_000_123, kind: converted, user: []byte("u\"7\\\n"),
		view: &view{page: &page{url: "/a?b=ü", title: "Ü"}, referrer: "https://example.com/", loadTime: 2147483647},
		audience: audience{
			agent: &agent{device: tablet, browser: "B", os: "O", userAgent: "B/1"}, ip: []byte("192.0.2.1"), country: "Österreich", city: "Wien",
		},
		conversion: &conversion{kind: contact, value: 0.1, currency: "EUR", product: "p", category: "c"},
		custom:     []attribute{{"k", "v"}, {"l", ""}},
	}
	const want = `{"eventId":"00000000-0000-4001-8000-000000000002","timestamp":1772000000123,"eventType":"CONVERSION","userId":"u\"7\\\n",` +
		`"sessionId":"00000000-0000-4003-8000-000000000004",` +
		`"pageViewData":{"url":"/a?b=ü","title":"Ü","referrer":"https://example.com/","pageLoadTime":2147483647},` +
		`"sessionData":{"userAgent":"B/1","ipAddress":"192.0.2.1","country":"Österreich","city":"Wien","deviceType":"TABLET","browser":"B","os":"O"},` +
		`"conversionData":{"conversionType":"CONTACT","value":0.1,"currency":"EUR","productId":"p","category":"c"},` +
		`"customData":{"k":"v","l":""},` +
		`"metadata":{"source":"web","version":"1.0","environment":"production"}}`
	nothing := message{id: m.id, session: m.session, kind: custom, audience: audience{agent: &agent{userAgent: "A"}, ip: []byte("i")}, custom: []attribute{}}
	const wantNothing = `{"eventId":"00000000-0000-4001-8000-000000000002","timestamp":0,"eventType":"CUSTOM","userId":null,` +
		`"sessionId":"00000000-0000-4003-8000-000000000004","pageViewData":null,` +
		`"sessionData":{"userAgent":"A","ipAddress":"i","country":null,"city":null,"deviceType":"DESKTOP","browser":null,"os":null},` +
		`"conversionData":null,"customData":{},"metadata":{"source":"web","version":"1.0","environment":"production"}}`
	for _, c := range []struct {
		name string
		m    *message
		want string
	}{{"everything", &m, want}, {"nothing", &nothing, wantNothing}} {
		for _, value := range [][]byte{appendAvro(nil, c.m), appendJSON(nil, c.m)} {
			e, err := decode(value)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			got, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("%s, written as %.1q...:\n%s", c.name, value, diff)
			}
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, encoding := range []Encoding{Avro, JSON} {
		b.Run(string(encoding), func(b *testing.B) {
			o := options()
			o.Encoding = encoding
			s, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			var a arrival
			var bytes int
			b.ReportAllocs()
			for b.Loop() {
				s.Next(&a.Record)
				bytes += len(a.Value)
			}
			b.ReportMetric(float64(bytes)/float64(b.N), "bytes/event")
		})
	}
}
