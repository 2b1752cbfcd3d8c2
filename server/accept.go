package server

import (
	"net/http"
	"strconv"
	"strings"
)

// negotiate picks the offer that the client wants most; the first offer where it says nothing, or wants none of them.
func negotiate(r *http.Request, offers ...string) string {
	best, bestQuality, bestExact := offers[0], 0.0, false
	for _, offer := range offers {
		q, exact := quality(r, offer)
		if q > bestQuality || q == bestQuality && q > 0 && exact && !bestExact {
			best, bestQuality, bestExact = offer, q, exact
		}
	}
	return best
}

// quality is how much the client wants a content type, and whether it names it: of the ranges that match, the most
// specific one counts.
func quality(r *http.Request, contentType string) (q float64, exact bool) {
	major, _, _ := strings.Cut(contentType, "/")
	specific := 0
	for _, header := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(header, ",") {
			name, parameters, _ := strings.Cut(part, ";")
			level := 0
			switch strings.TrimSpace(name) {
			case contentType:
				level = 3
			case major + "/*":
				level = 2
			case "*/*":
				level = 1
			}
			if level > specific {
				specific, q = level, weight(parameters)
			}
		}
	}
	return q, specific == 3
}

func weight(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
			q, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
