package event_test

import (
	"math"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

func TestValues(t *testing.T) {
	text := []byte("abc")
	tests := []struct {
		value  event.Value
		kind   event.Kind
		text   string
		number float64
		ok     bool
	}{
		{event.Value{}, event.Null, "", 0, false},
		{event.BoolValue(true), event.Bool, "true", 0, false},
		{event.BoolValue(false), event.Bool, "false", 0, false},
		{event.IntValue(math.MinInt64), event.Int, "-9223372036854775808", math.MinInt64, true},
		{event.FloatValue(0.1), event.Float, "0.1", 0.1, true},
		{event.StringValue(text), event.String, "abc", 0, false},
		{event.StringValue(text[3:]), event.String, "", 0, false},
		{event.StringValue(nil), event.String, "", 0, false},
	}
	for _, tt := range tests {
		v := tt.value
		number, ok := v.Number()
		if v.Kind != tt.kind || v.IsNull() != (tt.kind == event.Null) || string(v.AppendText(nil)) != tt.text || number != tt.number || ok != tt.ok {
			t.Errorf("got kind %d, text %q, number %v %v; want %+v", v.Kind, v.AppendText(nil), number, ok, tt)
		}
		if tt.kind != event.String && v.Bytes() != nil {
			t.Errorf("kind %d has bytes %q", v.Kind, v.Bytes())
		}
	}
	abc := event.StringValue(text)
	if text[0] = 'x'; string(abc.Bytes()) != "xbc" {
		t.Error("a String does not alias what it was made from")
	}
}

func TestHashIsThatOfTheValue(t *testing.T) {
	same := func(a, b event.Value) bool { return a.Hash() == b.Hash() }
	if !same(event.IntValue(7), event.FloatValue(7)) || !same(event.FloatValue(0), event.FloatValue(math.Copysign(0, -1))) {
		t.Error("equal numbers hash differently")
	}
	distinct := []event.Value{
		{}, event.BoolValue(false), event.BoolValue(true), event.IntValue(0), event.IntValue(1), event.FloatValue(1.5),
		event.FloatValue(math.Inf(1)), event.StringValue(nil), event.StringValue([]byte("1")), event.StringValue([]byte("true")),
	}
	for i, a := range distinct {
		for _, b := range distinct[:i] {
			if same(a, b) {
				t.Errorf("%q and %q hash alike", a.AppendText(nil), b.AppendText(nil))
			}
		}
	}
	// Kept on disk: these must never change.
	text, whole := event.StringValue([]byte("tidemark")), event.IntValue(42)
	if text.Hash() != 0xf5fa4017bacc275b || whole.Hash() != 0x44c77c508883ad78 {
		t.Errorf("hashes are %#x and %#x", text.Hash(), whole.Hash())
	}
}

func TestSymbolsAreNumberedByTheirText(t *testing.T) {
	text := []byte("PAGE_VIEW")
	a := event.SymbolValue(text)
	text[0] = 'x'
	b, c := event.SymbolValue([]byte("PAGE_VIEW")), event.SymbolValue([]byte("CUSTOM"))
	if a.Symbol() == 0 || a.Symbol() != b.Symbol() || a.Symbol() == c.Symbol() || string(a.Bytes()) != "PAGE_VIEW" {
		t.Errorf("symbols %d %d %d, text %q", a.Symbol(), b.Symbol(), c.Symbol(), a.Bytes())
	}
	plain, null := event.StringValue([]byte("PAGE_VIEW")), event.Value{}
	if plain.Symbol() != 0 || null.Symbol() != 0 || plain.Hash() != a.Hash() {
		t.Error("a String that is no symbol has a number, or another hash")
	}
}
