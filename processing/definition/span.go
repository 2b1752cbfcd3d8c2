package definition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// span reads an optional duration of at least low.
func (o *object) span(key string, low, otherwise event.Millis) event.Millis {
	e := o.find(key)
	if e == nil {
		return otherwise
	}
	const want = "a duration such as 500ms, 5s, 1m, 12h or 7d"
	s, ok := o.r.scalar(e, want)
	if !ok {
		return otherwise
	}
	d, err := parseSpan(s)
	switch {
	case err != nil:
		o.r.wrong(e.node, e.at, want)
		return otherwise
	case d < low:
		o.r.faults.add(e.at, "%s is too short: at least %s", s, spanText(low))
		return otherwise
	case d > maxSpan:
		o.r.faults.add(e.at, "%s is too long: at most %s", s, spanText(maxSpan))
		return otherwise
	}
	return d
}

const maxSpan = event.Millis(366 * 24 * 3600 * 1000)

// parseSpan reads a duration of whole milliseconds; a day is 24 hours.
func parseSpan(s string) (event.Millis, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("read days: %w", err)
		}
		return event.Millis(n) * 24 * 3600 * 1000, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("read duration: %w", err)
	}
	if d%time.Millisecond != 0 || d < 0 {
		return 0, errors.New("a duration is a whole number of milliseconds")
	}
	return event.Millis(d.Milliseconds()), nil
}

// spanText writes a duration as parseSpan reads it, shortest form: 90s, 30m, 12h, 7d.
func spanText(d event.Millis) string {
	for _, unit := range []struct {
		length event.Millis
		name   string
	}{{24 * 3600 * 1000, "d"}, {3600 * 1000, "h"}, {60 * 1000, "m"}, {1000, "s"}} {
		if d != 0 && d%unit.length == 0 {
			return strconv.FormatInt(int64(d/unit.length), 10) + unit.name
		}
	}
	if d == 0 {
		return "0s"
	}
	return strconv.FormatInt(int64(d), 10) + "ms"
}
