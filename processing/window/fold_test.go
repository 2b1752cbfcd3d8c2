package window

import (
	"fmt"
	"math"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// The slots of the rows that foldPlan is for; the last one is derived.
const (
	kindSlot = iota
	pageSlot
	amountSlot
	copySlot
	eitherSlot
	foldSlots
)

// foldPlan is a plan with groupings of every shape, by three clocks, and some filters, more than have a bit each if wanted.
func foldPlan(filters int) *definition.Plan {
	isKind := func(kind string) func([]event.Value) bool {
		return func(row []event.Value) bool { return string(row[kindSlot].Bytes()) == kind }
	}
	space := definition.Space{
		Slots: foldSlots, Names: []string{"kind", "page", "amount", "copy", "either"}, HashSlots: []int{kindSlot, pageSlot, copySlot, eitherSlot},
		Derived: []definition.Derived{
			{Slot: copySlot, Eval: func(row []event.Value) event.Value { return row[pageSlot] }},
			{Slot: eitherSlot, Either: &[2]int{amountSlot, pageSlot}, Eval: func(row []event.Value) event.Value {
				if row[amountSlot].IsNull() {
					return row[pageSlot]
				}
				return row[amountSlot]
			}},
		},
		Filters: []definition.Filter{
			{Reads: []int{kindSlot}, Eval: isKind("A")},
			{Reads: []int{kindSlot}, Eval: isKind("B")},
			{Reads: []int{amountSlot}, OfNil: true, Eval: func(row []event.Value) bool { return row[amountSlot].Kind != event.Null }},
			{Reads: []int{kindSlot, pageSlot}, Eval: func(row []event.Value) bool { return len(row[pageSlot].Bytes()) > len(row[kindSlot].Bytes()) }},
		},
	}
	for len(space.Filters) < filters {
		text := fmt.Sprint("page ", len(space.Filters)%16)
		space.Filters = append(space.Filters, definition.Filter{
			Reads: []int{pageSlot}, Eval: func(row []event.Value) bool { return string(row[pageSlot].Bytes()) == text },
		})
	}
	column := func(n byte, kind aggregate.Kind, slot, where int) definition.Column {
		return definition.Column{Hash: definition.Hash{n}, Kind: kind, Slot: slot, Where: where}
	}
	columns := []definition.Column{
		column(0, aggregate.Count, definition.NoSlot, definition.NoFilter), column(1, aggregate.Count, definition.NoSlot, 0),
		column(2, aggregate.Sum, amountSlot, 2), column(3, aggregate.Uniques, copySlot, 1), column(7, aggregate.Uniques, eitherSlot, 2),
		column(4, aggregate.Last, pageSlot, len(space.Filters)-1), column(5, aggregate.Quantile, amountSlot, 3),
	}
	counts := []definition.Column{column(1, aggregate.Count, definition.NoSlot, 0), column(6, aggregate.Count, definition.NoSlot, 1)}
	plan := &definition.Plan{
		Events: space, Sessions: []definition.SessionKind{{KeySlot: pageSlot}},
		Clocks: []definition.Clock{{Width: 10, Lateness: 20}, {Width: 7, Offset: 3}, {Width: 10, Lateness: 100}},
	}
	for i, g := range []definition.Grouping{
		{Clock: 0, Columns: columns, MaxGroups: 1},
		{Clock: 1, Columns: counts, MaxGroups: 1},
		{From: 0, Clock: definition.NoClock, Columns: counts, MaxGroups: 1},
		{Clock: 0, Columns: counts, MaxGroups: 2, Keys: []definition.Key{{Slot: kindSlot}}},
		{Clock: 1, Columns: counts, MaxGroups: 3, Keys: []definition.Key{{Slot: pageSlot}}},
		{Clock: 2, Columns: columns, MaxGroups: 3, Keys: []definition.Key{{Slot: kindSlot}}},
		{Clock: 2, Columns: columns, MaxGroups: 4, Keys: []definition.Key{{Slot: kindSlot}, {Slot: pageSlot}}},
	} {
		if g.Clock != definition.NoClock {
			g.From = definition.FromEvents
		}
		g.Hash = definition.Hash{byte(i)}
		plan.Groupings = append(plan.Groupings, g)
	}
	return plan
}

// longPage is as long as a text can be that is kept whole.
var longPage = strings.Repeat("x", event.MaxKept)

func drawFoldRow(t *rapid.T) []event.Value {
	text := func(s string) event.Value { return event.StringValue([]byte(s)) }
	symbol := func(s string) event.Value { return event.SymbolValue([]byte(s)) }
	row := make([]event.Value, foldSlots)
	row[kindSlot] = rapid.SampledFrom([]event.Value{{}, symbol("A"), symbol("B"), symbol("C"), symbol("\xff"), text("A"), text("B")}).Draw(t, "kind")
	row[pageSlot] = rapid.SampledFrom([]event.Value{{}, symbol("A"), text(""), text(longPage + "1"), text(longPage + "2"), text("page 1"), text("page 6"), text("\x00"), event.IntValue(3)}).Draw(t, "page")
	row[amountSlot] = rapid.SampledFrom([]event.Value{{}, event.IntValue(4), event.FloatValue(0.5), event.FloatValue(1e30)}).Draw(t, "amount")
	return row
}

// plainFold is what Fold does, the slow and obvious way.
type plainFold struct {
	plan   *definition.Plan
	tables []*Table
}

func (f *plainFold) add(in *Input, watermark event.Millis) (took bool, bad int, refused map[int]bool) {
	in.Derive(&f.plan.Events)
	refused = map[int]bool{}
	for i := range f.plan.Groupings {
		g := &f.plan.Groupings[i]
		if g.From != definition.FromEvents {
			continue
		}
		clock := &f.plan.Clocks[g.Clock]
		start := clock.PaneStart(in.Time)
		verdict := Judge(clock, start, watermark)
		if verdict == TooLate {
			if len(appendSteps(nil, g, in.Pass)) > 0 {
				refused[i] = true
			}
			continue
		}
		ok, n := f.tables[i].Add(in, start, verdict == LateAllowed)
		took, bad = took || ok, bad+n
	}
	return took, bad, refused
}

// deltaTexts are all deltas with their rows in canonical form.
func deltaTexts(deltas []Delta) (texts []string) {
	for _, d := range deltas {
		for _, r := range d.Pane.Sorted() {
			var b []byte
			for i := range d.Pane.grouping.Columns {
				b = d.Pane.Column(i).AppendRow(b, r)
			}
			texts = append(texts, fmt.Sprintf("%d %v %q %x", d.Start, d.Late, d.Pane.Key(r), b))
		}
	}
	return texts
}

func TestFoldAddsWhatTablesAdd(t *testing.T) {
	for _, filters := range []int{4, 64, 90} {
		t.Run(fmt.Sprint(filters, " filters"), func(t *testing.T) {
			plan := foldPlan(filters)
			rapid.Check(t, func(t *rapid.T) {
				checkFold(t, plan)
			})
		})
	}
}

func checkFold(t *rapid.T, plan *definition.Plan) {
	fold, plain := NewFold(plan), &plainFold{plan: plan}
	for i := range plan.Groupings {
		plain.tables = append(plain.tables, NewTable(&plan.Groupings[i]))
	}
	for commit := range 3 {
		for n := range rapid.IntRange(0, 40).Draw(t, "events") {
			a, b := NewInput(&plan.Events), NewInput(&plan.Events)
			a.Row = drawFoldRow(t)
			copy(b.Row, a.Row)
			a.Time = event.Millis(rapid.IntRange(-100, 200).Draw(t, "time"))
			a.At.Offset = event.Offset(commit*1000 + n)
			b.Time, b.At = a.Time, a.At
			watermark := event.Millis(rapid.IntRange(-200, 200).Draw(t, "watermark"))
			took, bad := fold.Add(&a, watermark)
			wantTook, wantBad, wantRefused := plain.add(&b, watermark)
			refused := map[int]bool{}
			for _, g := range fold.Refused() {
				refused[g] = true
			}
			got, want := fmt.Sprint(took, bad, refused, fold.Pass()), fmt.Sprint(wantTook, wantBad, wantRefused, b.Pass)
			if got != want {
				t.Fatalf("took, bad, refused, pass: %s, want %s", got, want)
			}
			if a.Row[pageSlot].Symbol() == 0 && a.Hash[pageSlot] != b.Hash[pageSlot] {
				t.Fatal("the sessions' key is not hashed")
			}
		}
		for g, deltas := range fold.Take() {
			want := plain.tables[g].Take()
			if diff := gocmp.Diff(deltaTexts(want), deltaTexts(deltas)); diff != "" {
				t.Fatalf("grouping %d (-tables +fold):\n%s", g, diff)
			}
			for i := range deltas {
				fold.Recycle(g, deltas[i].Pane)
				plain.tables[g].Recycle(want[i].Pane)
			}
		}
	}
}

// The panes around a time are those around the moment that is found for it, for all widths and on both sides of a bound.
func TestTimelineFindsMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clocks []definition.Clock
		for range rapid.IntRange(1, 3).Draw(t, "clocks") {
			width := rapid.OneOf(rapid.Int64Range(1, 20), rapid.Int64Range(1, 1<<40)).Draw(t, "width")
			offset := rapid.Int64Range(0, width-1).Draw(t, "offset")
			clocks = append(clocks, definition.Clock{Width: event.Millis(width), Offset: event.Millis(offset)})
		}
		l := newTimeline(clocks)
		near := event.Millis(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-1<<50, 1<<50)).Draw(t, "near"))
		for range 20 {
			at := near + event.Millis(rapid.Int64Range(-50, 50).Draw(t, "time"))
			c := rapid.SampledFrom(clocks).Draw(t, "clock")
			at = rapid.SampledFrom([]event.Millis{at, c.PaneStart(at), c.PaneStart(at) - 1}).Draw(t, "bound")
			onTime := event.Millis(math.MaxInt64)
			for i := range clocks {
				onTime = min(onTime, clocks[i].PaneStart(at)+clocks[i].Width-1)
			}
			if l.find(at, onTime) != nil {
				t.Fatalf("a pane around %d has passed at %d, but it is on time", at, onTime)
			}
			m := l.find(at, onTime-1)
			if m == nil {
				t.Fatalf("no pane around %d has passed at %d, but it is late", at, onTime-1)
			}
			for i := range clocks {
				if got, want := clocks[i].PaneStart(m.from), clocks[i].PaneStart(at); got != want {
					t.Errorf("%+v: the pane of %d starts at %d, want %d", clocks[i], at, got, want)
				}
			}
		}
	})
}

// More routes than are kept: they take each other's places without losing what was counted.
func TestFoldWithManyRoutes(t *testing.T) {
	plan := foldPlan(0)
	plan.Groupings, plan.Sessions = plan.Groupings[:0], nil
	plan.Clocks = []definition.Clock{{Width: 10}}
	plan.Events = definition.Space{Slots: 1}
	g := definition.Grouping{From: definition.FromEvents, MaxGroups: 1}
	for i := range 10 {
		plan.Events.Filters = append(plan.Events.Filters, definition.Filter{
			Reads: []int{0}, Eval: func(row []event.Value) bool { return row[0].Int()>>i&1 == 1 },
		})
		g.Columns = append(g.Columns, definition.Column{Hash: definition.Hash{byte(i)}, Kind: aggregate.Count, Slot: definition.NoSlot, Where: i})
	}
	plan.Groupings = append(plan.Groupings, g)
	fold, in := NewFold(plan), NewInput(&plan.Events)
	for range 3 {
		for n := range int64(1 << 10) {
			in.Row[0] = event.IntValue(n)
			if took, _ := fold.Add(&in, event.NoTime); took != (n != 0) {
				t.Fatalf("event %d: took %v", n, took)
			}
		}
	}
	p := fold.Take()[0][0].Pane
	for i := range g.Columns {
		if n := p.Column(i).Result(0, 0); n.Int() != 3<<9 {
			t.Errorf("filter %d counts %d, want %d", i, n.Int(), 3<<9)
		}
	}
}

func TestFoldAddsWithoutAllocating(t *testing.T) {
	f := newBenchFolder(t)
	var rows [][]event.Value
	traffic := benchTraffic()
	for i := range traffic {
		rows = append(rows, benchRow(f.plan, &traffic[i]))
	}
	n := 0
	round := func() {
		for range benchCommit {
			f.add(rows[n%benchEvents], event.Millis(benchTime(n)))
			n++
		}
	}
	for range 5 {
		round()
		f.take()
	}
	if allocs := testing.AllocsPerRun(3, func() { round(); f.take() }); allocs > benchCommit/100 {
		t.Errorf("%v allocations in %d events and a commit", allocs, benchCommit)
	}
}
