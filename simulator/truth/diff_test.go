package truth

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/simulator"
)

// traffic is a few minutes of the simulator's, with all kinds of trouble.
func traffic(t *testing.T, change func(*simulator.Options)) map[event.PartitionID][]event.Record {
	t.Helper()
	o := simulator.Default()
	o.Start, o.Rate, o.Duration, o.Partitions = base, 20, 8*minute, 3
	o.Late, o.Duplicates, o.Bad = 0.03, 0.01, 0.01
	change(&o)
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	partitions := map[event.PartitionID][]event.Record{}
	for {
		var rec event.Record
		if _, more := s.Next(&rec); !more {
			return partitions
		}
		rec.Offset = event.Offset(len(partitions[rec.Partition]))
		partitions[rec.Partition] = append(partitions[rec.Partition], rec)
	}
}

// rows are the windows as a perfect engine would give them.
func rows(e *Expected, pick func(Window) *Result) []Row {
	var list []Row
	for _, m := range Metrics() {
		for _, w := range e.Windows(m) {
			if r := pick(w); r != nil {
				list = append(list, Row{m, w.Start, w.End, w.Group, Result{r.Value, maps.Clone(r.Aggregates), r.Count}})
			}
		}
	}
	return list
}

func finals(w Window) *Result { return w.Final }
func lasts(w Window) *Result  { return w.Last }

func TestDiffSeesEveryFault(t *testing.T) {
	e := Compute(Input{Rules: DefaultRules(), Partitions: traffic(t, func(*simulator.Options) {})})
	perfect := rows(e, finals)
	if lines := e.DiffFinals(perfect); len(lines) > 0 {
		t.Fatalf("a perfect engine differs:\n%s", lines[0])
	}
	if lines := e.DiffLast(rows(e, lasts)); len(lines) > 0 {
		t.Fatalf("a perfect engine's last revisions differ:\n%s", lines[0])
	}
	if len(e.DiffLast(perfect)) == 0 {
		t.Error("finals pass for last revisions, although events came late")
	}
	if lines := e.DiffFinals(perfect[1:]); len(lines) != 1 {
		t.Errorf("a row is missing: %q", lines)
	}
	if lines := e.DiffFinals(append(slices.Clone(perfect), perfect[0])); len(lines) != 1 {
		t.Errorf("a row came twice: %q", lines)
	}
	for i := range perfect {
		if i%199 != 0 {
			continue
		}
		changed := slices.Clone(perfect)
		changed[i].Count++
		if lines := e.DiffFinals(changed); len(lines) != 1 {
			t.Errorf("a count is wrong: %q", lines)
		}
		changed[i] = perfect[i]
		changed[i].Start -= changed[i].End - changed[i].Start
		if lines := e.DiffFinals(changed); len(lines) < 1 {
			t.Errorf("row %d is of another window: %q", i, lines)
		}
	}
}

func TestDiffAllowsWhatEstimatesMayBeOff(t *testing.T) {
	result := func(value float64, aggregates map[string]*float64) *Result {
		return &Result{Value: &value, Aggregates: aggregates, Count: 7}
	}
	for _, c := range []struct {
		metric    string
		want      *Result
		aggregate string
		good, bad float64
	}{
		{"active_users", result(1000, named{"visitors": number(1000)}), "visitors", 1041, 1042},
		{"active_users", result(6, named{"visitors": number(6)}), "visitors", 7, 8}, // two in one register
		{"conversion_rate", result(0.1, named{"converted": number(100), "sessions": number(1000)}), "value", 0.1105, 0.1106},
		{"conversion_rate", result(0, named{"converted": number(0), "sessions": number(1000)}), "value", 0, 0.001},
		{"revenue_per_user", result(2, named{"revenue": number(200), "visitors": number(100)}), "revenue", 200, 200.01},
		{"revenue_per_user", result(2, named{"revenue": number(200), "visitors": number(100)}), "value", 2.127, 2.128},
		{"page_load_time", result(500, named{"p50": number(200), "p95": number(500), "p99": number(900), "n": number(9)}), "p99", 909, 910},
		{"page_load_time", result(500, named{"p50": number(200), "p95": number(500), "p99": number(900), "n": number(9)}), "n", 9, 10},
		{"top_pages", result(500, named{"views": number(500)}), "views", 500, 501},
	} {
		e := &Expected{windows: map[string][]Window{c.metric: {{Start: base, End: base + minute, Final: c.want}}}}
		for _, got := range []struct {
			x     float64
			lines int
		}{{c.good, 0}, {c.bad, 1}} {
			row := Row{c.metric, base, base + minute, nil, Result{c.want.Value, maps.Clone(c.want.Aggregates), c.want.Count}}
			if c.aggregate == "value" {
				row.Value = &got.x
			} else {
				row.Aggregates[c.aggregate] = &got.x
			}
			if lines := e.DiffFinals([]Row{row}); len(lines) != got.lines {
				t.Errorf("%s: %s of %v, expected %s: %q", c.metric, c.aggregate, got.x, describeResult(c.want), lines)
			}
		}
	}
}

func TestImpliedEmptyWindows(t *testing.T) {
	e := &Expected{Watermark: base + minute}
	zero, nothing := number(0), (*float64)(nil)
	for _, c := range []struct {
		metric string
		value  *float64
		end    event.Millis
		fine   bool
	}{
		{"page_views_per_second", zero, base, true},
		{"page_views_per_second", nothing, base, false},
		{"bounce_rate", nothing, base, true},
		{"bounce_rate", zero, base, false},
		{"bounce_rate", nothing, base + 2*minute, false}, // has not ended
		{"top_pages", zero, base, false},                 // grouped: no group, no row
		{"unknown", nothing, base, false},
	} {
		row := Row{Metric: c.metric, Start: c.end - minute, End: c.end, Result: Result{Value: c.value}}
		if lines := e.DiffLast([]Row{row}); (len(lines) == 0) != c.fine {
			t.Errorf("%s with value %s: %q", c.metric, text(c.value), lines)
		}
	}
}

// What the records say must not depend on how they are written.
func TestAvroAndJSON(t *testing.T) {
	clean := func(encoding simulator.Encoding) *Expected {
		return Compute(Input{Rules: DefaultRules(), Partitions: traffic(t, func(o *simulator.Options) {
			o.Encoding, o.Bad = encoding, 0 // bad records are bad in other ways
			o.Duration = 7 * minute
		})})
	}
	inAvro, inJSON := clean(simulator.Avro), clean(simulator.JSON)
	if inAvro.Counters.Applied < 5000 || len(inAvro.Sessions) < 500 {
		t.Errorf("little happened: %+v, %d sessions", inAvro.Counters, len(inAvro.Sessions))
	}
	if diff := cmp.Diff(inAvro.Counters, inJSON.Counters); diff != "" {
		t.Errorf("counters:\n%s", diff)
	}
	if diff := cmp.Diff(inAvro.windows, inJSON.windows); diff != "" {
		t.Errorf("windows:\n%s", diff)
	}
}

// Every record is counted once, and everything on time is in some window.
func TestTrafficAddsUp(t *testing.T) {
	e := Compute(Input{Rules: DefaultRules(), Partitions: traffic(t, func(*simulator.Options) {})})
	c := e.Counters
	if c.Consumed != c.Applied+c.Filtered+c.Late+c.DeadLetters || int(c.DeadLetters) != len(e.DeadLetters) {
		t.Errorf("counters don't add up: %+v", c)
	}
	if c.Late == 0 || c.LatePartly == 0 || c.DeadLetters == 0 || c.Filtered != 0 {
		t.Errorf("a kind of record is missing, or one that no metric uses is not: %+v", c)
	}
	quiet := Compute(Input{Rules: DefaultRules(), Watermark: base + 24*60*minute, Partitions: traffic(t, func(o *simulator.Options) { o.Late, o.Bad = 0, 0 })})
	var events, inSessions int64
	for _, w := range quiet.Windows("events_per_second") {
		events += w.Final.Count
	}
	for _, s := range quiet.Sessions {
		inSessions += int64(s.Events)
	}
	// Duplicates of disordered events may come late; nothing else does.
	if events > quiet.Counters.Consumed || events < quiet.Counters.Consumed*995/1000 {
		t.Errorf("%d of %d events are in finals", events, quiet.Counters.Consumed)
	}
	if inSessions > quiet.Counters.Consumed || inSessions < quiet.Counters.Consumed*99/100 {
		t.Errorf("%d of %d events are in sessions", inSessions, quiet.Counters.Consumed)
	}
	for _, m := range Metrics() {
		if len(e.Windows(m)) == 0 && m != "bounce_rate" && m != "average_session_duration" {
			t.Errorf("%s has no window", m)
		}
	}
}
