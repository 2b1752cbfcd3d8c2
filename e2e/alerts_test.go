package e2e

import (
	stdcmp "cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/schemas"
)

// These rules change their mind all the time.
const restlessRules = `
version: 1
alerts:
  - {name: busier, severity: LOW, on: page_views_per_second, when: value > previous, title: 'More, {{ value }}'}
  - {name: devices, severity: HIGH, on: device_breakdown, when: value > previous, title: '{{ group.device_type }}'}
`

type alertView struct {
	ID         string
	Definition string
	State      string
	Group      map[string]string
	StartedAt  int64  `json:"started_at_ms"`
	EndedAt    *int64 `json:"ended_at_ms"`
	Value      *float64
	Seq        uint64
}

// outcome is what must be the same wherever the alert was raised; sequences are not.
func (a alertView) outcome() string {
	ended := int64(0)
	if a.EndedAt != nil {
		ended = *a.EndedAt
	}
	return fmt.Sprint(a.ID, a.Definition, a.Group, a.State, a.StartedAt, ended, *a.Value)
}

// TestAlertsOverKills follows one server that is killed again and again, and compares what a live client saw, what REST
// and the feed say and what is in the topic with each other, and with a server that was left alone.
func TestAlertsOverKills(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(restlessRules), 0o600); err != nil {
		t.Fatal(err)
	}
	broker, shakyAddr, shakyData := freeAddress(t), freeAddress(t), t.TempDir()
	calm := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", broker, "--definitions", rules)
	calm.ready()
	shaky := func() *process {
		p := launch(t, shakyAddr, "serve", "--data", shakyData, "--kafka-brokers", broker, "--create-topics", "--definitions", rules,
			"--metrics-topic", "metrics-2", "--alerts-topic", "alerts-2", "--dead-letter-topic", "dead-letters-2")
		p.ready()
		return p
	}
	p := shaky()
	follower := follow(t, shakyAddr)
	for minute := range 6 {
		start := time.Date(2026, 1, 5, 12, minute, 0, 0, time.UTC).Format(time.RFC3339)
		tool(t, "simulate", "--kafka-brokers", broker, "--rate", "100", "--duration", "1m", "--start", start, "--seed", fmt.Sprint(minute), "--log-level", "warn")
		p.kill()
		p = shaky()
	}
	p.await("both have read everything", func() bool {
		a, b := calm.pipeline(), p.pipeline()
		return a.Counters["consumed"] > 10_000 && a.WatermarkMs == b.WatermarkMs && fmt.Sprint(a.Counters) == fmt.Sprint(b.Counters)
	})
	want, got := alertsOf(t, calm), alertsOf(t, p)
	if diff := cmp.Diff(outcomes(want), outcomes(got)); diff != "" || len(got) < 20 {
		t.Errorf("%d alerts (-calm +killed)\n%s", len(got), diff)
	}
	entries := alertEntriesOf(t, p)
	p.await("the client has seen everything", func() bool { return len(follower.seen()) >= len(entries) })
	if diff := cmp.Diff(entries, follower.seen()); diff != "" {
		t.Errorf("(-feed +live)\n%s", diff)
	}
	inTopic(t, p, broker, "alerts-2", entries)
}

func outcomes(alerts []alertView) (texts []string) {
	for _, a := range alerts {
		texts = append(texts, a.outcome())
	}
	slices.Sort(texts)
	return texts
}

func alertsOf(t *testing.T, p *process) (alerts []alertView) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Alerts []alertView
			Next   *string
		}
		if err := p.fetch("/api/v1/alerts?limit=25"+cursor, &page); err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, page.Alerts...)
		if page.Next == nil {
			return alerts
		}
		cursor = "&cursor=" + *page.Next
	}
}

// alertEntriesOf are the entries of alerts in the feed: sequence, id and state of each.
func alertEntriesOf(t *testing.T, p *process) (entries []string) {
	t.Helper()
	for after := uint64(0); ; {
		var page struct{ Entries []struct{ Alert alertView } }
		if err := p.fetch(fmt.Sprintf("/api/v1/feed?types=alert&limit=1000&after=%d", after), &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) == 0 {
			return entries
		}
		for _, e := range page.Entries {
			entries = append(entries, e.Alert.entry())
			after = e.Alert.Seq
		}
	}
}

func (a alertView) entry() string { return fmt.Sprint(a.Seq, a.ID, a.State) }

// inTopic waits until the topic has every entry, in order; some may come twice.
func inTopic(t *testing.T, p *process, broker, topic string, want []string) {
	t.Helper()
	source, err := kafka.NewSource(kafka.SourceOptions{
		Cluster: kafka.Cluster{Brokers: []string{broker}, Logger: slog.New(slog.DiscardHandler)}, Topic: topic, Group: "reader",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	defer cancel()
	if _, err := source.Open(ctx, func(error) {}); err != nil {
		t.Fatal(err)
	}
	source.Assign(map[event.PartitionID]event.Offset{0: 0})
	schema := avro.MustParse(schemas.Alerts)
	seen := map[string]bool{}
	var got []string
	for len(got) < len(want) {
		if ctx.Err() != nil {
			t.Fatalf("only %d of %d entries are in the topic\n%s", len(got), len(want), p.log.String())
		}
		for _, f := range source.Poll(ctx) {
			for _, r := range f.Records {
				var value map[string]any
				if _, err := schema.Decode(r.Value, &value); err != nil {
					t.Fatal(err)
				}
				seq := string(r.Headers[0].Value)
				if !strings.HasPrefix(string(r.Key), `["`) || r.Headers[0].Key != "tidemark-seq" {
					t.Fatalf("record %s %v", r.Key, r.Headers)
				}
				if entry := fmt.Sprint(seq, value["alertId"], value["state"]); !seen[entry] {
					seen[entry] = true
					got = append(got, entry)
				}
			}
			source.Recycle(f)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-feed +topic)\n%s", diff)
	}
}

// follower follows the alerts of one address, over restarts of the server.
type follower struct {
	mu      sync.Mutex
	entries []string
	after   uint64
	epoch   string
}

func (c *follower) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.entries)
}

func follow(t *testing.T, address string) *follower {
	t.Helper()
	c := &follower{}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			c.connect(ctx, t, address)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond): // as a client waits before it comes again
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		group.Wait()
	})
	return c
}

// connect follows until the connection ends.
func (c *follower) connect(ctx context.Context, t *testing.T, address string) {
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/api/v1/live", nil)
	if err != nil {
		return // the server is being started again
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	for {
		_, body, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var f struct {
			Op    string
			Epoch string
			Alert alertView
		}
		if err := json.Unmarshal(body, &f); err != nil {
			t.Error(err)
			return
		}
		switch f.Op {
		case "welcome":
			subscribe := fmt.Sprintf(`{"op":"subscribe","sub":"a","channel":"alerts","after":%d,"epoch":%q}`, c.after, stdcmp.Or(c.epoch, f.Epoch))
			c.epoch = f.Epoch
			if conn.Write(ctx, websocket.MessageText, []byte(subscribe)) != nil {
				return
			}
		case "entry":
			c.mu.Lock()
			c.entries, c.after = append(c.entries, f.Alert.entry()), f.Alert.Seq
			c.mu.Unlock()
		case "reset", "error":
			t.Errorf("heard %s", body)
		}
	}
}
