package bench_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/bench"
	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/store"
)

// BenchmarkWholePath reads simulated traffic, lz4, from a broker in another process, folds it into all default metrics
// and commits it to disk: the server's catching up, without outputs.
func BenchmarkWholePath(b *testing.B) {
	addr := startBroker(b)
	plan, err := definition.Load("", nil, schemas.Events)
	if err != nil {
		b.Fatal(err)
	}
	measure(b, func() { catchUp(b, addr, plan) })
}

// BenchmarkWholePathHandWritten does the same by hand, for this schema and these metrics: PollFetches, a decoder, a fold,
// events in order by second, sessions in a map, and packed, synced commits once a second. It closes no windows, and
// its sessions would not survive it.
func BenchmarkWholePathHandWritten(b *testing.B) {
	addr := startBroker(b)
	measure(b, func() { bareLoop(b, addr, new(bareVisits)) })
}

// BenchmarkWholePathHandWrittenNoSessions leaves out the sessions too.
func BenchmarkWholePathHandWrittenNoSessions(b *testing.B) {
	addr := startBroker(b)
	measure(b, func() { bareLoop(b, addr, nil) })
}

// bareVisits is the ordered way, by hand.
type bareVisits struct {
	buckets bench.Buckets
	visits  bench.Visits
	newest  [partitions]int64
}

func (v *bareVisits) hold(r *kgo.Record, e *bench.Event) {
	v.newest[r.Partition] = max(v.newest[r.Partition], e.Timestamp)
	v.buckets.Hold(bench.Held{
		Time: e.Timestamp, Offset: r.Offset, Partition: r.Partition, View: e.EventType == 0, End: e.EventType == 2, Session: e.SessionID,
	})
}

func (v *bareVisits) release() {
	w := slices.Min(v.newest[:]) - 5001
	v.visits.Gap = 30 * 60_000
	v.buckets.Release(w, v.visits.Apply)
	v.visits.Advance(w)
}

// measure reports processor time and allocations for each event.
func measure(b *testing.B, run func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, runs := bench.CPUTime(), 0
	for b.Loop() {
		run()
		runs++
	}
	spent := bench.CPUTime() - cpu
	runtime.ReadMemStats(&after)
	n := float64(runs * events)
	b.ReportMetric(float64(spent.Nanoseconds())/n, "cpu-ns/event")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/event")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "wall-ns/event")
	b.ReportMetric(0, "ns/op")
}

// endWhenDone ends a run once everything has been committed.
func endWhenDone(ctx context.Context, p *processing.Pipeline, done context.CancelFunc) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && p.Status().Counters.Consumed < events {
		<-tick.C
	}
	done()
}

func catchUp(b *testing.B, addr string, plan *definition.Plan) {
	log := slog.New(slog.DiscardHandler)
	options := store.Default()
	options.Logger = log
	s, err := store.Open(filepath.Join(b.TempDir(), "store"), options)
	if err != nil {
		b.Fatal(err)
	}
	source, err := kafka.NewSource(kafka.SourceOptions{
		Cluster: kafka.Cluster{Brokers: []string{addr}, Logger: log}, Topic: "events", Group: "bench",
	})
	if err != nil {
		b.Fatal(err)
	}
	pipeline := processing.DefaultOptions()
	pipeline.WriterSchema, pipeline.Encoding = schemas.Events, event.Auto
	p, err := processing.New(plan, source, s, pipeline)
	if err != nil {
		b.Fatal(err)
	}
	ctx, done := context.WithTimeout(context.Background(), 2*time.Minute)
	defer done()
	go endWhenDone(ctx, p, done)
	if err := p.Run(ctx); err != nil {
		b.Fatal(err)
	}
	if got := p.Status().Counters.Consumed; got != events {
		b.Fatalf("%d events were consumed, not %d", got, events)
	}
	source.Close()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func bareLoop(b *testing.B, addr string, visits *bareVisits) {
	offsets := make(map[int32]kgo.Offset)
	for p := range int32(partitions) {
		offsets[p] = kgo.NewOffset().At(0)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"events": offsets}),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var (
		fold  bench.Fold
		e     bench.Event
		next  [partitions]int64
		since = time.Now()
	)
	for n := 0; n < events; {
		client.PollFetches(context.Background()).EachRecord(func(r *kgo.Record) {
			if err := bench.Decode(&e, r.Value); err != nil {
				b.Fatal(err)
			}
			fold.Add(&e)
			if visits != nil {
				visits.hold(r, &e)
			}
			next[r.Partition] = r.Offset + 1
			n++
		})
		if time.Since(since) >= time.Second || n == events {
			if visits != nil {
				visits.release()
			}
			commitBare(b, db, &fold, &next)
			since = time.Now()
		}
	}
}

func commitBare(b *testing.B, db *pebble.DB, fold *bench.Fold, next *[partitions]int64) {
	batch := db.NewBatch()
	defer batch.Close()
	put := func(key, value []byte) {
		if err := batch.Set(key, value, nil); err != nil {
			b.Fatal(err)
		}
	}
	fold.Pack(put)
	for p, o := range next {
		put([]byte{'c', byte(p)}, binary.BigEndian.AppendUint64(nil, uint64(o)))
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		b.Fatal(err)
	}
	fold.Take()
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic("pebble: " + format)
}
