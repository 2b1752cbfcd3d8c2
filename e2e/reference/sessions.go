package reference

import (
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// cut cuts the events that the sequencer took into sessions, each key for itself, and returns those that have closed.
func (r *run) cut(k *kind) []*item {
	byKey := map[any][]*item{}
	var keys []any
	for _, it := range r.items {
		key := r.events.value(k.key, it.fields)
		if key == nil || !it.sequenced() || it.order.Time > r.in.Watermark {
			continue
		}
		if byKey[key] == nil {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], it)
	}
	var closed []*item
	for _, key := range keys {
		slices.SortFunc(byKey[key], func(a, b *item) int { return a.order.Compare(b.order) })
		closed = append(closed, r.cutKey(k, key, byKey[key])...)
	}
	return closed
}

func (r *run) cutKey(k *kind, key any, events []*item) (closed []*item) {
	var open []*item
	end := func(at event.Millis, reason string) {
		closed = append(closed, r.closed(k, key, open, at, reason))
		open = nil
	}
	for _, it := range events {
		if len(open) > 0 {
			// The end of max_duration comes before the events of its time, the end of the gap after them.
			if at, reason := k.deadline(open); at < it.order.Time || at == it.order.Time && reason == "max_duration" {
				end(at, reason)
			}
		}
		open = append(open, it)
		if k.endWhen != nil && r.events.holds(k.endWhen, it.fields) {
			end(it.order.Time, "end")
		}
	}
	if len(open) > 0 {
		if at, reason := k.deadline(open); at <= r.in.Watermark {
			end(at, reason)
		}
	}
	return closed
}

// deadline is when an open session closes if nothing more comes.
func (k *kind) deadline(open []*item) (at event.Millis, reason string) {
	gap, most := open[len(open)-1].order.Time+k.gap, open[0].order.Time+k.maxDuration
	if most <= gap {
		return most, "max_duration"
	}
	return gap, "gap"
}

// closed is a session as metrics see it.
func (r *run) closed(k *kind, key any, events []*item, at event.Millis, reason string) *item {
	first, last := events[0].order.Time, events[len(events)-1].order.Time
	of := fields{
		"key": key, "duration": float64(last-first) / 1000, "start": int64(first), "end": int64(last), "closed_at": int64(at),
		"reason": reason, "events": int64(len(events)),
	}
	for i := range k.aggregates {
		of[k.aggregates[i].name] = k.aggregates[i].compute(r.events, events)
	}
	// Sessions that closed at one moment are in the order of their last events.
	order := event.Order{Time: at, Coordinate: events[len(events)-1].order.Coordinate}
	return &item{fields: of, order: order, watermark: noTime}
}
