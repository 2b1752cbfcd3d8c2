package alert

import (
	"errors"
	"testing"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

var someWatches = []watch{
	{machine: machine{Pending, 10_000}, seen: event.NoTime},
	{machine: machine{Pending, -1}, seen: 10_000, previous: number(0.5)},
	{machine: machine{Firing, event.NoTime}, seen: event.NoTime},
	{machine: machine{Firing, maxTime}, seen: -maxTime, previous: number(-1e18)},
	{machine: idle, seen: 0},
	{machine: idle, seen: event.NoTime, previous: number(0)},
}

func TestBlocks(t *testing.T) {
	for _, g := range someWatches {
		var back watch
		b := g.appendBlock(nil)
		if err := back.decode(b); err != nil || back.machine != g.machine || back.seen != g.seen || back.previous != g.previous {
			t.Errorf("%+v became %+v by %x: %v", g, back, b, err)
		}
	}
}

func TestBadBlocks(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":             {},
		"format alone":        {1},
		"a newer format":      {2, flagFiring},
		"unknown flag":        {1, 16},
		"nothing to remember": {1, 0},
		"no time":             {1, flagPending},
		"a padded time":       {1, flagPending, 0x80, 0},
		"a time out of reach": {1, flagSeen, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"half a number":       {1, flagPrevious, 0, 0, 0, 0},
		"no number":           {1, flagPrevious, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0},
		"more":                {1, flagFiring, 0},
	} {
		var g watch
		if err := g.decode(b); !errors.Is(err, ErrBadBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBlock(f *testing.F) {
	for _, g := range someWatches {
		f.Add(g.appendBlock(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var g watch
		if err := g.decode(b); err != nil {
			if !errors.Is(err, ErrBadBlock) {
				t.Errorf("%v", err)
			}
			return
		}
		if again := g.appendBlock(nil); string(again) != string(b) {
			t.Errorf("%x is read and written as %x", b, again)
		}
	})
}

// TestStateThatDoesNotFit refuses what can't be the state of this rule.
func TestStateThatDoesNotFit(t *testing.T) {
	firing := (&watch{machine: machine{Firing, event.NoTime}, seen: event.NoTime}).appendBlock(nil)
	pending := (&watch{machine: machine{Pending, 0}, seen: event.NoTime}).appendBlock(nil)
	for name, resume := range map[string]func(w *Watcher) error{
		"a group":            func(w *Watcher) error { return w.Resume([]string{"a"}, pending, nil) },
		"firing, no alert":   func(w *Watcher) error { return w.Resume(nil, firing, nil) },
		"pending, an alert":  func(w *Watcher) error { return w.Resume(nil, pending, &Alert{}) },
		"no block, an alert": func(w *Watcher) error { return w.Resume(nil, nil, &Alert{}) },
	} {
		rule, metric := loadRule(t, ruleText(1e10, 1e10, false, "when: value > 3"))
		if err := resume(New(rule, metric, nil)); !errors.Is(err, ErrBadBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEditedTextsForgetPrevious edits a text that used `previous`, which no hash covers.
func TestEditedTextsForgetPrevious(t *testing.T) {
	s := serve(t, ruleText(1e10, 1e10, true, "when: value > 3\ntitle: '{{ previous }}'"), nil)
	s.judge(10_000, []Final{{End: 10_000, Rows: []Row{row("a", number(1), definition.Number{}, 1)}}})
	if len(s.blocks) != 1 {
		t.Fatalf("%d groups are remembered", len(s.blocks))
	}
	s.rule, _ = loadRule(t, ruleText(1e10, 1e10, true, "when: value > 3"))
	s.restart()
	s.judge(20_000, nil)
	if len(s.blocks) != 0 {
		t.Errorf("%d groups are remembered", len(s.blocks))
	}
}
