package alert

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// TestMachine goes through window ends 10 apart: + is one at which the condition holds, - one at which it does not. F is where
// an alert begins, R where one ends, and . where nothing happens.
func TestMachine(t *testing.T) {
	tests := []struct {
		hold, keep event.Millis
		holds      string
		turns      string
	}{
		{0, 0, "--+--", "..FR."},
		{0, 0, "+-+-+", "FRFRF"},
		{0, 0, "+++++", "F...."},
		{30, 0, "+++++-", "...F.R"},
		{30, 0, "+++-+++-", "........"},
		{30, 0, "-++++-++++", "....FR...F"},
		{25, 0, "+++++-", "...F.R"}, // for is no multiple of the slide
		{5, 0, "++-", ".FR"},
		{0, 20, "+---+", "F..RF"},
		{0, 20, "+--+--+---", "F........R"},
		{0, 25, "+-----", "F...R."},
		{0, 5, "+--", "F.R"},
		{20, 20, "+++---+++-+--", "..F..R..F...."},
		{20, 20, "+++---+++-+---", "..F..R..F....R"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("for %d keep %d %s", test.hold, test.keep, test.holds), func(t *testing.T) {
			m, got := idle, ""
			for i, c := range test.holds {
				var turn State
				m, turn = m.next(timing{test.hold, test.keep}, event.Millis(i*10), c == '+')
				got += map[State]string{Inactive: ".", Firing: "F", Resolved: "R"}[turn]
			}
			if got != test.turns {
				t.Errorf("%s, want %s", got, test.turns)
			}
		})
	}
}

// TestLapse holds the leap over window ends without data to the steps.
func TestLapse(t *testing.T) {
	const slide = 10
	states := []machine{idle, {Pending, -20}, {Firing, event.NoTime}, {Firing, 0}, {Firing, -30}}
	for keep := event.Millis(0); keep <= 70; keep += 5 {
		r := timing{keep: keep}
		for _, start := range states {
			if start.state == Firing && start.since != event.NoTime && -start.since >= keep {
				continue // it would have ended before
			}
			for last := event.Millis(10); last <= 120; last += slide {
				want, wantAt, wantEnds := start, event.Millis(0), false
				for at := event.Millis(10); at <= last; at += slide {
					var turn State
					if want, turn = want.next(r, at, false); turn == Resolved {
						wantAt, wantEnds = at, true
					}
				}
				got, at, ends := start.lapse(r, slide, 10, last)
				if got != want || at != wantAt || ends != wantEnds {
					t.Errorf("%+v, keep %d, up to %d: %+v %d %t, want %+v %d %t", start, keep, last, got, at, ends, want, wantAt, wantEnds)
				}
			}
		}
	}
}

// TestMoves refuses transitions that no alert makes.
func TestMoves(t *testing.T) {
	for _, bad := range [][]State{{Resolved, Resolved}, {Firing, Firing}, {Pending}, {Firing, Resolved, Firing}} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: ") {
					t.Errorf("%v: %v", bad, r)
				}
			}()
			var a Alert
			for _, s := range bad {
				a.Move(Transition{State: s})
			}
		}()
	}
}
