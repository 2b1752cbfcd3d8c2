package admin

import (
	"errors"
	"net/http"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/store"
)

// Status is what the pipeline does.
type Status struct {
	Version string           `json:"version"`
	State   processing.Phase `json:"state"`
	Verdict string           `json:"verdict"`
	Faults  []Fault          `json:"faults"`
}

// Fault is why a partition stands still.
type Fault struct {
	Topic     string               `json:"topic"`
	Partition event.PartitionID    `json:"partition"`
	Kind      processing.FaultKind `json:"kind"`
	Detail    string               `json:"detail"`
	Advice    string               `json:"advice"`
}

func statusOf(s processing.Status, version string) Status {
	out := Status{Version: version, State: s.Phase, Verdict: s.Verdict, Faults: []Fault{}}
	for _, p := range s.Partitions {
		if p.FaultKind != "" {
			out.Faults = append(out.Faults, Fault{p.Topic, p.Partition, p.FaultKind, p.Fault, p.Advice})
		}
	}
	return out
}

// RebuildState says how far a rebuild is.
type RebuildState string

// The states of a rebuild.
const (
	RebuildNone    RebuildState = "none"
	RebuildRunning RebuildState = "running"
	RebuildReady   RebuildState = "ready"  // the next start takes it
	RebuildFailed  RebuildState = "failed" // nothing has changed
)

// Rebuild is the progress of a rebuild.
type Rebuild struct {
	State   RebuildState `json:"state"`
	Records int64        `json:"records"` // offsets that were passed
	Total   int64        `json:"total"`
	Detail  string       `json:"detail"` // what failed, or what is being done
}

type backupRequest struct {
	To string `json:"to"` // an absolute path
}

type resumeRequest struct {
	Topic     string             `json:"topic"`
	Partition *event.PartitionID `json:"partition"` // null: all that stand still
}

type resumeAnswer struct {
	Gaps []string `json:"gaps"`
}

type faultBody struct {
	Word   string `json:"error"`
	Detail string `json:"detail"`
}

// known are the errors that a client tells apart.
var known = []struct {
	err    error
	word   string
	status int
}{
	{processing.ErrNotFaulted, "not_faulted", http.StatusConflict},
	{processing.ErrEnded, "stopping", http.StatusServiceUnavailable},
	{store.ErrNotEmpty, "not_empty", http.StatusConflict},
	{ErrBusy, "busy", http.StatusConflict},
}

func wordOf(err error) (status int, word string) {
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.status, k.word
		}
	}
	return http.StatusInternalServerError, "failed"
}

// remoteError is an error that the server had. Its text is the server's.
type remoteError struct {
	text string
	kind error // nil: none that is known
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

func (f *faultBody) err() error {
	e := &remoteError{text: f.Detail}
	for _, k := range known {
		if k.word == f.Word {
			e.kind = k.err
		}
	}
	return e
}
