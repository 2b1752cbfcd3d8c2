package simulator

import "github.com/tidemark/tidemark/processing/event"

// eventType is a symbol of the schema's enum; the numbers are its positions.
type eventType uint8

const (
	pageView eventType = iota
	sessionStart
	sessionEnd
	converted
	custom
)

var eventNames = [...]string{"PAGE_VIEW", "SESSION_START", "SESSION_END", "CONVERSION", "CUSTOM"}

// message is an event before it is encoded: AnalyticsEvent of the schemas. Optional strings are null when empty.
type message struct {
	id         uuid
	session    uuid
	time       event.Millis
	kind       eventType
	user       []byte // nil is null; aliases the visitor's
	view       *view
	audience   audience
	conversion *conversion
	custom     []attribute // nil is null
}

// view is PageViewData.
type view struct {
	page     *page
	referrer string
	loadTime int32 // milliseconds, 0 is null
}

// audience is SessionData.
type audience struct {
	agent   *agent
	ip      []byte
	country string
	city    string
}

// conversion is ConversionData.
type conversion struct {
	kind     conversionType
	value    float64 // 0 is null
	currency string
	product  string
	category string
}

// attribute is one entry of customData.
type attribute struct{ key, value string }

// What every event says about its making: EventMetadata.
const (
	metaSource      = "web"
	metaVersion     = "1.0"
	metaEnvironment = "production"
)
