package kafka

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/processing/event"
)

const childDir = "TIDEMARK_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runBroker(dir)
	}
	// A client that is closed polls once more, and what a fetch that is under way puts into its buffer after that is never taken: the
	// fetches' manager waits for it for ever.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/twmb/franz-go/pkg/kgo.(*fetchManager).manageFetchConcurrency"))
}

// runBroker is the process that the tests kill: it prints its address and runs until its input ends.
func runBroker(dir string) {
	b, err := StartBroker(BrokerOptions{
		Listen: "127.0.0.1:0", Dir: dir, Logger: quiet(), UnsafeNoSync: true,
		Topics: map[string]TopicSpec{
			"events": {Partitions: 3, RetentionBytes: 6 << 20}, "metrics": {Partitions: 8, RetentionBytes: 64 << 20},
			"alerts": smallTopic(1), "dead-letters": smallTopic(1), ProgressTopic: smallTopic(1),
		},
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(b.Addr())
	io.Copy(io.Discard, os.Stdin)
	if err := b.Close(); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	c := &child{cmd: cmd, stdin: stdin}
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	must(t, err)
	c.addr = strings.TrimSpace(line)
	return c
}

// kill is SIGKILL, or its like; killing twice does nothing.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// end lets the process close its broker.
func (c *child) end() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startBroker runs a broker on a free port until the test ends.
func startBroker(t testing.TB, topics map[string]TopicSpec) *Broker {
	t.Helper()
	b, err := StartBroker(BrokerOptions{
		Listen: "127.0.0.1:0", Dir: t.TempDir(), Topics: topics, Logger: quiet(), UnsafeNoSync: true,
	})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// smallTopic keeps 4 MiB a partition.
func smallTopic(partitions int) TopicSpec {
	return TopicSpec{Partitions: partitions, RetentionBytes: int64(partitions) * 4 << 20}
}

func clusterAt(addr string) Cluster { return Cluster{Brokers: []string{addr}, Logger: quiet()} }

// newClient is a plain client, as other programs have.
func newClient(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func newAdmin(t testing.TB, addr string) *kadm.Client { return kadm.NewClient(newClient(t, addr)) }

// limit ends a test that hangs with the name of what it waited for.
func limit(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// write appends values to a partition, one record each.
func write(t testing.TB, addr, topic string, partition int, values ...string) {
	t.Helper()
	w, err := NewWriter(WriterOptions{Cluster: clusterAt(addr), Topic: topic, Compression: LZ4})
	must(t, err)
	defer w.Close()
	var records []event.Record
	for i, v := range values {
		records = append(records, event.Record{
			Partition: event.PartitionID(partition), Timestamp: event.Millis(1_700_000_000_000 + i), Value: []byte(v),
		})
	}
	ctx := limit(t)
	must(t, w.Write(ctx, records))
	must(t, w.Flush(ctx))
}

// readAll reads n records of a topic from its start, as other programs do.
func readAll(t testing.TB, addr, topic string, n int) []*kgo.Record {
	t.Helper()
	c := newClient(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	defer c.Close()
	ctx := limit(t)
	var records []*kgo.Record
	for len(records) < n {
		fetches := c.PollFetches(ctx)
		must(t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}
