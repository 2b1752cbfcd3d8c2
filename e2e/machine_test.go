package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/schemas"
	"github.com/tidemark/tidemark/store"
)

// machine is a server with its disk, and a broker, all in memory and in a bubble of fake time.
//
// There is one broker only. With two, two senders of one client can need a producer id at once: one of them waits for the answer, or
// for the next try, and holds a mutex on which the other one waits. Who waits for a mutex isn't durably blocked, so that time would stand still.
type machine struct {
	*engine // the server that runs, or ran last
	runs    bool
	t       *testing.T
	rng     *rand.Rand
	plan    *definition.Plan
	net     *kfake.VirtualNetwork
	broker  *kfake.Cluster
	outside *kgo.Client // of everybody else
	disk    *vfs.MemFS
	line    *line
	source  *kafka.Source
	written int
}

func newMachine(t *testing.T, rng *rand.Rand) *machine {
	t.Helper()
	m := &machine{t: t, rng: rng, plan: defaults(t), net: &kfake.VirtualNetwork{}, disk: vfs.NewCrashableMem()}
	var err error
	m.broker, err = kfake.NewCluster(
		kfake.Ports(9092), kfake.ListenFn(m.net.Listen), kfake.SeedTopics(worldParts-1, "events"),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	m.outside = m.client()
	t.Cleanup(m.shutDown)
	return m
}

func (m *machine) client(opts ...kgo.Opt) *kgo.Client {
	m.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(m.net.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.DisableClientMetrics(),
	}, opts...)...)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// boot starts the server on what is on the disk.
func (m *machine) boot() {
	m.t.Helper()
	m.line = &line{dial: m.net.DialContext}
	cluster := kafka.Cluster{Brokers: []string{"127.0.0.1:9092"}, Logger: slog.New(slog.DiscardHandler)}.Through(m.line.connect)
	s := openStore(m.t, m.disk, kafka.PublisherReader)
	var err error
	if m.source, err = kafka.NewSource(kafka.SourceOptions{Cluster: cluster, Topic: "events", Group: "tidemark"}); err != nil {
		m.t.Fatal(err)
	}
	options := processing.DefaultOptions()
	options.Workers, options.WriterSchema, options.Encoding = 1+m.rng.IntN(3), schemas.Events, event.Auto
	p, err := processing.New(m.plan, m.source, s, options)
	if err != nil {
		m.t.Fatal(err)
	}
	publisher, err := kafka.NewPublisher(kafka.PublisherOptions{
		Cluster: cluster, MetricsTopic: "metrics", AlertsTopic: "alerts", DeadLetterTopic: "dead-letters", CreateTopics: true,
		Encoding: kafka.Avro, Instance: s.Instance(), Epoch: s.Epoch(), Plan: m.plan, Feed: feedOf{s},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	p.Observe(publisher)
	ctx, stop := context.WithCancel(m.t.Context())
	m.engine = &engine{t: m.t, store: s, pipeline: p, stop: stop, ended: make(chan error, 1)}
	m.runs = true
	go func() { m.ended <- serve(ctx, p, publisher) }()
}

// serve folds and publishes until ctx ends, and then publishes for a while what is committed, as the program does.
func serve(ctx context.Context, p *processing.Pipeline, publisher *kafka.Publisher) error {
	if target, err := publisher.Begin(ctx); err != nil || target != nil {
		return errors.Join(endedBy(ctx, err), p.Run(ctx))
	}
	publishing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var group errgroup.Group
	group.Go(func() error { return publisher.Run(publishing) })
	err := p.Run(ctx)
	publisher.Finish()
	defer time.AfterFunc(5*time.Second, giveUp).Stop()
	return errors.Join(err, group.Wait(), outputsFault(publisher))
}

// outputsFault is why nothing was published any more.
func outputsFault(publisher *kafka.Publisher) error {
	if fault := publisher.Outputs().Fault; fault != "" {
		return errors.New("outputs: " + fault)
	}
	return nil
}

func endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// feedOf is the feed as the publisher reads it: all types.
type feedOf struct{ *store.Store }

func (f feedOf) Feed(after uint64, limit int) ([]processing.Entry, error) {
	page, err := f.Store.Feed(after, limit, store.AllTypes)
	return page.Entries, err
}

// halt ends the server in good order, as far as it can.
func (m *machine) halt() {
	m.t.Helper()
	m.runs = false
	m.end()
	m.source.Close()
	m.line.cut()
}

// cutOff takes the network away: from now on nothing that the server does reaches anybody.
func (m *machine) cutOff() { m.line.cut() }

// shutDown ends everything that still runs, or the bubble would not end.
func (m *machine) shutDown() {
	if m.runs {
		m.halt()
	}
	m.outside.Close()
	m.broker.Close()
}

// write appends records and waits until they are acknowledged.
func (m *machine) write(records []event.Record) {
	m.t.Helper()
	if len(records) == 0 {
		return
	}
	if err := m.outside.ProduceSync(m.t.Context(), toRecords("events", records)...).FirstErr(); err != nil {
		m.t.Fatal(err)
	}
	m.written += len(records)
}

func (m *machine) partitions() int { return len(m.broker.PartitionInfos("events")) }

func (m *machine) grow(partitions int) {
	m.t.Helper()
	adm := kadm.NewClient(m.outside)
	for {
		answer, err := adm.UpdatePartitions(m.t.Context(), partitions, "events")
		if err == nil {
			err = answer.Error()
		}
		pass(3 * time.Second) // until clients know
		if err == nil {
			return
		}
	}
}

// consume reads topics to their ends, as read-committed consumers do.
func (m *machine) consume(topics ...string) []*kgo.Record {
	m.t.Helper()
	c := m.client(kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer c.Close()
	type place struct {
		topic     string
		partition int32
	}
	left := map[place]int64{}
	ends, err := kadm.NewClient(c).ListEndOffsets(m.t.Context(), topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[place{o.Topic, o.Partition}] = o.Offset
		}
	})
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Hour)
	defer cancel()
	var out []*kgo.Record
	for len(left) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			m.t.Fatalf("read %v: %v; left are %v", topics, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if at := (place{r.Topic, r.Partition}); r.Offset+1 >= left[at] {
				delete(left, at)
			}
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
		})
	}
	return out
}

// log is what the brokers hold of the events, by partition.
func (m *machine) log() map[event.PartitionID][]event.Record {
	out := map[event.PartitionID][]event.Record{}
	for _, r := range m.consume("events") {
		p := event.PartitionID(r.Partition)
		out[p] = append(out[p], event.Record{
			Partition: p, Offset: event.Offset(r.Offset), Timestamp: event.Millis(r.Timestamp.UnixMilli()), Key: r.Key, Value: r.Value,
		})
	}
	return out
}

// digest is what a store's definitions in force have made, as text.
func (m *machine) digest(s *store.Store) string {
	m.t.Helper()
	v, err := s.View()
	if err != nil {
		m.t.Fatal(err)
	}
	defer v.Close()
	digests, err := v.DigestsInForce()
	if err != nil {
		m.t.Fatal(err)
	}
	var lines []string
	for _, d := range digests {
		lines = append(lines, fmt.Sprintf("%s %s %d %s", d.Name, d.Hash, d.Facts, d.Sum))
	}
	return strings.Join(lines, "\n")
}

// refold folds the log again, undisturbed, to where a store stands, and returns its digest.
func (m *machine) refold(s *store.Store, workers int) string {
	m.t.Helper()
	state, err := s.Load(m.plan)
	if err != nil {
		m.t.Fatal(err)
	}
	cluster := kafka.Cluster{Brokers: []string{"127.0.0.1:9092"}, Logger: slog.New(slog.DiscardHandler)}.Through(m.net.DialContext)
	source, err := kafka.NewSource(kafka.SourceOptions{Cluster: cluster, Topic: "events", Group: "refold"})
	if err != nil {
		m.t.Fatal(err)
	}
	defer source.Close()
	into := openStore(m.t, vfs.NewMem())
	defer into.Close()
	options := processing.DefaultOptions()
	options.Workers, options.WriterSchema, options.Encoding = workers, schemas.Events, event.Auto
	options.Target = processing.TargetOf(state)
	p, err := processing.New(m.plan, source, into, options)
	if err == nil {
		err = p.Run(m.t.Context())
	}
	if err != nil {
		m.t.Fatalf("fold again: %v", err)
	}
	return m.digest(into)
}

// line is the server's way to the network, which can be cut.
type line struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	dead  bool       // owned by mu
	conns []net.Conn // owned by mu
}

func (l *line) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		_ = conn.Close()
		return nil, errors.New("cut off")
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, c := range l.conns {
		_ = c.Close()
	}
}
