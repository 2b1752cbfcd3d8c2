package event_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

func TestKeptTexts(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"as long as may be", strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		{"a byte more", strings.Repeat("x", 1025), strings.Repeat("x", 1007) + "~b631dc69e37288f6"},
		{"another", strings.Repeat("x", 1024) + "y", strings.Repeat("x", 1007) + "~40c1fb4da0e14c51"},
		{"cut between characters", strings.Repeat("é", 600), strings.Repeat("é", 503) + "~1f52212b8e1826dc"},
		{"and whole ones", strings.Repeat("😀", 300), strings.Repeat("😀", 251) + "~5476557a2c8143c2"},
		{"no text at all", strings.Repeat("\x80", 2000), strings.Repeat("\x80", 1003) + "~deb5e5b8b30748bb"},
	} {
		if got := string(event.AppendKept(nil, []byte(tt.text))); got != tt.want {
			t.Errorf("%s: %d bytes that end in %q, want %d that end in %q", tt.name, len(got), got[max(0, len(got)-24):], len(tt.want), tt.want[max(0, len(tt.want)-24):])
		}
	}
}

func TestKeptTextsStayDifferentAndShort(t *testing.T) {
	texts := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat(rapid.StringN(1, 40, 80).Draw(t, "text"), rapid.IntRange(1, 60).Draw(t, "times"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := texts.Draw(t, "a"), texts.Draw(t, "b")
		keptA, keptB := event.AppendKept([]byte("before"), []byte(a)), event.AppendKept([]byte("before"), []byte(b))
		if (a == b) != (string(keptA) == string(keptB)) {
			t.Errorf("%q is kept as %q, %q as %q", a, keptA, b, keptB)
		}
		if !utf8.Valid(keptA) || len(keptA) > len("before")+event.MaxKept {
			t.Errorf("%q is kept as %q", a, keptA)
		}
		v, kept := event.StringValue([]byte(a)), event.StringValue(keptA[len("before"):])
		if got, want := v.KeptHash(v.Hash()), kept.Hash(); got != want {
			t.Errorf("%q is hashed to %x, want %x", a, got, want)
		}
	})
}
