package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
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
	fail    error // of every later call
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
			t.Fatalf("the publisher never got to %d", want)
		}
	}
}

func TestPublisher(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"metrics": smallTopic(3), "alerts": smallTopic(1), "dead-letters": smallTopic(1), ProgressTopic: smallTopic(1)})
	ctx := limit(t)
	feed := newFeed(
		resultEntry(viewsResult()),
		processing.Entry{Type: processing.LateEntry, Late: &processing.Late{Topic: "events", Count: 1}},
		processing.Entry{Type: processing.DeadLetterEntry, DeadLetter: &processing.DeadLetter{
			Reason: "undecodable", Detail: "trailing bytes", Topic: "events", Partition: 4, Offset: 17, SchemaID: 5,
			Key: []byte("k"), Value: []byte{0xff}, Truncated: true}},
		resultEntry(pagesResult("<a&b>")),
		processing.Entry{Type: processing.AlertEntry, Alert: bounceAlert(alert.Firing)},
		processing.Entry{Type: processing.AlertEntry, Alert: bounceAlert(alert.Resolved)},
	)
	run := startPublisher(ctx, t, clusterAt(b.Addr()), feed)
	feed.waitSaved(ctx, t, 6)

	byKey := map[string]*kgo.Record{}
	for _, r := range readAll(t, b.Addr(), "metrics", 2) {
		byKey[string(r.Key)] = r
	}
	r := byKey[`["top_pages",["<a&b>"],60000]`]
	if r == nil || byKey[`["page_views_per_second",[],5000]`] == nil {
		t.Fatalf("keys are %v", byKey)
	}
	if got := decoded(t, r.Value)["metricId"]; got != pagesResult("<a&b>").ID() {
		t.Errorf("id in the value is %v", got)
	}
	if diff := cmp.Diff([]string{"tidemark-seq=4", "tidemark-epoch=e1", "tidemark-id=" + pagesResult("<a&b>").ID(),
		"tidemark-kind=correction", "tidemark-revision=3"}, headerTexts(r)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	d := readAll(t, b.Addr(), "dead-letters", 1)[0]
	if diff := cmp.Diff([]string{"tidemark-seq=3", "tidemark-epoch=e1", "tidemark-reason=undecodable", "tidemark-detail=trailing bytes",
		"tidemark-topic=events", "tidemark-partition=4", "tidemark-offset=17", "tidemark-schema-id=5", "tidemark-truncated=true"}, headerTexts(d)); diff != "" {
		t.Errorf("dead letter's headers (-want +got):\n%s", diff)
	}
	if string(d.Key) != "k" || string(d.Value) != "\xff" {
		t.Errorf("dead letter is %q: %q", d.Key, d.Value)
	}

	for i, a := range readAll(t, b.Addr(), "alerts", 2) {
		if diff := cmp.Diff([]string{fmt.Sprint("tidemark-seq=", 5+i), "tidemark-epoch=e1", "tidemark-id=a1",
			"tidemark-kind=alert", fmt.Sprint("tidemark-revision=", 1+i)}, headerTexts(a)); diff != "" {
			t.Errorf("alert's headers (-want +got):\n%s", diff)
		}
		if got := decodedAs(t, schemas.Alerts, a.Value); string(a.Key) != `["high_bounce_rate",["MOBILE","<de>"]]` || got["alertId"] != "a1" {
			t.Errorf("alert %s: %v", a.Key, got)
		}
	}

	// News wake it.
	feed.commit(resultEntry(viewsResult()))
	run.publisher.Committed(&processing.Committed{Seq: 7})
	feed.waitSaved(ctx, t, 7)
	must(t, run.stop())
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

func consumeMetrics(t testing.TB, cluster Cluster) *kgo.Client {
	return newClient(t, cluster.Brokers[0], kgo.Dialer(cluster.dial), kgo.ConsumeTopics("metrics"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
}

func TestPublisherRetries(t *testing.T) {
	for name, fault := range map[string]*kerr.Error{
		"no leader":                   kerr.NotLeaderForPartition,
		"stored, answered too late":   kerr.RequestTimedOut,
		"not allowed for a while":     kerr.TopicAuthorizationFailed,
		"topic not there for a while": kerr.UnknownTopicOrPartition,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
				broker := faultyBroker(t, net)
				defer broker.Close()
				injected := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "metrics", Err: fault, Count: 30})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				feed := newFeed(manyResults(2500)...)
				run := startPublisher(ctx, t, cluster, feed)
				feed.waitSaved(ctx, t, 2500)
				must(t, run.stop())
				if injected.Hits() < 30 {
					t.Errorf("%d faults were injected", injected.Hits())
				}
				published(ctx, t, consumeMetrics(t, cluster), 2500)
			})
		})
	}
}

func TestPublisherWaitsForBrokers(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		feed := newFeed(manyResults(100)...)
		run := startPublisher(ctx, t, cluster, feed)
		select {
		case seq := <-feed.saved:
			t.Fatalf("saved %d without a broker", seq)
		case <-time.After(time.Hour):
		}
		broker := faultyBroker(t, net)
		defer broker.Close()
		start := time.Now()
		feed.waitSaved(ctx, t, 100)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v to notice the broker", took)
		}
		must(t, run.stop())
	})
}

// A publisher that dies after the brokers took a transaction and before it saved its place does not send it again.
func TestPublisherExactlyOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		broker := faultyBroker(t, net)
		defer broker.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		feed := newFeed(manyResults(25_000)...)
		crash := errors.New("crash")
		first := startPublisher(ctx, t, cluster, &crashingFeed{memoryFeed: feed, at: 20_000, err: crash})
		if err := <-first.done; !errors.Is(err, crash) {
			t.Fatalf("ended with %v", err)
		}
		second := startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 25_000)
		must(t, second.stop())
		published(ctx, t, consumeMetrics(t, cluster), 25_000)
	})
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

func TestPublisherStopsWhileUnanswered(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		broker := faultyBroker(t, net)
		defer broker.Close()
		asked := make(chan struct{}, 100)
		broker.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			broker.KeepControl()
			asked <- struct{}{}
			return nil, nil, true // taken, and never answered
		})
		feed := newFeed(manyResults(10)...)
		run := startPublisher(t.Context(), t, cluster, feed)
		<-asked
		synctest.Wait()
		start := time.Now()
		must(t, run.stop())
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v to stop", took)
		}
		if at := feed.readers[PublisherReader]; at != 0 {
			t.Errorf("saved %d", at)
		}
	})
}

func TestPublisherGivesUpWhatIsTooLarge(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		broker := faultyBroker(t, net)
		defer broker.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		feed := newFeed(resultEntry(pagesResult(strings.Repeat("x", 2<<20))), resultEntry(viewsResult()))
		run := startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 2)
		must(t, run.stop())
	})
}

func TestPublisherStopsWhenTheFeedFails(t *testing.T) {
	feed := newFeed()
	feed.fail = errors.New("disk on fire")
	run := startPublisher(t.Context(), t, Cluster{Brokers: []string{"127.0.0.1:1"}, Logger: quiet()}, feed)
	if err := <-run.done; !errors.Is(err, feed.fail) {
		t.Errorf("error is %v", err)
	}
}

func TestPublisherOptionsFaults(t *testing.T) {
	_, err := NewPublisher(PublisherOptions{Encoding: "xml"})
	for _, want := range []string{"brokers", "logger", "topics", `"xml" is none of`, "plan and feed", "instance and epoch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestEnsureTopics(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"metrics": smallTopic(1)})
	ctx := limit(t)
	want := map[string]int{"metrics": DataPartitions, "dead-letters": LogPartitions}
	cluster := clusterAt(b.Addr())
	ensure := func(create bool) error { // each time by a client that knows nothing yet
		return ensureTopics(ctx, asker{cluster: &cluster, adm: newAdmin(t, b.Addr())}, want, create)
	}
	err := ensure(false)
	if !errors.Is(err, ErrUnknownTopic) || !strings.Contains(err.Error(), "dead-letters") || !strings.Contains(err.Error(), "--create-topics") {
		t.Errorf("error is %v, want what is missing and what to do", err)
	}
	must(t, ensure(true))
	must(t, ensure(false))
}
