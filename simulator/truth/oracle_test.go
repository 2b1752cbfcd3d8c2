package truth

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing/event"
)

// base is the zero of the scripts' times: a full hour.
var base = event.Millis(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).UnixMilli())

// TestScripts runs testdata. A script gives records, one a line, in the order of their offsets:
//
//	p=0 t=10s [kafka=11s] session=a [user=u] type=PAGE_VIEW [url=/] [load=120] [country=X] [device=MOBILE] [value=9.99] [currency=EUR]
//	p=0 kafka=10s bytes=TEXT
//
// and asks for metrics: compute [metrics=(a,b)] [ends=(60s,70s)] [gap=10s] [max_duration=1m] [w=60s] [floors=(p/offset/10s)].
// The answers are worked out by hand.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "compute" {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			in := Input{Rules: DefaultRules(), Partitions: map[event.PartitionID][]event.Record{}}
			for _, line := range strings.Split(d.Input, "\n") {
				addRecord(t, in.Partitions, line)
			}
			var metrics, ends []string
			for _, arg := range d.CmdArgs {
				switch arg.Key {
				case "metrics":
					metrics = arg.Vals
				case "ends":
					ends = arg.Vals
				case "gap":
					in.Rules.SessionGap = span(t, arg.Vals[0])
				case "max_duration":
					in.Rules.MaxDuration = span(t, arg.Vals[0])
				case "w":
					in.Watermark = base + span(t, arg.Vals[0])
				case "floors":
					in.Floors = floors(t, arg.Vals)
				default:
					d.Fatalf(t, "unknown argument %q", arg.Key)
				}
			}
			return describe(Compute(in), metrics, ends)
		})
	})
}

func addRecord(t *testing.T, partitions map[event.PartitionID][]event.Record, line string) {
	fields := map[string]string{"p": "0", "device": "DESKTOP"}
	for _, f := range strings.Fields(line) {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			t.Fatalf("%q is not key=value", f)
		}
		fields[key] = value
	}
	n, err := strconv.Atoi(fields["p"])
	if err != nil {
		t.Fatal(err)
	}
	p := event.PartitionID(n)
	rec := event.Record{Partition: p, Offset: event.Offset(len(partitions[p]))}
	if kafka := fields["kafka"]; kafka != "" {
		rec.Timestamp = base + span(t, kafka)
	} else {
		rec.Timestamp = base + span(t, fields["t"])
	}
	if text, raw := fields["bytes"]; raw {
		rec.Value = []byte(text)
	} else {
		rec.Value = valueOf(t, fields)
	}
	partitions[p] = append(partitions[p], rec)
}

// valueOf is the event as JSON.
func valueOf(t *testing.T, fields map[string]string) []byte {
	number := func(key string) any {
		if fields[key] == "" {
			return nil
		}
		return json.Number(fields[key])
	}
	text := func(key string) any {
		if fields[key] == "" {
			return nil
		}
		return fields[key]
	}
	e := map[string]any{
		"eventId": "e", "timestamp": base + span(t, fields["t"]), "eventType": fields["type"], "userId": text("user"), "sessionId": fields["session"],
		"sessionData": map[string]any{"userAgent": "a", "ipAddress": "i", "country": text("country"), "deviceType": fields["device"]},
		"metadata":    map[string]any{"source": "test", "version": "1.0", "environment": "test"},
	}
	switch fields["type"] {
	case "PAGE_VIEW":
		e["pageViewData"] = map[string]any{"url": fields["url"], "title": "", "pageLoadTime": number("load")}
	case "CONVERSION":
		e["conversionData"] = map[string]any{"conversionType": "PURCHASE", "value": number("value"), "currency": text("currency")}
	}
	value, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func floors(t *testing.T, vals []string) []Floor {
	var list []Floor
	for _, v := range vals {
		parts := strings.Split(v, "/")
		p, err := strconv.Atoi(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		offset, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, Floor{event.PartitionID(p), event.Offset(offset), base + span(t, parts[2])})
	}
	return list
}

func span(t *testing.T, s string) event.Millis {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return event.Millis(d.Milliseconds())
}

// describe prints what was computed; windows only of the metrics, and of the ends, that were asked for.
func describe(e *Expected, metrics, ends []string) string {
	var b strings.Builder
	c := e.Counters
	fmt.Fprintf(&b, "W %s: consumed %d, applied %d, filtered %d, late %d, dead letters %d; late partly %d\n",
		offset(e.Watermark), c.Consumed, c.Applied, c.Filtered, c.Late, c.DeadLetters, c.LatePartly)
	for _, d := range e.DeadLetters {
		fmt.Fprintf(&b, "dead letter %d/%d %s\n", d.Partition, d.Offset, d.Reason)
	}
	if len(metrics) == 0 || slices.Contains(metrics, "bounce_rate") {
		for _, s := range e.Sessions {
			fmt.Fprintf(&b, "session %s [%s,%s] closed %s %s, %d events, %d views\n",
				s.Key, offset(s.First), offset(s.Last), offset(s.ClosedAt), s.Reason, s.Events, s.PageViews)
		}
	}
	for _, m := range metrics {
		for _, w := range e.Windows(m) {
			if len(ends) > 0 && !slices.Contains(ends, offset(w.End)) {
				continue
			}
			fmt.Fprintf(&b, "%s [%s,%s)", m, offset(w.Start), offset(w.End))
			for _, v := range w.Group {
				fmt.Fprintf(&b, " %s", v)
			}
			if !w.Settled {
				b.WriteString(" open to corrections")
			}
			fmt.Fprintf(&b, "\n  final %s\n", describeResult(w.Final))
			if describeResult(w.Last) != describeResult(w.Final) {
				fmt.Fprintf(&b, "  last  %s\n", describeResult(w.Last))
			}
		}
	}
	return b.String()
}

func describeResult(r *Result) string {
	if r == nil {
		return "none"
	}
	s := fmt.Sprintf("%s of %d:", round(r.Value), r.Count)
	for _, name := range slices.Sorted(maps.Keys(r.Aggregates)) {
		s += " " + name + "=" + round(r.Aggregates[name])
	}
	return s
}

func round(f *float64) string {
	if f == nil {
		return "null"
	}
	return strconv.FormatFloat(*f, 'g', 6, 64)
}

func offset(t event.Millis) string { return (time.Duration(t-base) * time.Millisecond).String() }
