package sequence

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// TestKeysOrder holds the order of keys in canonical form against the order of their values.
func TestKeysOrder(t *testing.T) {
	ascending := []event.Value{
		event.BoolValue(false), event.BoolValue(true),
		event.IntValue(math.MinInt64), event.IntValue(-1), event.IntValue(0), event.IntValue(255), event.IntValue(math.MaxInt64),
		event.FloatValue(math.Inf(-1)), event.FloatValue(-1.5), event.FloatValue(-0.25), event.FloatValue(1e-300),
		event.FloatValue(0.5), event.FloatValue(1e300), event.FloatValue(math.Inf(1)), event.FloatValue(math.NaN()),
		event.StringValue(nil), event.StringValue([]byte("a")), event.StringValue([]byte("a\x00")), event.StringValue([]byte("b")),
		event.StringValue([]byte("f0000000-0000-0000-0000-0000000000000")), // texts that are nearly UUIDs
		event.StringValue([]byte("f0000000-0000-0000-0000-00000000000F")),
		event.StringValue([]byte("f0000000-0000-0000-0000-00000000000g")),
		event.StringValue([]byte("f0000000-0000-0000-00000-00000000000")),
		event.StringValue([]byte("0123abcd-4567-89ef-0123-456789abcdef")), // UUIDs
		event.StringValue([]byte("f0000000-0000-0000-0000-000000000000")),
	}
	var last []byte
	for _, v := range ascending {
		key := AppendKey(nil, &v)
		if bytes.Compare(last, key) >= 0 {
			t.Errorf("key of %v does not follow the one before it", v)
		}
		last = key
		got, err := ParseKey(key, new(KeyText))
		if err != nil || got.Kind != v.Kind || string(got.AppendText(nil)) != string(v.AppendText(nil)) {
			t.Errorf("key of %v reads as %v, %v", v, got, err)
		}
		if got.Hash() != v.Hash() {
			t.Errorf("hash of %v changes", v)
		}
	}
	mustPanic(t, func() { AppendKey(nil, new(event.Value)) })
	for _, f := range []float64{3, math.Copysign(0, -1), -1 << 60} {
		v, n := event.FloatValue(f), event.IntValue(int64(f))
		if !bytes.Equal(AppendKey(nil, &v), AppendKey(nil, &n)) {
			t.Errorf("the keys %v and %d differ", f, int64(f))
		}
	}
}

// TestUUIDs puts every byte at every place of a UUID: what is read as one is written as it was, and is no other text.
func TestUUIDs(t *testing.T) {
	const id = "0123abcd-4567-89ef-9876-fedcba543210"
	for at := range len(id) {
		for c := range 256 {
			text := []byte(id)
			text[at] = byte(c)
			u, ok := parseUUID(text)
			want := strings.ContainsRune("0123456789abcdef", rune(c)) && c < 0x80 && id[at] != '-' || id[at] == '-' && c == '-'
			if ok != want {
				t.Errorf("%q is a UUID: %v", text, ok)
			}
			var back KeyText
			if writeUUID(&back, &u); ok && string(back[:]) != string(text) {
				t.Errorf("%q reads as % x, which is %q", text, u, back)
			}
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, v := range []event.Value{event.StringValue([]byte("k")), event.IntValue(9), event.FloatValue(.5), event.BoolValue(true)} {
		f.Add(AppendKey(nil, &v))
	}
	f.Add(append([]byte{uuidKind}, "0123456789abcdef"...))
	f.Add(append([]byte{byte(event.String)}, bytes.Repeat([]byte("k"), event.MaxKept+1)...))
	f.Add(append([]byte{byte(event.String)}, "01234567-89ab-cdef-0123-456789abcdef"...))
	f.Add([]byte{byte(event.Float), 0xc0, 8, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ParseKey(b, new(KeyText))
		if err != nil {
			return
		}
		if again := AppendKey(nil, &v); !bytes.Equal(again, b) {
			t.Fatalf("% x reads as %v, which is % x", b, v, again)
		}
	})
}
