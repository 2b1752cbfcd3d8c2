package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

// The problems that are not about one resource.
var (
	problemTimeout = &wire.Problem{
		Type: "/problems/timeout", Title: "The answer took too long", Status: http.StatusServiceUnavailable,
		Detail: "ask for a shorter range, a larger step or fewer series", RetryAfterSeconds: 1,
	}
	problemBusy = &wire.Problem{
		Type: "/problems/busy", Title: "Too many queries at once", Status: http.StatusServiceUnavailable,
		Detail: "other queries that read much are under way: ask again", RetryAfterSeconds: 1,
	}
	problemRate = &wire.Problem{
		Type: "/problems/too-many-requests", Title: "Too many requests", Status: http.StatusTooManyRequests,
		Detail: "one address may ask only so often in a minute", RetryAfterSeconds: 10,
	}
	problemInternal = &wire.Problem{
		Type: "/problems/internal", Title: "The server could not answer", Status: http.StatusInternalServerError,
		Detail: "the log says why",
	}
	problemNotFound = &wire.Problem{
		Type: "/problems/not-found", Title: "There is nothing here", Status: http.StatusNotFound,
		Detail: "no such path",
	}
)

func notFound(format string, args ...any) *wire.Problem {
	p := *problemNotFound
	p.Detail = fmt.Sprintf(format, args...)
	return &p
}

// problemOf maps errors to answers. What is not the client's doing is told to the log by answer.
func problemOf(err error) *wire.Problem {
	var p *wire.Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrTruncated):
		return &wire.Problem{
			Type: "/problems/feed-truncated", Title: "The feed no longer reaches back that far", Status: http.StatusGone,
			Detail: "entries behind this sequence have been dropped: read on without `after`, from the first that is kept",
		}
	case errors.Is(err, store.ErrTooMuch):
		return &wire.Problem{
			Type: "/problems/query-too-large", Title: "The query would read too much", Status: http.StatusUnprocessableEntity,
			Detail: "too many alerts do not match: ask for a shorter range",
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problemTimeout
	default:
		return problemInternal
	}
}

func writeProblem(w http.ResponseWriter, p *wire.Problem) {
	if p.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfterSeconds))
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("BUG: encode answer: %v", err))
	}
	writeBody(w, status, contentType, b)
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone misses nothing
}
