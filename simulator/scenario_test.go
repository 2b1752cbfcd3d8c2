package simulator

import (
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// minuteOf counts what goes on in each minute of a run.
type minuteOf struct {
	views, bounced, conversions, failed float64
	slow                                float64 // page views that took longer than three seconds
}

func byMinute(list []*tracked, start event.Millis) map[int]*minuteOf {
	out := map[int]*minuteOf{}
	all := stays(list)
	for _, e := range list {
		m := int((event.Millis(e.Timestamp) - start) / minute)
		if out[m] == nil {
			out[m] = &minuteOf{}
		}
		switch e.EventType {
		case "PAGE_VIEW":
			out[m].views++
			if load := e.PageViewData.PageLoadTime; load != nil && *load > 3000 {
				out[m].slow++
			}
		case "CONVERSION":
			out[m].conversions++
		case "SESSION_END":
			if all[e.SessionID].views <= 1 {
				out[m].bounced++
			}
		case "CUSTOM":
			if e.CustomData["action"] == "form_failed" {
				out[m].failed++
			}
		}
	}
	return out
}

func between(t *testing.T, by map[int]*minuteOf, from, to int) (sum minuteOf) {
	t.Helper()
	for m := from; m < to; m++ {
		if by[m] == nil {
			continue
		}
		sum.views += by[m].views
		sum.bounced += by[m].bounced
		sum.conversions += by[m].conversions
		sum.failed += by[m].failed
		sum.slow += by[m].slow
	}
	return sum
}

// Each scenario does what it says, when it says so, again in the second half hour, and nothing else.
func TestScenariosDoWhatTheySay(t *testing.T) {
	long(t)
	runs := map[string]map[int]*minuteOf{}
	run := func(t *testing.T, name string) map[int]*minuteOf {
		t.Helper()
		if runs[name] != nil {
			return runs[name]
		}
		o := undisturbed()
		o.Scenario, o.Rate, o.Duration = name, 25, 50*minute
		runs[name] = byMinute(events(t, o), o.Start)
		return runs[name]
	}
	usual := run(t, "normal")
	for _, round := range []int{0, 30} {
		before := between(t, usual, round, round+5)
		for _, c := range []struct {
			scenario string
			from, to int
			so       func(usual, is minuteOf) bool
		}{
			{"spike", 8, 11, func(usual, is minuteOf) bool { return is.views > 3*usual.views && is.views < 5.5*usual.views }},
			{"spike", 19, 24, func(usual, is minuteOf) bool { return is.views < 1.5*usual.views }},
			{"outage", 5, 8, func(_, is minuteOf) bool { return is == minuteOf{} }},
			{"outage", 12, 20, func(usual, is minuteOf) bool { return is.views > 0.85*usual.views }},
			{"bots", 6, 15, func(usual, is minuteOf) bool {
				return is.bounced > 5*usual.bounced && is.conversions > 0.7*usual.conversions
			}},
			{"slow-pages", 5, 9, func(usual, is minuteOf) bool { return is.slow > 0.5*is.views && is.views > 0.9*usual.views }},
			{"slow-pages", 9, 20, func(_, is minuteOf) bool { return is.slow < 0.03*is.views }},
			{"broken-checkout", 5, 12, func(_, is minuteOf) bool { return is.conversions == 0 && is.failed > 100 }},
			{"broken-checkout", 13, 20, func(usual, is minuteOf) bool { return is.conversions > 0.7*usual.conversions && is.failed == 0 }},
		} {
			by := run(t, c.scenario)
			want, is := between(t, usual, round+c.from, round+c.to), between(t, by, round+c.from, round+c.to)
			if !c.so(want, is) {
				t.Errorf("%s from %d to %d: %+v, on an ordinary day %+v", c.scenario, round+c.from, round+c.to, is, want)
			}
			if calm := between(t, by, round, round+5); round == 0 && calm != before {
				t.Errorf("%s: %+v before it begins, on an ordinary day %+v", c.scenario, calm, before)
			}
		}
	}
}

// Nothing is on its way while the site is down: what was written before the outage arrives before it.
func TestNothingCrossesAnOutage(t *testing.T) {
	o := options()
	o.Scenario, o.Rate, o.Duration = "outage", 60, 12*minute
	o.Disorder, o.Late, o.Duplicates, o.Bad = 0.3, 0.1, 0.05, 0.02
	down, up := o.Start+5*minute, o.Start+8*minute
	before, after := 0, 0
	list := all(t, o)
	if fingerprint(list) != fingerprint(all(t, o)) {
		t.Error("two runs of a scenario differ")
	}
	for _, a := range list {
		switch {
		case a.at < down:
			before++
		case a.at < up:
			t.Fatalf("a record arrives %d ms after the site went down", a.at-down)
		case a.Timestamp < up:
			t.Fatalf("a record of %d ms before the end of the outage arrives after it", up-a.Timestamp)
		default:
			after++
		}
	}
	if before < 10_000 || after < 5_000 {
		t.Errorf("%d records before the outage and %d after it", before, after)
	}
}

func TestScenariosHaveNamesAndSummaries(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Scenarios() {
		if s.Name == "" || seen[s.Name] || !strings.HasSuffix(s.Summary, ".") {
			t.Errorf("scenario %q says %q", s.Name, s.Summary)
		}
		seen[s.Name] = true
		if s.ends > scenarioPeriod || s.begins > s.ends {
			t.Errorf("%s lasts from %d to %d", s.Name, s.begins, s.ends)
		}
	}
}
