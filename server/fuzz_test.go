package server

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever a query says, the answer is one that the contract names, and short where it is a refusal.
func FuzzQuery(f *testing.F) {
	e := newEngine(f, testDefinitions)
	someTraffic(e)
	s := e.serve(func(o *Options) { o.PerMinute = 1 << 30 })
	paths := []string{
		"metrics/views/windows", "metrics/pages/windows", "metrics/revenue/history", "metrics/users/history", "metrics/pages/latest",
		"feed", "dead-letters", "alerts", "pipeline", "definitions", "metrics",
	}
	for i, query := range []string{
		"from=-1h&to=now", "from=0&to=9999999999999&limit=1000&group.url=/a", "step=1m&from=0", "step=1ms&from=-62167219200000&to=253402300799999",
		"group.currency=%28none%29&limit=1", "cursor=AAAA", "after=9007199254740991&types=result,late", "from=%ff&to=\x00", "a=1&a=2&a=3", "from=-106751d",
		"limit=99999999999999999999", ";;;", "%zz", "from=2026-01-01T00:00:00%2B14:00", strings.Repeat("&x", 3000),
	} {
		f.Add(byte(i), query, "application/json")
	}
	f.Add(byte(2), "from=-1h", "text/csv;q=0.5, */*;q=1e999, text/csv")
	f.Fuzz(func(t *testing.T, which byte, query, accept string) {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/"+paths[int(which)%len(paths)], nil)
		r.URL.RawQuery = query
		r.Host = "localhost:8080"
		r.Header["Accept"] = []string{accept}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if !slices.Contains([]int{http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusGone}, w.Code) {
			t.Fatalf("%s?%s: %d %s", r.URL.Path, query, w.Code, w.Body)
		}
		if w.Code != http.StatusOK && w.Body.Len() > 64<<10+8*len(query) {
			t.Fatalf("%s: %d bytes of query make %d of refusal", r.URL.Path, len(query), w.Body.Len())
		}
	})
}

// Only what session has made is a session, and only for as long.
func FuzzSession(f *testing.F) {
	a := &access{token: "0123456789abcdef"}
	now := time.Unix(1_700_000_000, 0)
	good := a.session(now)
	f.Add(good, int64(0))
	f.Add(good+"A", int64(1))
	f.Add(good[:len(good)-1], int64(0))
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, 40)), int64(-1))
	f.Fuzz(func(t *testing.T, value string, seconds int64) {
		at := now.Add(time.Duration(seconds%(1<<33)) * time.Second)
		took := a.isSession(value, at)
		// Line breaks are no part of base64: the decoder passes over them.
		same := strings.NewReplacer("\r", "", "\n", "").Replace(value) == good
		if want := same && at.Before(now.Add(sessionLength)); took != want {
			t.Errorf("%q is a session after %v: %v", value, at.Sub(now), took)
		}
	})
}

func FuzzNegotiate(f *testing.F) {
	f.Add("text/csv")
	f.Add("text/*;q=0.3, application/json;q=NaN, */*;q=-1")
	f.Add(strings.Repeat(",;q=", 1000))
	f.Fuzz(func(t *testing.T, accept string) {
		r := &http.Request{Header: http.Header{"Accept": {accept}}, URL: &url.URL{}}
		offers := []string{"application/json", "text/csv"}
		if got := negotiate(r, offers...); !slices.Contains(offers, got) {
			t.Errorf("%q picks %q", accept, got)
		}
	})
}
