package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stage is a server on a cluster of kfake that the test can do anything to.
type stage struct {
	*process
	cluster *kfake.Cluster
	addr    string
}

// newStage starts a server that closes nothing by the clock, with four partitions of events.
func newStage(t *testing.T) *stage {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "on-events"), kfake.SleepOutOfOrder(),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "33554432"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &stage{cluster: c, addr: c.ListenAddrs()[0]}
	definitions := filepath.Join(t.TempDir(), "definitions.yaml")
	if err := os.WriteFile(definitions, []byte("version: 1\nsource: {idle_timeout: 1s, close_when_idle: 1h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = launchAt(t, "on", "--kafka-brokers", s.addr, "--create-topics", "--definitions", definitions)
	s.ready()
	return s
}

func (s *stage) simulate(n int) {
	s.t.Helper()
	simulate(s.t, "on", n, "--kafka-brokers", s.addr)
}

// dataDir is that of a server.
func (p *process) dataDir() string {
	at := len(p.args) - 2
	for p.args[at] != "--data" { // a flag that is given twice counts as it stands last
		at--
	}
	return p.args[at+1]
}

// restart kills the server and starts it again, on the same directory.
func (p *process) restart() *process {
	p.t.Helper()
	p.kill()
	return p.again()
}

// again starts a server that has ended.
func (p *process) again() *process {
	p.t.Helper()
	next := launch(p.t, freeAddress(p.t), p.args[:len(p.args)-2]...)
	next.ready()
	return next
}

// standsStill waits for faults of a kind and returns the partitions.
func (p *process) standsStill(kind string) (ids []int) {
	p.t.Helper()
	p.await("partitions stand still: "+kind, func() bool {
		ids = nil
		var v struct {
			Partitions []struct {
				Partition int
				FaultKind string `json:"fault_kind"`
			}
		}
		if p.fetch("/api/v1/pipeline", &v) != nil {
			return false
		}
		for _, part := range v.Partitions {
			if part.FaultKind == kind {
				ids = append(ids, part.Partition)
			}
		}
		return len(ids) > 0
	})
	return ids
}

// lag is how many records are not read yet.
func (p *process) lag() (n int64) {
	var v struct{ Partitions []struct{ Lag int64 } }
	if p.fetch("/api/v1/pipeline", &v) != nil {
		return -1
	}
	for _, part := range v.Partitions {
		n += part.Lag
	}
	return n
}

// code runs a command that is to fail and returns its exit code and what it said.
func code(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// A topic that is made anew under a running server stops it, and one word lets it go on with the new one.
func TestTopicRecreatedIsResumed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.simulate(0)
	s.consumed(1000)
	for _, do := range []func() error{
		func() error { return s.cluster.DeleteTopic("on-events") },
		func() error { return s.cluster.CreateTopic("on-events", 4, nil) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	s.simulate(1)
	s.await("all partitions stand still", func() bool { return len(s.standsStill("topic_recreated")) == 4 })

	// What stands still is known without the server, and a restart changes nothing.
	s.interrupt()
	exit, said := code(t, "inspect", "--data", s.dataDir())
	if exit != 3 || !strings.Contains(said, "topic_recreated") || !strings.Contains(said, "resume --accept-gap on-events/2") {
		t.Errorf("inspect ended with %d: %s", exit, said)
	}
	p := s.again()
	p.await("all partitions stand still", func() bool { return len(p.standsStill("topic_recreated")) == 4 })
	out := tool(t, "resume", "--data", p.dataDir(), "--accept-gap", "on-events/2")
	if !strings.Contains(out, "on-events/2 goes on at offset 0, the start of the new log") {
		t.Errorf("resume said %s", out)
	}
	if out = tool(t, "resume", "--data", p.dataDir(), "--accept-gap", "on-events"); strings.Count(out, "goes on") != 3 {
		t.Errorf("resume said %s", out)
	}
	p.consumed(2000)
	p = p.restart()
	simulate(t, "on", 2, "--kafka-brokers", s.addr)
	p.consumed(3000)
	if exit, said := code(t, "resume", "--data", p.dataDir(), "--accept-gap", "on-events"); exit != 1 || !strings.Contains(said, "nothing to decide: all partitions of on-events are read") {
		t.Errorf("resume ended with %d: %s", exit, said)
	}
}

// Retention that has passed a server which was away stops the partition; so does a fetch out of range, and it is not
// asked for again and again.
func TestRetentionPassedIsResumed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.simulate(0)
	s.consumed(1000)
	s.interrupt()
	s.simulate(1)
	if err := s.cluster.DeleteRecords("on-events", 1, 300); err != nil {
		t.Fatal(err)
	}
	var fetches atomic.Int64
	s.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		fetches.Add(1)
		return nil, nil, false
	})
	p := s.again()
	if ids := p.standsStill("retention_passed"); !slices.Equal(ids, []int{1}) {
		t.Errorf("partitions %v stand still", ids)
	}
	before, began := fetches.Load(), time.Now()
	p.await("two looks", p.nextLook())
	if n := float64(fetches.Load()-before) / time.Since(began).Seconds(); n > 50 {
		t.Errorf("%.0f fetches a second", n)
	}
	out := tool(t, "resume", "--data", p.dataDir(), "--accept-gap", "on-events/1")
	if !strings.Contains(out, "on-events/1 goes on at offset 300") {
		t.Errorf("resume said %s", out)
	}
	p.await("everything is read", func() bool { return p.lag() == 0 })
	p.await("the watermark goes on", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "Healthy") })
	p = p.restart()
	p.await("healthy after a restart", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "Healthy") })
}

// A batch that would fill memory is left out, and nothing else.
func TestBatchTooLargeIsResumed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.simulate(0)
	s.consumed(1000)
	bomb := client(t, s.addr, kgo.ProducerBatchMaxBytes(128<<20), kgo.BrokerMaxWriteBytes(256<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err := bomb.ProduceSync(t.Context(), &kgo.Record{Topic: "on-events", Partition: 3, Value: bytes.Repeat([]byte{0}, 64<<20+1)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.standsStill("batch_too_large")
	s.simulate(1)
	out := tool(t, "resume", "--data", s.dataDir(), "--accept-gap", "on-events/3")
	if !strings.Contains(out, " without offset ") {
		t.Errorf("resume said %s", out)
	}
	s.consumed(2000)
	p := s.restart()
	simulate(t, "on", 2, "--kafka-brokers", s.addr)
	p.consumed(3000)
}

// Partitions that are added are read from their start, without a word of anybody.
func TestAddedPartitionsAreRead(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.simulate(0)
	s.consumed(1000)
	if _, err := admin(t, s.addr).CreatePartitions(t.Context(), 3, "on-events"); err != nil {
		t.Fatal(err)
	}
	s.await("the new partitions are known", func() bool {
		var v struct{ Partitions []struct{ Partition int } }
		return s.fetch("/api/v1/pipeline", &v) == nil && len(v.Partitions) == 7
	})
	s.simulate(1)
	s.consumed(2000)
	p := s.restart()
	p.consumed(2000)
}

// A backup of a server under load goes on from the log to the same numbers as the server itself; and so does a state that is
// rebuilt, which the next start takes. Who reads the outputs of all three hears everything once.
func TestBackupAndRebuildGoOnToTheSameDigest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for n := range 3 {
		s.simulate(n)
	}
	s.await("half is read", func() bool { return s.pipeline().Counters["consumed"] > 1000 })
	backup := filepath.Join(t.TempDir(), "backup")
	tool(t, "backup", "--data", s.dataDir(), "--to", backup)
	if exit, said := code(t, "backup", "--data", s.dataDir(), "--to", backup); exit != 1 || !strings.Contains(said, "directory is not empty") {
		t.Errorf("backup ended with %d: %s", exit, said)
	}
	s.simulate(3)
	s.consumed(4000)
	s.await("everything is folded", func() bool { return strings.HasPrefix(s.pipeline().Verdict, "Healthy") })
	info, err := os.Stat(filepath.Join(s.dataDir(), "admin.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("admin.sock is %v, %v", info, err)
	}
	if out := tool(t, "rebuild", "--data", s.dataDir()); !strings.Contains(out, "store.rebuilt") {
		t.Errorf("rebuild said %s", out)
	}
	if exit, said := code(t, "rebuild", "--data", s.dataDir()); exit != 0 {
		t.Errorf("rebuild once more ended with %d: %s", exit, said) // it is there already
	}
	s.interrupt()
	want := tool(t, "digest", "--data", s.dataDir())

	restored := filepath.Join(t.TempDir(), "restored")
	tool(t, "restore", "--from", backup, "--data", restored)
	args := slices.Clone(s.args)
	args[slices.Index(args, "--data")+1] = restored
	r := launch(t, freeAddress(t), args[:len(args)-2]...)
	r.ready()
	r.consumed(4000)
	r.await("everything is folded", func() bool { return strings.HasPrefix(r.pipeline().Verdict, "Healthy") })
	var got struct{ Digest string }
	if err := r.fetch("/api/v1/digest", &got); err != nil || !strings.Contains(want, got.Digest) {
		t.Errorf("the restored server has %s, %v, want\n%s", got.Digest, err, want)
	}
	finals := s.finalsOnce()
	s.simulate(4)
	r.consumed(5000)
	r.interrupt()
	if again := s.finalsOnce(); again <= finals {
		t.Errorf("the restored server has published nothing: %d finals, %d before", again, finals)
	}
	want = tool(t, "digest", "--data", restored)

	p := s.again()
	p.consumed(5000)
	p.await("everything is folded", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "Healthy") })
	p.interrupt()
	if got := tool(t, "digest", "--data", s.dataDir()); got != want {
		t.Errorf("the rebuilt state has\n%swant\n%s", got, want)
	}
	s.finalsOnce()
	old, _ := filepath.Glob(filepath.Join(s.dataDir(), "store.old-*"))
	if said := tool(t, "inspect", "--data", s.dataDir()); len(old) != 1 || !strings.Contains(said, old[0]) {
		t.Errorf("old states kept: %v, and inspect says\n%s", old, said)
	}
}

// finalsOnce returns how many finals read-committed consumers of the outputs have heard, each of them once, whoever published it.
// Revisions never fall.
func (s *stage) finalsOnce() int {
	s.t.Helper()
	seen, revisions := map[string]string{}, map[string]int{}
	for _, r := range committed(s.t, s.addr, "on-metrics") {
		id := header(r, "tidemark-id")
		revision, err := strconv.Atoi(header(r, "tidemark-revision"))
		if err != nil || revision < revisions[id] {
			s.t.Errorf("%s has revision %d after %d, %v", id, revision, revisions[id], err)
		}
		revisions[id] = revision
		if header(r, "tidemark-kind") != "final" {
			continue
		}
		entry := header(r, "tidemark-epoch") + "/" + header(r, "tidemark-seq")
		if before := seen[id]; before != "" {
			s.t.Errorf("the final of %s was published as %s, and as %s", id, before, entry)
		}
		seen[id] = entry
	}
	return len(seen)
}

// Two processes never open one directory, whatever they want there; and the socket of a server that was killed is replaced.
func TestTwoProcessesNeverOpenOneDirectory(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	data := s.dataDir()
	backup := filepath.Join(t.TempDir(), "backup")
	tool(t, "backup", "--data", data, "--to", backup)
	for _, c := range []struct {
		args []string
		want string
	}{
		{append(slices.Clone(s.args[:len(s.args)-2]), "--listen", "127.0.0.1:0"), "in use by another process"},
		{[]string{"restore", "--from", backup, "--data", data}, "there is a store already"},
		{[]string{"digest", "--data", data}, "in use by another process"},
		{[]string{"inspect", "--data", data}, "in use by another process"},
		{[]string{"replay", "--from-store", data, "--into", filepath.Join(t.TempDir(), "into"), "--kafka-brokers", s.addr}, "in use by another process"},
	} {
		if exit, said := code(t, c.args...); exit == 0 || !strings.Contains(said, c.want) {
			t.Errorf("%s ended with %d: %s", c.args[0], exit, said)
		}
	}
	// A rebuild without the socket would open the store itself.
	if err := os.Remove(filepath.Join(data, "admin.sock")); err != nil {
		t.Fatal(err)
	}
	if exit, said := code(t, "rebuild", "--data", data, "--kafka-brokers", s.addr, "--events-topic", "on-events"); exit != 1 || !strings.Contains(said, "in use by another process") {
		t.Errorf("rebuild ended with %d: %s", exit, said)
	}
	p := s.restart()
	p.kill() // leaves a socket that nobody answers at
	if exit, said := code(t, "resume", "--data", data, "--accept-gap", "on-events"); exit != 1 || !strings.Contains(said, "no server is running") {
		t.Errorf("resume ended with %d: %s", exit, said)
	}
	p = p.again()
	if exit, said := code(t, "resume", "--data", data, "--accept-gap", "on-events"); exit != 1 || !strings.Contains(said, "nothing to decide") {
		t.Errorf("resume ended with %d: %s", exit, said)
	}
	resp, err := http.Get(p.base + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(fmt.Sprint(resp.Status))
	}
}
