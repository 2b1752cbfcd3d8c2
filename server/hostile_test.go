package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// talk sends bytes as they are and returns the status of the answer, 0 when the server hangs up without one.
func talk(t *testing.T, address, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, request) // the server may hang up before it has everything
	}()
	defer func() { conn.Close(); <-sent }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// Requests that are far too large, too many or no requests are refused, each in its way, and leave nothing behind.
func TestHostileRequests(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	address, stop := running(t, e.serve(func(o *Options) { o.PerMinute = 1 << 30 }))
	get := func(target, headers string) string {
		return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", target, headers)
	}
	requests := []struct {
		name, request string
		want          int
	}{
		{"a query of a megabyte", get("/api/v1/feed?after="+strings.Repeat("1", 1<<20), ""), 431},
		{"a header of a megabyte", get("/api/v1/feed", "X: "+strings.Repeat("x", 1<<20)+"\r\n"), 431},
		{"a million headers", get("/api/v1/feed", strings.Repeat("a: b\r\n", 1_000_000)), 431},
		{"ten thousand parameters", get("/api/v1/feed?"+strings.Repeat("a&", 10_000), ""), 400},
		{"ten thousand different parameters", get("/api/v1/metrics/views/windows?"+distinct(7_000), ""), 400},
		{"a value of thirty thousand bytes", get("/api/v1/metrics/views/windows?from="+strings.Repeat("%ff", 10_000), ""), 400},
		{"a long path", get("/api/v1/metrics/"+strings.Repeat("x", 30_000)+"/windows", ""), 404},
		{"a path that climbs", get("/../../../../etc/passwd", ""), 404},
		{"a body that is too large", "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000000\r\n\r\ntoken=" +
			strings.Repeat("x", 10_000_000-6), 303}, // there is no token, so that nobody reads it
		{"a body where none belongs", "GET /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1_000_000), 200},
		{"two lengths", "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		{"no host", "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 400},
		{"another host", "GET /livez HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403},
		{"another method", "BREW /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405},
		{"no request", strings.Repeat("\x00\xff", 1<<16), 431},
		{"a line that is no request", "\x00\xff\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"a live channel without its key", get("/api/v1/live", "Upgrade: websocket\r\n"), 426},
		{"a hundred kilobytes of channels", get("/api/v1/live?channels="+strings.Repeat("metrics,", 12_000), "Upgrade: websocket\r\n"), 431},
	}
	before := heapInUse()
	for range 5 {
		for _, r := range requests {
			if got := talk(t, address, r.request); got != r.want {
				t.Errorf("%s: %d, want %d", r.name, got, r.want)
			}
		}
	}
	if after := heapInUse(); after > before+8<<20 {
		t.Errorf("%d MiB of heap in use before, %d after", before>>20, after>>20)
	}
	stop()
}

// A client that sends its request a byte at a time, and never the last, is cut off.
func TestSlowRequestIsCutOff(t *testing.T) {
	t.Parallel()
	e := newEngine(t, testDefinitions)
	address, stop := running(t, e.serve(nil))
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, conn)
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for text := "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "; ; text = "x" {
		if _, err := io.WriteString(conn, text); err != nil {
			break
		}
		select {
		case <-ended:
		case <-tick.C:
			continue
		case <-t.Context().Done():
		}
		break
	}
	if took := time.Since(began); took < 4*time.Second || took > time.Minute {
		t.Errorf("cut off after %v", took)
	}
	stop()
}

func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%x&", i)
	}
	return b.String()
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
