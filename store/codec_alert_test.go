package store

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

var (
	genLabel = rapid.Custom(func(t *rapid.T) alert.Label {
		return alert.Label{Name: rapid.String().Draw(t, "name"), Text: rapid.String().Draw(t, "text")}
	})
	genAlertState = rapid.SampledFrom([]alert.State{alert.Firing, alert.Resolved})
)

var genAlert = rapid.Custom(func(t *rapid.T) alert.Alert {
	a := alert.Alert{
		ID: rapid.StringN(1, 40, -1).Draw(t, "id"), Definition: rapid.String().Draw(t, "definition"), Hash: genHash.Draw(t, "hash"),
		Type: rapid.String().Draw(t, "type"), Severity: rapid.String().Draw(t, "severity"), State: genAlertState.Draw(t, "state"),
		Title: rapid.String().Draw(t, "title"), Description: rapid.String().Draw(t, "description"),
		PatternMatched: rapid.String().Draw(t, "pattern"), RecommendedAction: rapid.String().Draw(t, "action"),
		Group: genList(genLabel, 3).Draw(t, "group"), StartedAt: genMillis.Draw(t, "started"), EndedAt: event.NoTime,
		Value: genNumber.Draw(t, "value"), Context: genList(genLabel, 3).Draw(t, "context"),
		Metrics: genList(rapid.Custom(func(t *rapid.T) alert.Reading {
			return alert.Reading{Name: rapid.String().Draw(t, "name"), Number: genNumber.Draw(t, "number")}
		}), 3).Draw(t, "metrics"),
		AffectedUsers: genList(rapid.String(), 3).Draw(t, "users"),
		Window: alert.Window{
			Metric: rapid.String().Draw(t, "metric"), Definition: genHash.Draw(t, "metric's hash"),
			Start: genMillis.Draw(t, "window start"), End: genMillis.Draw(t, "window end"),
		},
		Records: genList(rapid.Custom(func(t *rapid.T) alert.Record {
			return alert.Record{Topic: genTopic.Draw(t, "topic"), Coordinate: event.Coordinate{Partition: genPart.Draw(t, "partition"), Offset: genOffset.Draw(t, "offset")}}
		}), 3).Draw(t, "records"),
		Transitions: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) alert.Transition {
			return alert.Transition{State: genAlertState.Draw(t, "to"), At: genMillis.Draw(t, "at"), Seq: rapid.Uint64().Draw(t, "seq")}
		}), 1, 3).Draw(t, "transitions"),
	}
	if a.State == alert.Resolved {
		a.EndedAt = event.Millis(rapid.Int64Min(0).Draw(t, "ended"))
	}
	return a
})

func TestAlertsRoundTrip(t *testing.T) {
	exactly := cmp.Options{sameBits[0], cmpopts.EquateComparable(definition.Hash{})}
	rapid.Check(t, func(t *rapid.T) {
		a := genAlert.Draw(t, "alert")
		noFault(t, checkAlert(&a))
		value := appendAlertValue(nil, &a)
		got, err := decodeAlertValue(value)
		noFault(t, err)
		noDiff(t, got, a, exactly)
		for n := range value {
			if _, err := decodeAlertValue(value[:n]); err == nil {
				t.Fatalf("%d of %d bytes were taken for an alert", n, len(value))
			}
		}
		mark := markOf(&a)
		gotMark, err := decodeMark(appendMark(nil, &mark))
		noFault(t, err)
		noDiff(t, gotMark, mark, cmp.AllowUnexported(alertMark{}))
	})
}

func TestAlertsThatCouldNotBeHandledAreRefused(t *testing.T) {
	good := alert.Alert{ID: "a", State: alert.Firing, EndedAt: event.NoTime, Transitions: []alert.Transition{{State: alert.Firing, At: 5, Seq: 1}}}
	noFault(t, checkAlert(&good))
	for name, spoil := range map[string]func(*alert.Alert){
		"no id":                 func(a *alert.Alert) { a.ID = "" },
		"a state before firing": func(a *alert.Alert) { a.State = alert.Pending },
		"no transition":         func(a *alert.Alert) { a.Transitions = nil },
		"fires and has ended":   func(a *alert.Alert) { a.EndedAt = 7 },
		"resolved, never ended": func(a *alert.Alert) { a.State = alert.Resolved },
	} {
		bad := good
		spoil(&bad)
		if err := checkAlert(&bad); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

func TestAlertKeysSortAsWhatTheyName(t *testing.T) {
	genGroup := rapid.SliceOfN(rapid.OneOf(rapid.StringOf(rapid.SampledFrom([]rune{0, 1, 2, 'a', 0xff})), rapid.String()), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		h := genHash.Draw(t, "rule")
		a, b := genGroup.Draw(t, "a"), genGroup.Draw(t, "b")
		if got, want := bytes.Compare(appendWatchKey(nil, h, a), appendWatchKey(nil, h, b)), slices.Compare(a, b); got != want {
			t.Fatalf("groups %q and %q: keys compare as %d, groups as %d", a, b, got, want)
		}
		rule, group, err := parseWatchKey(appendWatchKey(nil, h, a))
		noFault(t, err)
		if rule != h || !slices.Equal(group, a) {
			t.Fatalf("%x %q came back as %x %q", h, a, rule, group)
		}
		p := AlertPos{genMillis.Draw(t, "started"), rapid.StringN(1, 9, -1).Draw(t, "id")}
		got, err := parseMarkKey(appendMarkKey(nil, spaceFiring, p))
		noFault(t, err)
		noDiff(t, got, p)
	})
	for _, key := range [][]byte{{byte(spaceWatch), 1}, append(appendWatchKey(nil, definition.Hash{}, nil), 'x')} {
		if _, _, err := parseWatchKey(key); !errors.Is(err, errDamaged) {
			t.Errorf("key %x: got %v", key, err)
		}
	}
	if _, err := parseMarkKey(appendMarkKey(nil, spaceFiring, AlertPos{})); !errors.Is(err, errDamaged) {
		t.Errorf("an index key without an id: got %v", err)
	}
}

func FuzzDecodeAlert(f *testing.F) {
	a := alert.Alert{
		ID: "a", State: alert.Resolved, EndedAt: 9, Group: []alert.Label{{Name: "device", Text: "MOBILE"}}, Value: definition.Number{Float: 0.7, Valid: true},
		Metrics: []alert.Reading{{Name: "value"}}, AffectedUsers: []string{"u"}, Records: []alert.Record{{Topic: "events"}},
		Transitions: []alert.Transition{{State: alert.Firing, At: 5, Seq: 1}, {State: alert.Resolved, At: 9, Seq: 2}},
	}
	f.Add(appendAlertValue(nil, &a))
	mark := markOf(&a)
	f.Add(appendMark(nil, &mark))
	f.Add(appendWatch(nil, []byte("block")))
	f.Fuzz(func(t *testing.T, value []byte) {
		if a, err := decodeAlertValue(value); err == nil {
			again, err := decodeAlertValue(appendAlertValue(nil, &a))
			noFault(t, err)
			noDiff(t, again, a, sameBits)
		}
		if m, err := decodeMark(value); err == nil {
			again, err := decodeMark(appendMark(nil, &m))
			noFault(t, err)
			noDiff(t, again, m, cmp.AllowUnexported(alertMark{}))
		}
		if b, err := decodeWatch(value); err == nil && !bytes.Equal(appendWatch(nil, b), value) {
			t.Fatalf("watch %x became %x", value, b)
		}
		_, _, _ = parseWatchKey(value)
		_, _ = parseMarkKey(value)
	})
}
