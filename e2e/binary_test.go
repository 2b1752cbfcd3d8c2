package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark/tidemark/e2e/freeport"
)

// builtIn is the folder of the program, once it is built. TestMain removes it.
var builtIn string

// built is the program, which is built once.
var built = sync.OnceValues(func() (path string, err error) {
	if builtIn, err = os.MkdirTemp("", "tidemark-e2e"); err != nil {
		return "", err
	}
	path = filepath.Join(builtIn, "tidemark")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// process is a running server.
type process struct {
	t       *testing.T
	args    []string
	cmd     *exec.Cmd
	log     output
	started time.Time
	base    string // of its URLs
}

// binary returns the program's path.
func binary(t *testing.T) string {
	t.Helper()
	withoutRaceDetector(t)
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// withoutRaceDetector leaves a test to `make full`: the detector sees nothing of what another process does, and makes the
// comparisons, of tens of thousands of things, take minutes.
func withoutRaceDetector(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("make full runs it, without the race detector")
	}
}

// output is what a process says, which can be read while it speaks.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// launch starts the binary with an HTTP address of its own.
func launch(t *testing.T, listen string, args ...string) *process {
	t.Helper()
	return launchIn(t, "", listen, args...)
}

// launchIn starts it in a folder, "" being this one.
func launchIn(t *testing.T, dir, listen string, args ...string) *process {
	t.Helper()
	path := binary(t)
	if !slices.Contains(args, "--min-free") { // how full the disk of the machine is, is not under test
		args = append(args, "--min-free", "0")
	}
	p := &process{t: t, args: append(args, "--listen", listen), base: "http://" + listen}
	p.cmd = exec.Command(path, p.args...)
	p.cmd.Dir = dir
	p.cmd.Stderr = &p.log
	p.cmd.Stdout = &p.log
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as a power cut would, and waits for its end.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// interrupt ends the process as Ctrl-C does, and returns how long that took.
func (p *process) interrupt() time.Duration {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("%v\n%s", err, p.log.String())
	}
	return time.Since(began)
}

// fetch reads JSON from the server.
func (p *process) fetch(path string, into any) error {
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Get(p.base + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	}
	return json.Unmarshal(body, into)
}

// tooLong is how long a test waits for what must come. It is long, as machines are busy: nobody waits for what comes.
const tooLong = 5 * time.Minute

// await asks until what it asks for is so.
func (p *process) await(what string, so func() bool) {
	p.t.Helper()
	deadline := time.After(tooLong)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			p.t.Fatalf("%s: not within %v\n%s", what, tooLong, p.log.String())
		case <-tick.C:
		}
	}
}

// ready waits until the server is, and returns how long it took since its start.
func (p *process) ready() time.Duration {
	p.t.Helper()
	p.await("ready", func() bool { return p.fetch("/readyz", &struct{}{}) == nil })
	return time.Since(p.started)
}

// pipelineView is what /pipeline says.
type pipelineView struct {
	Verdict     string
	WatermarkMs int64 `json:"watermark_ms"`
	Counters    map[string]int64
	Readers     []struct {
		Name     string
		Position uint64
		Lag      int64
	}
}

// published reports whether all of the feed has been written to Kafka.
func (v *pipelineView) published() bool {
	for _, r := range v.Readers {
		if r.Name == "publisher" {
			return r.Lag == 0
		}
	}
	return false
}

func (p *process) pipeline() (v pipelineView) {
	if err := p.fetch("/api/v1/pipeline", &v); err != nil {
		return pipelineView{}
	}
	return v
}

// freeAddress is an address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// tool runs a command of the binary to its end.
func tool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// The limits are those that users are promised; a busy machine is given ten times the wall clock, never more memory.
const (
	promisedReady    = time.Second
	promisedEnd      = 3 * time.Second
	promisedResident = 150 << 20
	promisedBinary   = 60 << 20
	patience         = 10
)

func TestStartIsQuickAndIdlingIsSmall(t *testing.T) {
	info, err := os.Stat(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", freeAddress(t))
	ready := p.ready()
	resident := residentBytes(t, p.cmd.Process.Pid)
	end := p.interrupt()
	t.Logf("ready after %v, %d MiB resident, ended in %v, binary %d MiB", ready, resident>>20, end, info.Size()>>20)
	if ready > patience*promisedReady {
		t.Errorf("ready after %v", ready)
	}
	if end > patience*promisedEnd {
		t.Errorf("ended in %v", end)
	}
	if resident > promisedResident {
		t.Errorf("%d MiB resident", resident>>20)
	}
	if info.Size() > promisedBinary {
		t.Errorf("the binary has %d MiB", info.Size()>>20)
	}
}

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := residentLine.FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmRSS in %s", status)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// compareServers compares all windows that have settled, and all finals.
func compareServers(t *testing.T, a, b *process) {
	t.Helper()
	var list struct{ Metrics []struct{ Name string } }
	if err := a.fetch("/api/v1/metrics", &list); err != nil {
		t.Fatal(err)
	}
	settled := a.pipeline().WatermarkMs - 60_000
	compared := 0
	for _, m := range list.Metrics {
		x, y := windowsOf(t, a, m.Name, settled), windowsOf(t, b, m.Name, settled)
		compared += len(x)
		if len(x) != len(y) {
			t.Errorf("%s: %d windows, %d after kills", m.Name, len(x), len(y))
		}
		for key, want := range x {
			if got := y[key]; got != want {
				t.Errorf("%s %s: %s, after kills %s", m.Name, key, want, got)
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d windows were compared", compared)
	}
	t.Logf("%d windows are equal", compared)
}

// windowsOf returns a metric's windows that end by a time: what identifies them, and their numbers.
func windowsOf(t *testing.T, p *process, metric string, until int64) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for cursor := ""; ; {
		var page struct {
			Windows []struct {
				ID         string
				End        int64 `json:"window_end_ms"`
				Value      *float64
				Aggregates map[string]*float64
				Count      int64
			}
			Next *string
		}
		path := fmt.Sprintf("/api/v1/metrics/%s/windows?from=0&to=%d&limit=1000", metric, until)
		if cursor != "" {
			path = "/api/v1/metrics/" + metric + "/windows?cursor=" + cursor + "&limit=1000"
		}
		if err := p.fetch(path, &page); err != nil {
			t.Fatal(err)
		}
		for _, w := range page.Windows {
			if w.End <= until {
				numbers, err := json.Marshal([]any{w.Value, w.Aggregates, w.Count})
				if err != nil {
					t.Fatal(err)
				}
				out[w.ID] = string(numbers)
			}
		}
		if page.Next == nil {
			return out
		}
		cursor = *page.Next
	}
}

// kcat is a client that shares nothing with ours. It is asked for by TIDEMARK_KCAT=1, and must then be there.
func TestKcatWritesEventsAndReadsMetrics(t *testing.T) {
	t.Parallel()
	if os.Getenv("TIDEMARK_KCAT") == "" {
		t.Skip("set TIDEMARK_KCAT=1 to run this with kcat")
	}
	broker := freeAddress(t)
	// The few keys leave partitions empty: the watermark waits until they have proved to be idle.
	definitions := filepath.Join(t.TempDir(), "definitions.yaml")
	if err := os.WriteFile(definitions, []byte("version: 1\nsource: {idle_timeout: 1s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", broker, "--output-encoding", "json", "--definitions", definitions)
	p.ready()
	var lines bytes.Buffer
	start := time.Now().Add(-10 * time.Minute).UnixMilli()
	for i := range 600 {
		fmt.Fprintf(&lines, `s%d|{"eventId":"e%d","timestamp":%d,"eventType":"PAGE_VIEW","sessionId":"s%d","pageViewData":{"url":"/p","title":"P"},"metadata":{"source":"kcat"}}`+"\n",
			i%7, i, start+int64(i)*1000, i%7)
	}
	lines.WriteString("s1|{\"not\": \"an event\"}\n")
	// kcat stamps records with the current time, which lies after the events' own.
	kcat(t, lines.Bytes(), "-b", broker, "-P", "-t", "events", "-K", "|")
	p.await("all records are consumed", func() bool { return p.pipeline().Counters["consumed"] == 601 })
	if c := p.pipeline().Counters; c["dead_letters"] != 1 {
		t.Errorf("counters %v, want one dead letter", c)
	}
	p.await("results are published", func() bool {
		return strings.Contains(kcat(t, nil, "-b", broker, "-C", "-t", "metrics", "-o", "beginning", "-e", "-q"), `"metric":"page_views_per_second"`)
	})
	dead := kcat(t, nil, "-b", broker, "-C", "-t", "dead-letters", "-o", "beginning", "-e", "-q", "-f", "%k|%h|%s\n")
	for _, want := range []string{"s1|", "tidemark-reason=undecodable", "tidemark-topic=events", "tidemark-offset=", `{"not": "an event"}`} {
		if !strings.Contains(dead, want) {
			t.Errorf("the dead letter %q lacks %q", dead, want)
		}
	}
}

func kcat(t *testing.T, in []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command("kcat", args...)
	cmd.Stdin = bytes.NewReader(in)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("kcat %v: %v\n%s", args, err, faults.String())
	}
	return out.String()
}
