package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/simulator/truth"
)

func quietLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// compare holds the truth to everything that REST and the topics say.
func (s *site) compare() {
	s.t.Helper()
	s.server.await("everything is published", func() bool { v := s.server.pipeline(); return v.published() })
	w := event.Millis(s.server.pipeline().WatermarkMs)
	want := s.expected(w)
	// What closes while this goes on is not compared.
	rest := until(w, s.windowsOfREST())
	finals, lasts := s.metricsOfTopic()
	finals, lasts = until(w, finals), until(w, lasts)
	s.t.Logf("W %d: %d windows by REST, %d finals and %d last revisions in the topic, %d alerts, %d dead letters, counters %+v",
		w, len(rest), len(finals), len(lasts), len(want.Alerts), len(want.DeadLetters), want.Counters)
	if len(finals) < 1000 {
		s.t.Errorf("only %d finals", len(finals))
	}
	for _, check := range []struct {
		what   string
		faults []string
	}{
		{"REST: windows", want.DiffLast(rest)},
		{"topic: finals", want.DiffFinals(finals)},
		{"topic: last revisions", want.DiffPublished(lasts)},
		{"REST: alerts", want.DiffAlerts(s.alertsOfREST())},
		{"topic: alerts", want.DiffAlerts(s.alertsOfTopic())},
		{"REST: dead letters", s.diffDeadLetters(want)},
		{"counters", s.diffCounters(want)},
	} {
		for i, fault := range check.faults {
			if i == 10 {
				s.t.Errorf("%s: %d more", check.what, len(check.faults)-i)
				break
			}
			s.t.Errorf("%s: %s", check.what, fault)
		}
	}
}

func until(w event.Millis, rows []truth.Row) []truth.Row {
	return slices.DeleteFunc(rows, func(r truth.Row) bool { return r.End-1 > w })
}

// windowsOfREST are all windows of all metrics.
func (s *site) windowsOfREST() []truth.Row {
	s.t.Helper()
	var rows []truth.Row
	for _, metric := range truth.Metrics() {
		path := "/api/v1/metrics/" + metric + "/windows?from=0&to=4102444800000&limit=1000"
		for path != "" {
			var page struct {
				Windows []struct {
					Start      event.Millis `json:"window_start_ms"`
					End        event.Millis `json:"window_end_ms"`
					Group      map[string]string
					Value      *float64
					Aggregates map[string]*float64
					Count      int64
				}
				Next *string
			}
			s.fetch(path, &page)
			for _, w := range page.Windows {
				rows = append(rows, truth.Row{
					Metric: metric, Start: w.Start, End: w.End, Group: w.Group, Result: truth.Result{Value: w.Value, Aggregates: w.Aggregates, Count: w.Count},
				})
			}
			if path = ""; page.Next != nil {
				path = "/api/v1/metrics/" + metric + "/windows?limit=1000&cursor=" + url.QueryEscape(*page.Next)
			}
		}
	}
	return rows
}

func (s *site) fetch(path string, into any) {
	s.t.Helper()
	if err := s.server.fetch(path, into); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) alertsOfREST() []truth.Alert {
	s.t.Helper()
	var page struct {
		Alerts []struct {
			Definition string
			State      string
			StartedAt  event.Millis  `json:"started_at_ms"`
			EndedAt    *event.Millis `json:"ended_at_ms"`
			Value      *float64
			Evidence   struct {
				Window struct {
					Metric string
					Start  event.Millis `json:"window_start_ms"`
					End    event.Millis `json:"window_end_ms"`
				}
			}
		}
	}
	s.fetch("/api/v1/alerts?state=all&limit=1000", &page)
	var list []truth.Alert
	for _, a := range page.Alerts {
		alert := truth.Alert{Rule: a.Definition, Metric: a.Evidence.Window.Metric, StartedAt: a.StartedAt}
		if (a.State == "resolved") != (a.EndedAt != nil) {
			s.t.Errorf("alert %s is %s and ended at %v", a.Definition, a.State, a.EndedAt)
		}
		if a.EndedAt != nil {
			alert.EndedAt = *a.EndedAt
		}
		alert.Window = truth.Window{Start: a.Evidence.Window.Start, End: a.Evidence.Window.End, Final: &truth.Result{Value: a.Value}}
		list = append(list, alert)
	}
	return list
}

func (s *site) diffDeadLetters(want *truth.Expected) (faults []string) {
	s.t.Helper()
	var got []truth.DeadLetter
	for after := uint64(0); ; {
		var page struct {
			Entries []struct {
				Seq        uint64
				DeadLetter struct {
					Partition event.PartitionID
					Offset    event.Offset
					Reason    string
				} `json:"dead_letter"`
			}
		}
		s.fetch(fmt.Sprintf("/api/v1/dead-letters?limit=1000&after=%d", after), &page)
		for _, e := range page.Entries {
			at := event.Coordinate{Partition: e.DeadLetter.Partition, Offset: e.DeadLetter.Offset}
			got, after = append(got, truth.DeadLetter{Coordinate: at, Reason: e.DeadLetter.Reason}), e.Seq
		}
		if len(page.Entries) == 0 {
			break
		}
	}
	for _, list := range [][]truth.DeadLetter{got, want.DeadLetters} {
		slices.SortFunc(list, func(a, b truth.DeadLetter) int {
			return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
		})
	}
	if !slices.Equal(got, want.DeadLetters) {
		faults = append(faults, fmt.Sprintf("%d, expected %d: %v, expected %v", len(got), len(want.DeadLetters), first(got, 5), first(want.DeadLetters, 5)))
	}
	return faults
}

func (s *site) diffCounters(want *truth.Expected) (faults []string) {
	got := s.server.pipeline().Counters
	for name, n := range map[string]int64{
		"consumed": want.Counters.Consumed + s.extra, "applied": want.Counters.Applied + s.extra, "filtered": want.Counters.Filtered,
		"late": want.Counters.Late, "dead_letters": want.Counters.DeadLetters, "late_partly": want.Counters.LatePartly, "duplicates": 0,
	} {
		if got[name] != n {
			faults = append(faults, fmt.Sprintf("%s: %d, expected %d", name, got[name], n))
		}
	}
	return faults
}

// consume reads a topic to the end that it has now.
func (s *site) consume(topic string) []*kgo.Record {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), tooLong)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	left := map[int32]int64{} // end by partition
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			s.t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records
}

// decode reads a value of one of our topics, whichever way it is written.
func decode[T any](s *site, schema *avro.Schema, value []byte) (into T) {
	s.t.Helper()
	var err error
	switch {
	case len(value) > 0 && value[0] == '{':
		err = json.Unmarshal(value, &into)
	case len(value) > 5 && value[0] == 0: // the number of its schema in the registry
		_, err = schema.Decode(value[5:], &into)
	default:
		_, err = schema.Decode(value, &into)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return into
}

var (
	metricSchema = avro.MustParse(schemas.Metrics)
	alertSchema  = avro.MustParse(schemas.Alerts)
)

// published is ProcessedMetric. JSON has null where Avro has NaN.
type published struct {
	MetricID    string             `avro:"metricId"`
	Timestamp   int64              `avro:"timestamp"`
	WindowStart int64              `avro:"windowStart"`
	WindowEnd   int64              `avro:"windowEnd"`
	MetricType  string             `avro:"metricType"`
	Value       *orNaN             `avro:"value"`
	Count       *int64             `avro:"count"`
	Dimensions  map[string]string  `avro:"dimensions"`
	Tags        []string           `avro:"tags"`
	Source      string             `avro:"source"`
	Metric      string             `avro:"metric"`
	Kind        string             `avro:"kind"`
	Revision    int                `avro:"revision"`
	Unit        string             `avro:"unit"`
	Aggregates  map[string]float64 `avro:"aggregates"`
}

type orNaN float64

// metricsOfTopic are the finals, and what is left when each key's last word counts.
func (s *site) metricsOfTopic() (finals, lasts []truth.Row) {
	s.t.Helper()
	last := map[string]truth.Row{}
	for _, r := range s.consume("metrics" + s.suffix) {
		m := decode[published](s, metricSchema, r.Value)
		if m.Kind == "retract" {
			delete(last, string(r.Key))
			continue
		}
		row := truth.Row{Metric: m.Metric, Start: event.Millis(m.WindowStart), End: event.Millis(m.WindowEnd), Group: m.Dimensions}
		row.Aggregates = map[string]*float64{}
		for name, x := range m.Aggregates {
			row.Aggregates[name] = &x
		}
		if v := m.Value; v != nil && !math.IsNaN(float64(*v)) {
			row.Value = (*float64)(v)
		}
		if m.Count != nil {
			row.Count = *m.Count
		}
		if m.Kind == "final" {
			finals = append(finals, row)
		}
		last[string(r.Key)] = row
	}
	for _, row := range last {
		lasts = append(lasts, row)
	}
	return finals, lasts
}

// raised is CEAlert.
type raised struct {
	AlertID           string             `avro:"alertId"`
	Timestamp         int64              `avro:"timestamp"`
	AlertType         string             `avro:"alertType"`
	Severity          string             `avro:"severity"`
	Title             string             `avro:"title"`
	Description       string             `avro:"description"`
	PatternMatched    string             `avro:"patternMatched"`
	AffectedUsers     []string           `avro:"affectedUsers"`
	Metrics           map[string]float64 `avro:"metrics"`
	Context           map[string]string  `avro:"context"`
	RecommendedAction *string            `avro:"recommendedAction"`
	Source            string             `avro:"source"`
	Definition        string             `avro:"definition"`
	State             string             `avro:"state"`
	StartedAt         int64              `avro:"startedAt"`
	EndedAt           *int64             `avro:"endedAt"`
	Evidence          []string           `avro:"evidence"`
}

// alertsOfTopic are the alerts as their last records say. Each must have begun with one that fires.
func (s *site) alertsOfTopic() []truth.Alert {
	s.t.Helper()
	alerts := map[string]truth.Alert{}
	for _, r := range s.consume("alerts" + s.suffix) {
		a := decode[raised](s, alertSchema, r.Value)
		before, known := alerts[a.AlertID]
		if known == (a.State == "firing") || known && before.EndedAt != 0 {
			s.t.Errorf("alert %s of %s: %s after %+v", a.AlertID, a.Definition, a.State, before)
		}
		alert := truth.Alert{Rule: a.Definition, Metric: a.Context["metric"], StartedAt: event.Millis(a.StartedAt)}
		if a.EndedAt != nil {
			alert.EndedAt = event.Millis(*a.EndedAt)
		}
		alert.Window.Start, alert.Window.End = s.millis(a.Context["window_start_ms"]), s.millis(a.Context["window_end_ms"])
		alert.Window.Final = &truth.Result{}
		if v, ok := a.Metrics["value"]; ok {
			alert.Window.Final.Value = &v
		}
		alerts[a.AlertID] = alert
	}
	var list []truth.Alert
	for _, a := range alerts {
		list = append(list, a)
	}
	return list
}

func (s *site) millis(text string) event.Millis {
	s.t.Helper()
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return event.Millis(ms)
}
