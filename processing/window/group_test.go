package window

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

// groupOf encodes a group of texts; nil stands for null.
func groupOf(values ...any) []byte {
	var key []byte
	for _, v := range values {
		part := event.Value{}
		if v != nil {
			part = event.StringValue([]byte(v.(string)))
		}
		key = appendPart(key, &part)
	}
	return key
}

func TestGroupsAsUsersReadThem(t *testing.T) {
	for _, tc := range []struct {
		key  []byte
		want string
	}{
		{groupOf("DE"), "DE"},
		{groupOf(nil), "(none)"},
		{groupOf(""), ""},
		{groupOf("DE", nil, "x"), "DE|(none)|x"},
		{otherKey, "(other)"},
		{groupOf("(other)"), `\(other)`},
		{groupOf("(none)", `\(none)`), `\(none)|\\(none)`},
		{groupOf(`\\(other)`), `\\\(other)`},
		{groupOf(`\`, `\x`, `(other) `, `C:\(none)`), `\|\x|(other) |C:\(none)`},
		{groupOf("a\x00b"), "a\x00b"},
		{groupOf("a\xff\xfeb"), "a\uFFFDb"},
		{groupOf(strings.Repeat("x", 1024)), strings.Repeat("x", 1024)},
		{groupOf(strings.Repeat("x", 1025)), strings.Repeat("x", 1007) + "~b631dc69e37288f6"},
		{groupOf(strings.Repeat("é", 600), "y"), strings.Repeat("é", 503) + "~1f52212b8e1826dc|y"},
	} {
		if got := strings.Join(AppendGroup(nil, tc.key), "|"); got != tc.want {
			t.Errorf("group %q reads %q, want %q", tc.key, got, tc.want)
		}
	}
}

// A long value can be asked for as it was, or as it is shown.
func TestLongGroupValuesAreFound(t *testing.T) {
	long := strings.Repeat("https://shop.example/", 100)
	shown := AppendGroup(nil, groupOf(long))[0]
	for _, asked := range []string{long, shown} {
		if got := ParseGroupValue(asked); got != (GroupValue{Text: shown}) {
			t.Errorf("%q is parsed as %+v, it is shown as %q", asked, got, shown)
		}
	}
	if other := AppendGroup(nil, groupOf(long+"x"))[0]; other == shown {
		t.Errorf("two values are both shown as %q", shown)
	}
}

func TestGroupValuesAreTextOfOtherKinds(t *testing.T) {
	for want, v := range map[string]event.Value{
		"-3": event.IntValue(-3), "1.5": event.FloatValue(1.5), "true": event.BoolValue(true), "7": event.FloatValue(7),
	} {
		if got := AppendGroup(nil, appendPart(nil, &v)); got[0] != want {
			t.Errorf("reads %q, want %q", got[0], want)
		}
	}
}

// hostileText draws texts of the characters that the encoding and the rendering treat specially.
func hostileText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "(other)", "(none)", `\(other)`, `\\(none)`, "\x00", "\x00\x01", "\x00\uFFFD", "a", "a\x00", "a\x01", "\x01", "\x02"}),
		rapid.StringOfN(rapid.RuneFrom([]rune("\x00\x01\x02a\\(\u00ff")), 0, 5, -1),
	)
}

func TestGroupValuesParseBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := hostileText().Draw(t, "text")
		read := AppendGroup(nil, groupOf(text))[0]
		if got := ParseGroupValue(read); got != (GroupValue{Text: text}) {
			t.Errorf("%q reads %q, which is parsed as %+v", text, read, got)
		}
	})
	if got := ParseGroupValue("(none)"); got.Kind != GroupNone {
		t.Errorf("(none) is parsed as %+v", got)
	}
	if got := ParseGroupValue("(other)"); got.Kind != GroupOther {
		t.Errorf("(other) is parsed as %+v", got)
	}
}

func TestGroupsSortLikeTheirValues(t *testing.T) {
	group := rapid.SliceOfN(rapid.Ptr(hostileText(), true), 3, 3)
	encode := func(values []*string) []byte {
		var key []byte
		for _, v := range values {
			if v == nil {
				key = append(key, groupOf(nil)...)
			} else {
				key = append(key, groupOf(*v)...)
			}
		}
		return key
	}
	compare := func(a, b *string) int {
		if a == nil || b == nil {
			return cmp.Compare(btoi(a != nil), btoi(b != nil))
		}
		return cmp.Compare(*a, *b)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := group.Draw(t, "a"), group.Draw(t, "b")
		ka, kb := encode(a), encode(b)
		if got, want := bytes.Compare(ka, kb), slices.CompareFunc(a, b, compare); got != want {
			t.Errorf("%q and %q compare as %d, their values as %d", ka, kb, got, want)
		}
		if bytes.Compare(ka, otherKey) >= 0 {
			t.Errorf("%q does not come before (other)", ka)
		}
		if err := checkGroup(ka, 3); err != nil {
			t.Error(err)
		}
		if checkGroup(ka, 2) == nil || checkGroup(ka, 4) == nil || checkGroup(ka[:len(ka)-1], 3) == nil {
			t.Errorf("%q passes for a group of another length", ka)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// FuzzGroup takes keys from hostile places: one that passes reads as values that make it again.
func FuzzGroup(f *testing.F) {
	f.Add(groupOf("DE", nil, "a\x00b"), byte(3))
	f.Add(otherKey, byte(1))
	f.Add(groupOf(`\(other)`), byte(1))
	f.Add([]byte{tagValue, escape, escape, textEnd}, byte(1))
	f.Fuzz(func(t *testing.T, key []byte, n byte) {
		if n == 0 || checkGroup(key, int(n)) != nil || isOther(key) {
			return // without keys there is one row, and nothing to hash
		}
		var again []byte
		for _, text := range AppendGroup(nil, key) {
			v := event.Value{}
			if g := ParseGroupValue(text); g.Kind == GroupText {
				v = event.StringValue([]byte(g.Text))
			}
			again = appendPart(again, &v)
		}
		if longest := event.MaxKept; len(key) < longest && !bytes.Equal(key, again) {
			t.Fatalf("%q reads as %q, which is %q", key, AppendGroup(nil, key), again)
		}
		hashGroup(key)
	})
}
