package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark/tidemark/e2e/reference"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

const (
	guidePage    = "../docs/guide/definitions.md"
	guideHeading = "\n## "
)

// guideDay is the day on which the guide's events happen.
var guideDay = time.Date(2025, time.October, 9, 0, 0, 0, 0, time.UTC)

// TestGuide runs the worked examples of the guide. A section with one has three blocks: the definitions, events in the
// order in which they arrive, and the results, which UPDATE_GUIDE=1 writes into the page.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile(guidePage)
	if err != nil {
		t.Fatal(err)
	}
	text, examples := string(page), 0
	for _, section := range strings.Split(string(page), guideHeading)[1:] {
		definitions, events, results := block(section, "yaml"), block(section, "events"), block(section, "results")
		if events == "" {
			continue
		}
		examples++
		title, _, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			got := runExample(t, definitions, events)
			if got == results {
				return
			}
			if os.Getenv("UPDATE_GUIDE") == "" {
				t.Errorf("the results are\n%s, and the page says\n%s", got, results)
			}
			text = strings.Replace(text, section, strings.Replace(section, "```results\n"+results, "```results\n"+got, 1), 1)
		})
	}
	if examples != 10 {
		t.Errorf("%d examples, want ten", examples)
	}
	if os.Getenv("UPDATE_GUIDE") != "" {
		if err := os.WriteFile(guidePage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// block is the text of a section's fenced block of a language.
func block(section, language string) string {
	_, after, _ := strings.Cut(section, "```"+language+"\n")
	text, _, _ := strings.Cut(after, "```")
	return text
}

// runExample returns a line for each row of the metrics that the definitions name.
func runExample(t *testing.T, definitions, events string) string {
	plan, err := definition.Load("guide.yaml", []byte(definitions), schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	base, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	log, store := memory.NewLog(1, 1000), memory.NewStore()
	for _, line := range strings.Split(strings.TrimSpace(events), "\n") {
		log.Append(guideEvent(t, strings.Fields(line)))
	}
	options := languageOptions()
	options.MinCommit = time.Second
	var lines []string
	synctest.Test(t, func(t *testing.T) {
		status := runFor(t, plan, log, store, options, 30*time.Minute)
		want := reference.Compute(reference.Read(base.YAML, []byte(definitions)), reference.Input{
			Partitions: byPartition(log, 1), Floats: []string{"value"}, Watermark: status.Watermark,
		})
		found := stateOf(t, plan, store, nil, false)
		finals, last := found.rows(plan)
		estimate := func(string, string) float64 { return 0.011 }
		for _, line := range append(want.Diff(finals, true, estimate), want.Diff(last, false, estimate)...) {
			t.Errorf("the reference says: %s", line)
		}
		for i := range plan.Metrics {
			m := &plan.Metrics[i]
			if !strings.Contains(definitions, "name: "+m.Name+"\n") {
				continue
			}
			for _, r := range store.Windows(m.Hash) {
				lines = append(lines, guideRow(m, &r))
			}
		}
	})
	return strings.Join(lines, "")
}

// guideEvent reads a line such as `10:00:05 PAGE_VIEW session=s1 url=/cart`.
func guideEvent(t *testing.T, words []string) event.Record {
	clock, err := time.Parse("15:04:05", words[0])
	if err != nil {
		t.Fatal(err)
	}
	at := event.Millis(guideDay.Add(clock.Sub(clock.Truncate(24 * time.Hour))).UnixMilli())
	e := map[string]any{"eventId": "e", "timestamp": at, "eventType": words[1], "sessionId": "-", "metadata": map[string]any{"source": "guide"}}
	inner := func(name string) map[string]any {
		if e[name] == nil {
			e[name] = map[string]map[string]any{
				"pageViewData":   {"url": "/", "title": ""},
				"sessionData":    {"userAgent": "", "ipAddress": "", "deviceType": "UNKNOWN"},
				"conversionData": {"conversionType": "PURCHASE"},
				"customData":     {},
			}[name]
		}
		return e[name].(map[string]any)
	}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "session":
			e["sessionId"] = value
		case "user":
			e["userId"] = value
		case "url":
			inner("pageViewData")["url"] = value
		case "load":
			inner("pageViewData")["pageLoadTime"] = json.Number(value)
		case "device":
			inner("sessionData")["deviceType"] = value
		case "value":
			inner("conversionData")["value"] = json.Number(value)
		case "currency":
			inner("conversionData")["currency"] = value
		case "plan":
			inner("customData")["plan"] = value
		default:
			t.Fatalf("what is %s?", name)
		}
	}
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return event.Record{Timestamp: at, Value: value}
}

// guideRow writes a row as the guide shows it.
func guideRow(m *definition.Metric, r *window.Result) string {
	clock := func(at event.Millis) string {
		t := time.UnixMilli(int64(at)).UTC()
		if m.Size >= 3_600_000 {
			return t.Format("Jan 2 15:04")
		}
		return t.Format("15:04:05")
	}
	words := []string{m.Name, clock(r.Start) + "-" + clock(r.End)}
	for i, key := range m.Keys {
		words = append(words, key+"="+r.Group[i])
	}
	words = append(words, "value="+guideNumber(r.Value))
	for i, a := range m.Aggregates {
		if len(m.Aggregates) > 1 {
			words = append(words, a.Name+"="+guideNumber(r.Aggregates[i]))
		}
	}
	if r.Kind == window.Correction {
		words = append(words, "corrected")
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "  ") + "\n"
}

func guideNumber(n definition.Number) string {
	if !n.Valid {
		return "null"
	}
	return fmt.Sprint(strconv.FormatFloat(n.Float, 'g', 4, 64))
}
