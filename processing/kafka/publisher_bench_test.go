package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
)

// BenchmarkPublisher publishes what has piled up, against the embedded broker with and without synced writes.
func BenchmarkPublisher(b *testing.B) {
	const entries = 20_000
	for name, fast := range map[string]bool{"synced": false, "not synced": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				benchmarkPublisher(b, fast, newFeed(manyResults(entries)...), entries)
			}
			b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func benchmarkPublisher(b *testing.B, fast bool, feed *memoryFeed, entries uint64) {
	b.StopTimer()
	broker, err := StartBroker(BrokerOptions{
		Listen: "127.0.0.1:0", Dir: b.TempDir(), Logger: quiet(), UnsafeNoSync: fast,
		Topics: map[string]TopicSpec{"metrics": smallTopic(DataPartitions), "alerts": smallTopic(1), "dead-letters": smallTopic(1), ProgressTopic: smallTopic(1)},
	})
	must(b, err)
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	b.StartTimer()
	options := publisherOptions(clusterAt(broker.Addr()), feed, "e1")
	options.Embedded = true
	run := beginPublisher(ctx, b, options)
	feed.waitSaved(ctx, b, entries)
	b.StopTimer()
	must(b, run.stop())
	must(b, broker.Close())
	b.StartTimer()
}

// BenchmarkPublisherLatency publishes one small commit after the other: how long it takes until it is out.
func BenchmarkPublisherLatency(b *testing.B) {
	for name, fast := range map[string]bool{"synced": false, "not synced": true} {
		b.Run(name, func(b *testing.B) {
			broker, err := StartBroker(BrokerOptions{
				Listen: "127.0.0.1:0", Dir: b.TempDir(), Logger: quiet(), UnsafeNoSync: fast,
				Topics: map[string]TopicSpec{"metrics": smallTopic(DataPartitions), "alerts": smallTopic(1), "dead-letters": smallTopic(1), ProgressTopic: smallTopic(1)},
			})
			must(b, err)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			feed := newFeed(manyResults(1)...)
			options := publisherOptions(clusterAt(broker.Addr()), feed, "e1")
			options.Embedded = true
			run := beginPublisher(ctx, b, options)
			feed.waitSaved(ctx, b, 1)
			for b.Loop() {
				seq := feed.commit(manyResults(20)...)
				run.publisher.Committed(&processing.Committed{Seq: seq})
				feed.waitSaved(ctx, b, seq)
			}
			must(b, run.stop())
			must(b, broker.Close())
		})
	}
}
