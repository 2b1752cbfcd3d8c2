package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/e2e/apachekafka"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/simulator"
)

// cluster is a broker without any security, and what its tests share.
type cluster struct {
	broker *apachekafka.Broker
	addr   string
}

func TestApacheKafka(t *testing.T) {
	t.Parallel()
	b := apachekafka.Start(t, apachekafka.Options{})
	c := &cluster{broker: b, addr: b.Addr(apachekafka.Plaintext)}
	t.Run("all", func(t *testing.T) {
		t.Run("codecs", c.codecs)
		t.Run("topics", c.topics)
		t.Run("transactions", c.transactions)
		t.Run("topic made anew", c.topicMadeAnew)
		t.Run("large records", c.largeRecords)
	})
	t.Run("server killed", c.serverKilled)
	t.Run("broker restarts", c.brokerRestarts)
}

// serve starts a server with topics of its own, which it makes. Partitions that stay empty hold the watermark for a second,
// and it never follows the clock, so that it ends where the events do.
func (c *cluster) serve(t *testing.T, topics string) *process {
	t.Helper()
	return c.serveWith(t, topics, "idle_timeout: 1s, close_when_idle: 1h")
}

// serveWith starts a server with rules of time of its own; flags that are given twice count as they stand last.
func (c *cluster) serveWith(t *testing.T, topics, source string, more ...string) *process {
	t.Helper()
	definitions := filepath.Join(t.TempDir(), "definitions.yaml")
	if err := os.WriteFile(definitions, []byte("version: 1\nsource: {"+source+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launchAt(t, topics, append([]string{"--kafka-brokers", c.addr, "--create-topics", "--definitions", definitions}, more...)...)
	p.ready()
	return p
}

// produce writes records and waits until they are acknowledged.
func (c *cluster) produce(t *testing.T, records []*kgo.Record, opts ...kgo.Opt) {
	t.Helper()
	if err := client(t, c.addr, opts...).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consumed waits until a server has counted so many records, and no more.
func (p *process) consumed(n int64) {
	p.t.Helper()
	p.await(fmt.Sprintf("%d records are consumed", n), func() bool { return p.pipeline().Counters["consumed"] >= n })
	if got := p.pipeline().Counters["consumed"]; got != n {
		p.t.Errorf("%d records are consumed, want %d", got, n)
	}
}

// lines are events as JSON, spread over twenty minutes.
func lines() []event.Record {
	var out []event.Record
	start := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixMilli()
	for i := range 2400 {
		key := fmt.Sprintf("s%d", i%37)
		out = append(out, event.Record{
			Timestamp: event.Millis(start + int64(i)*500), Key: []byte(key),
			Value: fmt.Appendf(nil, `{"eventId":"e%d","timestamp":%d,"eventType":"PAGE_VIEW","sessionId":"%s","pageViewData":{"url":"/p%d","title":"P"},"metadata":{"source":"test"}}`,
				i, start+int64(i)*500, key, i%5),
		})
	}
	return out
}

// byKey chooses partitions as Kafka's own producer does.
var byKey = kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))

// Every codec, as Go's client and as Kafka's own frame it, gives the same numbers. Kafka's own producer stamps records with
// the current time, which is to make no difference.
func (c *cluster) codecs(t *testing.T) {
	t.Parallel()
	events := lines()
	plain := c.serve(t, "codec-none")
	c.produce(t, toRecords("codec-none-events", events), byKey, kgo.ProducerBatchCompression(kgo.NoCompression()))
	plain.consumed(int64(len(events)))
	for _, codec := range []struct {
		name string
		ours kgo.CompressionCodec
	}{
		{"gzip", kgo.GzipCompression()}, {"snappy", kgo.SnappyCompression()}, {"lz4", kgo.Lz4Compression()}, {"zstd", kgo.ZstdCompression()},
	} {
		t.Run(codec.name, func(t *testing.T) {
			p := c.serve(t, "codec-"+codec.name)
			c.produce(t, toRecords("codec-"+codec.name+"-events", events), byKey, kgo.ProducerBatchCompression(codec.ours))
			p.consumed(int64(len(events)))
			sameWindows(t, plain, p)
		})
		t.Run(codec.name+" of Kafka's producer", func(t *testing.T) {
			p := c.serve(t, "codec-java-"+codec.name)
			var in bytes.Buffer
			for i := range events {
				fmt.Fprintf(&in, "%s\t%s\n", events[i].Key, events[i].Value)
			}
			c.broker.Tool(t, in.Bytes(), "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", c.addr, "--topic", "codec-java-"+codec.name+"-events",
				"--property", "parse.key=true", "--compression-codec", codec.name)
			p.consumed(int64(len(events)))
			sameWindows(t, plain, p)
		})
	}
}

// sameWindows waits until both have closed everything, and compares all windows.
func sameWindows(t *testing.T, a, b *process) {
	t.Helper()
	b.await("the watermarks agree", func() bool {
		x, y := a.pipeline(), b.pipeline()
		return x.WatermarkMs > 0 && x.WatermarkMs == y.WatermarkMs && fmt.Sprint(x.Counters) == fmt.Sprint(y.Counters)
	})
	compareServers(t, a, b)
}

// Topics that are missing are made if the server is to, and named if it isn't. Lag tools see where it stands.
func (c *cluster) topics(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(binary(t), "serve", "--listen", freeAddress(t), "--data", t.TempDir(), "--kafka-brokers", c.addr).CombinedOutput()
	if err == nil || err.Error() != "exit status 1" || !regexp.MustCompile(`no such topic: create it, or let it be created with --create-topics`).Match(out) {
		t.Errorf("%v, want exit status 1 and a word on --create-topics\n%s", err, out)
	}

	p := c.serve(t, "made")
	p.await("the topics are there", func() bool {
		found, err := admin(t, c.addr).ListTopics(t.Context(), "made-events", "made-metrics", "made-dead")
		return err == nil && len(found["made-events"].Partitions) == 12 && len(found["made-metrics"].Partitions) == 12 && len(found["made-dead"].Partitions) == 1
	})
	simulate(t, "made", 0, "--kafka-brokers", c.addr)
	p.consumed(1000)
	p.await("kafka-consumer-groups sees no lag", func() bool { return c.lag(t, "made-events") == 0 })
	p.kill()
	simulate(t, "made", 1, "--kafka-brokers", c.addr)
	if got := c.lag(t, "made-events"); got != 1000 {
		t.Errorf("kafka-consumer-groups sees a lag of %d while the server is away, want 1000", got)
	}
}

// lag is what Kafka's own tool says of our group and a topic; -1: not all of it is known yet.
func (c *cluster) lag(t *testing.T, topic string) (total int) {
	t.Helper()
	out := c.broker.Tool(t, nil, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", c.addr, "--describe", "--group", "tidemark")
	partitions := 0
	for line := range strings.Lines(out) {
		// GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...
		if f := strings.Fields(line); len(f) > 5 && f[1] == topic {
			var lag int
			if _, err := fmt.Sscan(f[5], &lag); err != nil {
				return -1
			}
			partitions++
			total += lag
		}
	}
	if partitions < 12 {
		return -1
	}
	return total
}

// What a transaction has written is seen when it is committed, never if it is aborted, and as long as it is open W waits.
func (c *cluster) transactions(t *testing.T) {
	t.Parallel()
	p := c.serve(t, "transactions")
	events := toRecords("transactions-events", lines()[:1200])
	for _, r := range events {
		r.Partition = 3
	}
	producer := client(t, c.addr, kgo.TransactionalID("tidemark-test"))
	write := func(records []*kgo.Record) {
		t.Helper()
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		t.Helper()
		if err := producer.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	write(events[:300])
	end(kgo.TryCommit)
	write(events[300:600])
	end(kgo.TryAbort)
	write(events[600:900])
	end(kgo.TryCommit)
	p.consumed(600)
	write(events[900:])
	// Behind an open transaction nothing is read, not even what others have written.
	later := *events[len(events)-1]
	later.Timestamp = later.Timestamp.Add(time.Minute)
	c.produce(t, []*kgo.Record{&later})
	const verdict = "Partition 3 waits for an open transaction, and the watermark with it"
	p.await("the verdict tells", func() bool { return p.pipeline().Verdict == verdict })
	before := p.pipeline()
	// Three more looks, in which idleness would have let W go.
	for range 3 {
		at := p.pipeline().Verdict
		p.await("another look", p.nextLook())
		if at != verdict {
			t.Errorf("verdict %q", at)
		}
	}
	if after := p.pipeline(); after.WatermarkMs != before.WatermarkMs || after.Counters["consumed"] != 600 {
		t.Errorf("the watermark went from %d to %d, %d records are consumed", before.WatermarkMs, after.WatermarkMs, after.Counters["consumed"])
	}
	end(kgo.TryCommit)
	p.consumed(901)
	p.await("the watermark goes on", func() bool { return p.pipeline().WatermarkMs > before.WatermarkMs })
	c.replayed(t, p)
}

// nextLook becomes true when the server has looked at the cluster twice more; it looks every two seconds.
func (p *process) nextLook() func() bool {
	until := time.Now().Add(2 * time.Second)
	return func() bool { return time.Now().After(until) }
}

// A topic that was deleted and made anew is not the one that the state was made from.
func (c *cluster) topicMadeAnew(t *testing.T) {
	t.Parallel()
	p := c.serve(t, "anew")
	simulate(t, "anew", 0, "--kafka-brokers", c.addr)
	p.consumed(1000)
	adm := admin(t, c.addr)
	if _, err := adm.DeleteTopic(t.Context(), "anew-events"); err != nil {
		t.Fatal(err)
	}
	var made kadm.CreateTopicResponse
	p.await("the topic can be made again", func() bool {
		var err error
		made, err = adm.CreateTopic(t.Context(), 12, 1, nil, "anew-events")
		return err == nil
	})
	// The controller is ahead of the broker, which tells of the old topic until it has heard.
	p.await("the broker tells of the new topic", func() bool {
		found, err := adm.ListTopics(t.Context(), "anew-events")
		return err == nil && found["anew-events"].ID == made.ID && len(found["anew-events"].Partitions) == 12
	})
	simulate(t, "anew", 1, "--kafka-brokers", c.addr)
	verdict := regexp.MustCompile(`^Partition \d+ stands still: .*(made anew|re-created)`)
	p.await("its partitions stand still", func() bool { return verdict.MatchString(p.pipeline().Verdict) })
	if got := p.pipeline().Counters["consumed"]; got != 1000 {
		t.Errorf("%d records are consumed, want the 1000 of the old topic", got)
	}
	p.await("all of them do", func() bool { return len(p.standsStill("topic_recreated")) == 12 })
	tool(t, "resume", "--data", p.dataDir(), "--accept-gap", "anew-events")
	p.consumed(2000)
}

// Records may be as large as the topic allows, which is eight times what brokers take if nobody says otherwise.
func (c *cluster) largeRecords(t *testing.T) {
	t.Parallel()
	const limit = 8 << 20
	size := fmt.Sprint(limit + 1024)
	if _, err := admin(t, c.addr).CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": &size}, "large-events"); err != nil {
		t.Fatal(err)
	}
	p := c.serve(t, "large")
	var records []*kgo.Record
	for i, n := range []int{100, 1 << 20, 4 << 20, limit - 2048} {
		value, err := json.Marshal(map[string]any{
			"eventId": fmt.Sprint(i), "timestamp": 1_767_600_000_000 + i, "eventType": "PAGE_VIEW", "sessionId": "s",
			"pageViewData": map[string]string{"url": "/p", "title": strings.Repeat("x", n)}, "metadata": map[string]string{"source": "test"},
		})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: "large-events", Value: value})
	}
	c.produce(t, records, kgo.ProducerBatchMaxBytes(limit+512), kgo.ProducerBatchCompression(kgo.NoCompression()))
	p.consumed(int64(len(records)))
	if v := p.pipeline(); v.Counters["applied"] != int64(len(records)) {
		t.Errorf("counters %v, want all applied", v.Counters)
	}
}

// The broker stops, and is there again, while the server reads and publishes. It goes on by itself, and its numbers are
// those of a server that has seen nothing of it.
func (c *cluster) brokerRestarts(t *testing.T) {
	// What falls idle while nothing can be read would depend on the clock, and with it what is late.
	const source = "idle_timeout: 1h, close_when_idle: 2h"
	p := c.serveWith(t, "restarts", source)
	events := traffic(t, func(o *simulator.Options) {
		o.Count, o.Rate, o.Partitions, o.Late = 12_000, 10, 12, 0.01
	})
	all := toRecords("restarts-events", events)
	third := len(all) / 3
	produced := 0
	for part := range slices.Chunk(all, third+1) {
		c.produce(t, part)
		produced += len(part)
		if produced == len(all) {
			break
		}
		p.await("some are consumed", func() bool { return p.pipeline().Counters["consumed"] > int64(produced)/2 })
		c.broker.Stop(t)
		p.await("the verdict tells", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "Kafka does not answer") })
		c.broker.Restart(t)
	}
	p.consumed(int64(len(all)))
	undisturbed := c.serveWith(t, "undisturbed", source, "--events-topic", "restarts-events")
	sameWindows(t, undisturbed, p)
	p.allPublished(c.addr, "restarts-metrics", "restarts-dead")
}

// The server is killed again and again while it reads and publishes. Who reads committed records sees each entry once.
func (c *cluster) serverKilled(t *testing.T) {
	args := []string{"--kafka-brokers", c.addr, "--create-topics", "--data", t.TempDir(), "--transaction-timeout", "5s"}
	p := launchAt(t, "killed", args...)
	p.ready()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tool(t, "simulate", "--kafka-brokers", c.addr, "--events-topic", "killed-events", "--rate", "100", "--duration", "10m",
			"--start", "2026-01-05T12:00:00Z", "--late", "0.01", "--bad", "0.002", "--log-level", "warn")
	}()
	allOut := func() bool { // a fast one has no more to publish
		select {
		case <-done:
			v := p.pipeline()
			return v.Counters["consumed"] == records(t, c.addr, "killed-events") && v.published()
		default:
			return false
		}
	}
	for i := range 6 {
		before := records(t, c.addr, "killed-metrics")
		p.await("more is published", func() bool { return i > 3 || records(t, c.addr, "killed-metrics") > before || allOut() })
		p.kill()
		p = launchAt(t, "killed", args...)
		p.ready()
	}
	<-done
	p.consumed(records(t, c.addr, "killed-events"))
	p.allPublished(c.addr, "killed-metrics", "killed-dead")
	c.replayed(t, p)
}

// replayed ends a server and folds its log again, by one worker and by several, to the same state.
func (c *cluster) replayed(t *testing.T, p *process) {
	t.Helper()
	p.interrupt()
	for _, workers := range []string{"1", "4"} {
		into := filepath.Join(t.TempDir(), "replay")
		wantTool(t, 0, "match", "replay", "--from-store", p.dataDir(), "--into", into, "--verify", "--workers", workers, "--kafka-brokers", c.addr)
	}
}
