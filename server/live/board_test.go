package live

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// testPlan has an ungrouped metric of ten seconds, a sliding one, and one by page, and no store behind it.
func testPlan() *definition.Plan {
	identity := func(a []definition.Number, _ float64) definition.Number { return a[0] }
	count := []definition.Aggregate{{Name: "n", Kind: aggregate.Count}}
	metric := func(id byte, name string, size, slide event.Millis, keys ...string) definition.Metric {
		return definition.Metric{
			Name: name, Hash: definition.Hash{id}, Size: size, Slide: slide, From: definition.FromEvents, Total: -1,
			Keys: keys, Aggregates: count, Limit: 100, Formula: identity, FormulaText: "n",
		}
	}
	return &definition.Plan{Metrics: []definition.Metric{
		metric(1, "pages", 10_000, 10_000, "page"),
		metric(2, "sliding", 30_000, 10_000),
		metric(3, "views", 10_000, 10_000),
	}}
}

func result(m *definition.Metric, start event.Millis, kind window.Kind, value float64, group ...string) window.Result {
	n := definition.Number{Float: value, Valid: true}
	return window.Result{
		Metric: m.Name, Definition: m.Hash, Start: start, End: start + m.Size, Group: group,
		Kind: kind, Revision: 1, Value: n, Aggregates: []definition.Number{n}, Count: int64(value),
	}
}

// shown is a row as a client sees it.
type shown struct {
	Key    string       `json:"key"`
	Metric string       `json:"metric"`
	Start  event.Millis `json:"window_start_ms"`
	Kind   string       `json:"kind"`
	Value  float64      `json:"value"`
	Group  map[string]string
	None   bool `json:"-"` // the value is null, which is not 0
}

func (s *shown) UnmarshalJSON(text []byte) error {
	type plain shown
	row := struct {
		Value *float64 `json:"value"`
		*plain
	}{plain: (*plain)(s)}
	if err := json.Unmarshal(text, &row); err != nil {
		return fmt.Errorf("row: %w", err)
	}
	if s.None = row.Value == nil; !s.None {
		s.Value = *row.Value
	}
	return nil
}

func read(t interface{ Fatal(...any) }, rows [][]byte) map[string]shown {
	held := make(map[string]shown, len(rows))
	for _, row := range rows {
		var s shown
		if err := json.Unmarshal(row, &s); err != nil {
			t.Fatal(err)
		}
		held[s.Key] = s
	}
	return held
}

// holds lists what a board holds, shortly.
func holds(t *testing.T, b *Board) []string {
	t.Helper()
	rows := slices.SortedFunc(maps.Values(read(t, b.snapshot(nil).rows)), func(x, y shown) int {
		return cmp.Or(cmp.Compare(x.Metric, y.Metric), cmp.Compare(x.Start, y.Start), cmp.Compare(x.Key, y.Key))
	})
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r.Metric + "[" + event2s(r.Start) + "]" + r.Group["page"] + " " + r.Kind + " " + event2s(event.Millis(r.Value)*1000)
	}
	return lines
}

func event2s(t event.Millis) string {
	b, _ := json.Marshal(t / 1000) // an integer
	return string(b)
}

func TestBoardHolds(t *testing.T) {
	plan := testPlan()
	pages, views := &plan.Metrics[0], &plan.Metrics[2]
	type step struct {
		committed *processing.Committed
		opened    *processing.Open
		want      []string
	}
	for _, s := range []struct {
		name  string
		steps []step
	}{
		{"a final takes the place of its provisional row", []step{
			{opened: &processing.Open{Watermark: 4_000, Newest: 9_000, Rows: []window.Result{result(views, 0, window.Provisional, 3)}},
				committed: &processing.Committed{Seq: 1, Watermark: 4_000},
				want:      []string{"views[0] provisional 3"}},
			{committed: &processing.Committed{Seq: 2, Watermark: 9_999, Results: []window.Result{result(views, 0, window.Final, 4)}},
				want: []string{"views[0] final 4"}},
		}},
		{"a newer final of a group replaces the older one, other groups stay", []step{
			{committed: &processing.Committed{Seq: 2, Watermark: 9_999, Results: []window.Result{
				result(pages, 0, window.Final, 1, "/a"), result(pages, 0, window.Final, 2, "/b")}}},
			{committed: &processing.Committed{Seq: 3, Watermark: 19_999, Results: []window.Result{result(pages, 10_000, window.Final, 5, "/a")}},
				want: []string{"pages[0]/b final 2", "pages[10]/a final 5"}},
		}},
		{"a correction of the last final shows, one of an older window does not", []step{
			{committed: &processing.Committed{Seq: 1, Watermark: 19_999, Results: []window.Result{result(views, 10_000, window.Final, 1)}}},
			{committed: &processing.Committed{Seq: 2, Watermark: 19_999, Results: []window.Result{
				result(views, 10_000, window.Correction, 2), result(views, 0, window.Correction, 9)}},
				want: []string{"views[10] correction 2"}},
		}},
		{"a retracted group leaves", []step{
			{committed: &processing.Committed{Seq: 1, Watermark: 9_999, Results: []window.Result{result(pages, 0, window.Final, 1, "/a")}}},
			{committed: &processing.Committed{Seq: 2, Watermark: 9_999, Results: []window.Result{result(pages, 0, window.Retract, 0, "/a")}},
				want: []string{}},
		}},
		{"a group whose last window is retracted does not fall back on an older one, whenever that is corrected", []step{
			{committed: &processing.Committed{Seq: 2, Watermark: 19_999, Results: []window.Result{
				result(pages, 0, window.Final, 1, "/a"), result(pages, 10_000, window.Retract, 0, "/a")}},
				want: []string{}},
			{committed: &processing.Committed{Seq: 3, Watermark: 19_999, Results: []window.Result{result(pages, 0, window.Correction, 2, "/a")}},
				want: []string{}},
			{committed: &processing.Committed{Seq: 4, Watermark: 19_999, Results: []window.Result{result(pages, 10_000, window.Correction, 3, "/a")}},
				want: []string{"pages[10]/a correction 3"}},
			{committed: &processing.Committed{Seq: 5, Watermark: 19_999, Results: []window.Result{result(pages, 0, window.Retract, 0, "/a")}},
				want: []string{"pages[10]/a correction 3"}},
		}},
		{"a correction of a window that is too old shows nothing", []step{
			{committed: &processing.Committed{Seq: 1, Watermark: 310_000, Results: []window.Result{result(pages, 0, window.Correction, 2, "/a")}},
				want: []string{}},
		}},
		{"windows without events close too, and are open before it, once there was an event", []step{
			{committed: &processing.Committed{Seq: 1, Watermark: 9_999, Results: []window.Result{result(views, 0, window.Final, 1)}}},
			{committed: &processing.Committed{Seq: 1, Watermark: 25_000},
				opened: &processing.Open{Seq: 1, Watermark: 25_000, Newest: 31_000},
				want:   []string{"views[10] final 0", "views[20] provisional 0", "views[30] provisional 0"}},
		}},
		{"old groups leave after five minutes", []step{
			{committed: &processing.Committed{Seq: 1, Watermark: 9_999, Results: []window.Result{result(pages, 0, window.Final, 1, "/a")}}},
			{committed: &processing.Committed{Seq: 1, Watermark: 9_999 + 300_000}, want: []string{"pages[0]/a final 1"}},
			{committed: &processing.Committed{Seq: 1, Watermark: 9_999 + 300_001}, want: []string{}},
		}},
		{"open rows that are behind the board change nothing that has closed", []step{
			{committed: &processing.Committed{Seq: 2, Watermark: 9_999, Results: []window.Result{result(views, 0, window.Final, 4)}},
				opened: &processing.Open{Seq: 1, Watermark: 4_000, Newest: 9_000, Rows: []window.Result{result(views, 0, window.Provisional, 3)}},
				want:   []string{"views[0] final 4"}},
		}},
		{"open rows that are ahead of the board leave what closes next until its final comes", []step{
			{committed: &processing.Committed{Seq: 1, Watermark: 4_000},
				opened: &processing.Open{Seq: 1, Watermark: 4_000, Newest: 9_000, Rows: []window.Result{result(views, 0, window.Provisional, 3)}}},
			{opened: &processing.Open{Seq: 2, Watermark: 10_000, Newest: 11_000, Rows: []window.Result{result(views, 10_000, window.Provisional, 1)}},
				want: []string{"views[0] provisional 3", "views[10] provisional 1"}},
			{committed: &processing.Committed{Seq: 2, Watermark: 10_000, Results: []window.Result{result(views, 0, window.Final, 4)}},
				want: []string{"views[0] final 4", "views[10] provisional 1"}},
		}},
		{"a commit that is known already changes nothing", []step{
			{committed: &processing.Committed{Seq: 5, Watermark: 9_999, Results: []window.Result{result(views, 0, window.Final, 4)}}},
			{committed: &processing.Committed{Seq: 4, Watermark: 9_000, Results: []window.Result{result(views, 0, window.Final, 1)}},
				want: []string{"views[0] final 4"}},
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			b := NewBoard(plan)
			for i, step := range s.steps {
				if step.committed != nil {
					b.Committed(step.committed)
				}
				if step.opened != nil {
					b.Opened(step.opened)
				}
				if step.want == nil {
					continue
				}
				if diff := gocmp.Diff(step.want, holds(t, b)); diff != "" {
					t.Errorf("after step %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// TestReadersHoldWhatTheBoardHeld lets readers with filters look at a changing board now and then: whatever each of them
// applied, it must hold what the board held when it last looked.
func TestReadersHoldWhatTheBoardHeld(t *testing.T) {
	plan := testPlan()
	rapid.Check(t, func(t *rapid.T) {
		b := NewBoard(plan)
		b.maxTombs = rapid.SampledFrom([]int{2, 10, 1000}).Draw(t, "tombs")
		type reader struct {
			filter  filter
			started bool
			version uint64
			seq     uint64
			held    map[string]shown
		}
		readers := []*reader{{}, {filter: filter{0: true}}, {filter: filter{1: true, 2: true}}, {filter: filter{}}}
		var w event.Millis
		var seq uint64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "do") {
			case 0:
				w += event.Millis(rapid.IntRange(0, 25).Draw(t, "advance")) * 1000
				results := drawResults(t, plan, w, false)
				seq += uint64(len(results))
				b.Committed(&processing.Committed{Seq: seq, Watermark: w, Results: results})
			case 1:
				b.Opened(&processing.Open{Seq: seq, Watermark: w, Newest: w + 12_000, Rows: drawResults(t, plan, w, true)})
			default:
				r := rapid.SampledFrom(readers).Draw(t, "reader")
				p, ok := picture{}, false
				if r.started {
					p, ok = b.delta(r.filter, r.version)
				}
				if ok && r.seq > p.seq {
					t.Fatalf("seq went back from %d to %d", r.seq, p.seq)
				}
				if !ok {
					p = b.snapshot(r.filter)
					r.started, r.held = true, map[string]shown{}
				}
				maps.Copy(r.held, read(t, p.rows))
				for _, key := range p.removed {
					delete(r.held, key)
				}
				r.version, r.seq = p.version, p.seq
				if diff := gocmp.Diff(read(t, b.snapshot(r.filter).rows), r.held); diff != "" {
					t.Fatalf("reader %v at version %d (-board +reader):\n%s", r.filter, r.version, diff)
				}
			}
			if b.tombs.Len() > b.maxTombs {
				t.Fatalf("%d tombs, at most %d allowed", b.tombs.Len(), b.maxTombs)
			}
			if got := b.order.Len(); got != len(b.cells) {
				t.Fatalf("%d cells in order, %d by place", got, len(b.cells))
			}
		}
	})
}

func drawResults(t *rapid.T, plan *definition.Plan, w event.Millis, open bool) []window.Result {
	var results []window.Result
	for range rapid.IntRange(0, 6).Draw(t, "results") {
		m := &plan.Metrics[rapid.IntRange(0, 2).Draw(t, "metric")]
		var group []string
		if len(m.Keys) > 0 {
			group = []string{rapid.SampledFrom([]string{"/a", "/b", "/c"}).Draw(t, "page")}
		}
		start := window.FirstWindow(m, w+1)
		kind := window.Provisional
		if !open {
			start -= m.Slide * event.Millis(rapid.IntRange(1, 3).Draw(t, "back"))
			kind = rapid.SampledFrom([]window.Kind{window.Final, window.Correction, window.Retract}).Draw(t, "kind")
		}
		results = append(results, result(m, start, kind, float64(rapid.IntRange(0, 3).Draw(t, "value")), group...))
	}
	return results
}

func TestKeysAreStableAndApart(t *testing.T) {
	plan := testPlan()
	b := NewBoard(plan)
	seen := map[string]string{}
	for _, group := range []string{"/a", "/b", "/a\x00", ""} {
		r := result(&plan.Metrics[0], 0, window.Provisional, 1, group)
		mr := b.byHash[r.Definition]
		key := mr.key(mr.place(&r))
		r.Kind = window.Final
		if again := mr.key(mr.place(&r)); again != key {
			t.Errorf("group %q: key %s as provisional, %s as final", group, key, again)
		}
		if other, taken := seen[key]; taken {
			t.Errorf("groups %q and %q share the key %s", group, other, key)
		}
		seen[key] = group
	}
}
