package kafka

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestBrokerOptionsFaults(t *testing.T) {
	good := BrokerOptions{Listen: "127.0.0.1:9092", Dir: "x", Logger: quiet(), Topics: map[string]TopicSpec{"events": smallTopic(2)}}
	if err := good.Validate(); err != nil {
		t.Fatalf("good options: %v", err)
	}
	for name, c := range map[string]struct {
		change func(o *BrokerOptions)
		want   []string
	}{
		"every interface":  {func(o *BrokerOptions) { o.Listen = ":9092" }, []string{"not a loopback address"}},
		"other address":    {func(o *BrokerOptions) { o.Listen = "10.0.0.1:9092" }, []string{"not a loopback address"}},
		"a name":           {func(o *BrokerOptions) { o.Listen = "broker.example:9092" }, []string{"not a loopback address"}},
		"no port":          {func(o *BrokerOptions) { o.Listen = "127.0.0.1" }, []string{"missing port"}},
		"port too high":    {func(o *BrokerOptions) { o.Listen = "127.0.0.1:65536" }, []string{"not a port"}},
		"no partitions":    {func(o *BrokerOptions) { o.Topics["events"] = TopicSpec{0, 1 << 30} }, []string{"partitions"}},
		"little retention": {func(o *BrokerOptions) { o.Topics["events"] = TopicSpec{12, 1 << 20} }, []string{"retention"}},
		"all at once": {func(o *BrokerOptions) { *o = BrokerOptions{Listen: "0.0.0.0:1"} },
			[]string{"not a loopback address", "dir: missing", "logger: missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			o.Topics = map[string]TopicSpec{"events": smallTopic(2)}
			c.change(&o)
			_, err := StartBroker(o)
			if err == nil {
				t.Fatal("started")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestBrokerLoopbackNames(t *testing.T) {
	for in, want := range map[string]string{
		"localhost:9092": "127.0.0.1:9092", "127.0.0.2:0": "127.0.0.2:0", "[::1]:9092": "[::1]:9092",
	} {
		if got, err := loopback(in); err != nil || got != want {
			t.Errorf("loopback(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestBrokerBusyPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "broker")
	_, err = StartBroker(BrokerOptions{Listen: taken.Addr().String(), Dir: dir, Logger: quiet()})
	if !errors.Is(err, ErrAddrInUse) || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("error is %v, want ErrAddrInUse with the address", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was touched: %v", err)
	}
}

func TestBrokerDirectoryInUse(t *testing.T) {
	opts := BrokerOptions{Listen: "127.0.0.1:0", Dir: t.TempDir(), Logger: quiet(), UnsafeNoSync: true}
	first, err := StartBroker(opts)
	must(t, err)
	if _, err := StartBroker(opts); !errors.Is(err, ErrBrokerInUse) {
		t.Errorf("second start: %v, want ErrBrokerInUse", err)
	}
	must(t, first.Close())
	again, err := StartBroker(opts)
	must(t, err)
	must(t, again.Close())
}

func TestBrokerDirectoryIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	b, err := StartBroker(BrokerOptions{Listen: "127.0.0.1:0", Dir: dir, Logger: quiet(), UnsafeNoSync: true})
	must(t, err)
	defer b.Close()
	info, err := os.Stat(dir)
	must(t, err)
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode is %o, want 700", got)
	}
}

// picture is what must be the same after a restart.
type picture struct {
	Cluster string
	Topic   kadm.TopicID
	Ends    map[int32]int64
	Group   int64
	Values  []string
}

func takePicture(t *testing.T, addr string, records int) picture {
	t.Helper()
	ctx := limit(t)
	adm := newAdmin(t, addr)
	meta, err := adm.Metadata(ctx, "events")
	must(t, err)
	ends, err := adm.ListEndOffsets(ctx, "events")
	must(t, err)
	group, err := adm.FetchOffsets(ctx, "tidemark")
	must(t, err)
	at, _ := group.Lookup("events", 1)
	p := picture{Cluster: meta.Cluster, Topic: meta.Topics["events"].ID, Ends: map[int32]int64{}, Group: at.At}
	ends.Each(func(o kadm.ListedOffset) { p.Ends[o.Partition] = o.Offset })
	for _, r := range readAll(t, addr, "events", records) {
		p.Values = append(p.Values, string(r.Value))
	}
	slices.Sort(p.Values)
	return p
}

func TestBrokerSurvives(t *testing.T) {
	for name, stop := range map[string]func(*child){"clean stop": (*child).end, "SIGKILL": (*child).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := startChild(t, dir)
			write(t, first.addr, "events", 0, "a", "b")
			write(t, first.addr, "events", 1, "c")
			offsets := make(kadm.Offsets)
			offsets.AddOffset("events", 1, 1, -1)
			must(t, newAdmin(t, first.addr).CommitAllOffsets(limit(t), "tidemark", offsets))
			before := takePicture(t, first.addr, 3)
			if before.Group != 1 || before.Cluster == "" || before.Topic == (kadm.TopicID{}) {
				t.Fatalf("nothing to compare with: %+v", before)
			}
			stop(first)

			second := startChild(t, dir)
			if diff := cmp.Diff(before, takePicture(t, second.addr, 3)); diff != "" {
				t.Errorf("after the restart (-before +after):\n%s", diff)
			}
			write(t, second.addr, "events", 0, "d")
			stop(second)

			third := startChild(t, dir)
			after := takePicture(t, third.addr, 4)
			if want := []string{"a", "b", "c", "d"}; !slices.Equal(after.Values, want) {
				t.Errorf("read %q, want %q", after.Values, want)
			}
		})
	}
}

// A producer that outlives the broker goes on with its sequence numbers; a broker that took those of its last clean stop
// for the newest would refuse it.
func TestBrokerTakesSurvivingProducers(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: starts brokers again and again")
	}
	t.Parallel()
	dir := t.TempDir()
	first := startChild(t, dir)
	var addr atomic.Value // of the broker of the moment
	addr.Store(first.addr)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr.Load().(string))
	}
	var lost atomic.Int64
	producer := newClient(t, first.addr, kgo.Dialer(dial), kgo.DefaultProduceTopic("events"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerOnDataLossDetected(func(string, int32) { lost.Add(1) }))
	produce := func(v string) {
		t.Helper()
		must(t, producer.ProduceSync(limit(t), kgo.StringRecord(v)).FirstErr())
	}
	produce("a")
	first.end()
	second := startChild(t, dir)
	addr.Store(second.addr)
	produce("b")
	produce("c")
	second.kill()
	third := startChild(t, dir)
	addr.Store(third.addr)
	produce("d")
	if lost.Load() > 0 {
		t.Error("the producer was told of a gap in its sequence")
	}
	var got []string
	for _, r := range readAll(t, third.addr, "events", 4) {
		got = append(got, string(r.Value))
	}
	if !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("read %q", got)
	}
}

func TestBrokerRetention(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: starts brokers again and again")
	}
	t.Parallel()
	opts := BrokerOptions{
		Listen: "127.0.0.1:0", Dir: t.TempDir(), Logger: quiet(), UnsafeNoSync: true,
		Topics: map[string]TopicSpec{"events": {Partitions: 1, RetentionBytes: 2 << 20}},
	}
	b, err := StartBroker(opts)
	must(t, err)
	ctx := limit(t)
	c := newClient(t, b.Addr(), kgo.DefaultProduceTopic("events"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	old := []byte(strings.Repeat("x", 512<<10))
	for range 8 { // 4 MiB, of 1970: age must not matter
		r := kgo.SliceRecord(old)
		r.Timestamp = r.Timestamp.AddDate(0, 0, 1)
		must(t, c.ProduceSync(ctx, r).FirstErr())
	}
	b.cluster.ApplyRetention()
	start, end := bounds(t, b.Addr())
	if end != 8 || start < 3 || start > 5 {
		t.Errorf("log is [%d, %d), want about [4, 8)", start, end)
	}
	if size := dirSize(t, opts.Dir); size > 3<<20 {
		t.Errorf("%d bytes on disk, want about 2 MiB", size)
	}
	must(t, b.Close())

	b, err = StartBroker(opts)
	must(t, err)
	defer b.Close()
	if s, e := bounds(t, b.Addr()); s != start || e != end {
		t.Errorf("after a restart the log is [%d, %d), want [%d, %d)", s, e, start, end)
	}
}

func bounds(t *testing.T, addr string) (start, end int64) {
	t.Helper()
	adm := newAdmin(t, addr)
	starts, err := adm.ListStartOffsets(limit(t), "events")
	must(t, err)
	ends, err := adm.ListEndOffsets(limit(t), "events")
	must(t, err)
	s, _ := starts.Lookup("events", 0)
	e, _ := ends.Lookup("events", 0)
	return s.Offset, e.Offset
}

func dirSize(t *testing.T, dir string) (size int64) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	}))
	return size
}
