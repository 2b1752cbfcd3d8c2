package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/kafka"
)

// The embedded broker's log and the store fill one disk. Whatever of the two meets its end first, what the broker acknowledged is
// there once there is space again, and the state is that of the log; what it did not acknowledge was refused.
func TestFullDiskWithTheBrokerInside(t *testing.T) {
	t.Parallel()
	disk := mountSmallDisk(t, "64m")
	data := filepath.Join(disk.dir, "data")
	broker, address := freeAddress(t), freeAddress(t)
	serve := func() *process {
		return launch(t, address, "serve", "--data", data, "--embedded-listen", broker, "--min-free", "0")
	}
	p := serve()
	p.ready()
	tool(t, "simulate", "--kafka-brokers", broker, "--rate", "0", "--count", "5000", "--log-level", "warn")
	p.consumed(records(t, broker, "events"))

	disk.fill(2 << 20)
	acknowledged, refusal := writeUntilRefused(t, broker)
	t.Logf("%d records were acknowledged, then: %v", len(acknowledged), refusal)
	if p.endsOrIsKilledAt(5000 + int64(len(acknowledged))) {
		checkEnd(t, p)
	} else {
		t.Log("the store had room for all that the broker took")
	}
	disk.empty()

	p = serve()
	p.ready()
	checkThere(t, broker, acknowledged)
	tool(t, "simulate", "--kafka-brokers", broker, "--rate", "0", "--count", "2000", "--seed", "2", "--log-level", "warn")
	p.consumed(records(t, broker, "events"))
	p.interrupt()
	wantTool(t, 0, "match", "replay", "--from-store", data, "--into", filepath.Join(t.TempDir(), "again"), "--verify")
}

// endsOrIsKilledAt waits until the process has ended by itself, or has consumed so many records; then it is killed.
func (p *process) endsOrIsKilledAt(n int64) (ended bool) {
	p.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.cmd.Wait() // the exit code says it
	}()
	var view pipelineView
	p.await(fmt.Sprintf("the end, or %d records", n), func() bool {
		select {
		case <-done:
			ended = true
		default:
		}
		return ended || p.fetch("/api/v1/pipeline", &view) == nil && view.Counters["consumed"] >= n
	})
	if !ended {
		_ = p.cmd.Process.Kill()
		<-done
	}
	return ended
}

// A broker whose disk is full refuses what it can't keep, goes on when there is space again, and has after a restart what it
// acknowledged, and nothing twice.
func TestEmbeddedBrokerOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := mountSmallDisk(t, "32m")
	start := func() *kafka.Broker {
		b, err := kafka.StartBroker(kafka.BrokerOptions{
			Listen: "127.0.0.1:0", Dir: filepath.Join(disk.dir, "broker"), Logger: slog.New(slog.DiscardHandler),
			Topics: map[string]kafka.TopicSpec{"events": {Partitions: 3, RetentionBytes: 64 << 20}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := start()
	var acknowledged []string
	for range 3 {
		disk.fill(1 << 20)
		more, refusal := writeUntilRefused(t, b.Addr())
		if !errors.Is(refusal, kerr.UnknownServerError) {
			t.Errorf("refused with %v", refusal)
		}
		acknowledged = append(acknowledged, more...)
		disk.empty()
	}
	checkThere(t, b.Addr(), acknowledged)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start()
	checkThere(t, b.Addr(), acknowledged)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkThere reads the events topic, which must have each of some records once.
func checkThere(t *testing.T, broker string, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Error("no record was acknowledged")
	}
	times := map[string]int{}
	for _, r := range committed(t, broker, "events") {
		times[string(r.Value)]++
	}
	for _, value := range want {
		if times[value] != 1 {
			t.Errorf("%q... was acknowledged, and is there %d times", value[:20], times[value])
		}
	}
}

// writeUntilRefused writes records one by one, until the broker refuses one or is gone. It returns the values that were
// acknowledged.
func writeUntilRefused(t *testing.T, broker string) (acknowledged []string, refusal error) {
	t.Helper()
	c := client(t, broker, kgo.DefaultProduceTopic("events"), kgo.DisableIdempotentWrite(), kgo.RecordDeliveryTimeout(5*time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	defer cancel()
	padding := strings.Repeat("x", 8<<10)
	for ctx.Err() == nil {
		value := fmt.Sprint(rand.Uint64(), " is not an event ", padding)
		if err := c.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
			return acknowledged, err
		}
		acknowledged = append(acknowledged, value)
	}
	t.Fatalf("%d records were acknowledged on a full disk", len(acknowledged))
	return nil, nil
}
