package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/store"
)

// noEnv keeps what the developer has set out of a test.
func noEnv(string) (string, bool) { return "", false }

var dashboardAddress = regexp.MustCompile(`dashboard=(http://\S+?)/ `)

// TestServeStartsAnswersAndEnds starts the server on a new directory and on the one it left.
func TestServeStartsAnswersAndEnds(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		logs, out := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			args := []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--embedded-listen", "127.0.0.1:0", "--workers", "1", "--min-free", "0"}
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

// The definitions that were in force last have a line each, and the total is theirs alone.
func TestDigestOfADirectory(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	s, err := store.Open(filepath.Join(data, "store"), options)
	if err != nil {
		t.Fatal(err)
	}
	first, second := digest.Of([]byte("first")), digest.Of([]byte("second"))
	err = s.Commit(&processing.Changes{
		Watermark: 1,
		Definitions: []processing.Start{
			{Hash: definition.Hash{2}, Name: "views"}, {Hash: definition.Hash{1}, Name: "busy"}, {Hash: definition.Hash{3}, Name: "gone", From: math.MaxInt64},
		},
		Digests: []processing.DefinitionDigest{
			{Hash: definition.Hash{2}, Name: "views", Facts: 12, Sum: first}, {Hash: definition.Hash{1}, Name: "busy", Facts: 3, Sum: second},
			{Hash: definition.Hash{3}, Name: "gone", Facts: 9, Sum: first},
		},
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	var out, faults bytes.Buffer
	if code := run(t.Context(), []string{"digest", "--data", data}, streams{out: &out, err: &faults, env: noEnv}); code != exitDone {
		t.Fatalf("digest ended with %d: %s", code, &faults)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"busy 01000000000000000000000000000000 3 " + second.String(),
		"views 02000000000000000000000000000000 12 " + first.String(),
		"total " + first.Plus(second).String(),
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
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
