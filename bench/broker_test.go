package bench_test

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

	"github.com/tidemark/tidemark/processing/kafka"
	"github.com/tidemark/tidemark/simulator"
)

// brokerVariable makes this test binary a broker instead: its work must not count as that of whoever reads from it.
const brokerVariable = "TIDEMARK_BENCH_BROKER"

const (
	events     = 600_000
	partitions = 12
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerVariable); dir != "" {
		if err := serveBroker(dir); err != nil {
			fmt.Fprintln(os.Stderr, "broker:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveBroker runs a broker with simulated traffic, lz4, until its input ends. Its address is the first line of its output.
func serveBroker(dir string) error {
	log := slog.New(slog.DiscardHandler)
	topics := map[string]kafka.TopicSpec{"events": {Partitions: partitions, RetentionBytes: 4 << 30}}
	broker, err := kafka.StartBroker(kafka.BrokerOptions{Listen: "127.0.0.1:0", Dir: dir, Topics: topics, Logger: log, UnsafeNoSync: true})
	if err != nil {
		return err
	}
	defer broker.Close()
	writer, err := kafka.NewWriter(kafka.WriterOptions{
		Cluster: kafka.Cluster{Brokers: []string{broker.Addr()}, Logger: log}, Topic: "events", Compression: kafka.LZ4,
	})
	if err != nil {
		return err
	}
	defer writer.Close()
	o := simulator.Default()
	o.Start, o.Rate, o.Count, o.Partitions = 1_760_000_000_000, 10_000, events, partitions
	sim, err := simulator.New(o)
	if err != nil {
		return err
	}
	if err := simulator.Run(context.Background(), sim, writer, simulator.Pace{Unpaced: true}); err != nil {
		return err
	}
	if err := writer.Flush(context.Background()); err != nil {
		return err
	}
	fmt.Println(broker.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// startBroker starts a broker in a process of its own and returns its address once it holds the events.
func startBroker(tb testing.TB) string {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), brokerVariable+"="+tb.TempDir())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("broker: %v", err)
		}
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("broker: %v", err)
	}
	return strings.TrimSpace(addr)
}
