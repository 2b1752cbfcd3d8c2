package definition

import (
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// compileFilter compiles a filter over events and lays out a row of one event for it.
func compileFilter(t testing.TB, text string, e map[string]any) (predicate, []event.Value) {
	t.Helper()
	var f faults
	checked := (&scope{schema: oracleEvents, noun: eventField}).check(&f, expression{text: text, at: spot{file: &source{name: "x"}}})
	if err := f.err(); err != nil {
		t.Fatal(err)
	}
	slots := slotOf{}
	var paths []event.Path
	checked.walk(func(x *term) {
		if x.op == opField {
			slots[x.String()] = len(paths)
			paths = append(paths, x.path)
		}
	})
	return slots.predicate(checked), rowOf(e, paths)
}

func TestFilters(t *testing.T) {
	full := map[string]any{"kind": "A", "t": "Straße", "u": "ab", "n": 7, "m": 3, "x": 2.5, "f": true,
		"tags": map[string]any{"k": "v", "odd key": "A"}, "inner": map[string]any{"t": "in", "n": 1}}
	sparse := map[string]any{"kind": "B", "t": "", "n": 7}
	tests := []struct {
		text         string
		full, sparse bool
	}{
		{`kind == "A"`, true, false},
		{`"A" == kind`, true, false},
		{`u != "x"`, true, false}, // comparing null is false, also with !=
		{`not (u == "x")`, true, true},
		{`u == nil`, false, true},
		{`nil != u`, true, false},
		{`inner.t == nil`, false, true}, // a path through null is null
		{`m > 2 && 3 >= m`, true, false},
		{`x == 2.5 or f`, true, false},
		{`not f`, false, true}, // a null condition is false
		{`m / 0 == nil`, true, true},
		{`m + n == 10`, true, false},
		{`(m ?? 5) == 5`, false, true},
		{`kind in ["B", "C"]`, false, true},
		{`u not in ["x"]`, true, true},
		{`t matches "^Str.ße$"`, true, false},
		{`t not matches "^Str"`, false, true},
		{`tags["odd key"] == "A" and tags.k startsWith "v"`, true, false},
		{`len(t) == 6`, true, false}, // characters, not bytes
		{`upper(u) == "AB" and lower(kind) == "a"`, true, false},
		{`t endsWith "ße" ? m == 3 : n == 8`, true, false},
		{`u contains lower("B")`, true, false},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			for _, c := range []struct {
				name string
				e    map[string]any
				want bool
			}{{"full", full, test.full}, {"sparse", sparse, test.sparse}} {
				filter, row := compileFilter(t, test.text, c.e)
				if got := filter(row); got != c.want {
					t.Errorf("%s: %v, want %v", c.name, got, c.want)
				}
			}
		})
	}
}

func BenchmarkFilter(b *testing.B) {
	e := map[string]any{"kind": "A", "t": "a longer text", "n": 7, "m": 3}
	for _, text := range []string{
		`kind == "A"`,
		`m != nil`,
		`kind == "A" and m > 2`,
		`kind in ["B", "C", "A"]`,
		`(u ?? t) == "a longer text"`,
		`m * 2 + n > 12.5`,
	} {
		b.Run(text, func(b *testing.B) {
			filter, row := compileFilter(b, text, e)
			b.ReportAllocs()
			for b.Loop() {
				if !filter(row) {
					b.Fatal("the filter does not pass")
				}
			}
		})
	}
}

func TestFiltersDoNotAllocate(t *testing.T) {
	e := map[string]any{"kind": "A", "t": "text", "n": 7, "m": 3, "x": 1.5}
	for _, text := range []string{
		`kind == "A" and m > 2 and u == nil`,
		`t in ["a","b","c","d","e","f","g","h","i"] or t contains "ex"`,
		`(u ?? t) startsWith "te" ? m * 2 + n > x : len(t) == 3`,
		`t matches "^te"`,
	} {
		filter, row := compileFilter(t, text, e)
		if n := testing.AllocsPerRun(100, func() { filter(row) }); n != 0 {
			t.Errorf("%s allocates %v times", text, n)
		}
	}
}

// A filter must not depend on more than it says it reads: what it says of a value is remembered.
func TestFiltersTellWhatTheyRead(t *testing.T) {
	for text, want := range map[string]string{
		`kind == "A"`: "kind", `u != nil`: "u", `nil == m`: "m", `not (u != nil)`: "u", `(u ?? kind) == nil`: "kind u", `m > 0 and m != nil`: "m", `kind == "A" or kind in ["B"]`: "kind", `true`: "",
		`kind == "A" and m > n`: "kind m n", `(m ?? n) == 5`: "m n", `tags.k == "v" ? f : inner.n == 1`: "f inner.n tags.k",
	} {
		var f faults
		checked := (&scope{schema: oracleEvents, noun: eventField}).check(&f, expression{text: text, at: spot{file: &source{name: "x"}}})
		if err := f.err(); err != nil {
			t.Fatal(err)
		}
		names := []string{"f", "inner.n", "kind", "m", "n", "tags.k", "u"}
		b := newSpace(names)
		b.filter(checked)
		filter := b.build().Filters[0]
		var got []string
		for _, slot := range filter.Reads {
			got = append(got, names[slot])
		}
		if asks := text == `u != nil` || text == `nil == m`; filter.OfNil != asks {
			t.Errorf("%s: asks for nothing but nil: %v", text, filter.OfNil)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s reads %q, want %q", text, got, want)
		}
	}
}

// A term that is one field or else another can be had by a copy; what the copy gives is what the term does.
func TestTermsThatAreOneOfTwoFields(t *testing.T) {
	names := []string{"m", "n", "u"}
	for text, copies := range map[string]bool{`m ?? n`: true, `n ?? m`: true, `m ?? 1`: false, `m + n`: false, `m ?? (n ?? m)`: false} {
		var f faults
		checked := (&scope{schema: oracleEvents, noun: eventField}).check(&f, expression{text: text, at: spot{file: &source{name: "x"}}})
		if err := f.err(); err != nil {
			t.Fatal(err)
		}
		b := newSpace(names)
		b.slot(checked)
		d := b.build().Derived[0]
		if (d.Either != nil) != copies {
			t.Errorf("%s: slots %v", text, d.Either)
		}
		if d.Either == nil {
			continue
		}
		seven, eight := event.IntValue(7), event.IntValue(8)
		for _, row := range [][]event.Value{{{}, {}}, {seven, {}}, {{}, eight}, {seven, eight}} {
			want := row[d.Either[0]]
			if want.IsNull() {
				want = row[d.Either[1]]
			}
			if got := d.Eval(row); got != want {
				t.Errorf("%s of %v is %v, the copy %v", text, row, got, want)
			}
		}
	}
}
