package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/avro"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

var eventSchema = avro.MustParse(schemas.Events)

// tracked is AnalyticsEvent as a reader of the topic sees it. Only what tests look at has a field, except in whole.
type tracked struct {
	EventID      string  `avro:"eventId" json:"eventId"`
	Timestamp    int64   `avro:"timestamp" json:"timestamp"`
	EventType    string  `avro:"eventType" json:"eventType"`
	UserID       *string `avro:"userId" json:"userId"`
	SessionID    string  `avro:"sessionId" json:"sessionId"`
	PageViewData *struct {
		URL          string  `avro:"url" json:"url"`
		Title        string  `avro:"title" json:"title"`
		Referrer     *string `avro:"referrer" json:"referrer"`
		PageLoadTime *int    `avro:"pageLoadTime" json:"pageLoadTime"`
	} `avro:"pageViewData" json:"pageViewData"`
	SessionData *struct {
		UserAgent  string  `avro:"userAgent" json:"userAgent"`
		IPAddress  string  `avro:"ipAddress" json:"ipAddress"`
		Country    *string `avro:"country" json:"country"`
		City       *string `avro:"city" json:"city"`
		DeviceType string  `avro:"deviceType" json:"deviceType"`
		Browser    *string `avro:"browser" json:"browser"`
		OS         *string `avro:"os" json:"os"`
	} `avro:"sessionData" json:"sessionData"`
	ConversionData *struct {
		ConversionType string   `avro:"conversionType" json:"conversionType"`
		Value          *float64 `avro:"value" json:"value"`
		Currency       *string  `avro:"currency" json:"currency"`
		ProductID      *string  `avro:"productId" json:"productId"`
		Category       *string  `avro:"category" json:"category"`
	} `avro:"conversionData" json:"conversionData"`
	CustomData map[string]string `avro:"customData" json:"customData"`
	Metadata   struct {
		Source      string `avro:"source" json:"source"`
		Version     string `avro:"version" json:"version"`
		Environment string `avro:"environment" json:"environment"`
	} `avro:"metadata" json:"metadata"`
}

func (e *tracked) visitor() string {
	if e.UserID != nil {
		return *e.UserID
	}
	return e.SessionID
}

// decode reads a value with libraries alone.
func decode(value []byte) (*tracked, error) {
	e := &tracked{}
	if value[0] == '{' {
		d := json.NewDecoder(bytes.NewReader(value))
		d.DisallowUnknownFields()
		return e, d.Decode(e)
	}
	rest, err := eventSchema.Decode(value, e)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes too many", len(rest))
	}
	return e, err
}

// arrival is one record with the time it arrives at.
type arrival struct {
	event.Record
	at event.Millis
}

// options are the defaults from noon of a day in March on.
func options() Options {
	o := Default()
	o.Start = event.Millis(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).UnixMilli())
	return o
}

// undisturbed lets every record arrive at once.
func undisturbed() Options {
	o := options()
	o.Disorder, o.Late, o.Duplicates = 0, 0, 0
	return o
}

// all reads a simulator to its end.
func all(t testing.TB, o Options) []arrival {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var list []arrival
	for {
		var a arrival
		at, ok := s.Next(&a.Record)
		if !ok {
			return list
		}
		a.at = at
		list = append(list, a)
	}
}

// events reads a simulator to its end and decodes what it says.
func events(t testing.TB, o Options) []*tracked {
	t.Helper()
	return decodeAll(t, all(t, o))
}

func decodeAll(t testing.TB, arrivals []arrival) []*tracked {
	t.Helper()
	var list []*tracked
	for _, a := range arrivals {
		e, err := decode(a.Value)
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		list = append(list, e)
	}
	return list
}
