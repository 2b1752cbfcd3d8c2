package live

import (
	"encoding/json"
	"testing"
)

// Whatever a client sends becomes a subscription within the limits, a refusal that can be written, or an error.
func FuzzMessage(f *testing.F) {
	for _, text := range []string{
		`{"op":"subscribe","sub":"s","channel":"metrics","metrics":["views"],"backfill":"15m","max_hz":2}`, `{"op":"pong"}`, `[]`, `null`, `{"op":1}`,
		`{"op":"subscribe","sub":"\ud800\u0000","channel":"metrics","max_hz":1e-308,"backfill":"9223372036854775807d"}`,
		`{"op":"subscribe","sub":"s","channel":"metrics","metrics":[]}`, `{"op":"subscribe","sub":"a","channel":"alerts","after":4711,"epoch":"e"}`,
		`{"op":"subscribe","sub":"a","channel":"alerts","after":-1,"metrics":[],"max_hz":2}`, `{"op":"unsubscribe","sub":["s"]}`, "{\"op\":\"subscribe\",\"sub\":\"\xff\",\"channel\":\"metrics\"}",
	} {
		f.Add([]byte(text))
	}
	h := New(Default(), Deps{Board: NewBoard(testPlan()), Log: &memoryLog{}})
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseMessage(text)
		if err != nil || m.Op != "subscribe" {
			return
		}
		s, problem := h.newSubscription(m)
		if problem != nil {
			if _, err := json.Marshal(errorFrame{"error", m.Sub, problem}); err != nil || problem.Status != 400 {
				t.Fatalf("%q: %+v, %v", text, problem, err)
			}
			return
		}
		switch s := s.(type) {
		case *view:
			if !json.Valid(s.quoted) || s.span < 0 || s.span > h.options.MaxBackfill || s.every <= 0 || len(s.name) > 64 {
				t.Fatalf("%q: %+v", text, s)
			}
		case *tail:
			if s.seq > maxSeq || len(s.name) > 64 {
				t.Fatalf("%q: %+v", text, s)
			}
		}
	})
}
