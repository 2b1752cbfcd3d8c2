package simulator

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
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
