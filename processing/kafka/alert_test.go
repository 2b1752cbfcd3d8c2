package kafka

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

func bounceAlert(state alert.State) *alert.Alert {
	a := &alert.Alert{
		ID: "a1", Definition: "high_bounce_rate", Hash: definition.Hash{3}, Type: "HIGH_BOUNCE_RATE", Severity: "MEDIUM", State: state,
		Title: "Bounce rate is high", Description: "0.7 of the sessions", PatternMatched: "value > 0.65",
		Group:     []alert.Label{{Name: "device", Text: "MOBILE"}, {Name: "country", Text: "<de>"}},
		StartedAt: 600_000, EndedAt: event.NoTime, Value: number64(0.7),
		Metrics:     []alert.Reading{{Name: "value", Number: number64(0.7)}, {Name: "sessions", Number: number64(120)}, {Name: "nothing"}},
		Context:     []alert.Label{{Name: "for", Text: "5m"}},
		Window:      alert.Window{Metric: "bounce_rate", Definition: definition.Hash{4}, Start: 300_000, End: 600_000},
		Transitions: []alert.Transition{{State: alert.Firing, At: 600_000, Seq: 5}},
	}
	if state == alert.Resolved {
		a.EndedAt = 900_000
		a.Transitions = append(a.Transitions, alert.Transition{State: alert.Resolved, At: 900_000, Seq: 6})
	}
	return a
}

// loneAlert is one that a pattern made, with numbers that Avro has and JSON doesn't.
func loneAlert() *alert.Alert {
	return &alert.Alert{
		ID: "a2", Definition: "card_trials", Hash: definition.Hash{5}, Type: "FRAUD_DETECTED", Severity: "CRITICAL", State: alert.Firing,
		RecommendedAction: "Look at <the> cards", StartedAt: 1_000, EndedAt: event.NoTime, AffectedUsers: []string{"u1"},
		Metrics:     []alert.Reading{{Name: "ratio", Number: number64(math.Inf(1))}, {Name: "n", Number: number64(5)}},
		Records:     []alert.Record{{Topic: "events", Coordinate: event.Coordinate{Partition: 3, Offset: 99}}},
		Transitions: []alert.Transition{{State: alert.Firing, At: 1_000, Seq: 9}},
	}
}

func TestCEAlert(t *testing.T) {
	ms := func(n int64) time.Time { return time.UnixMilli(n).UTC() }
	bounce := func(state string, at int64, ended any) map[string]any {
		return map[string]any{
			"alertId": "a1", "timestamp": ms(at), "alertType": "HIGH_BOUNCE_RATE", "severity": "MEDIUM", "title": "Bounce rate is high",
			"description": "0.7 of the sessions", "patternMatched": "value > 0.65", "affectedUsers": []any{},
			"metrics": map[string]any{"value": 0.7, "sessions": 120.0},
			"context": map[string]any{"device": "MOBILE", "country": "<de>", "for": "5m", "metric": "bounce_rate", "window_start_ms": "300000",
				"window_end_ms": "600000", "definition_hash": definition.Hash{4}.String(), "rule_hash": definition.Hash{3}.String()},
			"recommendedAction": nil, "source": "tidemark", "definition": "high_bounce_rate", "state": state, "startedAt": int64(600_000),
			"endedAt": ended, "evidence": []any{},
		}
	}
	for name, c := range map[string]struct {
		alert *alert.Alert
		want  map[string]any
		json  string
	}{
		"firing": {bounceAlert(alert.Firing), bounce("firing", 600_000, nil), `{"alertId":"a1","timestamp":600000,` +
			`"alertType":"HIGH_BOUNCE_RATE","severity":"MEDIUM","title":"Bounce rate is high","description":"0.7 of the sessions",` +
			`"patternMatched":"value > 0.65","affectedUsers":[],"metrics":{"sessions":120,"value":0.7},"context":{"country":"<de>",` +
			`"definition_hash":"` + definition.Hash{4}.String() + `","device":"MOBILE","for":"5m","metric":"bounce_rate","rule_hash":"` +
			definition.Hash{3}.String() + `","window_end_ms":"600000","window_start_ms":"300000"},"recommendedAction":null,` +
			`"source":"tidemark","definition":"high_bounce_rate","state":"firing","startedAt":600000,"endedAt":null,"evidence":[]}`},
		"resolved": {bounceAlert(alert.Resolved), bounce("resolved", 900_000, int64(900_000)), ""},
		"of a pattern; what is infinite is left out": {loneAlert(), map[string]any{
			"alertId": "a2", "timestamp": ms(1_000), "alertType": "FRAUD_DETECTED", "severity": "CRITICAL", "title": "", "description": "",
			"patternMatched": "", "affectedUsers": []any{"u1"}, "metrics": map[string]any{"n": 5.0},
			"context": map[string]any{"definition_hash": definition.Hash{5}.String(), "rule_hash": definition.Hash{5}.String()}, "recommendedAction": "Look at <the> cards",
			"source": "tidemark", "definition": "card_trials", "state": "firing", "startedAt": int64(1_000), "endedAt": nil,
			"evidence": []any{"events/3/99"},
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			binary, err := newAlertEncoder(Avro)
			must(t, err)
			value, err := binary.value(c.alert)
			must(t, err)
			if diff := cmp.Diff(c.want, decodedAs(t, schemas.Alerts, value)); diff != "" {
				t.Errorf("avro (-want +got):\n%s", diff)
			}
			text, err := newAlertEncoder(JSON)
			must(t, err)
			value, err = text.value(c.alert)
			must(t, err)
			if c.json != "" && string(value) != c.json {
				t.Errorf("json\n%s, want\n%s", value, c.json)
			}
		})
	}
}

// TestEqualValuesHaveEqualBytes: what goes out again after a crash must be what went out before.
func TestEqualValuesHaveEqualBytes(t *testing.T) {
	alerts, err := newAlertEncoder(Avro)
	must(t, err)
	metrics, err := newMetricEncoder(Avro, testPlan())
	must(t, err)
	r := pagesResult("/a")
	r.Definition = definition.Hash{9} // its groups are numbered
	r.Group = []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for name, encode := range map[string]func() ([]byte, error){
		"alert":  func() ([]byte, error) { return alerts.value(bounceAlert(alert.Firing)) },
		"metric": func() ([]byte, error) { return metrics.value(r) },
	} {
		first, err := encode()
		must(t, err)
		for range 50 {
			again, err := encode()
			must(t, err)
			if !bytes.Equal(first, again) {
				t.Fatalf("%s: %x, then %x", name, first, again)
			}
		}
	}
}
