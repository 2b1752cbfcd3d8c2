package definition

import (
	"testing"

	"github.com/tidemark/tidemark/schemas"
)

const templateRules = `
version: 1
defaults: false
metrics:
  - {name: loads, title: Load, unit: ms, window: {size: 5m}, group_by: {device: sessionData.deviceType, url: pageViewData.url}, aggregates: {p95: {max: pageViewData.pageLoadTime}, n: {count: true}}, value: p95}
  - {name: share, window: {size: 1m}, aggregates: {n: {count: true}}, value: n / 3, unit: ratio}
alerts:
  - {name: plain, on: loads, when: "value\n > 3", for: 90s}
  - {name: ungrouped, on: share, when: value > 3}
  - {name: shown, on: loads, when: value > 3, title: TEXT}
`

// TestTemplates renders texts from a sample with value 1234.5678, n 12, count 7, previous null.
func TestTemplates(t *testing.T) {
	sample := &Sample{
		Start: 1_772_359_200_000, End: 1_772_359_500_000, Group: []string{"MOBILE", "/a?{{ n }}"}, Count: 7,
		Value: Number{1234.5678, true}, Aggregates: []Number{{12, true}, {-0.00004, true}},
	}
	tests := []struct{ text, want string }{
		{`'plain'`, "plain"},
		{`''`, ""},
		{`'{{ value }}'`, "1235"},
		{`'{{value|number 2}} {{ value | number 0 }}'`, "1234.57 1235"},
		{`'{{ value | percent }}'`, "123456.8 %"},
		{`'{{ value | percent 0 }}'`, "123457 %"},
		{`'{{ value | duration }}, {{ value | duration ms }}'`, "20 min 35 s, 1.2 s"},
		{`'{{ n }} of {{ count }}, before {{ previous | percent }}'`, "12 of 7, before no data"},
		{`'{{ p95 | number 2 }} {{ p95 }}'`, "0.00 -0.00004"},
		{`'{{ group.device }} {{ group.url }} }}'`, "MOBILE /a?{{ n }} }}"},
		{`'{{ window }}'`, "2026-03-01 10:00:00 to 10:05:00 UTC"},
		{`'{{ size | duration }}'`, "5 min"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			rules := load(t, replaceOnce(t, templateRules, "TEXT", test.text)).Rules
			if got := rules[1].Title.Render(sample); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	plan := load(t, replaceOnce(t, templateRules, "TEXT", "''"))
	for _, own := range []struct{ got, want string }{
		{plan.Rules[0].Title.Render(sample), "Plain: MOBILE, /a?{{ n }}"},
		{plan.Rules[0].Description.Render(sample), "Load is 1235 ms in the window 2026-03-01 10:00:00 to 10:05:00 UTC. The rule fires when value > 3 has held for 90s."},
		{plan.Rules[2].Title.Render(sample), "Ungrouped"},
		{plan.Rules[2].Description.Render(sample), "Share is 1235 in the window 2026-03-01 10:00:00 to 10:05:00 UTC. The rule fires when value > 3."},
		{plan.Rules[2].RecommendedAction.Render(sample), ""},
	} {
		if own.got != own.want {
			t.Errorf("%q, want %q", own.got, own.want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, test := range []struct {
		number float64
		plain  string
		span   string
	}{
		{0, "0", "0 ms"},
		{-0.0001, "-0.0001", "0 ms"},
		{0.25, "0.25", "250 ms"},
		{0.9996, "0.9996", "1 s"},
		{-1.25, "-1.25", "-1.3 s"},
		{59.94, "59.94", "59.9 s"},
		{59.96, "59.96", "1 min"},
		{61.4, "61.4", "1 min 1 s"},
		{3599.7, "3600", "1 h"},
		{7500, "7500", "2 h 5 min"},
		{100_000, "100000", "1 d 3 h"},
		{2.0 / 3, "0.6667", "667 ms"},
		{12345.678, "12346", "3 h 25 min"},
		{1e-12, "1e-12", "0 ms"},
		{1e300, "1e+300", "1e+300 s"},
	} {
		if got := plainText(test.number); got != test.plain {
			t.Errorf("%v is shown as %q, want %q", test.number, got, test.plain)
		}
		if got := durationText(test.number); got != test.span {
			t.Errorf("%v s is shown as %q, want %q", test.number, got, test.span)
		}
	}
	if got, want := windowText(&Sample{Start: 1_772_402_399_500, End: 1_772_409_600_000}), "2026-03-01 21:59:59.500 to 2026-03-02 00:00:00.000 UTC"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestRulesDecide asks what rules decide on samples.
func TestRulesDecide(t *testing.T) {
	plan, err := Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.LeftOut) > 0 {
		t.Errorf("left out: %+v", plan.LeftOut)
	}
	plan = load(t, everything)
	number := func(x float64) Number { return Number{x, true} }
	shop := func(value, a, b, h, previous Number) *Sample {
		s := &Sample{Value: value, Aggregates: make([]Number, 10), Previous: previous, Count: 1000}
		s.Aggregates[0], s.Aggregates[1], s.Aggregates[7] = a, b, h
		return s
	}
	for _, test := range []struct {
		name          string
		sample        *Sample
		enough, holds bool
	}{
		{"all is there", shop(number(4), number(20), number(3), number(2), number(1)), true, true},
		{"too few a", shop(number(4), number(19), number(3), number(2), number(1)), false, true},
		{"too few b", shop(number(4), number(20), number(2), number(2), number(1)), false, true},
		{"no b", shop(number(4), number(20), Number{}, number(2), number(1)), false, true},
		{"value is null", shop(Number{}, number(20), number(3), number(2), number(1)), false, false},
		{"value is low", shop(number(3), number(20), number(3), number(2), number(1)), true, false},
		{"nothing before", shop(number(4), number(20), number(3), number(2), Number{}), true, false},
	} {
		rule := &plan.Rules[1]
		if got := rule.Enough(test.sample); got != test.enough {
			t.Errorf("%s: enough is %t", test.name, got)
		}
		if got := rule.Holds(test.sample); got != test.holds {
			t.Errorf("%s: holds is %t", test.name, got)
		}
	}
	if !plan.Rules[1].UsesPrevious || plan.Rules[0].UsesPrevious {
		t.Error("which rule uses previous?")
	}
	few := &Sample{Value: number(1), Aggregates: []Number{number(1), number(1)}, Count: 1}
	if plan.Rules[0].Enough(few) {
		t.Error("one cart is enough where two are asked for")
	}
}
