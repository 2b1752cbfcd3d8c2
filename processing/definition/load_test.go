package definition

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/schemas"
)

// TestScripts runs the files of testdata. Commands take a definitions file as their input, or no file at all:
//
//	plan                prints what `tidemark check` prints
//	faults              prints the faults
//	yaml                prints the definitions in force
//	words metric=NAME   prints the metric's description
//	alerts              prints the part of the plan that shows the rules
//	funnels             prints the metrics that can be shown as steps
//	summary             prints what programs are told of the plan
//	hashes              prints the hashes of everything that has one
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var content []byte
			if d.Input != "" {
				content = []byte(d.Input)
			}
			plan, err := Load("d.yaml", content, schemas.Events)
			if err != nil {
				var faults Faults
				if !errors.As(err, &faults) {
					t.Fatalf("%T is no list of faults: %v", err, err)
				}
				return err.Error() + "\n"
			}
			var b strings.Builder
			switch d.Cmd {
			case "faults":
				return "none\n"
			case "plan":
				if err := Describe(&b, plan); err != nil {
					t.Fatal(err)
				}
			case "yaml":
				b.Write(plan.YAML)
			case "words":
				for _, m := range plan.Metrics {
					if d.HasArg("metric") && d.CmdArgs[0].Vals[0] == m.Name {
						b.WriteString(m.Description + "\n")
					}
				}
			case "alerts":
				d := &describer{out: tabwriter.NewWriter(&b, 2, 0, 2, ' ', 0), plan: plan}
				d.alerts()
				if err := d.out.Flush(); err != nil {
					t.Fatal(err)
				}
				return strings.TrimPrefix(b.String(), "\n")
			case "funnels":
				for i := range plan.Metrics {
					if steps := plan.Funnel(&plan.Metrics[i]); steps != nil {
						fmt.Fprintf(&b, "%s: %s\n", plan.Metrics[i].Name, strings.Join(steps, ", "))
					}
				}
			case "summary":
				writeSummary(&b, plan.Summary())
			case "hashes":
				writeHashes(&b, plan)
			default:
				t.Fatalf("no command is called %s", d.Cmd)
			}
			return strings.ReplaceAll(b.String(), "\n\n", "\n")
		})
	})
}

func writeSummary(b *strings.Builder, s Summary) {
	for _, m := range s.Metrics {
		fmt.Fprintf(b, "metric %s: grouping %d, %d panes, %d open of %d rows, %d B: %s\n", m.Name, m.Grouping, m.Panes, m.OpenPanes, m.Groups, m.Bytes,
			strings.Join(m.Accumulators, "; "))
	}
	for _, k := range s.Sessions {
		fmt.Fprintf(b, "sessions %s: %d open, %d B: %s\n", k.Name, k.Open, k.Bytes, strings.Join(k.Accumulators, "; "))
	}
	fmt.Fprintf(b, "held %d B, all %d of %d B\n", s.Held, s.Total, s.Budget)
}

func writeHashes(b *strings.Builder, p *Plan) {
	for _, m := range p.Metrics {
		fmt.Fprintf(b, "metric %s %s\n", m.Name, m.Hash)
	}
	for _, s := range p.Sessions {
		fmt.Fprintf(b, "sessions %s %s\n", s.Name, s.Hash)
	}
	for i, g := range p.Groupings {
		fmt.Fprintf(b, "grouping %d %s\n", i, g.Hash)
		for j, c := range g.Columns {
			fmt.Fprintf(b, "  column %d %s\n", j, c.Hash)
		}
	}
}

func load(t testing.TB, content string) *Plan {
	t.Helper()
	plan, err := Load("d.yaml", []byte(content), schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// replaceOnce replaces what must stand there once.
func replaceOnce(t testing.TB, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands there %d times", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, new, 1)
}

// hashesOf maps the names of metrics, rules and sessions to their hashes.
func hashesOf(p *Plan) map[string]string {
	hashes := map[string]string{}
	for _, m := range p.Metrics {
		hashes[m.Name] = m.Hash.String()
	}
	for _, r := range p.Rules {
		hashes[r.Name] = r.Hash.String()
	}
	for _, s := range p.Sessions {
		hashes[s.Name] = s.Hash.String()
	}
	return hashes
}

func TestWhatIsWrittenBackReadsTheSame(t *testing.T) {
	defaults, err := Load("", nil, schemas.Events)
	if err != nil {
		t.Fatal(err)
	}
	for _, plan := range []*Plan{defaults, load(t, everything)} {
		again := load(t, string(plan.YAML))
		if diff := cmp.Diff(hashesOf(plan), hashesOf(again)); diff != "" {
			t.Errorf("hashes differ: %s", diff)
		}
		if diff := cmp.Diff(string(plan.YAML), string(again.YAML)); diff != "" {
			t.Errorf("written twice: %s", diff)
		}
		if plan.Source != again.Source || plan.Budget != again.Budget {
			t.Errorf("source %+v became %+v", plan.Source, again.Source)
		}
	}
}

// everything uses every key of the language.
const everything = `
version: 1
source: {time: timestamp, id: eventId, out_of_orderness: 7s, idle_timeout: 31s, close_when_idle: 1m, max_future_skew: 6m, max_ahead: 2m, min_time: 2001-02-03T04:05:06Z}
state_budget: 8GiB
defaults: false
let: {visitor: 'userId ?? sessionId', seen: 'eventType in ["PAGE_VIEW", "CUSTOM"]'}
sessions:
  - name: carts
    key: visitor
    gap: 10m
    max_duration: 2h
    end_when: conversionData.conversionType == "PURCHASE"
    max_open: 100000
    aggregates:
      entry: {first: pageViewData.url}
      exit: {last: pageViewData.url, where: seen}
      pages: {count: seen}
      slowest: {max: pageViewData.pageLoadTime}
metrics:
  - name: shop
    type: CUSTOM_METRIC
    title: The shop
    description: All of it.
    window: {size: 90s, slide: 30s, offset: 10s}
    allowed_lateness: 2m
    group_by: {plan: 'customData["plan-name"] ?? "none"', big: conversionData.value > 100}
    limit: 7
    max_groups: 5000
    aggregates:
      a: {count: true}
      b: {count: seen}
      c: {sum: conversionData.value, where: seen}
      d: {avg: len(userId)}
      e: {min: conversionData.value}
      f: {max: conversionData.value}
      g: {uniques: visitor, total: true}
      h: {quantile: pageViewData.pageLoadTime, q: 0.9}
      i: {first: conversionData.value}
      j: {last: conversionData.value}
    value: 'g > 0 ? round(c / g) : nil'
    having: 'count > 2 and (value > 0.5 or b == 3) and a / size < 100'
    unit: money
  - name: long_carts
    from: carts
    window: {size: 10m, slide: 5m, offset: 1m}
    group_by: [reason]
    aggregates:
      n: {count: duration > 60 and pages > 2}
      entries: {uniques: entry}
    value: n / size
alerts:
  - name: shop_slow
    type: PERFORMANCE_DEGRADATION
    severity: LOW
    on: shop
    when: value > 3 and h > previous
    for: 90s
    keep_firing_for: 4m
    min_samples: {a: 20, b: 3}
    groups: {plan: [gold, (none)]}
    title: 'Slow: {{ value | number 1 }}'
    description: Of {{ group.plan }}
    recommended_action: Wait
  - {name: carts_left, on: long_carts, when: n < 3, min_samples: 2}
`

func TestHashesCoverWhatNumbersDependOn(t *testing.T) {
	tests := []struct {
		name, old, new string
		changed        string // the definitions whose hashes must change, and no others
	}{
		{"title", "title: The shop", "title: A shop", ""},
		{"description", "description: All of it.", "description: None", ""},
		{"unit", "unit: money", "unit: s", ""},
		{"rules of idleness", "idle_timeout: 31s", "idle_timeout: 32s", ""},
		{"budget", "state_budget: 8GiB", "state_budget: 9GiB", ""},
		{"spelling of a filter", "duration > 60 and pages > 2", "(60 < duration) && pages>2", ""},
		{"spelling of a duration", "window: {size: 90s,", "window: {size: 1m30s,", ""},
		{"order of fields", "    limit: 7\n    max_groups: 5000\n", "    max_groups: 5000\n    limit: 7\n", ""},
		{"order of keys", `{plan: 'customData["plan-name"] ?? "none"', big: conversionData.value > 100}`, `{big: conversionData.value > 100, plan: 'customData["plan-name"] ?? "none"'}`, ""},
		{"out of orderness", "out_of_orderness: 7s", "out_of_orderness: 8s", "carts carts_left long_carts shop shop_slow"},
		{"skew", "max_future_skew: 6m", "max_future_skew: 7m", "carts carts_left long_carts shop shop_slow"},
		{"a let", "visitor: 'userId ?? sessionId'", "visitor: sessionId", "carts carts_left long_carts shop shop_slow"},
		{"a let of one", `["PAGE_VIEW", "CUSTOM"]`, `["PAGE_VIEW"]`, "carts carts_left long_carts shop shop_slow"},
		{"session gap", "gap: 10m", "gap: 11m", "carts carts_left long_carts"},
		{"session end", `== "PURCHASE"`, `== "SIGNUP"`, "carts carts_left long_carts"},
		{"session length", "max_duration: 2h", "max_duration: 3h", "carts carts_left long_carts"},
		{"open sessions", "max_open: 100000", "max_open: 90000", "carts carts_left long_carts"},
		{"session aggregate", "slowest: {max:", "slowest: {min:", "carts carts_left long_carts"},
		{"size", "size: 90s", "size: 60s", "shop shop_slow"},
		{"slide", "slide: 30s", "slide: 15s", "shop shop_slow"},
		{"offset", "offset: 10s", "offset: 11s", "shop shop_slow"},
		{"lateness", "allowed_lateness: 2m", "allowed_lateness: 1m", "shop shop_slow"},
		{"limit", "limit: 7", "limit: 8", "shop shop_slow"},
		{"max_groups", "max_groups: 5000", "max_groups: 5001", "shop shop_slow"},
		{"key", "conversionData.value > 100", "conversionData.value > 101", "shop shop_slow"},
		{"key name", "big: conv", "large: conv", "shop shop_slow"},
		{"aggregate", "h: {quantile: pageViewData.pageLoadTime, q: 0.9}", "h: {quantile: pageViewData.pageLoadTime, q: 0.8}", "shop shop_slow"},
		{"where", "where: seen}\n      d:", "where: not seen}\n      d:", "shop shop_slow"},
		{"total", "g: {uniques: visitor, total: true}", "g: {uniques: visitor}", "shop shop_slow"},
		{"formula", "round(c / g)", "floor(c / g)", "shop shop_slow"},
		{"having", "count > 2", "count > 3", "shop shop_slow"},
		{"no having", "    having: 'count > 2 and (value > 0.5 or b == 3) and a / size < 100'\n", "", "shop shop_slow"},
		{"spelling of having", "count > 2", "2 < count", ""},
		{"formula over sessions", "value: n / size", "value: n", "carts_left long_carts"},
		{"alert title", "title: 'Slow:", "title: 'Slow!", ""},
		{"alert description", "Of {{ group.plan }}", "In {{ group.plan }}", ""},
		{"recommended action", "recommended_action: Wait", "recommended_action: Go", ""},
		{"spelling of a condition", "value > 3 and h > previous", "(3 < value) && h > previous", ""},
		{"name of the value in a condition", "value > 3 and h > previous", "shop > 3 and h > previous", ""},
		{"order of chosen groups", `[gold, (none)]`, `[(none), gold]`, ""},
		{"alert type", "type: PERFORMANCE_DEGRADATION", "type: CUSTOM_PATTERN", "shop_slow"},
		{"severity", "severity: LOW", "severity: HIGH", "shop_slow"},
		{"condition", "h > previous", "h >= previous", "shop_slow"},
		{"for", "for: 90s", "for: 80s", "shop_slow"},
		{"keep_firing_for", "keep_firing_for: 4m", "keep_firing_for: 5m", "shop_slow"},
		{"min_samples", "{a: 20, b: 3}", "{a: 20, b: 4}", "shop_slow"},
		{"min_samples of another", "{a: 20, b: 3}", "{a: 20, c: 3}", "shop_slow"},
		{"min_samples of the count", "min_samples: 2}", "min_samples: {n: 2}}", "carts_left"},
		{"chosen groups", "plan: [gold, (none)]", "plan: gold", "shop_slow"},
		{"no chosen groups", "    groups: {plan: [gold, (none)]}\n", "", "shop_slow"},
	}
	before := hashesOf(load(t, everything))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			after := hashesOf(load(t, replaceOnce(t, everything, test.old, test.new)))
			var changed []string
			for _, name := range []string{"carts", "carts_left", "long_carts", "shop", "shop_slow"} {
				if before[name] != after[name] {
					changed = append(changed, name)
				}
			}
			if got := strings.Join(changed, " "); got != test.changed {
				t.Errorf("changed: %q, want %q", got, test.changed)
			}
		})
	}
}

func TestSchemaThatIsNoRecord(t *testing.T) {
	for _, schema := range []string{`"string"`, `{"type": "map", "values": "int"}`, `nonsense`, ``} {
		_, err := Load("", nil, schema)
		var faults Faults
		if err == nil || errors.As(err, &faults) {
			t.Errorf("schema %s: %v", schema, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(everything))
	f.Add(defaultsYAML)
	f.Add([]byte("version: 1\ndisable: [visits]\nlet: {a: b, b: a}\nmetrics: [{name: x, window: {size: 1s}, aggregates: {n: {count: '((('}}}]"))
	f.Add([]byte("version: 1\nmetrics:\n  - &a {name: *a}\n"))
	f.Add([]byte("version: 1\nmetrics: [{name: y, window: {size: 5m, slide: 7s}, group_by: [a.b], aggregates: {n: {sum: |\n  1 +\n  'x'}}}]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		plan, err := Load("d.yaml", content, schemas.Events)
		var faults Faults
		switch {
		case err == nil:
			if _, err := Load("d.yaml", plan.YAML, schemas.Events); err != nil {
				t.Errorf("what was accepted is refused when written back: %v\n%s", err, plan.YAML)
			}
		case !errors.As(err, &faults) || len(faults) == 0:
			t.Errorf("%T: %v", err, err)
		}
		for _, fault := range faults {
			if fault.Line < 1 || fault.Column < 1 || fault.Message == "" {
				t.Errorf("fault without a place: %+v", fault)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load("", nil, schemas.Events); err != nil {
			b.Fatal(err)
		}
	}
}
