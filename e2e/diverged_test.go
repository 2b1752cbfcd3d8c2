package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// A leader that lacks the last records of a partition, and goes on under an epoch of its own, as an unclean election makes one, stops
// the partition although its log is longer by now than what was read: that another leader's records end before the position is all
// that tells.
func TestDivergedIsResumed(t *testing.T) {
	t.Parallel()
	dir, host := t.TempDir(), freeAddress(t)
	_, text, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	var cluster *kfake.Cluster
	start := func() {
		t.Helper()
		if cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir)); err != nil {
			t.Fatal(err)
		}
	}
	start()
	t.Cleanup(func() { cluster.Close() })
	if err := cluster.CreateTopic("on-events", 4, nil); err != nil {
		t.Fatal(err)
	}
	definitions := filepath.Join(t.TempDir(), "definitions.yaml")
	if err := os.WriteFile(definitions, []byte("version: 1\nsource: {idle_timeout: 1s, close_when_idle: 1h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launchAt(t, "on", "--kafka-brokers", host, "--create-topics", "--definitions", definitions)
	p.ready()
	simulate(t, "on", 0, "--kafka-brokers", host)
	p.consumed(1000)
	cluster.Close()
	log, earlier := filepath.Join(dir, "partitions", "on-events-1"), filepath.Join(t.TempDir(), "earlier")
	if err := os.CopyFS(earlier, os.DirFS(log)); err != nil {
		t.Fatal(err)
	}
	start()
	simulate(t, "on", 1, "--kafka-brokers", host)
	p.consumed(2000)
	p.interrupt()

	cluster.Close()
	if err := os.RemoveAll(log); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(log, os.DirFS(earlier)); err != nil {
		t.Fatal(err)
	}
	start()
	if err := cluster.MoveTopicPartition("on-events", 1, 0); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		simulate(t, "on", 2+n, "--kafka-brokers", host)
	}
	p = p.again()
	if ids := p.standsStill("diverged"); !slices.Equal(ids, []int{1}) {
		t.Errorf("partitions %v stand still", ids)
	}
	out := tool(t, "resume", "--data", p.dataDir(), "--accept-gap", "on-events/1")
	if !strings.Contains(out, "on-events/1 goes on at offset ") || !strings.Contains(out, "what was read there before, up to ") {
		t.Errorf("resume said %s", out)
	}
	p.await("everything is read", func() bool { return p.lag() == 0 })
	p.consumed(5000) // each record of both logs was read once
	p = p.restart()
	p.await("healthy after a restart", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "Healthy") })
}
