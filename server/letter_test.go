package server

import (
	"fmt"
	"testing"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/schemas"
)

// A dead letter that can be decoded shows the fields that definitions use: an address of a visitor is none of them.
func TestLettersShowWhatDefinitionsUse(t *testing.T) {
	plan, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newLetterReader(plan)
	if err != nil {
		t.Fatal(err)
	}
	const other = `{"type": "record", "name": "AnalyticsEvent", "namespace": "com.analytics.pipeline.events", "fields": [
		{"name": "eventId", "type": "string"}, {"name": "timestamp", "type": "long"}, {"name": "sessionId", "type": "string"},
		{"name": "eventType", "type": {"type": "enum", "name": "EventType", "symbols": ["PAGE_VIEW"]}},
		{"name": "metadata", "type": {"type": "record", "name": "EventMetadata", "fields": [{"name": "source", "type": "string"}]}}]}`
	r.learn([]processing.Schema{
		{Ref: schemas.Registered(8), RegisteredSchema: processing.RegisteredSchema{Type: processing.AvroSchema, Text: other}},
		{Ref: schemas.Registered(9), RegisteredSchema: processing.RegisteredSchema{Type: "PROTOBUF", Text: other}},
	})
	for _, c := range []struct{ value, want string }{
		{`{"eventId":"e","timestamp":99999999999999,"eventType":"PAGE_VIEW","userId":"u1","sessionId":"s1","pageViewData":{"url":"/a","title":"","pageLoadTime":7},"metadata":{"source":"t"},` +
			`"sessionData":{"userAgent":"agent","ipAddress":"203.0.113.9","country":"Japan","deviceType":"MOBILE"}}`,
			"map[eventType:PAGE_VIEW pageViewData.pageLoadTime:7 pageViewData.url:/a sessionData.country:Japan sessionData.deviceType:MOBILE sessionId:s1 timestamp:99999999999999 userId:u1]"},
		{`{"eventId":"e","timestamp":}`, "map[]"},
		{"\x00\x00\x00\x00\x07anything", "map[]"},
		{"\x00\x00\x00\x00\x08\x02e\xfe\x01\x06s-1\x00\x02t", "map[eventType:PAGE_VIEW sessionId:s-1 timestamp:127]"},
		{"\x00\x00\x00\x00\x09\x02e\xfe\x01\x06s-1\x00\x02t", "map[]"}, // a schema of another type
		{"", "map[]"},
	} {
		if got := fmt.Sprint(r.read([]byte(c.value))); got != c.want {
			t.Errorf("%q reads as\n%s, want\n%s", c.value, got, c.want)
		}
	}
}
