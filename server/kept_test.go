package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// TestWhatIsDroppedIsLeftOut: where panes are gone, hours and days answer what they can, no range is made of a part of its panes,
// and the answer says what is missing.
func TestWhatIsDroppedIsLeftOut(t *testing.T) {
	options := quietStore()
	options.Retention.Results, options.Retention.Rollups = 2*24*time.Hour, 6*24*time.Hour
	e := newEngineWith(t, longDefinitions, options)
	settleLong(t, e, 2, longStart, longStart+10*day, 1)
	e.w = longStart + 10*day
	s := e.serve(nil)
	s.now = func() time.Time { return time.UnixMilli(int64(e.w)) }
	for _, c := range []struct {
		metric, step string
		first, last  event.Millis // starts of points, since longStart
		points       int
		value        float64 // of each point but empty ones
		warning      string
	}{
		{"pages", "1d", 4 * day, 9 * day, 6, 12 * 24, ""},
		{"pages", "6h", 4 * day, 9*day + 18*hour, 24, 12 * 6, ""},
		{"pages", "5m", 8 * day, 9*day + 23*hour, 48, 12, "before 2025-01-09T00:00:00Z history is kept by the hour only: ask for a `step` of whole hours"},
		{"pages", "90m", 8 * day, 9*day + 22*hour + hour/2, 32, 0, "before 2025-01-09T00:00:00Z history is kept by the hour only"},
		{"load", "1d", 4 * day, 9 * day, 6, 0, ""},
	} {
		h := get[historyAnswer](t, s, fmt.Sprintf("/api/v1/metrics/%s/history?from=%d&to=%d&step=%s", c.metric, longStart, e.w, c.step))
		for _, one := range h.Series {
			first, last := event.Millis(*one.Points[0][0]), event.Millis(*one.Points[len(one.Points)-1][0])
			if len(one.Points) != c.points || first != longStart+c.first || last != longStart+c.last {
				t.Errorf("%s by %s: %d points from %s to %s", c.metric, c.step, len(one.Points), span(first-longStart), span(last-longStart))
			}
			for _, p := range one.Points {
				if c.value != 0 && *p[1] != c.value {
					t.Errorf("%s by %s: %g at %s, want %g", c.metric, c.step, *p[1], span(event.Millis(*p[0])-longStart), c.value)
				}
			}
		}
		if got := strings.Join(h.Warnings, "; "); len(h.Series) == 0 || !strings.HasPrefix(got, c.warning) || c.warning == "" && got != "" {
			t.Errorf("%s by %s: %d series, warnings %q", c.metric, c.step, len(h.Series), got)
		}
	}
}

// A metric has no value before its first event, although the hour and the day of that begin before it.
func TestNothingIsSuppliedBeforeTheFirstEvent(t *testing.T) {
	e := newEngineWith(t, longDefinitions, quietStore())
	const first = longStart + 40*hour/60
	settleLong(t, e, 2, first, first+26*hour, 1)
	e.w = first + 26*hour
	s := e.serve(nil)
	s.now = func() time.Time { return time.UnixMilli(int64(e.w)) }
	h := get[historyAnswer](t, s, fmt.Sprintf("/api/v1/metrics/load/history?from=%d&to=%d&step=5m", longStart, e.w))
	if len(h.Series) != 1 {
		t.Fatalf("%d series", len(h.Series))
	}
	if got := event.Millis(*h.Series[0].Points[0][0]); got != first {
		t.Errorf("the first point is at %s, want %s", span(got-longStart), span(first-longStart))
	}
}
