package truth

import (
	"encoding/json"

	"github.com/twmb/avro"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

var schema = avro.MustParse(schemas.Events)

// tracked is AnalyticsEvent. The library wants a place for every field; pointers tell what JSON left out.
type tracked struct {
	EventID        *string           `avro:"eventId" json:"eventId"`
	Timestamp      *int64            `avro:"timestamp" json:"timestamp"`
	EventType      string            `avro:"eventType" json:"eventType"`
	UserID         *string           `avro:"userId" json:"userId"`
	SessionID      *string           `avro:"sessionId" json:"sessionId"`
	PageViewData   *pageViewData     `avro:"pageViewData" json:"pageViewData"`
	SessionData    *sessionData      `avro:"sessionData" json:"sessionData"`
	ConversionData *conversionData   `avro:"conversionData" json:"conversionData"`
	CustomData     map[string]string `avro:"customData" json:"customData"`
	Metadata       *metadata         `avro:"metadata" json:"metadata"`
}

type pageViewData struct {
	URL          string  `avro:"url" json:"url"`
	Title        string  `avro:"title" json:"title"`
	Referrer     *string `avro:"referrer" json:"referrer"`
	PageLoadTime *int    `avro:"pageLoadTime" json:"pageLoadTime"`
}

type sessionData struct {
	UserAgent  string  `avro:"userAgent" json:"userAgent"`
	IPAddress  string  `avro:"ipAddress" json:"ipAddress"`
	Country    *string `avro:"country" json:"country"`
	City       *string `avro:"city" json:"city"`
	DeviceType string  `avro:"deviceType" json:"deviceType"`
	Browser    *string `avro:"browser" json:"browser"`
	OS         *string `avro:"os" json:"os"`
}

type conversionData struct {
	ConversionType string   `avro:"conversionType" json:"conversionType"`
	Value          *float64 `avro:"value" json:"value"`
	Currency       *string  `avro:"currency" json:"currency"`
	ProductID      *string  `avro:"productId" json:"productId"`
	Category       *string  `avro:"category" json:"category"`
}

type metadata struct {
	Source      string `avro:"source" json:"source"`
	Version     string `avro:"version" json:"version"`
	Environment string `avro:"environment" json:"environment"`
}

var eventTypes = map[string]bool{"PAGE_VIEW": true, "SESSION_START": true, "SESSION_END": true, "CONVERSION": true, "CUSTOM": true}

// The reasons of dead letters.
const (
	undecodable          = "undecodable"
	futureTimestamp      = "future_timestamp"
	implausibleTimestamp = "implausible_timestamp"
)

// read decodes a record. The names of its visitor and session are the known ones. The reason is empty when it is an event.
func read(rec *event.Record, rules *Rules, known *names) (f *fact, reason string) {
	e := &tracked{}
	if len(rec.Value) > 0 && rec.Value[0] == '{' {
		if json.Unmarshal(rec.Value, e) != nil || !e.complete() {
			return nil, undecodable
		}
	} else if rest, err := schema.Decode(unframed(rec.Value), e); err != nil || len(rest) > 0 {
		return nil, undecodable
	}
	switch t := event.Millis(*e.Timestamp); {
	case t < rules.MinTime:
		return nil, implausibleTimestamp
	case t-rec.Timestamp > rules.MaxFutureSkew:
		return nil, futureTimestamp
	}
	return factOf(e, known), ""
}

// unframed is what follows the fingerprint or the number of the schema, of which there is only one. Raw Avro begins with the length
// of an event id: neither 0 nor C3 01, which is negative, is one.
func unframed(value []byte) []byte {
	const fingerprint, number = 2 + 8, 1 + 4
	switch {
	case len(value) >= fingerprint && value[0] == 0xc3 && value[1] == 1:
		return value[fingerprint:]
	case len(value) >= number && value[0] == 0:
		return value[number:]
	default:
		return value
	}
}

// complete reports whether a JSON object has the fields that may not be left out.
func (e *tracked) complete() bool {
	return e.EventID != nil && e.Timestamp != nil && e.SessionID != nil && e.Metadata != nil && eventTypes[e.EventType]
}

// factOf picks what metrics and sessions look at, so that the rest can be forgotten.
func factOf(e *tracked, known *names) *fact {
	t := event.Millis(*e.Timestamp)
	f := &fact{eventType: *known.word(&e.EventType), session: known.of(*e.SessionID, t), order: event.Order{Time: t}}
	if f.visitor = f.session; e.UserID != nil {
		f.visitor = known.of(*e.UserID, t)
	}
	if v := e.PageViewData; v != nil {
		f.url = known.word(&v.URL)
		if v.PageLoadTime != nil {
			f.loadTime = number(float64(*v.PageLoadTime))
		}
	}
	if s := e.SessionData; s != nil {
		f.country, f.device = known.word(s.Country), known.word(&s.DeviceType)
	}
	if c := e.ConversionData; c != nil {
		f.currency = known.word(c.Currency)
		if c.Value != nil {
			f.money = number(*c.Value)
		}
	}
	return f
}
