package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/wire"
)

// subscription is one view of the board that a client follows. It is owned by the client's loop.
//
// Its state is the version that the client holds: starting (no snapshot yet, version 0), then following. A delta that
// can't be told brings it back to starting, after a reset.
type subscription struct {
	name    string
	quoted  []byte // name as JSON
	filter  filter
	metrics []*definition.Metric // what the filter takes
	span    time.Duration        // of the backfill; 0: none
	every   time.Duration        // between two deltas, at least

	started   bool
	version   uint64       // of the board that the client holds
	seq       uint64       // of the feed that the client holds
	watermark event.Millis // that the client holds
	next      time.Time    // no delta before
}

// newSubscription reads a subscribe message; the problem lists every fault.
func (h *Hub) newSubscription(m message) (*subscription, *wire.Problem) {
	s := &subscription{name: m.Sub}
	s.quoted = encode(m.Sub)
	var faults []wire.Fault
	fault := func(pointer, format string, args ...any) {
		faults = append(faults, wire.Fault{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if m.Sub == "" || len(m.Sub) > 64 {
		fault("/sub", "a subscription needs a name of 1 to 64 bytes")
	}
	if m.Channel != channelMetrics {
		fault("/channel", "there is no channel %q: this server has %q", m.Channel, channelMetrics)
	}
	if m.Metrics != nil {
		s.filter = filter{}
	}
	for i, name := range m.Metrics {
		mr := h.board.byName[name]
		if mr == nil {
			fault(fmt.Sprintf("/metrics/%d", i), "there is no metric %q", name)
			continue
		}
		s.filter[mr.rank] = true
	}
	for _, mr := range h.board.metrics {
		if s.filter.takes(mr.rank) {
			s.metrics = append(s.metrics, mr.metric)
		}
	}
	if m.Backfill != nil {
		span, err := wire.ParseSpan(*m.Backfill)
		if err != nil || span <= 0 || span > h.options.MaxBackfill {
			fault("/backfill", "a backfill is a duration above 0 and up to %s, such as \"15m\"", h.options.MaxBackfill)
		}
		s.span = span
	}
	hz := h.options.DefaultHz
	if m.MaxHz != nil {
		hz = *m.MaxHz
	}
	if hz < 0.01 || hz > h.options.MaxHz {
		fault("/max_hz", "max_hz is a number from 0.01 to %g", h.options.MaxHz)
	} else {
		s.every = time.Duration(float64(time.Second) / hz)
	}
	if len(faults) > 0 {
		return nil, wire.Invalid(faults)
	}
	return s, nil
}

// frame makes the frame that brings the client from what it holds to what the board holds. It returns nil when the
// client holds it already. dst is reused.
func (s *subscription) frame(ctx context.Context, h *Hub, dst []byte) ([]byte, error) {
	if !s.started {
		return s.snapshot(ctx, h, dst)
	}
	p, ok := h.board.delta(s.filter, s.version)
	if !ok {
		s.started = false
		return encode(subFrame{"reset", s.name, "slow"}), nil
	}
	from := s.seq
	moved := from != p.seq || s.watermark != p.watermark
	s.version, s.seq, s.watermark = p.version, p.seq, p.watermark
	if len(p.rows)+len(p.removed) == 0 && !moved {
		return nil, nil
	}
	return appendDelta(dst, s.quoted, from, p), nil
}

// snapshot reads the board before the history: the store is never behind the board, so that what closes in between is
// in the history, in a later delta, or both, and never in neither.
func (s *subscription) snapshot(ctx context.Context, h *Hub, dst []byte) ([]byte, error) {
	p := h.board.snapshot(s.filter)
	var history []byte
	if s.span > 0 {
		series := []Backfill{}
		for _, m := range s.metrics {
			more, err := h.history.Backfill(ctx, m, s.span)
			if err != nil {
				return nil, fmt.Errorf("backfill %s: %w", m.Name, err)
			}
			series = append(series, more...)
		}
		history = encode(series)
	}
	s.started, s.version, s.seq, s.watermark = true, p.version, p.seq, p.watermark
	return appendSnapshot(dst, s.quoted, p, history), nil
}

var problemInternal = &wire.Problem{
	Type: "/problems/internal", Title: "The server could not answer", Status: http.StatusInternalServerError,
	Detail: "the log says why",
}

// problemOf is the outside of an error: a problem as it is, anything else without its inside.
func problemOf(err error) *wire.Problem {
	var p *wire.Problem
	if errors.As(err, &p) {
		return p
	}
	return problemInternal
}
