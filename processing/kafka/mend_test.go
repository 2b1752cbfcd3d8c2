package kafka

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The embedded broker is killed again and again while a publisher writes, and the publisher with it, as they are one process. Then each
// entry is there exactly once; and it still is after one more start, which reads all of the log again.
func TestPublisherSurvivesKillsOfTheEmbeddedBroker(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	kills, limit := 6, 5*time.Minute
	if os.Getenv("TIDEMARK_SOAK") != "" {
		kills, limit = 200, time.Hour
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	feed := newFeed()
	run := func(broker *child) *publisherRun {
		options := publisherOptions(clusterAt(broker.addr), feed, "e1")
		options.Embedded = true
		return beginPublisher(ctx, t, options)
	}
	torn := 0
	for range kills {
		broker := startChild(t, dir)
		r := run(broker)
		killed := time.After(time.Duration(20+rng.IntN(250)) * time.Millisecond)
		before := feed.reader()
		tick := time.NewTicker(2 * time.Millisecond)
		for alive := true; alive; {
			select {
			case <-tick.C:
				feed.commit(manyResults(1 + rng.IntN(30))...)
				r.publisher.Committed(nil)
			case <-killed:
				alive = false
			}
		}
		tick.Stop()
		broker.kill()
		must(t, r.stop())
		torn += int(r.publisher.tornSessions.Load())
		if feed.reader() > before && rng.IntN(2) == 0 {
			feed.forget() // what was saved last was not on the disk yet
		}
	}
	broker := startChild(t, dir)
	r := run(broker)
	seq := feed.commit(manyResults(1)...)
	r.publisher.Committed(nil)
	feed.waitSaved(ctx, t, seq)
	must(t, r.stop())
	t.Logf("%d entries; %d sessions found a transaction that was ended in part, or a place that was lost", seq, torn)
	for range 2 {
		published(ctx, t, newClient(t, broker.addr, kgo.ConsumeTopics("metrics"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted())), seq)
		broker.kill()
		broker = startChild(t, dir)
	}
}

func (f *memoryFeed) reader() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readers[PublisherReader]
}

// forget takes the publisher's place back to the mark before.
func (f *memoryFeed) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := uint64(0)
	for _, m := range f.marks {
		if m.Seq < f.readers[PublisherReader] {
			at = m.Seq
		}
	}
	f.readers[PublisherReader] = at
}
