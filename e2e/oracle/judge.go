package oracle

import (
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// fact is an event with what its own partition's watermark said of it.
type fact struct {
	*tracked
	order     event.Order
	watermark event.Millis // W_p as it stood before the record; noTime when there was none
}

// verdict is what becomes of an event in panes of one width.
type verdict int

const (
	onTime verdict = iota
	lateButAllowed
	late
)

// judged is the verdict by a pane's end.
func (f *fact) judged(paneEnd, allowed event.Millis) verdict {
	switch {
	case f.watermark < paneEnd-1:
		return onTime
	case f.watermark < paneEnd-1+allowed:
		return lateButAllowed
	default:
		return late
	}
}

// sequenced reports whether sessions take the event.
func (f *fact) sequenced() bool { return f.order.Time > f.watermark }

// judge reads all records, sets the dead letters apart and finds the watermark before each event and at the end.
func (e *Expected) judge(in *Input) []*fact {
	var facts []*fact
	e.Watermark = in.Watermark
	lowest := noTime
	for _, p := range slices.Sorted(maps.Keys(in.Partitions)) {
		highest := noTime // M_p
		watermark := func(at event.Offset) event.Millis {
			w := noTime
			if highest != noTime {
				w = highest - in.Rules.OutOfOrderness - 1
			}
			for _, f := range in.Floors {
				if f.Partition == p && f.Offset <= at {
					w = max(w, f.Floor)
				}
			}
			return w
		}
		next := event.Offset(0)
		for i := range in.Partitions[p] {
			rec := &in.Partitions[p][i]
			next = rec.Offset + 1
			e.Counters.Consumed++
			at := event.Coordinate{Partition: p, Offset: rec.Offset}
			told, reason := read(rec, &in.Rules)
			if reason != "" {
				e.Counters.DeadLetters++
				e.DeadLetters = append(e.DeadLetters, DeadLetter{at, reason})
				continue
			}
			t := event.Millis(*told.Timestamp)
			f := &fact{told, event.Order{Time: t, Coordinate: at}, watermark(rec.Offset)}
			facts = append(facts, f)
			e.count(f)
			highest = max(highest, min(t, rec.Timestamp))
		}
		if w := watermark(next); w != noTime && (lowest == noTime || w < lowest) {
			lowest = w
		}
	}
	if e.Watermark == 0 {
		e.Watermark = lowest
	}
	return facts
}

// count adds an event to the counters: by whether those that want it, panes of each metric and the sessions, took it.
func (e *Expected) count(f *fact) {
	took, refused := f.sequenced(), !f.sequenced()
	for i := range eventMetrics {
		m := &eventMetrics[i]
		if !m.takes(f) && !m.total {
			continue
		}
		paneEnd := startOf(f.order.Time, m.width) + m.width
		if f.judged(paneEnd, e.rules.AllowedLateness) == late {
			refused = true
		} else {
			took = true
		}
	}
	switch {
	case took:
		e.Counters.Applied++
		if refused {
			e.Counters.LatePartly++
		}
	case refused:
		e.Counters.Late++
	default:
		e.Counters.Filtered++
	}
}

// startOf is the multiple of width at or before t.
func startOf(t, width event.Millis) event.Millis {
	start := t / width * width
	if start > t {
		start -= width
	}
	return start
}
