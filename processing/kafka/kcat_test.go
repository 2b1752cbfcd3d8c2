package kafka

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// kcat runs the program of that name, which is built on librdkafka, the client of most other languages.
func kcat(t *testing.T, addr, stdin string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(limit(t), "kcat", append([]string{"-b", addr, "-q"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kcat %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return out
}

func needKcat(t *testing.T) {
	t.Helper()
	if os.Getenv("TIDEMARK_KCAT") == "" {
		t.Skip("TIDEMARK_KCAT is not set; `make check` sets it")
	}
	if _, err := exec.LookPath("kcat"); err != nil {
		t.Fatal(err)
	}
}

func sampleEvent(t *testing.T) []byte {
	t.Helper()
	value, err := avro.MustParse(schemas.Events).Encode(map[string]any{
		"eventId": "e-1", "timestamp": int64(1_700_000_000_000), "eventType": "PAGE_VIEW", "userId": "u-1", "sessionId": "s-1",
		"pageViewData": map[string]any{"url": "/", "title": "Start", "referrer": nil, "pageLoadTime": int32(120)},
		"sessionData":  nil, "conversionData": nil, "customData": nil,
		"metadata": map[string]any{"source": "test", "version": "1.0", "environment": "test"},
	})
	must(t, err)
	return value
}

func TestKcatWritesEvents(t *testing.T) {
	needKcat(t)
	b := startBroker(t, DefaultTopics("events", "metrics", "alerts", "dead-letters"))
	binary := sampleEvent(t)
	file := filepath.Join(t.TempDir(), "event.avro")
	must(t, os.WriteFile(file, binary, 0o600))
	text := `{"eventId":"e-2","timestamp":1700000000001,"eventType":"PAGE_VIEW","sessionId":"s-1"}`

	if out := string(kcat(t, b.Addr(), "", "-L")); !strings.Contains(out, `topic "events" with 12 partitions`) {
		t.Errorf("metadata: %s", out)
	}
	var want [][]byte
	for _, args := range [][]string{
		{}, {"-z", "gzip"}, {"-z", "snappy"}, {"-z", "lz4"}, {"-z", "zstd"}, {"-X", "enable.idempotence=true"},
	} {
		args = append([]string{"-P", "-t", "events", "-p", "5"}, args...)
		kcat(t, b.Addr(), "", append(args, file)...) // a file is one message
		kcat(t, b.Addr(), text+"\n", args...)        // a line is one message
		want = append(want, binary, []byte(text))
	}

	s := newSource(t, clusterAt(b.Addr()))
	s.Assign(map[event.PartitionID]event.Offset{5: 0})
	ctx := limit(t)
	var got [][]byte
	for len(got) < len(want) && ctx.Err() == nil {
		for _, f := range s.Poll(ctx) {
			must(t, f.Err)
			for _, r := range f.Records {
				got = append(got, bytes.Clone(r.Value))
			}
		}
	}
	for i := range want {
		if i >= len(got) || !bytes.Equal(got[i], want[i]) {
			t.Fatalf("record %d of %d is not what kcat wrote", i, len(got))
		}
	}
}

func TestKcatReadsMetrics(t *testing.T) {
	needKcat(t)
	b := startBroker(t, DefaultTopics("events", "metrics", "alerts", "dead-letters"))
	ctx, cancel := context.WithCancel(limit(t))
	defer cancel()
	feed := newFeed(manyResults(20)...)
	run := startPublisher(ctx, t, clusterAt(b.Addr()), feed)
	feed.waitSaved(ctx, t, 20)
	must(t, run.stop())

	keys := string(kcat(t, b.Addr(), "", "-C", "-t", "metrics", "-o", "beginning", "-e", "-f", "%p %k %h\n"))
	if n := strings.Count(keys, "\n"); n != 20 {
		t.Errorf("kcat read %d records, want 20", n)
	}
	var partition string
	for line := range strings.Lines(keys) {
		if strings.Contains(line, `["top_pages",["/7"],60000] tidemark-seq=8,tidemark-epoch=e1,tidemark-id=`) {
			partition, _, _ = strings.Cut(line, " ")
		}
	}
	if partition == "" {
		t.Fatalf("kcat read no record of /7:\n%s", keys)
	}
	value := kcat(t, b.Addr(), "", "-C", "-t", "metrics", "-p", partition, "-o", "beginning", "-c", "1", "-D", "")
	if m := decoded(t, value); m["metric"] != "top_pages" || m["value"] != 7.0 {
		t.Errorf("kcat's bytes read as %v", m)
	}
	group := kcat(t, b.Addr(), "", "-G", "readers", "-X", "auto.offset.reset=earliest", "-c", "20", "-f", "%k\n", "metrics")
	if n := bytes.Count(group, []byte("\n")); n != 20 {
		t.Errorf("a consumer group read %d records, want 20", n)
	}
}
