package window

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// TestBook runs the scripts:
//
//	definitions from=60s     starts all books anew, with metrics in YAML; windows before from are not published
//	run                      goes through lines:
//	  event t=10s wp=70s url=/ user=a amount=2   folds an event, judged by a partition's watermark (default: none yet)
//	  watermark 120s at=3s                       W goes there in a commit made 3 s after the start (default: when the
//	                                             last was): shows what is published
//	  open                                       the provisional rows
//	  panes                                      the open panes of each grouping
//	  due                                        when the next correction may be made
//	  restart                                    forgets all but what a store keeps
//	  reinstate from=60s                         a restart after which the definitions count as new
func TestBook(t *testing.T) {
	datadriven.Walk(t, "testdata/book", func(t *testing.T, path string) {
		b := &bookScript{t: t}
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			b.t = t
			b.out.Reset()
			switch c.Cmd {
			case "definitions":
				from := "never"
				c.MaybeScanArgs(t, "from", &from)
				b.load(c.Input)
				b.start(b.millis(from))
			case "run":
				for _, line := range strings.Split(strings.TrimSpace(c.Input), "\n") {
					b.line(strings.Fields(line))
				}
			default:
				c.Fatalf(t, "unknown command %s", c.Cmd)
			}
			return b.out.String()
		})
	})
}

// scriptSchema is of the events that scripts are made of.
const scriptSchema = `{"type": "record", "name": "Event", "fields": [
	{"name": "id", "type": "string"}, {"name": "time", "type": "long"},
	{"name": "url", "type": ["null", "string"]}, {"name": "user", "type": ["null", "string"]},
	{"name": "amount", "type": ["null", "double"]}]}`

// scriptHead precedes the metrics of a script.
const scriptHead = "version: 1\ndefaults: false\nsource: {time: time, id: id}\nmetrics:\n"

func scriptPlan(t testing.TB, metrics string) *definition.Plan {
	t.Helper()
	plan, err := definition.Load("script", []byte(scriptHead+metrics), scriptSchema)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// bookScript does what a pipeline does with books, without the pipeline.
type bookScript struct {
	t       testing.TB
	out     strings.Builder
	plan    *definition.Plan
	decoder *event.Decoder
	fold    *Fold
	totals  []*Totals
	books   []*Book
	touched [][]event.Millis // by grouping, since the last commit
	w       event.Millis
	newest  event.Millis
	at      time.Duration
	events  int
	from    event.Millis
	stored  map[storedWindow]storedResults
}

type storedWindow struct {
	metric int
	start  event.Millis
}

// storedResults is what a store keeps of a window.
type storedResults struct {
	rows   []Result
	digest digest.Sum
}

func (b *bookScript) load(metrics string) {
	b.plan = scriptPlan(b.t, metrics)
	var err error
	b.decoder, err = event.NewDecoder(event.Options{
		WriterSchema: scriptSchema, Paths: b.plan.Paths, TimeSlot: b.plan.TimeSlot, Encoding: event.JSON,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.fold = NewFold(b.plan)
	b.totals = nil
	for i := range b.plan.Groupings {
		b.totals = append(b.totals, NewTotals(&b.plan.Groupings[i]))
	}
	b.touched = make([][]event.Millis, len(b.totals))
	b.stored = make(map[storedWindow]storedResults)
	b.w, b.newest, b.at = event.NoTime, event.NoTime, 0
}

// start opens the books.
func (b *bookScript) start(from event.Millis) {
	b.books, b.from = nil, from
	for i := range b.plan.Metrics {
		m := &b.plan.Metrics[i]
		var overall *Totals
		if m.Total >= 0 {
			overall = b.totals[m.Total]
		}
		book := NewBook(m, b.totals[m.Grouping], overall, from)
		b.books = append(b.books, book)
		for key, results := range b.stored {
			if key.metric == i && !settled(m, key.start, b.w) {
				book.Resume(key.start, slices.Clone(results.rows), results.digest)
			}
		}
		book.Recall(b.w)
	}
}

func (b *bookScript) line(words []string) {
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return
	}
	switch words[0] {
	case "event":
		b.event(words[1:])
	case "watermark":
		if len(words) > 2 {
			b.at = b.span(strings.TrimPrefix(words[2], "at="))
		}
		b.watermark(b.millis(words[1]))
	case "open":
		for _, book := range b.books {
			for _, r := range book.OpenRows(b.w, b.newest) {
				b.print(&r)
			}
		}
	case "panes":
		b.panes()
	case "due":
		b.due()
	case "restart":
		b.start(b.from)
	case "reinstate":
		b.start(b.millis(strings.TrimPrefix(words[1], "from=")))
	default:
		b.t.Fatalf("what is %q?", words[0])
	}
}

func (b *bookScript) event(words []string) {
	b.events++
	fields := map[string]any{"id": strconv.Itoa(b.events)}
	wp := event.NoTime
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "t":
			fields["time"] = b.millis(value)
		case "wp":
			wp = b.millis(value)
		case "amount":
			fields[name] = json.Number(value)
		default:
			fields[name] = value
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		b.t.Fatal(err)
	}
	in := NewInput(&b.plan.Events)
	if err := b.decoder.Decode(in.Row, text); err != nil {
		b.t.Fatalf("%s: %v", text, err)
	}
	in.Time = event.Millis(in.Row[b.plan.TimeSlot].Int())
	in.At = event.Coordinate{Offset: event.Offset(b.events)}
	b.fold.Add(&in, wp)
	if len(b.fold.Refused()) > 0 {
		fmt.Fprintf(&b.out, "late: %s\n", strings.Join(words, " "))
	}
	b.newest = max(b.newest, in.Time)
	for g, deltas := range b.fold.Take() {
		for _, d := range deltas {
			b.totals[g].Merge(d)
			if d.Late {
				b.touched[g] = append(b.touched[g], d.Start)
			}
		}
	}
}

// watermark makes a commit.
func (b *bookScript) watermark(w event.Millis) {
	now := time.Unix(1000, 0).Add(b.at)
	var finals, corrections []Emission
	for i, book := range b.books {
		m := &b.plan.Metrics[i]
		for _, g := range []int{m.Grouping, m.Total} {
			if g < 0 {
				continue
			}
			for _, pane := range b.touched[g] {
				book.Touch(pane, b.w)
			}
		}
		finals = append(finals, book.Close(b.w, w)...)
	}
	b.publish(finals)
	for _, book := range b.books {
		corrections = append(corrections, book.Correct(w, now)...)
	}
	b.publish(corrections)
	for g, totals := range b.totals {
		horizon := event.Millis(1 << 60)
		for i := range b.plan.Metrics {
			if m := &b.plan.Metrics[i]; m.Grouping == g || m.Total == g {
				horizon = min(horizon, FirstWindow(m, w+1-m.Lateness))
			}
		}
		totals.Purge(horizon)
		b.touched[g] = nil
	}
	b.w = w
}

func (b *bookScript) publish(emissions []Emission) {
	slices.SortStableFunc(emissions, func(x, y Emission) int { return cmp.Compare(x.Start+x.Metric.Size, y.Start+y.Metric.Size) })
	for _, em := range emissions {
		for _, r := range em.Changed {
			b.print(r)
		}
		b.stored[storedWindow{slices.Index(b.metrics(), em.Metric.Name), em.Start}] = storedResults{slices.Clone(em.Published()), em.Digest()}
	}
}

func (b *bookScript) metrics() []string {
	var names []string
	for i := range b.plan.Metrics {
		names = append(names, b.plan.Metrics[i].Name)
	}
	return names
}

// print shows a result.
func (b *bookScript) print(r *Result) {
	fmt.Fprintf(&b.out, "%s %s [%s,%s)", r.Kind, r.Metric, seconds(r.Start), seconds(r.End))
	m := &b.plan.Metrics[slices.Index(b.metrics(), r.Metric)]
	for i, g := range r.Group {
		fmt.Fprintf(&b.out, " %s=%s", m.Keys[i], g)
	}
	if r.Kind == Retract {
		fmt.Fprintf(&b.out, " rev=%d\n", r.Revision)
		return
	}
	fmt.Fprintf(&b.out, " value=%s count=%d", numberText(r.Value), r.Count)
	if r.Kind != Provisional {
		fmt.Fprintf(&b.out, " rev=%d", r.Revision)
	}
	if r.Truncated {
		b.out.WriteString(" truncated")
	}
	b.out.WriteByte('\n')
}

func numberText(n definition.Number) string {
	if !n.Valid {
		return "null"
	}
	return strconv.FormatFloat(n.Float, 'g', 6, 64)
}

func (b *bookScript) panes() {
	for g, totals := range b.totals {
		fmt.Fprintf(&b.out, "grouping of")
		for i := range b.plan.Metrics {
			if m := &b.plan.Metrics[i]; m.Grouping == g || m.Total == g {
				fmt.Fprintf(&b.out, " %s", m.Name)
			}
		}
		b.out.WriteByte(':')
		for _, s := range totals.Starts() {
			fmt.Fprintf(&b.out, " %s", seconds(s))
			if totals.HasLate(s) {
				b.out.WriteString("(late)")
			}
		}
		b.out.WriteByte('\n')
	}
}

func (b *bookScript) due() {
	for i, book := range b.books {
		at, ok := book.Due()
		switch {
		case !ok:
			fmt.Fprintf(&b.out, "%s: nothing\n", b.plan.Metrics[i].Name)
		case at.Before(time.Unix(1000, 0)):
			fmt.Fprintf(&b.out, "%s: at once\n", b.plan.Metrics[i].Name)
		default:
			fmt.Fprintf(&b.out, "%s: at=%s\n", b.plan.Metrics[i].Name, at.Sub(time.Unix(1000, 0)))
		}
	}
}

// span reads a duration.
func (b *bookScript) span(text string) time.Duration { return mustSpan(b.t, text) }

func mustSpan(t testing.TB, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// millis reads an event time, or "never".
func (b *bookScript) millis(text string) event.Millis { return mustMillis(b.t, text) }

func mustMillis(t testing.TB, text string) event.Millis {
	t.Helper()
	if text == "never" {
		return event.NoTime
	}
	return event.Millis(mustSpan(t, text).Milliseconds())
}

// seconds writes an event time as scripts do.
func seconds(t event.Millis) string {
	if t == event.NoTime {
		return "never"
	}
	return strconv.FormatFloat(float64(t)/1000, 'f', -1, 64) + "s"
}
