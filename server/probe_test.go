package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/processing"
)

func TestProbeSaysWhy(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(nil)
	status := processing.Status{Phase: processing.Running, Verdict: "Healthy", Verified: true}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Pipeline = &faulty{e, status}
		s.Handler().ServeHTTP(w, r)
	}))
	defer listener.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(listener.URL, "http://"), ":")
	for _, c := range []struct {
		listen, path string
		verified     bool
		says         string
	}{
		{"127.0.0.1:" + port, "/livez", false, ""},
		{"127.0.0.1:" + port, "/readyz", true, ""},
		{"0.0.0.0:" + port, "/readyz", true, ""},
		{":" + port, "/readyz", true, ""},
		{"127.0.0.1:" + port, "/readyz", false, "the cursors are not verified yet"},
		{"127.0.0.1:" + port, "/nothing", true, "404"},
		{"127.0.0.1:1", "/livez", true, "refused"},
		{"127.0.0.1", "/livez", true, "missing port"},
	} {
		status.Verified = c.verified
		err := Probe(t.Context(), c.listen, c.path)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s%s: %v, want %q", c.listen, c.path, err, c.says)
		}
	}
}

func TestTheProbeReachesWhatListensEverywhere(t *testing.T) {
	for host, want := range map[string]string{
		"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "127.0.0.1": "127.0.0.1", "192.0.2.7": "192.0.2.7", "localhost": "localhost",
	} {
		if got := reachable(host); got != want {
			t.Errorf("%q is reached by %q, want %q", host, got, want)
		}
	}
}
