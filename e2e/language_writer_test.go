package e2e

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// definitionsWriter writes random definitions files.
type definitionsWriter struct {
	t *rapid.T
	b strings.Builder
	// estimates names the numbers of metrics that are estimates: "metric" for the value, "metric.aggregate".
	estimates map[string]bool
	sessions  []string
}

func (w *definitionsWriter) pick(from ...string) string {
	return rapid.SampledFrom(from).Draw(w.t, "pick")
}

func (w *definitionsWriter) chance(percent int) bool {
	return rapid.IntRange(1, 100).Draw(w.t, "chance") <= percent
}

func (w *definitionsWriter) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

// quote writes an expression as YAML text.
func quote(expression string) string { return "'" + strings.ReplaceAll(expression, "'", "''") + "'" }

// write writes a whole file.
func (w *definitionsWriter) write() string {
	w.line("version: 1\ndefaults: false\nstate_budget: 4TiB\nsource: {out_of_orderness: %s}", w.pick("5s", "0s", "2s"))
	w.line("let:\n  visitor: userId ?? sessionId\n  view: eventType == \"PAGE_VIEW\"\n  busy: view and len(visitor) > 2\n  cost: 'conversionData.value ?? 1'")
	w.line("sessions:")
	for i := range rapid.IntRange(1, 2).Draw(w.t, "kinds") {
		w.session(fmt.Sprintf("kind_%d", i))
	}
	w.line("metrics:")
	for i := range rapid.IntRange(1, 5).Draw(w.t, "metrics") {
		w.metric(fmt.Sprintf("metric_%d", i), "")
	}
	for i := range rapid.IntRange(0, 2).Draw(w.t, "session metrics") {
		w.metric(fmt.Sprintf("closed_%d", i), w.pick(w.sessions...))
	}
	return w.b.String()
}

func (w *definitionsWriter) session(name string) {
	w.sessions = append(w.sessions, name)
	w.line("  - name: %s\n    key: %s\n    gap: %s\n    max_duration: %s", name, w.pick("sessionId", "visitor", "userId", "pageViewData.pageLoadTime"),
		w.pick("5s", "10s", "30s", "1500ms"), w.pick("12s", "1m", "2m"))
	if w.chance(50) {
		w.line("    end_when: %s", quote(w.pick(`eventType == "SESSION_END"`, `conversionData.value > 100`, "view and visitor == 'u1'")))
	}
	w.line("    aggregates:")
	w.line("      pages: {count: view}")
	w.line("      entry: {first: pageViewData.url}")
	w.line("      exit: {last: pageViewData.url, where: view}")
	w.line("      spent: {sum: conversionData.value}")
	w.line("      slow: {max: pageViewData.pageLoadTime}")
}

func (w *definitionsWriter) metric(name, from string) {
	w.line("  - name: %s", name)
	if from != "" {
		w.line("    from: %s", from)
	} else if w.chance(70) {
		w.line("    allowed_lateness: %s", w.pick("0s", "3s", "20s", "1m"))
	}
	w.line("    window: %s", w.pick(
		"{size: 10s}", "{size: 1m, slide: 10s}", "{size: 25s, slide: 10s}", "{size: 30s, slide: 20s, offset: 7s}", "{size: 11s, slide: 4s}",
		"{size: 1d, offset: 22h}", "{size: 90s, slide: 15s, offset: 2s}", "{size: 12500ms, slide: 5s}"))
	limited := false
	if w.chance(70) {
		limited = w.groups(from)
	}
	// What ranks or drops groups must be exact: near a threshold an estimate may fall on either side.
	exact := limited || w.chance(50)
	names := w.aggregates(name, from, exact)
	if len(names) > 1 || w.chance(30) {
		value := w.formula(names)
		w.line("    value: %s", quote(value))
		for _, n := range names {
			if w.estimates[name+"."+n] {
				w.estimates[name] = true // also where the formula does not use it
			}
		}
	} else if w.estimates[name+"."+names[0]] {
		w.estimates[name] = true
	}
	if exact && w.chance(50) {
		w.line("    having: %s", quote(w.having(names)))
	}
}

func (w *definitionsWriter) groups(from string) (limited bool) {
	if from != "" {
		w.line("    group_by: %s", w.pick("[reason]", "{entry: entry, why: reason}", "{long: duration > 5}", "{page: 'entry ?? exit', n: events}", "{key: key}", "{spent: spent}"))
	} else {
		w.line("    group_by: %s", w.pick(
			"[eventType]", "[pageViewData.url]", "[conversionData.currency, sessionData.deviceType]", "{plan: customData.plan, odd: 'customData[\"x-y\"]'}",
			"{ms: pageViewData.pageLoadTime}", "{money: conversionData.value}", "{dear: conversionData.value > 50, who: visitor}",
			"{page: 'lower(pageViewData.url)', type: eventType, plan: customData.plan}", "{third: timestamp % 3}",
			"{some: 'view ? nil : conversionData.value / 4'}"))
	}
	if w.chance(60) {
		w.line("    limit: %d", rapid.IntRange(1, 4).Draw(w.t, "limit"))
		return true
	}
	return false
}

func (w *definitionsWriter) aggregates(metric, from string, exact bool) []string {
	w.line("    aggregates:")
	var names []string
	grouped := strings.Contains(w.b.String()[strings.LastIndex(w.b.String(), "- name:"):], "group_by")
	for i, name := range []string{"a", "b", "count", "d"}[:rapid.IntRange(1, 4).Draw(w.t, "aggregates")] {
		does, estimate := w.aggregate(from, exact)
		if i > 0 && grouped && w.chance(25) {
			does += ", total: true"
		}
		w.line("      %s: {%s}", name, does)
		if estimate {
			w.estimates[metric+"."+name] = true
		}
		names = append(names, name)
	}
	return names
}

func (w *definitionsWriter) aggregate(from string, exact bool) (does string, estimate bool) {
	number := func() string { return quote(w.number(from)) }
	where := ""
	if w.chance(40) {
		where = ", where: " + quote(w.condition(from))
	}
	switch w.pick("count", "count", "sum", "avg", "min", "max", "first", "last", "uniques", "quantile") {
	case "count":
		if w.chance(50) {
			return "count: true" + where, false
		}
		return "count: " + quote(w.condition(from)), false
	case "sum":
		return "sum: " + number() + where, false
	case "avg":
		return "avg: " + number() + where, false
	case "min":
		return "min: " + number() + where, false
	case "max":
		return "max: " + number() + where, false
	case "first", "last":
		return w.pick("first", "last") + ": " + number() + where, false
	case "uniques":
		if from != "" {
			return "uniques: " + w.pick("key", "entry", "reason", "events") + where, false
		}
		return "uniques: " + w.quoted("visitor", "sessionId", "pageViewData.url", "pageViewData.pageLoadTime ?? conversionData.value", "conversionData.value") + where, false
	default:
		if exact {
			return "count: true" + where, false
		}
		return "quantile: " + number() + ", q: " + w.pick("0.5", "0.95", "0.01", "0.999") + where, true
	}
}

func (w *definitionsWriter) number(from string) string {
	if from != "" {
		return w.pick("duration", "events", "pages", "spent", "slow", "closed_at - start", "spent / events", "pages > 1 ? slow : duration")
	}
	return w.pick("conversionData.value", "conversionData.value", "pageViewData.pageLoadTime", "pageViewData.pageLoadTime ?? conversionData.value",
		"-conversionData.value", "conversionData.value * 1.1 - 7", "len(userId)", "timestamp % 1000", "cost", "view ? 1 : conversionData.value",
		"pageViewData.pageLoadTime - 250", "pageViewData.pageLoadTime / 7", "pageViewData.pageLoadTime ** 2")
}

func (w *definitionsWriter) condition(from string) string {
	if from != "" {
		return w.pick("pages > 1", `reason == "gap"`, `reason in ["end", "max_duration"]`, "duration >= 5", "entry == exit", "spent > 0", "slow == nil", `not (entry contains "b")`)
	}
	return w.pick("view", "busy", `eventType in ["CONVERSION", "CUSTOM"]`, "conversionData.value > 20", "userId == nil", `pageViewData.url matches "^/[ab]"`,
		`customData.plan == "pro"`, `customData["x-y"] != nil`, "view ? pageViewData.pageLoadTime > 100 : conversionData.value > 10",
		`not (conversionData.currency == "EUR")`, `(conversionData.currency ?? "none") != "EUR" and userId != "u1"`,
		`sessionData.deviceType == "MOBILE" or visitor startsWith "u"`, "timestamp % 2 == 0", `pageViewData.url endsWith "é"`)
}

// formula is a value over some aggregates.
func (w *definitionsWriter) formula(names []string) string {
	a, b := w.pick(names...), w.pick(names...)
	return w.pick(a, a+" / "+b, a+" / size", "("+a+" + "+b+") * 2 - 1", a+" ?? 0", a+" > 3 ? "+b+" : nil", "max("+a+", "+b+")", "round("+a+" / 3)", a+" - "+b, "-"+a)
}

func (w *definitionsWriter) having(names []string) string {
	a := w.pick(names...)
	return w.pick("value > 1", "count > 1", "count <= 2", a+" >= 2", "value != nil", "value == nil or value > 10", a+" / size > 0.1", "not (value < 5)", "count > 1 and "+a+" > 0")
}

// quoted picks an expression.
func (w *definitionsWriter) quoted(from ...string) string { return quote(w.pick(from...)) }
