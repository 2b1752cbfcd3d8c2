package oracle

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// cutSessions cuts the events that the sequencer took, each key for itself, in total order, up to W.
func (e *Expected) cutSessions(facts []*fact) {
	byKey := map[string][]*fact{}
	for _, f := range facts {
		if f.sequenced() && f.order.Time <= e.Watermark {
			byKey[*f.SessionID] = append(byKey[*f.SessionID], f)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		events := byKey[key]
		slices.SortFunc(events, func(a, b *fact) int { return a.order.Compare(b.order) })
		e.cutKey(key, events)
	}
	slices.SortStableFunc(e.Sessions, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.ClosedAt, b.ClosedAt), cmp.Compare(a.Key, b.Key))
	})
}

// cutKey cuts the events of one key.
func (e *Expected) cutKey(key string, events []*fact) {
	var open *Session
	for _, f := range events {
		t := f.order.Time
		if open != nil {
			at, reason := e.deadline(open)
			// The end of max_duration comes before the events of its time, the end of the gap after them.
			if at < t || at == t && reason == "max_duration" {
				e.closeSession(open, at, reason)
				open = nil
			}
		}
		if open == nil {
			open = &Session{Key: key, First: t}
		}
		open.Last = t
		open.Events++
		if f.is("PAGE_VIEW") {
			open.PageViews++
		}
		if f.is("SESSION_END") {
			e.closeSession(open, t, "end")
			open = nil
		}
	}
	if open != nil {
		if at, reason := e.deadline(open); at <= e.Watermark {
			e.closeSession(open, at, reason)
		}
	}
}

// deadline is when an open session closes if nothing more comes.
func (e *Expected) deadline(s *Session) (at event.Millis, reason string) {
	gap, most := s.Last+e.rules.SessionGap, s.First+e.rules.MaxDuration
	if most <= gap {
		return most, "max_duration"
	}
	return gap, "gap"
}

func (e *Expected) closeSession(s *Session, at event.Millis, reason string) {
	s.ClosedAt, s.Reason = at, reason
	e.Sessions = append(e.Sessions, *s)
}
