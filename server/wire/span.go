package wire

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errSpan = errors.New(`a span is a number with a unit, such as "90s", "15m", "1h30m" or "7d"`)

// ParseSpan reads a length of time: what time.ParseDuration takes, and whole days ("7d").
func ParseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(24*time.Hour) {
			return 0, errSpan
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errSpan
	}
	return d, nil
}
