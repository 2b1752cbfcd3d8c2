package live

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/wire"
)

// view is a subscription of a state channel: a part of the board.
//
// Its state is the version that the client holds: starting (no snapshot yet, version 0), then following. A delta that
// can't be told brings it back to starting, after a reset.
type view struct {
	name    string
	quoted  []byte // name as JSON
	filter  filter
	taken   string               // the filter's name
	metrics []*definition.Metric // what the filter takes
	span    time.Duration        // of the backfill; 0: none
	every   time.Duration        // between two deltas, at least

	started   bool
	version   uint64       // of the board that the client holds
	seq       uint64       // of the feed that the client holds
	watermark event.Millis // that the client holds
	next      time.Time    // no delta before
}

// newView reads what a subscription of the board can ask for.
func (h *Hub) newView(m message, f *faults) *view {
	s := &view{name: m.Sub, quoted: encode(m.Sub)}
	if m.After != nil || m.Epoch != nil {
		f.add("/after", "the channel %q has no past to go on from: it begins with a snapshot", channelMetrics)
	}
	if m.Metrics != nil {
		s.filter = filter{}
	}
	for i, name := range m.Metrics {
		mr := h.board.byName[name]
		if mr == nil {
			f.add(fmt.Sprintf("/metrics/%d", i), "there is no metric %q", name)
			continue
		}
		s.filter[mr.rank] = true
	}
	s.taken = s.filter.name()
	for _, mr := range h.board.metrics {
		if s.filter.takes(mr.rank) {
			s.metrics = append(s.metrics, mr.metric)
		}
	}
	if m.Backfill != nil {
		span, err := wire.ParseSpan(*m.Backfill)
		if err != nil || span <= 0 || span > h.options.MaxBackfill {
			f.add("/backfill", "a backfill is a duration above 0 and up to %s, such as \"15m\"", h.options.MaxBackfill)
		}
		s.span = span
	}
	hz := h.options.DefaultHz
	if m.MaxHz != nil {
		hz = *m.MaxHz
	}
	if hz < 0.01 || hz > h.options.MaxHz {
		f.add("/max_hz", "max_hz is a number from 0.01 to %g", h.options.MaxHz)
	} else {
		s.every = time.Duration(float64(time.Second) / hz)
	}
	return s
}

func (s *view) title() string { return s.name }

func (s *view) news(n *news) (time.Duration, <-chan struct{}) {
	if s.started && s.version >= n.version {
		return 0, n.board
	}
	return time.Until(s.next), nil
}

func (s *view) sent(now time.Time) { s.next = now.Add(s.every) }

func (s *view) acknowledge() subFrame { return subFrame{Op: "ack", Sub: s.name} }

// frame brings the client from what it holds to what the board holds.
func (s *view) frame(ctx context.Context, h *Hub, dst []byte) (frame []byte, more bool, err error) {
	if !s.started {
		frame, err = s.snapshot(ctx, h, dst)
		return frame, false, err
	}
	p, body, ok := h.frames.delta(s.filter, s.taken, s.version)
	if !ok {
		s.started = false
		return encode(subFrame{Op: "reset", Sub: s.name, Reason: "slow"}), true, nil
	}
	from := s.seq
	moved := from != p.seq || s.watermark != p.watermark
	s.version, s.seq, s.watermark = p.version, p.seq, p.watermark
	if len(p.rows)+len(p.removed) == 0 && !moved {
		return nil, false, nil
	}
	return appendDelta(dst, s.quoted, from, body), false, nil
}

// snapshot reads the board before the history: the store is never behind the board, so that what closes in between is
// in the history, in a later delta, or both, and never in neither.
func (s *view) snapshot(ctx context.Context, h *Hub, dst []byte) ([]byte, error) {
	p, body := h.frames.snapshot(s.filter, s.taken)
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
	return appendSnapshot(dst, s.quoted, body, history), nil
}
