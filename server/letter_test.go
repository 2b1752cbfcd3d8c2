package server

import (
	"fmt"
	"testing"

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
	for _, c := range []struct{ value, want string }{
		{`{"eventId":"e","timestamp":99999999999999,"eventType":"PAGE_VIEW","userId":"u1","sessionId":"s1","pageViewData":{"url":"/a","title":"","pageLoadTime":7},"metadata":{"source":"t"},` +
			`"sessionData":{"userAgent":"agent","ipAddress":"203.0.113.9","country":"Japan","deviceType":"MOBILE"}}`,
			"map[eventType:PAGE_VIEW pageViewData.pageLoadTime:7 pageViewData.url:/a sessionData.country:Japan sessionData.deviceType:MOBILE sessionId:s1 timestamp:99999999999999 userId:u1]"},
		{`{"eventId":"e","timestamp":}`, "map[]"},
		{"\x00\x00\x00\x00\x07anything", "map[]"},
		{"", "map[]"},
	} {
		if got := fmt.Sprint(r.read([]byte(c.value))); got != c.want {
			t.Errorf("%q reads as\n%s, want\n%s", c.value, got, c.want)
		}
	}
}
