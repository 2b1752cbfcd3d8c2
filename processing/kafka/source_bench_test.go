package kafka

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// BenchmarkSource reads a log of 255-byte records, lz4, from an embedded broker in the same process: its share is in the
// figure too.
func BenchmarkSource(b *testing.B) {
	const total = 400_000
	broker := startBroker(b, map[string]TopicSpec{"events": {Partitions: 12, RetentionBytes: 1 << 30}})
	fill(b, broker.Addr(), total)
	s := newSource(b, clusterAt(broker.Addr()))
	positions := map[event.PartitionID]event.Offset{}
	for p := range event.PartitionID(12) {
		positions[p] = 0
	}
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		s.Assign(positions)
		for n := 0; n < total; {
			for _, f := range s.Poll(b.Context()) {
				n += len(f.Records)
				s.Recycle(f)
			}
		}
		records += total
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
}

// fill writes records whose values compress to about half.
func fill(tb testing.TB, addr string, total int) {
	tb.Helper()
	w, err := NewWriter(WriterOptions{Cluster: clusterAt(addr), Topic: "events", Compression: LZ4})
	must(tb, err)
	defer w.Close()
	random := rand.New(rand.NewPCG(1, 2))
	records := make([]event.Record, 0, 1000)
	for i := 0; i < total; i += 1000 {
		records = records[:0]
		for j := i; j < i+1000; j++ {
			value := make([]byte, 0, 255)
			for len(value) < 255-22 {
				value = fmt.Appendf(value, "field=%016x", random.Uint64())
			}
			records = append(records, event.Record{Partition: event.PartitionID(j % 12), Timestamp: event.Millis(j), Value: value})
		}
		must(tb, w.Write(tb.Context(), records))
	}
	must(tb, w.Flush(tb.Context()))
}
