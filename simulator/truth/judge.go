package truth

import (
	"github.com/tidemark/tidemark/processing/event"
)

// fact is what metrics and sessions look at of an event, and what its own partition's watermark said of it. Nil is null.
type fact struct {
	order     event.Order
	watermark event.Millis // W_p as it stood before the record; noTime when there was none

	eventType string
	session   *name
	visitor   *name // userId ?? sessionId
	url       *string
	loadTime  *float64
	country   *string
	device    *string
	currency  *string
	money     *float64
}

// verdict is what becomes of an event in panes of one width.
type verdict int

const (
	onTime verdict = iota
	lateButAllowed
	late
)

// judged is the verdict by a pane's end.
func (f *fact) judged(paneEnd, allowed event.Millis) verdict {
	switch {
	case f.watermark < paneEnd-1:
		return onTime
	case f.watermark < paneEnd-1+allowed:
		return lateButAllowed
	default:
		return late
	}
}

// sequenced reports whether sessions take the event.
func (f *fact) sequenced() bool { return f.order.Time > f.watermark }

func (f *fact) is(eventType string) bool { return f.eventType == eventType }

// startOf is the multiple of width at or before t.
func startOf(t, width event.Millis) event.Millis {
	start := t / width * width
	if start > t {
		start -= width
	}
	return start
}
