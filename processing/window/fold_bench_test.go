package window

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tidemark/tidemark/bench"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

const (
	benchEvents = 2048   // distinct events; their times go on
	benchCommit = 20_000 // events between two commits
	benchRate   = 10     // events a millisecond
)

var benchTypes = [...]string{"PAGE_VIEW", "SESSION_START", "SESSION_END", "CONVERSION", "CUSTOM"}

var benchDevices = [...]string{"DESKTOP", "MOBILE", "TABLET", "UNKNOWN"}

// benchTraffic are events as they might be read from one partition: mostly page views, pages by popularity, one in
// three visitors signed in.
func benchTraffic() []bench.Event {
	random := rand.New(rand.NewPCG(5, 6))
	pages := rand.NewZipf(random, 1.2, 3, 299)
	events := make([]bench.Event, benchEvents)
	for i := range events {
		session := random.IntN(benchEvents / 8)
		e := bench.Event{SessionID: fmt.Appendf(nil, "%08x-5b2c-4f3a-9d1e-%012x", session*7919, session), DeviceType: -1}
		if session%3 == 0 {
			e.UserID = fmt.Appendf(nil, "user-%06d", session/2)
		}
		switch p := random.IntN(100); {
		case p < 78:
			e.EventType = 0
			e.URL = fmt.Appendf(nil, "https://shop.example/category/%d/product", pages.Uint64())
			e.PageLoadTime, e.HasPageLoadTime = int32(math.Exp(6+random.NormFloat64()*0.6)), true
		case p < 87:
			e.EventType = 1
			e.Country = fmt.Appendf(nil, "%c%c", 'A'+random.IntN(4), 'A'+random.IntN(8))
			e.DeviceType = random.IntN(4)
		case p < 94:
			e.EventType = 2
		case p < 97:
			e.EventType = 3
			e.Value, e.HasValue = math.Round(random.ExpFloat64()*6000)/100, true
			e.Currency = []byte([]string{"EUR", "USD", "GBP"}[random.IntN(3)])
		default:
			e.EventType = 4
		}
		events[i] = e
	}
	return events
}

// benchTime is the time of the n-th event: nearly in order.
func benchTime(n int) int64 {
	return 1_700_000_000_000 + int64(n/benchRate) - int64(n*2654435761%2000)
}

func benchRow(plan *definition.Plan, e *bench.Event) []event.Value {
	row := make([]event.Value, plan.Events.Slots)
	text := func(b []byte) event.Value {
		if b == nil {
			return event.Value{}
		}
		return event.StringValue(b)
	}
	fields := map[string]event.Value{
		"eventType": event.SymbolValue([]byte(benchTypes[e.EventType])), "sessionId": text(e.SessionID), "userId": text(e.UserID),
		"pageViewData.url": text(e.URL), "sessionData.country": text(e.Country), "conversionData.currency": text(e.Currency),
	}
	if e.HasPageLoadTime {
		fields["pageViewData.pageLoadTime"] = event.IntValue(int64(e.PageLoadTime))
	}
	if e.HasValue {
		fields["conversionData.value"] = event.FloatValue(e.Value)
	}
	if e.DeviceType >= 0 {
		fields["sessionData.deviceType"] = event.SymbolValue([]byte(benchDevices[e.DeviceType]))
	}
	for slot, name := range plan.Events.Names {
		row[slot] = fields[name]
	}
	return row
}

// benchFolder does what a worker does with a decoded event.
type benchFolder struct {
	plan     *definition.Plan
	fold     *Fold
	progress Progress
	input    Input
}

func newBenchFolder(b testing.TB) *benchFolder {
	plan, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		b.Fatal(err)
	}
	return &benchFolder{
		plan: plan, fold: NewFold(plan), progress: NewProgress(plan.Source.OutOfOrderness, event.NoTime, nil),
		input: NewInput(&plan.Events),
	}
}

func (f *benchFolder) add(row []event.Value, t event.Millis) {
	f.input.Row, f.input.Time = row, t
	f.fold.Add(&f.input, f.progress.Watermark())
	f.progress.Observe(t, t)
}

func (f *benchFolder) take() {
	for g, deltas := range f.fold.Take() {
		for _, d := range deltas {
			f.fold.Recycle(g, d.Pane)
		}
	}
}

// BenchmarkFold folds decoded events into the default metrics; the bare fold is the same job written by hand.
func BenchmarkFold(b *testing.B) {
	traffic := benchTraffic()
	b.Run("tidemark", func(b *testing.B) {
		f := newBenchFolder(b)
		rows := make([][]event.Value, len(traffic))
		for i := range traffic {
			rows[i] = benchRow(f.plan, &traffic[i])
		}
		b.ReportAllocs()
		began := bench.CPUTime()
		for n := 0; b.Loop(); n++ {
			f.add(rows[n%benchEvents], event.Millis(benchTime(n)))
			if n%benchCommit == benchCommit-1 {
				f.take()
			}
		}
		b.ReportMetric(float64(bench.CPUTime()-began)/float64(b.N), "cpu-ns/op")
	})
	b.Run("bare", func(b *testing.B) {
		var f bench.Fold
		b.ReportAllocs()
		began := bench.CPUTime()
		for n := 0; b.Loop(); n++ {
			e := &traffic[n%benchEvents]
			e.Timestamp = benchTime(n)
			f.Add(e)
			if n%benchCommit == benchCommit-1 {
				f.Take()
			}
		}
		b.ReportMetric(float64(bench.CPUTime()-began)/float64(b.N), "cpu-ns/op")
	})
}
