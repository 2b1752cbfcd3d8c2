package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// The oracle looks at the whole past at once: for each group a list of all window ends up to W, each with what it shows; then
// for each whether the condition holds; then it looks for long runs of those that do and those that do not. It knows no state
// and shares no code with the machine or with expressions.

// shown is what a window end shows of a group.
type shown struct {
	value, n definition.Number
	count    int64
	nothing  bool // the window has events, but published nothing
}

// condition is a condition twice: as it is written, and as it is meant.
type condition struct {
	text  string
	holds func(s shown, previous definition.Number) bool
}

var conditions = []condition{
	{"value > 3", func(s shown, _ definition.Number) bool { return s.value.Float > 3 }},
	{"value < 1", func(s shown, _ definition.Number) bool { return s.value.Float < 1 }},
	{"count == 0", func(s shown, _ definition.Number) bool { return s.count == 0 }},
	{"n >= value and count > 1", func(s shown, _ definition.Number) bool {
		return s.n.Valid && s.n.Float >= s.value.Float && s.count > 1
	}},
	{"value > previous", func(s shown, p definition.Number) bool { return p.Valid && s.value.Float > p.Float }},
	{"value == previous", func(s shown, p definition.Number) bool { return p.Valid && s.value.Float == p.Float }},
	{"previous == nil or value == 0", func(s shown, p definition.Number) bool { return !p.Valid || s.value.Float == 0 }},
}

// trial is a rule and what its metric publishes.
type trial struct {
	condition  condition
	size       int // seconds, as all of it; windows end at multiples of 10
	hold, keep int
	leastCount int64
	leastN     float64
	grouped    bool
	only       []string
	empty      definition.Number
	finals     []Final
	last       event.Millis // W at the end
}

func (c *trial) rule() string {
	text := fmt.Sprintf("when: %s\nfor: %ds\nkeep_firing_for: %ds", c.condition.text, c.hold, c.keep)
	if c.leastCount > 0 || c.leastN > 0 {
		text += fmt.Sprintf("\nmin_samples: {count: %d, n: %g}", c.leastCount, c.leastN)
	}
	if c.only != nil {
		text += "\ngroups: {k: [" + strings.Join(c.only, ", ") + "]}"
	}
	return text
}

// slide of all trials, in seconds.
const slide = 10

// oracle lists the transitions: "30s firing a".
func (c *trial) oracle() []string {
	groups := map[string]bool{}
	at := map[string]map[int]shown{}
	first, final := 1<<40, int(c.last+1)/1000/slide*slide
	for _, f := range c.finals {
		end := int(f.End / 1000)
		first = min(first, end)
		if len(f.Rows) == 0 && at[""] != nil {
			at[""][end] = shown{nothing: true}
		}
		for _, r := range f.Rows {
			group := strings.Join(r.Group, "")
			if c.only != nil && !slices.Contains(c.only, group) {
				continue
			}
			groups[group] = true
			if at[group] == nil {
				at[group] = map[int]shown{}
			}
			at[group][end] = shown{value: r.Value, n: r.Aggregates[0], count: r.Count}
		}
	}
	type turn struct {
		at    int
		group string
		state State
	}
	var turns []turn
	for group := range groups {
		shows := c.shows(at[group], first, final)
		var holds []bool
		for i, s := range shows {
			var previous definition.Number
			if i > 0 && shows[i-1] != nil {
				previous = shows[i-1].value
			}
			holds = append(holds, s != nil && s.value.Valid && s.count >= c.leastCount &&
				(c.leastN == 0 || s.n.Valid && s.n.Float >= c.leastN) && c.condition.holds(*s, previous))
		}
		for i := 0; ; {
			begins, ok := longRun(holds, i, true, c.hold)
			if !ok {
				break
			}
			turns = append(turns, turn{first + begins*slide, group, Firing})
			ends, ok := longRun(holds, begins, false, c.keep)
			if !ok {
				break
			}
			turns = append(turns, turn{first + ends*slide, group, Resolved})
			i = ends
		}
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.group, b.group)) })
	var out []string
	for _, t := range turns {
		out = append(out, fmt.Sprintf("%ds %s %s", t.at, t.state, t.group))
	}
	return out
}

// shows lists what each window end from first to last shows; nil: nothing.
func (c *trial) shows(at map[int]shown, first, last int) []*shown {
	var out []*shown
	empties := maxEmpty + 1 // in a row
	for end := first; end <= last; end += slide {
		s, ok := at[end]
		switch {
		case ok && s.nothing:
			if empties < maxEmpty {
				empties = 0
			}
			out = append(out, nil)
		case ok:
			empties = 0
			out = append(out, &s)
		case !c.grouped && empties < maxEmpty:
			empties++
			out = append(out, &shown{value: c.empty, n: number(0)})
		default:
			empties = maxEmpty + 1
			out = append(out, nil)
		}
	}
	return out
}

// longRun finds the first place from i on at which a run of equal ones has lasted so many seconds.
func longRun(holds []bool, i int, want bool, seconds int) (int, bool) {
	for run := i; i < len(holds); i++ {
		if holds[i] != want {
			run = i + 1
			continue
		}
		if (i-run)*slide >= seconds {
			return i, true
		}
	}
	return 0, false
}

func randomTrial(t *rapid.T) *trial {
	c := &trial{
		condition: rapid.SampledFrom(conditions).Draw(t, "condition"),
		size:      rapid.SampledFrom([]int{10, 30}).Draw(t, "size"),
		hold:      rapid.SampledFrom([]int{0, 0, 10, 20, 25, 40}).Draw(t, "for"),
		keep:      rapid.SampledFrom([]int{0, 0, 10, 15, 30, 4000}).Draw(t, "keep"),
		grouped:   rapid.Bool().Draw(t, "grouped"),
	}
	if rapid.Bool().Draw(t, "samples") {
		c.leastCount, c.leastN = int64(rapid.IntRange(0, 3).Draw(t, "least count")), float64(rapid.IntRange(0, 3).Draw(t, "least n"))
	}
	names := []string{""}
	if c.grouped {
		names = []string{"a", "b", "c"}
		if rapid.Bool().Draw(t, "chosen") {
			c.only = []string{"a", "c"}
		}
	}
	values := []definition.Number{number(0), number(0.5), number(4), number(4), number(9), {}}
	c.empty = rapid.SampledFrom([]definition.Number{number(0), number(4), {}}).Draw(t, "empty")
	end := rapid.IntRange(-5, 5).Draw(t, "first") * slide
	for range rapid.IntRange(0, 30).Draw(t, "finals") {
		f := Final{Start: event.Millis(end-c.size) * 1000, End: event.Millis(end) * 1000}
		for _, name := range names {
			if !c.grouped || rapid.IntRange(0, 2).Draw(t, "row") > 0 {
				f.Rows = append(f.Rows, row(name, rapid.SampledFrom(values).Draw(t, "value"),
					rapid.SampledFrom(values).Draw(t, "n"), int64(rapid.IntRange(1, 4).Draw(t, "count"))))
			}
		}
		if !c.grouped && rapid.IntRange(0, 9).Draw(t, "withheld") == 0 {
			f.Rows = nil
		}
		if !c.grouped || len(f.Rows) > 0 {
			c.finals = append(c.finals, f)
		}
		end += slide * rapid.SampledFrom([]int{1, 1, 1, 1, 2, 3, 7, 718, 721, 722, 1500}).Draw(t, "gap")
	}
	c.last = event.Millis(end+slide*rapid.IntRange(0, 800).Draw(t, "rest"))*1000 - 1
	return c
}

// TestWatcherAgainstOracle lets W come to its end in random steps, with restarts between them.
func TestWatcherAgainstOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := randomTrial(rt)
		empty := row("", c.empty, number(0), 0)
		text := ruleText(time.Duration(c.size)*time.Second, slide*time.Second, c.grouped, c.rule())
		s := serve(t, text, &empty)
		var got []string
		take := func(w event.Millis) {
			n := 0
			for n < len(c.finals) && c.finals[n].End-1 <= w {
				n++
			}
			for _, a := range s.judge(w, c.finals[:n]) {
				last := a.Transitions[len(a.Transitions)-1]
				got = append(got, fmt.Sprintf("%ds %s %s", last.At/1000, a.State, strings.Join(a.Values(), "")))
				checkAlert(rt, &a)
			}
			c.finals = c.finals[n:]
		}
		want := c.oracle()
		for w := event.Millis(-100_000); w < c.last; {
			w = min(c.last, w+event.Millis(rapid.SampledFrom([]int{1, 3000, 10_000, 25_000, 300_000, 9_000_000}).Draw(rt, "step")))
			take(w)
			if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
				s.restart()
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Errorf("rule:\n%s\n(-oracle +watcher):\n%s", c.rule(), diff)
		}
	})
}

// checkAlert checks what is true of every alert.
func checkAlert(t *rapid.T, a *Alert) {
	started, last := a.Transitions[0], a.Transitions[len(a.Transitions)-1]
	switch {
	case a.ID != idOf(a.Hash, a.Values(), a.StartedAt):
		t.Errorf("the id of %+v", a)
	case started.State != Firing || started.At != a.StartedAt || a.Window.End != a.StartedAt:
		t.Errorf("began otherwise: %+v", a)
	case a.State == Firing && (len(a.Transitions) != 1 || a.EndedAt != event.NoTime):
		t.Errorf("fires and has ended: %+v", a)
	case a.State == Resolved && (len(a.Transitions) != 2 || last.At != a.EndedAt || a.EndedAt <= a.StartedAt || last.Seq <= started.Seq):
		t.Errorf("ended otherwise: %+v", a)
	}
}
