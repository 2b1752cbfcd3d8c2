package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// memoryFeed is a feed whose readers' places survive a publisher. What is appended together is one commit.
type memoryFeed struct {
	mu      sync.Mutex
	epoch   string
	adopted string // the epoch that Adopt was called in
	entries []processing.Entry
	marks   []processing.Mark
	kept    map[uint64]processing.Mark // by Adopt
	journal processing.Journal
	version uint64
	readers map[string]uint64
	saved   chan uint64
	fail    error         // of every later call
	run     *publisherRun // the one that reads it, if it was begun with it
}

// newFeed has commits of a hundred entries.
func newFeed(entries ...processing.Entry) *memoryFeed {
	f := &memoryFeed{epoch: "e1", readers: map[string]uint64{}, saved: make(chan uint64, 10_000), kept: map[uint64]processing.Mark{}}
	for len(entries) > 0 {
		n := min(100, len(entries))
		f.commit(entries[:n]...)
		entries = entries[n:]
	}
	return f
}

// commit appends one commit, in which one record was read for each entry.
func (f *memoryFeed) commit(entries ...processing.Entry) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range entries {
		e.Seq = uint64(len(f.entries) + 1)
		f.entries = append(f.entries, e)
	}
	f.marks = append(f.marks, placeAt(uint64(len(f.entries)), event.Offset(len(f.entries))))
	return uint64(len(f.entries))
}

// placeAt is a mark of the one partition of these tests.
func placeAt(seq uint64, next event.Offset) processing.Mark {
	return processing.Mark{Seq: seq, Watermark: event.Millis(next) * 1000, Cursors: []processing.Cursor{{
		ClusterID: "c", Topic: "events", Next: next, Anchor: processing.Anchor{Offset: next - 1},
	}}}
}

func (f *memoryFeed) Feed(after uint64, limit int) ([]processing.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rest := f.entries[after:]
	return slices.Clone(rest[:min(limit, len(rest))]), f.fail
}

func (f *memoryFeed) Marks(after uint64, limit int) (marks []processing.Mark, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.marks {
		if m.Seq > after && len(marks) < limit {
			marks = append(marks, m)
		}
	}
	return marks, f.fail
}

func (f *memoryFeed) Mark(seq uint64) (processing.Mark, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.marks {
		if m.Seq == seq {
			return m, true, f.fail
		}
	}
	m, ok := f.kept[seq]
	return m, ok, f.fail
}

func (f *memoryFeed) Standing() (processing.Mark, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.marks) == 0 {
		return processing.Mark{Watermark: event.NoTime}, f.fail
	}
	return f.marks[len(f.marks)-1], f.fail
}

func (f *memoryFeed) Journal() (processing.Journal, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.journal, f.fail
}

func (f *memoryFeed) JournalVersion() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version
}

func (f *memoryFeed) Adopted() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.adopted == f.epoch, f.fail
}

func (f *memoryFeed) Adopt(name string, m *processing.Mark) error {
	f.mu.Lock()
	f.adopted, f.kept[m.Seq] = f.epoch, *m
	f.mu.Unlock()
	return f.SaveReader(name, m.Seq)
}

func (f *memoryFeed) Reader(name string) (uint64, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seq, ok := f.readers[name]
	return seq, ok, f.fail
}

func (f *memoryFeed) SaveReader(name string, seq uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers[name] = seq
	f.saved <- seq
	return f.fail
}

// waitSaved waits until the publisher has saved a place.
func (f *memoryFeed) waitSaved(ctx context.Context, t testing.TB, want uint64) {
	t.Helper()
	for {
		select {
		case got := <-f.saved:
			if got == want {
				return
			}
		case <-ctx.Done():
			t.Fatalf("the publisher never got to %d: %s", want, f.run.report())
		}
	}
}

func headerTexts(r *kgo.Record) (texts []string) {
	for _, h := range r.Headers {
		texts = append(texts, h.Key+"="+string(h.Value))
	}
	return texts
}

type publisherRun struct {
	publisher *Publisher
	cancel    context.CancelFunc
	done      chan error
}

// stop ends the run as a shutdown does.
func (r *publisherRun) stop() error {
	r.cancel()
	return <-r.done
}

func startPublisher(ctx context.Context, t testing.TB, cluster Cluster, feed Feed) *publisherRun {
	t.Helper()
	return beginPublisher(ctx, t, publisherOptions(cluster, feed, "e1"))
}

func publisherOptions(cluster Cluster, feed Feed, epoch string) PublisherOptions {
	return PublisherOptions{
		Cluster: cluster, MetricsTopic: "metrics", AlertsTopic: "alerts", DeadLetterTopic: "dead-letters", Encoding: Avro,
		Instance: "i1", Epoch: epoch, Plan: testPlan(), Feed: feed,
	}
}

// beginPublisher runs a publisher as a server does that has nothing to fold first.
func beginPublisher(ctx context.Context, t testing.TB, options PublisherOptions) *publisherRun {
	t.Helper()
	p, err := NewPublisher(options)
	must(t, err)
	run := &publisherRun{publisher: p, done: make(chan error, 1)}
	if f, ok := options.Feed.(*memoryFeed); ok {
		f.run = run
	}
	ctx, run.cancel = context.WithCancel(ctx)
	go func() {
		target, err := p.Begin(ctx)
		if err == nil && target != nil {
			err = errors.New("something has to be folded first")
		}
		if err == nil {
			err = p.Run(ctx)
		}
		run.done <- err
	}()
	return run
}

// report is for people who want to know why nothing comes.
func (r *publisherRun) report() string {
	if r == nil {
		return "nothing is known of it"
	}
	select {
	case err := <-r.done:
		return fmt.Sprintf("it has ended with %v, and said %+v", err, r.publisher.Outputs())
	default:
		return fmt.Sprintf("it runs, and says %+v", r.publisher.Outputs())
	}
}

func manyResults(n int) (entries []processing.Entry) {
	for i := range n {
		entries = append(entries, resultEntry(pagesResult(fmt.Sprint("/", i%50))))
	}
	return entries
}

// published reads the metrics topic, committed records only, until every sequence up to n is there. Each must be there once; those of a
// partition must be in order, those of a key in one partition.
func published(ctx context.Context, t testing.TB, c *kgo.Client, n uint64) {
	t.Helper()
	seen := map[string]bool{}
	last := map[int32]uint64{}
	homes := map[string]int32{}
	for uint64(len(seen)) < n {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("only %d of %d sequences arrived", len(seen), n)
		}
		must(t, fetches.Err())
		for _, r := range fetches.Records() {
			seq, err := strconv.ParseUint(string(r.Headers[0].Value), 10, 64)
			must(t, err)
			id := string(r.Headers[1].Value) + "/" + string(r.Headers[0].Value)
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
			if before := last[r.Partition]; seq < before {
				t.Errorf("partition %d: seq %d after %d", r.Partition, seq, before)
			}
			last[r.Partition] = seq
			if home, ok := homes[string(r.Key)]; ok && home != r.Partition {
				t.Errorf("%s is in partitions %d and %d", r.Key, home, r.Partition)
			}
			homes[string(r.Key)] = r.Partition
		}
	}
}

// faultyBroker is a broker in fake time with the output topics.
func faultyBroker(t *testing.T, net *kfake.VirtualNetwork) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.Ports(9092), kfake.ListenFn(net.Listen), kfake.SeedTopics(3, "metrics"), kfake.SeedTopics(1, "alerts", "dead-letters", ProgressTopic))
	must(t, err)
	return c
}

// withBroker is inBubble with a broker, and two hours for it all.
func withBroker(t *testing.T, test func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster)) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		broker := faultyBroker(t, net)
		defer broker.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		test(ctx, t, broker, cluster)
	})
}

func consumeMetrics(t testing.TB, cluster Cluster) *kgo.Client {
	return newClient(t, cluster.Brokers[0], kgo.Dialer(cluster.dial), kgo.ConsumeTopics("metrics"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
}

// crashingFeed loses one place.
type crashingFeed struct {
	*memoryFeed
	at  uint64
	err error
}

func (f *crashingFeed) SaveReader(name string, seq uint64) error {
	if seq == f.at {
		return f.err
	}
	return f.memoryFeed.SaveReader(name, seq)
}
