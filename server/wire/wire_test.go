package wire

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

func TestRow(t *testing.T) {
	m := &definition.Metric{
		Name: "load", Size: 10_000, Keys: []string{"url", "kind"}, FormulaText: "p95 / n",
		Aggregates: []definition.Aggregate{{Name: "n", Kind: aggregate.Count}, {Name: "p95", Kind: aggregate.Quantile, Quantile: 0.95}},
		Formula:    func([]definition.Number, float64) definition.Number { return definition.Number{} },
	}
	result := window.Result{
		Metric: "load", Start: 10_000, End: 20_000, Group: []string{"/", "(none)"}, Kind: window.Correction, Revision: 2,
		Value:      definition.Number{Float: math.Inf(1), Valid: true},
		Aggregates: []definition.Number{{Float: 0, Valid: true}, {}}, Count: 3, Truncated: true,
	}
	for _, c := range []struct {
		name  string
		shape *Shape
		want  string
	}{
		{"in force", NewShape(m), `{"metric":"load","group":{"kind":"(none)","url":"/"},"window_start_ms":10000,"window_end_ms":20000,` +
			`"kind":"correction","revision":2,"value":null,"aggregates":{"n":0,"p95":null},"count":3,"estimate":true,"relative_error":0.01,"truncated":true}`},
		{"no longer in force", Retired("load"), `{"metric":"load","group":{"1":"/","2":"(none)"},"window_start_ms":10000,"window_end_ms":20000,` +
			`"kind":"correction","revision":2,"value":null,"aggregates":{"1":0,"2":null},"count":3,"truncated":true}`},
	} {
		b, err := json.Marshal(c.shape.Row(&result))
		if err != nil || string(b) != c.want {
			t.Errorf("%s: %s, %v\nwant %s", c.name, b, err, c.want)
		}
	}
}

func TestRelativeError(t *testing.T) {
	kinds := map[string]aggregate.Kind{"n": aggregate.Count, "u": aggregate.Uniques, "w": aggregate.Uniques, "p": aggregate.Quantile}
	for _, c := range []struct {
		formula string
		names   []string
		want    float64
	}{
		{"n", []string{"n", "u"}, 0},
		{"u", []string{"u"}, 0.0081},
		{"", []string{"u"}, 0.0081}, // the only aggregate is the value
		{"n / u", []string{"n", "u"}, 0.0081},
		{"u / w", []string{"u", "w"}, 0.0115},
		{"p", []string{"n", "p", "u"}, 0.01},
	} {
		m := &definition.Metric{FormulaText: c.formula}
		for _, name := range c.names {
			m.Aggregates = append(m.Aggregates, definition.Aggregate{Name: name, Kind: kinds[name]})
		}
		if got := relativeError(m); got != c.want {
			t.Errorf("%q of %v: %g, want %g", c.formula, c.names, got, c.want)
		}
	}
}

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "250ms": 250 * time.Millisecond, "0s": 0,
	} {
		if got, err := ParseSpan(text); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "-1s", "1", "1.5d", "200000000d", "1 h", "x"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestNullAndZeroDiffer(t *testing.T) {
	if NumberOf(definition.Number{}) != nil || *NumberOf(definition.Number{Valid: true}) != 0 {
		t.Error("numbers")
	}
	if NumberOf(definition.Number{Float: math.NaN(), Valid: true}) != nil {
		t.Error("what JSON has no word for")
	}
	if TimeOf(event.NoTime) != nil || *TimeOf(0) != 0 {
		t.Error("times")
	}
}
