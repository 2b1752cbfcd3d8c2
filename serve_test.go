package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// noEnv keeps what the developer has set out of a test.
func noEnv(string) (string, bool) { return "", false }

var dashboardAddress = regexp.MustCompile(`dashboard=(http://\S+?)/ `)

// TestServeStartsAnswersAndEnds starts the server on a new directory and on the one it left.
func TestServeStartsAnswersAndEnds(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		logs, out := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--embedded-listen", "127.0.0.1:0", "--workers", "1"}
			ended <- run(ctx, args, streams{out: io.Discard, err: out, env: noEnv})
			out.Close()
		}()
		address := make(chan string, 1)
		go func() {
			for lines := bufio.NewScanner(logs); lines.Scan(); {
				if m := dashboardAddress.FindStringSubmatch(lines.Text()); m != nil {
					address <- m[1]
				}
			}
		}()
		select {
		case base := <-address:
			waitReady(ctx, t, base)
			checkMetricsAreDocumented(t, fetch(ctx, t, base+"/metrics"))
		case code := <-ended:
			t.Fatalf("serve ended early with %d", code)
		case <-ctx.Done():
			t.Fatal("serve said no address")
		}
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("serve ended with %d", code)
		}
	}
	var out, faults bytes.Buffer
	if code := run(t.Context(), []string{"inspect", "--data", data}, streams{out: &out, err: &faults, env: noEnv}); code != exitDone {
		t.Errorf("inspect ended with %d: %s", code, &faults)
	}
	for _, want := range []string{"instance", "watermark", "page_views_per_second", "KEYSPACE"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("inspect does not say %q:\n%s", want, &out)
		}
	}
}

func waitReady(ctx context.Context, t *testing.T, base string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp := get(ctx, t, base+"/readyz"); resp.StatusCode == http.StatusOK {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("serve never became ready")
		}
	}
}

func get(ctx context.Context, t *testing.T, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func fetch(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	body, err := io.ReadAll(get(ctx, t, url).Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

var metricHelp = regexp.MustCompile(`(?m)^# TYPE (tidemark_\S+) `)

// checkMetricsAreDocumented holds docs/reference/metrics.md to what is served.
func checkMetricsAreDocumented(t *testing.T, served string) {
	t.Helper()
	page, err := os.ReadFile("docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	found := metricHelp.FindAllStringSubmatch(served, -1)
	if len(found) == 0 {
		t.Error("there is no metric of our own")
	}
	for _, m := range found {
		if !bytes.Contains(page, []byte("`"+m[1]+"`")) {
			t.Errorf("docs/reference/metrics.md does not tell of %s", m[1])
		}
	}
}
