package definition

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// An expression that is accepted as a filter or as a value is computed from any row, and written out it means the same.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{
		`kind == "A"`, `not (u == "x") and (m ?? 5) in [1, 5]`, `t matches "^(a+)+$"`, `tags["odd key"] == "A"`, `inner.t ?? upper(u)`,
		`x ** -0.5 % 3 / 0 > n`, `len(t) - -9223372036854775808`, `f ? m : n`, `"\u0000" + 1`, `1 == 1.0`, `[1,2][0]`, `kind..t`, "`x`",
		strings.Repeat("(", 300) + "n" + strings.Repeat(")", 300), strings.Repeat("not ", 500) + "f", `t matches u`, `0x7fffffffffffffff + 1 < n`,
	} {
		f.Add(text)
	}
	rows := []map[string]any{
		{"kind": "B", "t": "", "n": 7},
		{"kind": "A", "t": "\xff\x00", "u": "ab", "n": -9223372036854775808, "m": 3, "x": 1e308, "f": true,
			"tags": map[string]any{"k": "v"}, "inner": map[string]any{"t": "in", "n": 1}},
	}
	f.Fuzz(func(t *testing.T, text string) {
		checked, ok := checkText(text)
		if !ok {
			return
		}
		slots := slotOf{}
		var paths []event.Path
		checked.walk(func(x *term) {
			if x.op == opField && slots[x.String()] == 0 {
				paths = append(paths, x.path)
				slots[x.String()] = len(paths)
			}
		})
		for name := range slots {
			slots[name]--
		}
		again, ok := checkText(checked.String())
		if !ok {
			t.Fatalf("%q is accepted, written out as %q it isn't", text, checked)
		}
		compute, computeAgain := slots.value(checked), slots.value(again)
		for _, r := range rows {
			row := rowOf(r, paths)
			a, b := compute(row), computeAgain(row)
			if x, y := a.AppendText(nil), b.AppendText(nil); a.Kind != b.Kind || string(x) != string(y) {
				t.Fatalf("%q is %q, written out as %q it is %q", text, x, checked, y)
			}
		}
	})
}

// checkText checks an expression over the events of the oracle; a refusal has a place and a reason.
func checkText(text string) (*term, bool) {
	var f faults
	checked := (&scope{schema: oracleEvents, noun: eventField}).check(&f, expression{text: text, at: spot{file: &source{name: "x"}}})
	if err := f.err(); err != nil {
		var faults Faults
		if !errors.As(err, &faults) || faults[0].Message == "" {
			panic("a refusal without a reason: " + err.Error())
		}
		return nil, false
	}
	return checked, true
}

// Spans are read as they are written.
func FuzzSpan(f *testing.F) {
	for _, text := range []string{"500ms", "1h30m", "7d", "-1s", "1e3s", "65536d", "0.5s", "9223372036854775807ns", "2562047h47m16.854775807s", "1\u00b5s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseSpan(text)
		if err != nil {
			return
		}
		if again, err := parseSpan(spanText(d)); err != nil || again != d || d < 0 {
			t.Errorf("%q is %d, written out as %q it is %d, %v", text, d, spanText(d), again, err)
		}
	})
}
