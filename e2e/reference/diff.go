package reference

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Got is a row as the engine gave it.
type Got struct {
	Row // only its names; of the window and the group
	Result
}

// Diff compares finals, or else last revisions, and returns a line for every difference. room is the relative error that
// an aggregate or the value of a metric may have; without it the numbers are exact.
func (e *Expected) Diff(got []Got, finals bool, room func(metric, number string) float64) []string {
	var lines []string
	rows := map[string]*Result{}
	for i := range got {
		name := got[i].name()
		if rows[name] != nil {
			lines = append(lines, name+": came twice")
		}
		rows[name] = &got[i].Result
	}
	for i := range e.Rows {
		row := &e.Rows[i]
		want, have := row.Last, rows[row.name()]
		if finals {
			want = row.Final
		}
		delete(rows, row.name())
		switch {
		case !finals && !row.Settled:
		case want == nil && have == nil:
		case want == nil:
			lines = append(lines, row.name()+": should not be there")
		case have == nil:
			lines = append(lines, row.name()+": is missing")
		default:
			lines = append(lines, diff(row, want, have, room)...)
		}
	}
	for name := range rows {
		lines = append(lines, name+": should not be there")
	}
	slices.Sort(lines)
	return lines
}

func diff(row *Row, want, have *Result, room func(metric, number string) float64) []string {
	var lines []string
	if want.Count != have.Count {
		lines = append(lines, fmt.Sprintf("%s: count is %d, expected %d", row.name(), have.Count, want.Count))
	}
	check := func(number string, want, have *float64) {
		if !equal(want, have, room(row.Metric, number)) {
			lines = append(lines, fmt.Sprintf("%s: %s is %s, expected %s", row.name(), number, shown(have), shown(want)))
		}
	}
	check("value", want.Value, have.Value)
	for _, name := range slices.Sorted(maps.Keys(want.Aggregates)) {
		check(name, want.Aggregates[name], have.Aggregates[name])
	}
	return lines
}

func (r *Row) name() string {
	return fmt.Sprintf("%s [%d,%d) %q", r.Metric, r.Start, r.End, r.Group)
}

// exact is the room that float64 needs to say the same number by another way.
const exact = 1e-9

func equal(want, have *float64, room float64) bool {
	if want == nil || have == nil {
		return want == nil && have == nil
	}
	return math.Abs(*have-*want) <= max(room, exact)*max(math.Abs(*want), 1e-9)
}

func shown(f *float64) string {
	if f == nil {
		return "null"
	}
	return fmt.Sprint(*f)
}
