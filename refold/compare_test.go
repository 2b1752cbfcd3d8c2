package refold

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/store"
)

// storeWith makes a store with windows of the metrics top_pages and device_breakdown, after one change of them.
func storeWith(t *testing.T, plan *definition.Plan, change func(*processing.Changes)) *Original {
	t.Helper()
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	ch := &processing.Changes{Watermark: 500_000, Counters: processing.Counters{Consumed: 10, Applied: 9, Late: 1}}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		if m.Name != "top_pages" && m.Name != "device_breakdown" {
			continue
		}
		ch.Definitions = append(ch.Definitions, processing.Start{Hash: m.Hash, Name: m.Name, From: event.NoTime})
		ch.Digests = append(ch.Digests, processing.DefinitionDigest{Hash: m.Hash, Name: m.Name, Facts: 2, Sum: digest.Of([]byte(m.Name))})
		for _, start := range []event.Millis{0, 60_000} {
			b := processing.ResultBlock{Metric: m.Name, Hash: m.Hash, Start: start, Digest: digest.Of([]byte{byte(start / 1000)})}
			for _, group := range []string{"a", "b"} {
				b.Results = append(b.Results, window.Result{
					Metric: m.Name, Definition: m.Hash, Start: start, End: start + m.Size, Group: []string{group}, Kind: window.Final, Revision: 1,
					Value: definition.Number{Float: 3, Valid: true}, Aggregates: []definition.Number{{Float: 3, Valid: true}}, Count: 3,
				})
			}
			ch.Results = append(ch.Results, b)
		}
	}
	change(ch)
	if err := s.Commit(ch); err != nil {
		t.Fatal(err)
	}
	state, err := s.Load(plan)
	if err != nil {
		t.Fatal(err)
	}
	return &Original{s, state}
}

// A verdict names all that differs, and of metrics the first window, its first group and both values.
func TestVerdictsOfReplays(t *testing.T) {
	plan, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	other := func(c *processing.Changes, name string, start event.Millis, change func(*window.Result)) {
		for i := range c.Results {
			if b := &c.Results[i]; b.Metric == name && b.Start == start {
				b.Digest = digest.Of([]byte("another"))
				change(&b.Results[1])
			}
		}
		for i := range c.Digests {
			if c.Digests[i].Name == name {
				c.Digests[i].Sum = digest.Of([]byte("another"))
			}
		}
	}
	another := digest.Of([]byte("another")).String()
	differs := func(name string) string {
		return fmt.Sprintf("%s: was 2 facts, digest %s, is 2 facts, digest %s\n", name, digest.Of([]byte(name)), another)
	}
	pages, devices := differs("top_pages"), differs("device_breakdown")
	for name, c := range map[string]struct {
		change func(*processing.Changes)
		want   string
	}{
		"nothing": {func(*processing.Changes) {}, "match\n"},
		"a value": {func(c *processing.Changes) {
			other(c, "top_pages", 60_000, func(r *window.Result) { r.Value.Float, r.Count = 4, 5 })
		}, "the first window that differs: top_pages, 1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z, group b: was 3 views=3 count=3, is 4 views=3 count=5\n" + pages},
		"the first of two": {func(c *processing.Changes) {
			other(c, "top_pages", 60_000, func(r *window.Result) { r.Count = 4 })
			other(c, "device_breakdown", 0, func(r *window.Result) { r.Group = []string{"c"} })
		}, "the first window that differs: device_breakdown, 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z, group b: was 3 starts=3 count=3, is not there\n" + devices + pages},
		"what rows don't show": {func(c *processing.Changes) {
			other(c, "top_pages", 0, func(*window.Result) {})
		}, "the first window that differs: top_pages, 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z: was digest " + digest.Of([]byte{0}).String() + ", is digest " + another + "\n" + pages},
		"a window no longer kept": {func(c *processing.Changes) {
			for i := range c.Digests {
				if c.Digests[i].Name == "top_pages" {
					c.Digests[i].Sum = digest.Of([]byte("another"))
				}
			}
		}, pages},
		"counters": {func(c *processing.Changes) { c.Counters.Applied-- },
			"counters: was {Consumed:10 Applied:9 Filtered:0 Late:1 DeadLetters:0 Duplicates:0 LatePartly:0 BadValues:0}, is {Consumed:10 Applied:8 Filtered:0 Late:1 DeadLetters:0 Duplicates:0 LatePartly:0 BadValues:0}\n"},
		"the watermark": {func(c *processing.Changes) { c.Watermark++ }, "watermark: was 1970-01-01T00:08:20Z, is 1970-01-01T00:08:20.001Z\n"},
	} {
		t.Run(name, func(t *testing.T) {
			was, is := storeWith(t, plan, func(*processing.Changes) {}), storeWith(t, plan, c.change)
			verdict, err := Compare(plan, was, is.Store, &processing.State{})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := verdict.Print(&out); (err == nil) != (c.want == "match\n") || err != nil && !errors.Is(err, ErrDiffers) {
				t.Error(err)
			}
			if out.String() != c.want {
				t.Errorf("got:\n%swant:\n%s", &out, c.want)
			}
		})
	}
}

// What became of records depends on all definitions that were in force meanwhile: it is compared only if they are.
func TestCountersOfOtherDefinitionsAreNotCompared(t *testing.T) {
	plan, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	later := func(c *processing.Changes) { c.Definitions[0].From = 1000 }
	was := storeWith(t, plan, later)
	for name, c := range map[string]struct {
		is     func(*processing.Changes)
		differ bool
	}{
		"applied":      {func(c *processing.Changes) { c.Counters.Applied, c.Counters.Late = 8, 2 }, false},
		"consumed":     {func(c *processing.Changes) { c.Counters.Consumed++ }, true},
		"dead letters": {func(c *processing.Changes) { c.Counters.DeadLetters++ }, true},
	} {
		is := storeWith(t, plan, func(ch *processing.Changes) { later(ch); c.is(ch) })
		verdict, err := Compare(plan, was, is.Store, &processing.State{})
		if err != nil {
			t.Fatal(err)
		}
		if differ := len(verdict.lines) > 0; differ != c.differ {
			t.Errorf("%s: %v", name, verdict.lines)
		}
	}
}
