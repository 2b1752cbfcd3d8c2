package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

func newSource(t testing.TB, cluster Cluster) *Source {
	t.Helper()
	s, err := NewSource(SourceOptions{Cluster: cluster, Topic: "events", Group: "tidemark"})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// readLog is what a test has read of each partition.
type readLog struct {
	records   map[event.PartitionID][]event.Offset
	positions map[event.PartitionID]event.Offset
	errs      []error
}

// readUntil polls until every partition has reached its position, an error has come, or ctx ends.
func (l *readLog) readUntil(ctx context.Context, s *Source, want map[event.PartitionID]event.Offset) {
	if l.records == nil {
		l.records = map[event.PartitionID][]event.Offset{}
		l.positions = map[event.PartitionID]event.Offset{}
	}
	reached := func() bool {
		for p, at := range want {
			if l.positions[p] < at {
				return false
			}
		}
		return true
	}
	for !reached() && len(l.errs) == 0 && ctx.Err() == nil {
		for _, f := range s.Poll(ctx) {
			for _, r := range f.Records {
				l.records[f.Partition] = append(l.records[f.Partition], r.Offset)
			}
			if f.Position > 0 {
				l.positions[f.Partition] = f.Position
			}
			if f.Err != nil {
				l.errs = append(l.errs, f.Err)
			}
			s.Recycle(f)
		}
	}
}

func TestSourceOptionsFaults(t *testing.T) {
	o := SourceOptions{Cluster: Cluster{Brokers: []string{"nonsense"}}}
	err := o.Validate()
	for _, want := range []string{"brokers: address nonsense", "logger: missing", "topic: missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestSourceRecords(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(2)})
	w, err := NewWriter(WriterOptions{Cluster: clusterAt(b.Addr()), Topic: "events", Compression: LZ4})
	must(t, err)
	defer w.Close()
	ctx := limit(t)
	if n, err := w.Partitions(ctx); n != 2 || err != nil {
		t.Fatalf("writer sees %d partitions, %v", n, err)
	}
	want := []event.Record{
		{Partition: 1, Offset: 0, Timestamp: 1_700_000_000_123, Key: []byte("k"), Value: []byte("a"), Headers: []event.Header{{Key: "h", Value: []byte("1")}}},
		{Partition: 1, Offset: 1, Timestamp: 1_700_000_000_122, Value: []byte{}},
		{Partition: 1, Offset: 2, Timestamp: 0, Key: []byte{}, Value: nil},
	}
	must(t, w.Write(ctx, want))
	must(t, w.Flush(ctx))

	s := newSource(t, clusterAt(b.Addr()))
	topic, err := s.Open(ctx, func(error) {})
	must(t, err)
	if topic.Name != "events" || topic.ClusterID == "" || topic.ID == [16]byte{} || !slices.Equal(topic.Partitions, []event.PartitionID{0, 1}) {
		t.Errorf("topic is %+v", topic)
	}
	s.Assign(map[event.PartitionID]event.Offset{0: 0, 1: 0})
	var got []processing.Fetched
	for len(got) == 0 {
		got = s.Poll(ctx)
	}
	if diff := cmp.Diff([]processing.Fetched{{Partition: 1, Records: want, Position: 3, LeaderEpoch: 0, Assignment: 1}}, got); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
	must(t, s.ReportPositions(ctx, map[event.PartitionID]event.Offset{1: 3}))
	offsets, err := newAdmin(t, b.Addr()).FetchOffsets(ctx, "tidemark")
	must(t, err)
	if o, ok := offsets.Lookup("events", 1); !ok || o.At != 3 {
		t.Errorf("the group stands at %d, want 3", o.At)
	}
}

// Offsets: 0, 1 committed, 2 its marker; 3, 4 aborted, 5 its marker; 6 plain; 7 aborted, 8 its marker; 9 open.
func TestSourceTransactions(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(1)})
	ctx := limit(t)
	tx := newClient(t, b.Addr(), kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("events"))
	run := func(end kgo.TransactionEndTry, values ...string) {
		t.Helper()
		must(t, tx.BeginTransaction())
		for _, v := range values {
			must(t, tx.ProduceSync(ctx, kgo.StringRecord(v)).FirstErr())
		}
		must(t, tx.EndTransaction(ctx, end))
	}
	run(kgo.TryCommit, "a", "b")
	run(kgo.TryAbort, "x", "y")
	write(t, b.Addr(), "events", 0, "c")
	run(kgo.TryAbort, "z")
	must(t, tx.BeginTransaction())
	must(t, tx.ProduceSync(ctx, kgo.StringRecord("open")).FirstErr())

	s := newSource(t, clusterAt(b.Addr()))
	ends, err := s.Ends(ctx)
	must(t, err)
	if len(ends) != 1 || ends[0].Stable != 9 || ends[0].High != 10 || ends[0].Start != 0 {
		t.Errorf("ends are %+v, want stable 9 of 10", ends)
	}
	s.Assign(map[event.PartitionID]event.Offset{0: 0})
	var l readLog
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 9})
	if want := []event.Offset{0, 1, 6}; !slices.Equal(l.records[0], want) || l.positions[0] != 9 || len(l.errs) > 0 {
		t.Errorf("read %v up to %d, errors %v; want %v up to 9", l.records[0], l.positions[0], l.errs, want)
	}
	must(t, tx.EndTransaction(ctx, kgo.TryCommit))
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 11})
	if want := []event.Offset{0, 1, 6, 9}; !slices.Equal(l.records[0], want) || l.positions[0] != 11 {
		t.Errorf("then read %v up to %d; want %v up to 11", l.records[0], l.positions[0], want)
	}
}

func TestSourceOutOfRange(t *testing.T) {
	t.Parallel()
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(2)})
	ctx := limit(t)
	write(t, b.Addr(), "events", 0, "a", "b", "c")
	var fetches atomic.Int64
	b.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		fetches.Add(1)
		return nil, nil, false
	})
	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{0: 7, 1: 0})
	var l readLog
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 8})
	if len(l.errs) != 1 || !errors.Is(l.errs[0], processing.ErrOffsetOutOfRange) || !strings.Contains(l.errs[0].Error(), "events/0") {
		t.Fatalf("errors are %v, want one ErrOffsetOutOfRange of events/0", l.errs)
	}

	// Whatever the caller does next, partition 0 stays silent, and partition 1 is still read.
	s.Resume([]event.PartitionID{0, 1})
	before := fetches.Load()
	second, cancel := context.WithTimeout(ctx, 600*time.Millisecond)
	defer cancel()
	if got := s.Poll(second); len(got) > 0 {
		t.Errorf("polled %+v of a faulted partition", got)
	}
	if n := fetches.Load() - before; n > 6 {
		t.Errorf("%d fetches in 600 ms", n)
	}
	write(t, b.Addr(), "events", 1, "d")
	l.errs = nil
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{1: 1})
	if !slices.Equal(l.records[1], []event.Offset{0}) || len(l.errs) > 0 {
		t.Errorf("partition 1: read %v, errors %v", l.records[1], l.errs)
	}

	s.Assign(map[event.PartitionID]event.Offset{0: 1})
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 3})
	if !slices.Equal(l.records[0], []event.Offset{1, 2}) || len(l.errs) > 0 {
		t.Errorf("assigned anew: read %v, errors %v", l.records[0], l.errs)
	}
}

func TestSourceRetentionHasPassed(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(1)})
	ctx := limit(t)
	write(t, b.Addr(), "events", 0, "a", "b", "c", "d", "e", "f")
	must(t, b.cluster.DeleteRecords("events", 0, 5))
	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{0: 3})
	var l readLog
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 6})
	if len(l.errs) != 1 || !errors.Is(l.errs[0], processing.ErrOffsetOutOfRange) || len(l.records[0]) > 0 {
		t.Errorf("read %v, errors %v; want ErrOffsetOutOfRange and no gap", l.records[0], l.errs)
	}
	ends, err := s.Ends(ctx)
	must(t, err)
	if ends[0].Start != 5 || ends[0].Stable != 6 || ends[0].High != 6 {
		t.Errorf("ends are %+v, want [5, 6)", ends[0])
	}
}

func TestSourceAddedPartitions(t *testing.T) {
	t.Parallel()
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(1)})
	ctx := limit(t)
	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{0: 0})
	before := time.Now()
	if ends, err := s.Ends(ctx); err != nil || len(ends) != 1 || ends[0].SentAt.Before(before) {
		t.Fatalf("ends are %+v, %v", ends, err)
	}
	_, err := newAdmin(t, b.Addr()).CreatePartitions(ctx, 2, "events")
	must(t, err)
	write(t, b.Addr(), "events", 2, "a")
	var ends []processing.End
	for len(ends) < 3 { // until the client's metadata are old enough to be asked for again
		ends, err = s.Ends(ctx)
		must(t, err)
	}
	if len(ends) != 3 || ends[2].Partition != 2 || ends[2].Stable != 1 || ends[2].Err != nil {
		t.Errorf("ends are %+v, want three partitions", ends)
	}
	s.Assign(map[event.PartitionID]event.Offset{1: 0, 2: 0})
	var l readLog
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{2: 1})
	if !slices.Equal(l.records[2], []event.Offset{0}) {
		t.Errorf("read %v", l.records)
	}
}

func TestSourcePause(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(2)})
	ctx := limit(t)
	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{0: 0, 1: 0})
	s.Pause([]event.PartitionID{0})
	write(t, b.Addr(), "events", 0, "a", "b")
	write(t, b.Addr(), "events", 1, "c")
	var l readLog
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{1: 1})
	if len(l.records[0]) > 0 {
		t.Errorf("read %v of a paused partition", l.records[0])
	}
	s.Resume([]event.PartitionID{0})
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 2})
	if !slices.Equal(l.records[0], []event.Offset{0, 1}) {
		t.Errorf("after Resume read %v", l.records[0])
	}
}

func TestSourceErrorsThatPass(t *testing.T) {
	t.Parallel()
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(1)})
	ctx := limit(t)
	write(t, b.Addr(), "events", 0, "a")
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.OffsetNotAvailable} {
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "events", Err: e})
	}
	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{0: 0})
	var l readLog
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 1})
	if len(l.errs) > 0 || l.positions[0] != 1 {
		t.Errorf("read up to %d, errors %v", l.positions[0], l.errs)
	}
}

func TestSourceErrorsThatStay(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(2)})
	ctx := limit(t)
	write(t, b.Addr(), "events", 1, "a")
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "events", Partitions: []int32{0}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{0: 0, 1: 0})
	l := readLog{}
	for l.positions[1] < 1 || len(l.errs) == 0 {
		if ctx.Err() != nil {
			t.Fatalf("read up to %v, errors %v", l.positions, l.errs)
		}
		var more readLog
		more.readUntil(ctx, s, map[event.PartitionID]event.Offset{1: 1})
		l.positions = map[event.PartitionID]event.Offset{1: max(l.positions[1], more.positions[1])}
		l.errs = append(l.errs, more.errs...)
	}
	if len(l.errs) != 1 || !errors.Is(l.errs[0], kerr.TopicAuthorizationFailed) {
		t.Errorf("errors are %v, want one", l.errs)
	}
}

// inBubble runs a test in fake time on a network in memory.
func inBubble(t *testing.T, test func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster)) {
	synctest.Test(t, func(t *testing.T) {
		net := &kfake.VirtualNetwork{}
		test(t, net, Cluster{Brokers: []string{"127.0.0.1:9092"}, Logger: quiet(), dial: net.DialContext})
	})
}

func startVirtual(t *testing.T, net *kfake.VirtualNetwork, partitions int32) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.Ports(9092), kfake.ListenFn(net.Listen), kfake.SeedTopics(partitions, "events"))
	must(t, err)
	return c
}

func TestSourceClose(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(1)})
	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{0: 0})
	polled := make(chan int)
	go func() { polled <- len(s.Poll(context.Background())) }()
	s.Close()
	if n := <-polled; n != 0 {
		t.Errorf("polled %d answers", n)
	}
}
