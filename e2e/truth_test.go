package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/e2e/apachekafka"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/simulator/truth"
)

// run is one stream of simulated traffic through the binary.
type run struct {
	name     string
	simulate []string      // flags
	serve    []string      // flags
	alerts   []string      // rules that must fire, in this order, and no others
	apache   bool          // the broker is Apache Kafka
	registry bool          // there is a schema registry
	ago      time.Duration // that the stream starts, so that what comes after now is written as it happens; 0: a day of its own
	quiet    bool          // windows close because the topic falls quiet; else because later records come
	always   bool          // run it in go test, without make truth
}

var troubled = []string{"--disorder", "0.3", "--late", "0.02", "--duplicates", "0.01", "--bad", "0.005"}

// runs are what make truth goes through: every scenario, encoding and broker, with everything that goes wrong.
var runs = []run{
	{name: "normal", simulate: flags(troubled, "--duration", "12m", "--rate", "40"), serve: flags(nil, "--workers", "2"), always: true},
	{
		name: "spike", simulate: flags(troubled, "--scenario", "spike", "--duration", "20m", "--rate", "30", "--encoding", "avro-single-object"),
		serve: flags(nil, "--workers", "1"),
	},
	{
		name: "outage", simulate: flags(troubled, "--scenario", "outage", "--duration", "12m", "--rate", "60", "--encoding", "json"),
		serve: flags(nil, "--workers", "2"),
	},
	{
		name: "bots", simulate: flags(troubled, "--scenario", "bots", "--duration", "25m", "--rate", "30"),
		serve: flags(nil, "--workers", "2", "--output-encoding", "json"), alerts: []string{"high_bounce_rate"},
	},
	{
		name: "slow-pages", simulate: flags(troubled, "--scenario", "slow-pages", "--duration", "12m", "--rate", "40", "--encoding", "json"),
		serve: flags(nil, "--workers", "1"), alerts: []string{"slow_pages"}, always: true,
	},
	{
		name: "broken-checkout", simulate: flags(troubled, "--scenario", "broken-checkout", "--duration", "15m", "--rate", "40"),
		serve: flags(nil, "--workers", "2"), alerts: []string{"conversion_breach"},
	},
	{
		name: "much disorder and many late events", simulate: flags(nil, "--duration", "10m", "--rate", "40", "--disorder", "0.6", "--late", "0.2"),
		serve: flags(nil, "--workers", "2"),
	},
	{
		name: "Confluent framing", simulate: flags(troubled, "--scenario", "slow-pages", "--duration", "12m", "--rate", "40", "--encoding", "avro-confluent"),
		serve: flags(nil, "--workers", "2", "--output-encoding", "avro-confluent"), alerts: []string{"slow_pages"}, registry: true,
	},
	{
		name: "an idle spell", simulate: flags(troubled, "--scenario", "outage", "--duration", "8m20s", "--rate", "60"),
		serve: flags(nil, "--workers", "2"), ago: 6 * time.Minute,
	},
	{name: "quiet", simulate: flags(troubled, "--duration", "8m", "--rate", "30"), serve: flags(nil, "--workers", "2"), quiet: true},
	{
		name: "Apache Kafka", simulate: flags(troubled, "--scenario", "broken-checkout", "--duration", "15m", "--rate", "40"),
		serve: flags(nil, "--workers", "2"), alerts: []string{"conversion_breach"}, apache: true,
	},
	{
		name: "Apache Kafka, JSON", simulate: flags(troubled, "--scenario", "bots", "--duration", "25m", "--rate", "30", "--encoding", "json"),
		serve: flags(nil, "--workers", "1", "--output-encoding", "json"), alerts: []string{"high_bounce_rate"}, apache: true,
	},
}

func flags(common []string, more ...string) []string {
	return append(append([]string{}, common...), more...)
}

// TestTruth holds every line of the simulator's truth to what the server says, and what it says beyond that to be nothing. make
// truth asks for all runs by TIDEMARK_EVERY_SCENARIO=1.
func TestTruth(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	everything := os.Getenv("TIDEMARK_EVERY_SCENARIO") != ""
	var apache *apachekafka.Broker
	if everything && apachekafka.Available() {
		apache = apachekafka.Start(t, apachekafka.Options{Properties: map[string]string{"log.retention.ms": "-1"}})
	}
	t.Run("runs", func(t *testing.T) { // ends before the broker does
		for i, r := range runs {
			if !everything && !r.always {
				continue
			}
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				if r.apache && apache == nil {
					apachekafka.Need(t)
				}
				r.run(t, i, apache)
			})
		}
	})
}

func (r *run) run(t *testing.T, number int, apache *apachekafka.Broker) {
	suffix := "-" + strconv.Itoa(number)
	s := &site{t: t, suffix: suffix, events: "events" + suffix, truth: filepath.Join(t.TempDir(), "truth.jsonl")}
	args := append(s.topics(), r.serve...)
	if r.apache {
		s.broker = apache.Addr("PLAINTEXT")
		args = append(args, "--kafka-brokers", s.broker, "--create-topics")
	} else {
		s.broker = freeAddress(t)
		args = append(args, "--embedded-listen", s.broker)
	}
	var toRegistry []string
	if r.registry {
		registry, http := startSchemaRegistry(t)
		registry.setMute(false)
		toRegistry = []string{"--schema-registry", http.URL}
	}
	args = append(args, toRegistry...)
	s.server = launch(t, freeAddress(t), append([]string{"serve", "--data", t.TempDir(), "--log-level", "warn"}, args...)...)
	s.server.ready()
	start := "2026-01-05T12:00:00Z"
	if r.ago > 0 {
		start = time.Now().Add(-r.ago).Format(time.RFC3339Nano)
	}
	simulate := []string{
		"simulate", "--kafka-brokers", s.broker, "--events-topic", s.events, "--truth", s.truth, "--start", start, "--log-level", "warn",
	}
	tool(t, append(append(simulate, toRegistry...), r.simulate...)...)
	want := s.expected(truth.EndOfTime)
	if r.quiet {
		s.fallQuiet(r, want)
	} else {
		s.closeAll(want)
	}
	s.compare()
	s.refusesAnother()
	var fired []string
	for _, a := range want.Alerts {
		fired = append(fired, a.Rule)
	}
	if fmt.Sprint(fired) != fmt.Sprint(r.alerts) {
		t.Errorf("alerts %v, the scenario is to raise %v", fired, r.alerts)
	}
}

// refusesAnother asks for the truth of more records: it would not be the whole truth, and must leave what there is.
func (s *site) refusesAnother() {
	s.t.Helper()
	before := s.server.pipeline().Counters["consumed"]
	cmd := exec.Command(binary(s.t), "simulate", "--kafka-brokers", s.broker, "--events-topic", s.events, "--count", "10", "--truth", s.truth)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "give it an empty one") {
		s.t.Errorf("the truth of a topic that is not empty: %v, %s", err, out)
	}
	if after := s.server.pipeline().Counters["consumed"]; after != before || len(s.expected(truth.EndOfTime).Windows("active_users")) == 0 {
		s.t.Error("what was refused has changed something")
	}
}

// site is a server with its topics, and the truth of what is in them.
type site struct {
	t      *testing.T
	suffix string // of the topics
	events string // the topic that is read
	broker string
	truth  string
	server *process
	extra  int64 // records beyond those that the truth knows
}

func (s *site) topics() []string {
	return []string{
		"--events-topic", s.events, "--metrics-topic", "metrics" + s.suffix, "--alerts-topic", "alerts" + s.suffix,
		"--dead-letter-topic", "dead-letters" + s.suffix,
	}
}

// expected is the truth as far as a watermark.
func (s *site) expected(w event.Millis) *truth.Expected {
	s.t.Helper()
	content, err := os.ReadFile(s.truth)
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := truth.Read(bytes.NewReader(content), w)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// closeAll writes a record to each partition whose time is after everything, so that all of it closes at once. The windows that
// these records are in stay open, so that nothing else comes of them.
func (s *site) closeAll(want *truth.Expected) {
	s.t.Helper()
	var end event.Millis
	for _, m := range truth.Metrics() {
		for _, w := range want.Windows(m) {
			end = max(end, w.End)
		}
	}
	rules := truth.DefaultRules()
	at := end + rules.AllowedLateness + rules.OutOfOrderness + 1
	w, err := kafka.NewWriter(kafka.WriterOptions{
		Cluster: kafka.Cluster{Brokers: []string{s.broker}, Logger: quietLogger()}, Topic: s.events, Compression: kafka.LZ4,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Close()
	partitions, err := w.Partitions(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	var records []event.Record
	for p := range event.PartitionID(partitions) {
		value := fmt.Appendf(nil, `{"eventId":"end","timestamp":%d,"eventType":"CUSTOM","sessionId":"end","metadata":{"source":"test"}}`, at)
		records = append(records, event.Record{Partition: p, Timestamp: at, Value: value})
	}
	if err := w.Write(s.t.Context(), records); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.extra = int64(partitions)
	s.server.await("all windows have closed", func() bool {
		return event.Millis(s.server.pipeline().WatermarkMs) >= end+rules.AllowedLateness
	})
}

// fallQuiet reads the whole topic with a second server that does not wait for long until it takes the topic to be quiet: there,
// everything that ends within a minute after the last record closes by the clock. How long it waits changes no number, and no
// partition can be idle before all of it is read.
func (s *site) fallQuiet(r *run, want *truth.Expected) {
	s.t.Helper()
	definitions := filepath.Join(s.t.TempDir(), "definitions.yaml")
	if err := os.WriteFile(definitions, []byte("version: 1\nsource: {idle_timeout: 2s, close_when_idle: 2s}\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.suffix += "-quiet"
	args := append(s.topics(), "--kafka-brokers", s.broker, "--create-topics", "--definitions", definitions)
	s.server = launch(s.t, freeAddress(s.t), append(append([]string{"serve", "--data", s.t.TempDir(), "--log-level", "warn"}, args...), r.serve...)...)
	s.server.ready()
	var last event.Millis // of the windows that hold the last events
	for _, w := range want.Windows("events_per_second") {
		last = max(last, w.End)
	}
	s.server.await("the last minute closes", func() bool {
		return event.Millis(s.server.pipeline().WatermarkMs) >= last+65_000
	})
}
