package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/simulator"
)

// soaking reports whether the full numbers are asked for, which take hours: make soak.
func soaking() bool { return os.Getenv("TIDEMARK_SOAK") != "" }

// sized is how much of something a test does.
func sized(check, soak int) int {
	if soaking() {
		return soak
	}
	return check
}

// chance is the randomness of a test. TIDEMARK_SEED repeats what a failure has printed, as far as processes can be made to
// repeat anything.
func chance(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("TIDEMARK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("TIDEMARK_SEED: %v", err)
		}
	}
	t.Logf("TIDEMARK_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 5)), seed
}

// stream writes traffic to a broker that may die at any time. What a broker has not acknowledged is written again, so that
// some of it may be there twice: it is the log that counts, not what was meant.
type stream struct {
	t       *testing.T
	topic   string
	traffic *simulator.Simulator
	client  *kgo.Client
	allowed chan int // how many records more may be written
	ended   chan struct{}
	written atomic.Int64 // acknowledged
	newest  event.Millis // owned by run until ended is closed
}

// batch is what is written and acknowledged together.
const batch = 100

// startStream writes what is allowed until it is closed.
func startStream(t *testing.T, broker, topic string, seed uint64) *stream {
	t.Helper()
	o := simulator.Default()
	o.Start, o.Seed, o.Rate, o.Partitions = 1_760_000_000_000, seed, 20, 12
	o.Late, o.Duplicates, o.Bad = 0.02, 0.01, 0.005
	traffic, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{
		t: t, topic: topic, traffic: traffic, allowed: make(chan int, 10_000), ended: make(chan struct{}),
		client: client(t, broker, kgo.UnknownTopicRetries(-1), kgo.RequestRetries(1<<30), kgo.MetadataMinAge(50*time.Millisecond),
			kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond })),
	}
	go s.run()
	return s
}

func (s *stream) run() {
	defer close(s.ended)
	for n := range s.allowed {
		for ; n > 0; n -= batch {
			records := make([]event.Record, min(n, batch))
			for i := range records {
				if _, more := s.traffic.Next(&records[i]); !more {
					s.t.Error("the traffic has ended")
					return
				}
				s.newest = max(s.newest, records[i].Timestamp)
			}
			if !s.write(records) {
				return
			}
		}
	}
}

// write does so until every record is acknowledged.
func (s *stream) write(records []event.Record) bool {
	ctx, cancel := context.WithTimeout(s.t.Context(), tooLong)
	defer cancel()
	for {
		err := s.client.ProduceSync(ctx, toRecords(s.topic, records)...).FirstErr()
		if err == nil {
			s.written.Add(int64(len(records)))
			return true
		}
		if ctx.Err() != nil {
			s.t.Errorf("write to %s: %v", s.topic, err)
			return false
		}
	}
}

// allow lets so many records more be written.
func (s *stream) allow(n int) { s.allowed <- n }

// finish waits until all that was allowed is written, and adds a record to each partition whose time lies after everything, so
// that all windows and sessions close but those of these records.
func (s *stream) finish() {
	s.t.Helper()
	close(s.allowed)
	<-s.ended
	at := s.newest + event.Millis((3 * time.Hour).Milliseconds())
	var last []event.Record
	for p := range event.PartitionID(12) {
		value := fmt.Appendf(nil, `{"eventId":"end","timestamp":%d,"eventType":"CUSTOM","sessionId":"end","metadata":{"source":"test"}}`, at)
		last = append(last, event.Record{Partition: p, Timestamp: at, Value: value})
	}
	s.write(last)
}
