package alert

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// TestScripts runs the scripts:
//
//	rule [size=10s] [slide=10s] [grouped] [empty=0]  starts a rule, whose keys are the input, on a metric whose windows are
//	                                                 as said; empty is the value of a window without events, null by default
//	judge w=30s                                      the watermark goes to w. The input are the finals that come out on the
//	                                                 way: "10s 5 n=3 count=4" is the end of a window, its value and more of
//	                                                 it; groups are written behind: "10s a: 5; b: null n=3"; "10s" alone: events, but
//	                                                 nothing is published
//	show                                             what is remembered
//	restart                                          the process is started anew
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		var s *server
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "rule":
				s = startScript(t, d)
				return ""
			case "judge":
				var w string
				d.ScanArgs(t, "w", &w)
				return judgeScript(t, s, span(t, w), d.Input)
			case "show":
				return show(t, s)
			case "restart":
				s.restart()
				return ""
			default:
				d.Fatalf(t, "no command is called %s", d.Cmd)
				return ""
			}
		})
	})
}

func startScript(t *testing.T, d *datadriven.TestData) *server {
	size, empty := "10s", "null"
	if d.HasArg("size") {
		d.ScanArgs(t, "size", &size)
	}
	slide := size
	if d.HasArg("slide") {
		d.ScanArgs(t, "slide", &slide)
	}
	if d.HasArg("empty") {
		d.ScanArgs(t, "empty", &empty)
	}
	none := row("", parseNumber(t, empty), number(0), 0)
	text := ruleText(time.Duration(span(t, size))*time.Millisecond, time.Duration(span(t, slide))*time.Millisecond, d.HasArg("grouped"), d.Input)
	return serve(t, text, &none)
}

func judgeScript(t *testing.T, s *server, w event.Millis, input string) string {
	var finals []Final
	for line := range strings.Lines(input) {
		end, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		f := Final{End: span(t, end)}
		f.Start = f.End - s.metric.Size
		for part := range strings.SplitSeq(rest, ";") {
			if part == "" {
				continue
			}
			group, what, ok := strings.Cut(part, ":")
			if !ok {
				group, what = "", part
			}
			f.Rows = append(f.Rows, parseRow(t, strings.TrimSpace(group), strings.Fields(what)))
		}
		finals = append(finals, f)
	}
	var b strings.Builder
	for _, a := range s.judge(w, finals) {
		at := a.Transitions[len(a.Transitions)-1].At
		fmt.Fprintf(&b, "%s %s", clock(at), a.State)
		if len(a.Group) > 0 {
			fmt.Fprintf(&b, " %s", strings.Join(a.Values(), ","))
		}
		if a.State == Firing {
			fmt.Fprintf(&b, " value=%s window=[%s,%s)", numberText(a.Value), clock(a.Window.Start), clock(a.Window.End))
			for _, c := range a.Context {
				fmt.Fprintf(&b, " %s=%s", c.Name, c.Text)
			}
		} else {
			fmt.Fprintf(&b, " started=%s value=%s", clock(a.StartedAt), numberText(a.Value))
		}
		fmt.Fprintf(&b, " %q\n", a.Title)
	}
	return b.String()
}

func parseRow(t *testing.T, group string, words []string) Row {
	value, n, count := parseNumber(t, words[0]), number(1), int64(1)
	for _, word := range words[1:] {
		name, text, _ := strings.Cut(word, "=")
		switch name {
		case "n":
			n = parseNumber(t, text)
		case "count":
			count = int64(parseNumber(t, text).Float)
		default:
			t.Fatalf("what is %q?", word)
		}
	}
	return row(group, value, n, count)
}

func parseNumber(t *testing.T, text string) definition.Number {
	if text == "null" {
		return definition.Number{}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return number(f)
}

func numberText(n definition.Number) string {
	if !n.Valid {
		return "null"
	}
	return strconv.FormatFloat(n.Float, 'g', -1, 64)
}

func span(t *testing.T, text string) event.Millis {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return event.Millis(d.Milliseconds())
}

func clock(m event.Millis) string { return (time.Duration(m) * time.Millisecond).String() }

// show prints what is stored of each group.
func show(t *testing.T, s *server) string {
	var b strings.Builder
	for _, group := range slices.Sorted(maps.Keys(s.blocks)) {
		var g watch
		if err := g.decode(s.blocks[group]); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s%s", strings.TrimPrefix(group+": ", ": "), g.state)
		if g.since != event.NoTime {
			fmt.Fprintf(&b, " since %s", clock(g.since))
		}
		if g.seen != event.NoTime {
			fmt.Fprintf(&b, ", events up to %s", clock(g.seen))
		}
		if g.previous.Valid {
			fmt.Fprintf(&b, ", previous %s", numberText(g.previous))
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
