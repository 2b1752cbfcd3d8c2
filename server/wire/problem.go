package wire

import (
	"fmt"
	"net/http"
)

// Problem is an error as RFC 9457 describes it.
type Problem struct {
	Type   string  `json:"type"` // a path under /problems/
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors,omitempty"` // for invalid input: every fault, not just the first, up to maxFaults

	RetryAfterSeconds int `json:"-"` // > 0: also a Retry-After header
}

// Fault is one thing that is wrong with the input.
type Fault struct {
	Pointer string `json:"pointer"` // "/query/NAME" for a query parameter, "/NAME" for a field of a live message
	Detail  string `json:"detail"`
}

// Error makes a problem an error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// maxFaults is how many faults are listed: a query of 32 KiB can have 16,000, and the answer would be fifty times as long.
const maxFaults = 100

// Invalid is the problem of input with these faults. Its detail is for clients that show nothing else: the first fault, and
// how many there are beside it.
func Invalid(faults []Fault) *Problem {
	detail := faults[0].Pointer + ": " + faults[0].Detail
	if more := len(faults) - 1; more > 0 {
		detail += fmt.Sprintf(" (and %d more)", more)
	}
	if len(faults) > maxFaults {
		faults = faults[:maxFaults]
	}
	return &Problem{
		Type:   "/problems/invalid-request",
		Title:  "The request is not valid",
		Status: http.StatusBadRequest,
		Detail: detail,
		Errors: faults,
	}
}
