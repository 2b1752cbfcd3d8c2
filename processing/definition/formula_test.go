package definition

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

// some and none are an aggregate with and without a value.
func some(f float64) Number { return Number{Float: f, Valid: true} }

var none = Number{}

func formulaOf(t rapid.TB, text string, names ...string) Formula {
	t.Helper()
	formula, err := compileFormula(checkFormula(t, text, names...), names)
	if err != nil {
		t.Fatal(err)
	}
	return formula
}

func checkFormula(t rapid.TB, text string, names ...string) *term {
	t.Helper()
	specs := make([]aggregateSpec, len(names))
	for i, name := range names {
		specs[i].name = name
	}
	var f faults
	checked := formulaScope(specs).check(&f, expression{text: text, at: spot{file: &source{name: "x"}}})
	if err := f.err(); err != nil {
		t.Fatal(err)
	}
	return checked
}

// The closures of per-event filters and the machine of formulas were written apart; they must agree.
func TestFormulasAgreeWithTheClosures(t *testing.T) {
	slots := slotOf{"a": 0, "b": 1, sizeName: 2}
	values := []float64{0, 1, -1, 2.5, 7, 1e200}
	rapid.Check(t, func(t *rapid.T) {
		text := writer{t}.amount(rapid.IntRange(0, 3).Draw(t, "depth"))
		formula := formulaOf(t, text, "a", "b")
		compute := slots.value(checkFormula(t, text, "a", "b"))
		for range 4 {
			in := []Number{none, none}
			row := []event.Value{null, null, event.FloatValue(60)}
			for i := range in {
				if rapid.Bool().Draw(t, "has a value") {
					in[i] = some(rapid.SampledFrom(values).Draw(t, "value"))
					row[i] = event.FloatValue(in[i].Float)
				}
			}
			v := compute(row)
			want, ok := v.Number()
			if got := formula(in, 60); got.Valid != ok || got.Float != want {
				t.Fatalf("%s of %v: %v, want %v (%v)", text, in, got, want, ok)
			}
		}
	})
}

func TestFormulas(t *testing.T) {
	a, b := some(6), some(4)
	tests := []struct {
		text string
		a, b Number
		want Number
	}{
		{"a", a, b, a},
		{"b", a, none, none},
		{"a + b", a, b, some(10)},
		{"a - b", a, b, some(2)},
		{"a * b", a, b, some(24)},
		{"a / b", a, b, some(1.5)},
		{"a / 0", a, b, none},
		{"a / b", a, some(0), none},
		{"0 / 0", a, b, none},
		{"1 / 4", a, b, some(0.25)},
		{"a % b", a, b, some(2)},
		{"a % 0", a, b, none},
		{"a ** 2", a, b, some(36)},
		{"a ^ 0.5", some(9), b, some(3)},
		{"(0 - a) ** 0.5", a, b, none},
		{"a * 1e308", some(100), b, none},
		{"-a", a, b, some(-6)},
		{"-a", none, b, none},
		{"a + b", none, b, none},
		{"a + b", a, none, none},
		{"(a ?? 0) + (b ?? 0)", a, none, some(6)},
		{"(a / b) ?? 7", a, some(0), some(7)},
		{"size", a, b, some(60)},
		{"a / size", a, b, some(0.1)},
		{"a > b ? a : b", a, b, some(6)},
		{"a > b ? a : b", none, b, some(4)},
		{"a < b ? a : b", none, b, some(4)},
		{"a != b ? 1 : 2", none, b, some(2)},
		{"a == nil ? 1 : a", none, b, some(1)},
		{"nil != a ? a : -1", a, b, some(6)},
		{"not (a > b) ? 1 : 2", none, b, some(1)},
		{"a > 1 and b > 1 ? 1 : 0", a, b, some(1)},
		{"a > 10 or not (b > 10) ? 1 : 0", a, b, some(1)},
		{"(a > 1) == (b > 10) ? 1 : 0", a, b, some(0)},
		{"(a > 1) != (b > 10) ? 1 : 0", a, b, some(1)},
		{"1 < a < 10 ? 1 : 0", a, b, some(1)},
		{"a > 1 ? nil : 0", a, b, none},
		{"abs(b - a)", a, b, some(2)},
		{"ceil(a / b) + floor(a / b)", a, b, some(3)},
		{"round(2.5)", a, b, some(3)},
		{"min(a, b) / max(a, b)", a, b, some(4.0 / 6)},
		{"min(a, b)", a, none, none},
		{"abs(a)", none, b, none},
		{"3", a, b, some(3)},
		{"if a > b { a } else { 0 }", a, b, some(6)},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s of %v %v", test.text, test.a, test.b), func(t *testing.T) {
			if got := formulaOf(t, test.text, "a", "b")([]Number{test.a, test.b}, 60); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestFormulaFromManyGoroutines(t *testing.T) {
	formula := formulaOf(t, "(a - b) / (a + b)", "a", "b")
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 500 {
				a, b := float64(g*1000+i+1), float64(i)
				got := formula([]Number{some(a), some(b)}, 1)
				if want := (a - b) / (a + b); !got.Valid || math.Abs(got.Float-want) > 1e-12 {
					t.Errorf("(%v - %v) / (%v + %v) is %v, want %v", a, b, a, b, got, want)
					return
				}
			}
		})
	}
	wait.Wait()
}

func BenchmarkFormula(b *testing.B) {
	formula := formulaOf(b, "a / b", "a", "b")
	in := []Number{some(6), some(4)}
	b.ReportAllocs()
	for b.Loop() {
		formula(in, 60)
	}
}
