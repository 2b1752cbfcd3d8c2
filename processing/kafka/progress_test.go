package kafka

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// TestJudge holds what the progress says against what the store says. In the store, commits ended at 10, 20 and 30, where the fold had
// read as many records.
func TestJudge(t *testing.T) {
	said := func(epoch string, m processing.Mark) *standing {
		return &standing{progress: &progress{Epoch: epoch, Seq: m.Seq, Incarnation: "before"}, mark: m}
	}
	store := func(adopted bool, reader uint64) *known {
		return &known{epoch: "e1", incarnation: "now", adopted: adopted, reader: reader, head: 30, at: placeAt(30, 30),
			mark: func(seq uint64) (processing.Mark, bool, error) {
				ok := seq == 10 || seq == 20 || seq == 30
				return placeAt(seq, event.Offset(seq)), ok, nil
			}}
	}
	mine := said("e1", placeAt(40, 40))
	mine.progress.Incarnation = "now"
	recreated := placeAt(50, 50)
	recreated.Cursors[0].TopicID[0] = 1
	decided := placeAt(20, 20)
	decided.Cursors[0].TopicID[0] = 1
	for name, c := range map[string]struct {
		said  *standing
		store *known
		want  string // "after N", "fold", or a part of the fault
	}{
		"nothing was ever published":                  {&standing{}, store(false, 0), "after 0"},
		"the topic is gone, the store says so":        {&standing{}, store(true, 0), "says nothing of this instance"},
		"the topic is gone, the reader says so":       {&standing{}, store(false, 10), "says nothing of this instance"},
		"where the store says":                        {said("e1", placeAt(20, 20)), store(true, 20), "after 20"},
		"a commit further than the store says":        {said("e1", placeAt(30, 30)), store(true, 20), "after 30"},
		"less than the store says":                    {said("e1", placeAt(10, 10)), store(true, 20), "has the topic lost records?"},
		"the store has lost commits":                  {said("e1", placeAt(40, 40)), store(true, 20), "it has lost commits"},
		"not a commit of the store's":                 {said("e1", placeAt(25, 25)), store(true, 20), "another copy of it"},
		"a commit with the same number, elsewhere":    {said("e1", placeAt(30, 29)), store(true, 20), "another copy of it"},
		"restored, and nothing was published since":   {said("e0", placeAt(20, 20)), store(false, 10), "after 20"},
		"restored, and published further":             {said("e0", placeAt(47, 50)), store(false, 10), "fold"},
		"rebuilt to where outputs end":                {said("e0", placeAt(7, 30)), store(false, 0), "after 30"},
		"rebuilt further than outputs":                {said("e0", placeAt(7, 25)), store(false, 0), "has gone past"},
		"restored, and the topic was made anew":       {said("e0", recreated), store(false, 10), "has gone past"},
		"rebuilt from a topic that was made anew":     {said("e0", decided), store(false, 0), "after 30"},
		"another epoch that had published nothing":    {said("e0", *nothing()), store(false, 0), "after 0"},
		"own progress of this process, commits later": {mine, store(true, 30), "another copy of it"}, // not lost commits: the head was looked at before
	} {
		v, err := judge(c.said, c.store)
		must(t, err)
		got := v.fault
		switch {
		case v.after != nil:
			got = "after " + string(numberHeader("", v.after.Seq).Value)
		case v.fold:
			got = "fold"
		}
		if !strings.Contains(got, c.want) || v.fault != "" && !strings.Contains(v.fault, "tidemark rebuild") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What can't be read is a fault, and not nothing.
func TestUnreadableProgress(t *testing.T) {
	for name, c := range map[string]struct{ key, value, want string }{
		"no JSON":             {"i1/progress", "{", "record 7"},
		"a later format":      {"i1/claim", `{"format":3}`, "format 3"},
		"a mark of its own":   {"i1/progress", `{"format":2,"seq":3,"mark":"AQQAAA=="}`, "it says 3 and its mark 4"},
		"no mark":             {"i1/progress", `{"format":2,"mark":""}`, "not a mark"},
		"no revision":         {"i1/progress", `{"format":2,"seq":4,"mark":"AQQAAA==","revision":-1}`, "revision -1"},
		"a part without name": {"i1/journal/x", "{}", "record 7"},
	} {
		s := &standing{}
		s.take("i1", &kgo.Record{Offset: 7, Key: []byte(c.key), Value: []byte(c.value)})
		s.take("i1", &kgo.Record{Offset: 8, Key: []byte("i10/progress"), Value: []byte("another's")})
		err := s.decode("i1")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v, err := faultOf(err); err != nil || !strings.Contains(v.fault, c.want) {
			t.Errorf("%s: %q, %v", name, v.fault, err)
		}
	}
	lacking := &standing{progress: &progress{JournalParts: 2}, journal: map[int][]byte{0: []byte("{")}}
	if _, err := lacking.target(); err == nil || !strings.Contains(err.Error(), "part 1 of the journal") {
		t.Errorf("a part is missing: %v", err)
	}
	strange := &standing{progress: &progress{JournalParts: 1}, journal: map[int][]byte{0: []byte(`{"Strange":1}`)}}
	if _, err := strange.target(); err == nil || !strings.Contains(err.Error(), "Strange") {
		t.Errorf("a field of a later version: %v", err)
	}
}

// FuzzProgress feeds records of the progress topic that somebody else has written.
func FuzzProgress(f *testing.F) {
	f.Add("progress", []byte(`{"format":2,"seq":4,"mark":"AQQAAA=="}`))
	f.Add("claim", []byte(`{"format":2}`))
	f.Add("journal/0", []byte(`{"Floors":[{"Topic":"events"}]}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		s := &standing{}
		s.take("i1", &kgo.Record{Key: []byte("i1/" + key), Value: value})
		if s.decode("i1") == nil && s.progress != nil {
			_, _ = s.target()
		}
	})
}
