package processing_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

const (
	rigRules = plain + `
  - {name: pages, window: {size: 10s}, group_by: {url: url}, aggregates: {n: {count: true}}}
alerts:`
	ruleBusy = `
  - {name: busy, on: all, when: value > 20, for: 10s, title: 'At {{ value }}', description: 'In {{ window }}'}`
	ruleQuiet = `
  - {name: quiet, on: all, when: value == 0}`
	rulePage = `
  - {name: page, severity: HIGH, on: pages, when: value > 10, keep_firing_for: 20s}`
)

// views appends records from a time on, ten seconds apart: "30 5" are 30 of page /a and 5 of page /b.
func views(t *testing.T, log *memory.Log, from time.Duration, windows ...string) {
	for i, w := range windows {
		for page, text := range strings.Fields(w) {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			for range n {
				log.Append(rec(0, from+time.Duration(i)*10*time.Second, "url=/"+string(rune('a'+page))))
			}
		}
	}
}

// alerts are the entries of alerts in the feed: "20s busy firing"; of groups, "20s page[/a] firing".
func (r *rig) alerts() []string {
	var out []string
	for _, e := range r.store.Entries() {
		if e.Type == processing.AlertEntry {
			out = append(out, alertText(e.Alert))
		}
	}
	return out
}

func alertText(a *alert.Alert) string {
	group := ""
	if len(a.Group) > 0 {
		group = fmt.Sprint(a.Values())
	}
	return fmt.Sprintf("%s %s%s %s", clock(a.Transitions[len(a.Transitions)-1].At), a.Definition, group, a.State)
}

func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Rules judge every final, of windows without events too, and of each group for itself.
func TestRulesRaiseAlerts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 1000), memory.NewStore()
		views(t, log, 0, "30 5", "15 10", "12 20", "0", "5", "0", "0 1")
		r := start(t, log, store, rigRules+ruleBusy+ruleQuiet+rulePage)
		pass(time.Second)
		r.want("W", r.watermark(), "54.999s")
		wantLines(t, "alerts", r.alerts(),
			"10s page[/a] firing", "20s busy firing", "30s page[/b] firing", "40s busy resolved", "40s quiet firing", "50s quiet resolved")
		// When everything has been quiet for long, W goes on by itself, and what still fires is resolved.
		pass(3 * time.Minute)
		wantLines(t, "alerts after the end", r.alerts()[6:],
			"1m0s page[/a] resolved", "1m0s page[/b] resolved", "1m0s quiet firing", "1m10s quiet resolved", "1m20s quiet firing")
		r.end()
		a := store.Alerts()[1]
		r.want("title", a.Title, "At 25")
		r.want("description", a.Description, "In 1970-01-01 00:00:10 to 00:00:20 UTC")
		r.want("transitions", len(a.Transitions), 2)
		r.want("window", fmt.Sprint(a.Window.Metric, a.Window.Start, a.Window.End, a.Window.Definition == r.plan.Metrics[0].Hash), "all10000 20000 true")
		r.want("numbers", a.Metrics, "[{n {25 true}} {value {25 true}}]")
		r.want("context", a.Context, "[{count 25} {held_since_ms 10000}]")
	})
}

// In one commit the feed holds finals, then corrections, then alerts, and observers are told all of it.
func TestAlertsComeBehindWhatTheyAreJudgedBy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 1000), memory.NewStore()
		views(t, log, 0, "30", "30")
		r := start(t, log, store, rigRules+ruleBusy)
		pass(time.Second)
		log.Append(rec(0, 50*time.Second, "url=/a"), rec(0, 20*time.Second, "url=/a"), rec(0, 5*time.Second, "url=/a"))
		pass(2 * time.Second)
		r.end()
		var kinds []string
		for _, c := range r.seen.all() {
			for _, e := range c.Entries {
				switch {
				case e.Result != nil:
					kinds = append(kinds, fmt.Sprint(e.Result.Metric, " ", e.Result.Start/1000, " ", e.Result.Kind))
				case e.Alert != nil:
					kinds = append(kinds, alertText(e.Alert))
					r.want("sequence", e.Alert.Seq(), e.Seq)
				}
			}
		}
		last := -1
		for _, kind := range []string{"all 0 final", "all 10 final", "all 0 correction", "20s busy firing", "30s busy resolved"} {
			at := slices.Index(kinds, kind)
			if at < last || at < 0 {
				t.Errorf("%s comes too early, or not at all", kind)
			}
			last = at
		}
		if t.Failed() {
			t.Logf("the feed:\n%s", strings.Join(kinds, "\n"))
		}
		r.want("alerts", r.alerts(), "[20s busy firing 30s busy resolved]")
	})
}

// An alert that fires goes on firing over a restart, and so does what is pending.
func TestAlertsSurviveRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 1000), memory.NewStore()
		counts := []string{"30 1", "30 1", "30 1", "30 1", "5 1", "30 1", "30 1", "5 1", "0 1", "1 1", "1 1"}
		var last *rig
		for i, n := range counts {
			views(t, log, time.Duration(i)*10*time.Second+9*time.Second, n)
			last = start(t, log, store, rigRules+ruleBusy+ruleQuiet+rulePage, func(o *processing.Options) { o.Workers = 1 + i%3 })
			pass(time.Second)
			last.end()
		}
		wantLines(t, "alerts", last.alerts(),
			"10s page[/a] firing", "20s busy firing", "50s busy resolved", "1m10s busy firing", "1m20s busy resolved", "1m40s page[/a] resolved")
		last.want("alerts kept", len(store.Alerts()), 3)
	})
}

// An alert without its rule is resolved, and says why; what takes its place starts anew.
func TestRulesOutOfForce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 1000), memory.NewStore()
		run := func(definitions string, from time.Duration, windows ...string) *rig {
			views(t, log, from, windows...)
			r := start(t, log, store, definitions)
			pass(time.Second)
			r.end()
			return r
		}
		r := run(rigRules+ruleBusy+rulePage, 0, "30", "30", "30", "30")
		wantLines(t, "alerts", r.alerts(), "10s page[/a] firing", "20s busy firing")
		edited := strings.Replace(ruleBusy, "for: 10s", "for: 0s", 1)
		r = run(rigRules+edited, 0)
		wantLines(t, "alerts of edited and removed rules", r.alerts()[2:], "24.999s busy resolved", "24.999s page[/a] resolved")
		for _, a := range store.Alerts() {
			r.want("reason", a.Context[len(a.Context)-1], "{reason rule no longer in force}")
		}
		r.want("watches", store.Watches(), 0)
		r = run(rigRules+edited, 40*time.Second, "30", "30", "5")
		wantLines(t, "alerts of the edited rule", r.alerts()[4:], "30s busy firing")
		// Other words are no other rule.
		r = run(rigRules+strings.Replace(edited, "At {{ value }}", "Busy", 1), 70*time.Second, "5", "5")
		wantLines(t, "alerts with another title", r.alerts()[5:], "1m10s busy resolved")
		r.want("title", store.Alerts()[len(store.Alerts())-1].Title, "At 30")
	})
}

// A rule that is new to a store starts with the first final that its metric publishes from then on.
func TestNewRulesStartInactive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 1000), memory.NewStore()
		views(t, log, 0, "30", "30", "30")
		r := start(t, log, store, plain)
		pass(time.Second)
		r.end()
		views(t, log, 30*time.Second, "0", "30", "30", "5")
		r = start(t, log, store, rigRules+ruleBusy+ruleQuiet+rulePage)
		pass(time.Second)
		r.want("W", r.watermark(), "54.999s")
		// The metric `pages` is new and publishes from 30s on; `all` has an empty window at 40s.
		wantLines(t, "alerts", r.alerts(), "30s busy firing", "40s busy resolved", "40s quiet firing", "50s page[/a] firing", "50s quiet resolved")
		r.end()
	})
}

// A state in which alerts and rules contradict each other is refused.
func TestStateOfRulesThatDoesNotFit(t *testing.T) {
	log, store := memory.NewLog(1, 1000), memory.NewStore()
	inBubble(t, func(t *testing.T) {
		views(t, log, 0, "30", "30", "30", "30")
		r := start(t, log, store, rigRules+ruleBusy)
		pass(time.Second)
		r.end()
	})
	options := processing.DefaultOptions()
	options.WriterSchema, options.Encoding = rigSchema, event.JSON
	for name, spoil := range map[string]func(s *processing.State){
		"no alert":      func(s *processing.State) { s.Alerts = nil },
		"no watch":      func(s *processing.State) { s.Watches = nil },
		"damaged watch": func(s *processing.State) { s.Watches[0].Block[0] = 9 },
	} {
		_, err := processing.New(rigPlan(t, rigRules+ruleBusy), log.Reader(), spoilt{store, spoil}, options)
		if err == nil || !strings.HasPrefix(err.Error(), "load state: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spoilt is a store that gives another state.
type spoilt struct {
	*memory.Store
	spoil func(s *processing.State)
}

func (s spoilt) Load(plan *definition.Plan) (*processing.State, error) {
	state, err := s.Store.Load(plan)
	if err == nil {
		s.spoil(state)
	}
	return state, err
}

// What `having` leaves out is no data, and no window without events.
func TestRulesSeeWhatIsPublished(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const definitions = `metrics:
  - {name: some, window: {size: 10s}, having: n > 5 or n == 0, aggregates: {n: {count: true}}}
  - {name: many, window: {size: 10s}, having: n > 5, aggregates: {n: {count: true}}}
alerts:
  - {name: few, on: some, when: value < 5}
  - {name: none, on: many, when: value < 5}
  - {name: high, on: many, when: value > 8, keep_firing_for: 10s}`
		log, store := memory.NewLog(1, 1000), memory.NewStore()
		views(t, log, 0, "10", "3", "0", "3", "9", "0", "1")
		r := start(t, log, store, definitions)
		pass(time.Second)
		r.want("W", r.watermark(), "54.999s")
		wantLines(t, "alerts", r.alerts(),
			"10s high firing", "30s few firing", "30s high resolved", "40s few resolved", "50s high firing")
		r.end()
	})
}
