package event_test

import (
	"testing"

	"github.com/tidemark/tidemark/bench"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
	"github.com/twmb/avro"
	"pgregory.net/rapid"
)

// defaultPaths are the fields that the default definitions use.
var defaultPaths = []event.Path{
	{"timestamp"}, {"eventType"}, {"userId"}, {"sessionId"},
	{"pageViewData", "url"}, {"pageViewData", "pageLoadTime"},
	{"sessionData", "country"}, {"sessionData", "deviceType"},
	{"conversionData", "value"}, {"conversionData", "currency"},
}

// pageView is a page view as it looks in the wild: 255 bytes.
var pageView = map[string]any{
	"eventId":   "0192d1c4-77aa-7c1e-9a4f-3f1f6d2b8e01",
	"timestamp": int64(1_760_000_123_456),
	"eventType": "PAGE_VIEW",
	"userId":    "user-0048213",
	"sessionId": "0192d1c4-1b02-7d5a-8c33-52b6e7a0c9d4",
	"pageViewData": map[string]any{
		"url":          "https://shop.example.com/products/outdoor/tent-4",
		"title":        "Four-person all-season tent | Shop",
		"referrer":     "https://shop.example.com/category/outdoor",
		"pageLoadTime": int32(1287),
	},
	"sessionData":    nil,
	"conversionData": nil,
	"customData":     nil,
	"metadata":       map[string]any{"source": "web-client", "version": "1.0", "environment": "production"},
}

func mustEncode(t rapid.TB, schema string, value any) []byte {
	t.Helper()
	b, err := avro.MustParse(schema).Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newDecoder(t rapid.TB, schema string, encoding event.Encoding, paths ...event.Path) *event.Decoder {
	t.Helper()
	d, err := event.NewDecoder(event.Options{WriterSchema: schema, Paths: paths, Encoding: encoding})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// report starts to measure a benchmark over values of a size.
func report(b *testing.B, size int) (stop func()) {
	b.ReportAllocs()
	b.SetBytes(int64(size))
	before := bench.CPUTime()
	return func() { b.ReportMetric(float64(bench.CPUTime()-before)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkDecode(b *testing.B) {
	value := mustEncode(b, schemas.Events, pageView)
	d := newDecoder(b, schemas.Events, event.Auto, defaultPaths...)
	row := make([]event.Value, len(defaultPaths))
	defer report(b, len(value))()
	for b.Loop() {
		if err := d.Decode(row, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeHandWritten(b *testing.B) {
	value := mustEncode(b, schemas.Events, pageView)
	var e bench.Event
	defer report(b, len(value))()
	for b.Loop() {
		if err := bench.Decode(&e, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	schema := avro.MustParse(schemas.Events)
	value, err := schema.EncodeJSON(pageView)
	if err != nil {
		b.Fatal(err)
	}
	d := newDecoder(b, schemas.Events, event.JSON, defaultPaths...)
	row := make([]event.Value, len(defaultPaths))
	defer report(b, len(value))()
	for b.Loop() {
		if err := d.Decode(row, value); err != nil {
			b.Fatal(err)
		}
	}
}
