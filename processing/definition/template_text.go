package definition

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// beyond is where digits are no longer written out.
const beyond = 1e15

// plainText writes a number without a format: whole numbers in full, others with four significant digits.
func plainText(x float64) string {
	if x == math.Trunc(x) {
		return fixedText(x, 0)
	}
	digits := 3 - int(math.Floor(math.Log10(math.Abs(x))))
	if digits > maxDigits {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	text := fixedText(x, max(digits, 0))
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// fixedText writes a number with so many digits behind the point. What rounds to zero has no sign.
func fixedText(x float64, digits int) string {
	if math.Abs(x) >= beyond {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	text := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}

// durationText writes seconds as people say them: 250 ms, 4.2 s, 3 min 20 s, 2 h 5 min, 3 d 4 h.
func durationText(seconds float64) string {
	sign := ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	if ms := math.Round(seconds * 1000); ms < 1000 {
		return fixedSign(sign, ms) + fixedText(ms, 0) + " ms"
	}
	if tenths := math.Round(seconds * 10); tenths < 600 {
		return sign + plainText(tenths/10) + " s"
	}
	whole := math.Round(seconds)
	if whole >= beyond {
		return sign + plainText(whole) + " s"
	}
	n := int64(whole)
	switch {
	case n < 3600:
		return sign + twoUnits(n, 60, "min", 1, "s")
	case n < 24*3600:
		return sign + twoUnits(n, 3600, "h", 60, "min")
	default:
		return sign + twoUnits(n, 24*3600, "d", 3600, "h")
	}
}

// fixedSign is the sign of a number that is not zero.
func fixedSign(sign string, x float64) string {
	if x == 0 {
		return ""
	}
	return sign
}

// twoUnits writes seconds in a large unit and what is left in a small one, rounded down.
func twoUnits(seconds, large int64, largeName string, small int64, smallName string) string {
	text := fmt.Sprintf("%d %s", seconds/large, largeName)
	if rest := seconds % large / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// windowText writes a window for people, in UTC: 2026-03-01 10:00:00 to 10:05:00 UTC.
func windowText(s *Sample) string {
	start, end := time.UnixMilli(int64(s.Start)).UTC(), time.UnixMilli(int64(s.End)).UTC()
	clock := "15:04:05"
	if s.Start%1000 != 0 || s.End%1000 != 0 {
		clock = "15:04:05.000"
	}
	to := clock
	if start.Format(time.DateOnly) != end.Format(time.DateOnly) {
		to = time.DateOnly + " " + clock
	}
	return start.Format(time.DateOnly+" "+clock) + " to " + end.Format(to) + " UTC"
}
