package truth

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/simulator"
)

// alertsOf are the alerts that a simulation raises by some rules, and the sum of the samples that rules looked at in windows
// which had as many as they need, by metric.
func alertsOf(t *testing.T, rules []Rule, o simulator.Options) (alerts []Alert, judged map[string]int) {
	t.Helper()
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Rules: DefaultRules(), Partitions: o.Partitions, Watermark: EndOfTime}
	options.Rules.Alerts = rules
	for _, r := range rules {
		options.Metrics = append(options.Metrics, r.Metric)
	}
	judged = map[string]int{}
	f := NewFold(options, Sink{
		Alert: func(a Alert) { alerts = append(alerts, a) },
		Window: func(metric string, w Window) {
			for i := range rules {
				if r := &rules[i]; r.Metric == metric && w.Final != nil && r.enough(w.Final) {
					judged[metric]++
				}
			}
		},
	})
	next := make([]event.Offset, o.Partitions)
	for {
		var rec event.Record
		if _, more := s.Next(&rec); !more {
			f.End()
			return alerts, judged
		}
		rec.Offset = next[rec.Partition]
		next[rec.Partition]++
		f.Add(&rec)
	}
}

// A day without a story raises nothing, and doesn't come near: not by rules with thresholds half as far away either, for half as
// long. It ends as it began, in the middle of everything. make truth asks for the whole day by TIDEMARK_EVERY_SCENARIO=1; else it has three
// hours.
func TestAnOrdinaryDayRaisesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("a day of traffic")
	}
	t.Parallel()
	rules := []Rule{
		{Name: "conversion_breach", Metric: "conversion_rate", Holds: func(v float64) bool { return v < 0.013 }, For: 90 * second, Samples: "sessions", Least: 200},
		{Name: "high_bounce_rate", Metric: "bounce_rate", Holds: func(v float64) bool { return v > 0.57 }, For: 150 * second, Least: 50},
		{Name: "slow_pages", Metric: "page_load_time", Holds: func(v float64) bool { return v > 2500 }, For: 30 * second, Samples: "n", Least: 50},
	}
	o := simulator.Default()
	hours := 3
	if os.Getenv("TIDEMARK_EVERY_SCENARIO") != "" {
		hours = 24
	}
	o.Start, o.Rate, o.Duration = base, 16, event.Millis(hours)*60*minute
	alerts, judged := alertsOf(t, append(rules, DefaultAlerts()...), o)
	for _, a := range alerts {
		t.Errorf("%s from %s to %s", a.Rule, offset(a.StartedAt), offset(a.EndedAt))
	}
	// Enough windows had what the rules ask for, each counted twice.
	for metric, least := range map[string]int{"conversion_rate": 2 * 330, "bounce_rate": 2 * 58, "page_load_time": 2 * 310} { // an hour
		if judged[metric] < hours*least {
			t.Errorf("%s: only %d windows had enough samples", metric, judged[metric])
		}
	}
}

// What each scenario is there to raise, it raises, and nothing else; the times are those that the reference gives.
func TestScenariosRaiseTheirAlerts(t *testing.T) {
	if testing.Short() {
		t.Skip("hours of traffic")
	}
	t.Parallel()
	type span struct{ from, to time.Duration }
	want := map[string]struct {
		rule         string
		fires, ended span // since the start
	}{
		"bots":            {"high_bounce_rate", span{10 * time.Minute, 13 * time.Minute}, span{16 * time.Minute, 21 * time.Minute}},
		"slow-pages":      {"slow_pages", span{6 * time.Minute, 6*time.Minute + 20*time.Second}, span{9 * time.Minute, 9*time.Minute + 20*time.Second}},
		"broken-checkout": {"conversion_breach", span{8*time.Minute + 20*time.Second, 9*time.Minute + 20*time.Second}, span{12 * time.Minute, 13 * time.Minute}},
	}
	for _, s := range simulator.Scenarios() {
		for seed := range uint64(2) {
			o := simulator.Default()
			o.Start, o.Rate, o.Duration, o.Scenario, o.Seed = base, 20, 22*minute, s.Name, seed+1
			alerts, _ := alertsOf(t, DefaultAlerts(), o)
			var got []string
			for _, a := range alerts {
				got = append(got, a.Rule)
			}
			w, raises := want[s.Name]
			var rules []string
			if raises {
				rules = []string{w.rule}
			}
			if !slices.Equal(got, rules) {
				t.Errorf("%s, seed %d: alerts %v, expected %v", s.Name, o.Seed, got, rules)
				continue
			}
			for _, a := range alerts {
				for _, c := range []struct {
					what string
					at   event.Millis
					in   span
				}{{"fires", a.StartedAt, w.fires}, {"ends", a.EndedAt, w.ended}} {
					if at := time.Duration(c.at-base) * time.Millisecond; at < c.in.from || at > c.in.to {
						t.Errorf("%s, seed %d: %s %s after %v, not between %v and %v", s.Name, o.Seed, a.Rule, c.what, at, c.in.from, c.in.to)
					}
				}
			}
		}
	}
}

// final is a window of the rule's metric that ends at a time.
func final(end event.Millis, value *float64, samples float64) *Window {
	return &Window{Start: end - minute, End: end, Final: &Result{Value: value, Aggregates: named{"sessions": &samples}, Count: int64(samples)}}
}

// Windows are a minute apart here. x holds, o doesn't, s has too few samples, n is null, - is not there.
func TestJudge(t *testing.T) {
	rule := Rule{Name: "r", Metric: "m", Holds: func(v float64) bool { return v > 1 }, For: 2 * minute, Samples: "sessions", Least: 10}
	for _, c := range []struct{ windows, want string }{
		{"oxxxo", "3 to 4"},
		{"oxxo", ""},
		{"xxoxxx", "5"},      // begins anew; fires at the end of all
		{"xxx-x", "2 to 3"},  // an empty window resolves
		{"xx-x", ""},         // and ends the wait
		{"xxxxxs", "2 to 5"}, // no data is false
		{"xxxn", "2 to 3"},
		{"xxxoxxxo", "2 to 3, 6 to 7"},
		{"xxx--------xxx-o", "2 to 3, 13 to 14"},
		{"", ""},
		{"o", ""},
	} {
		j := &judge{rule: &rule, slide: minute}
		var got []string
		tell := func(a *Alert) {
			switch {
			case a == nil:
			case a.EndedAt == 0:
				got = append(got, fmt.Sprint((a.StartedAt-base)/minute))
			default:
				got = append(got, fmt.Sprintf("%d to %d", (a.StartedAt-base)/minute, (a.EndedAt-base)/minute))
			}
		}
		last := base
		for i, w := range c.windows {
			end := base + event.Millis(i)*minute
			last = end
			switch w {
			case 'x':
				tell(j.window(final(end, number(2), 10)))
			case 'o':
				tell(j.window(final(end, number(1), 10)))
			case 's':
				tell(j.window(final(end, number(2), 9)))
			case 'n':
				tell(j.window(final(end, nil, 10)))
			}
		}
		tell(j.end(last - 1))
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %q, expected %q", c.windows, text, c.want)
		}
	}
}
