package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const testToken = "correct horse battery"

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHosts(t *testing.T) {
	e := newEngine(t, testDefinitions)
	loopback := e.serve(nil)
	insecure := e.serve(func(o *Options) { o.Listen, o.Insecure = "0.0.0.0:8080", true })
	named := e.serve(func(o *Options) {
		o.Listen, o.Insecure, o.AllowedHosts = "0.0.0.0:8080", true, []string{"Stats.example.org"}
	})
	token := e.serve(func(o *Options) { o.Listen, o.AuthTokenFile = "0.0.0.0:8080", tokenFile(t, testToken) })
	for _, c := range []struct {
		host                             string
		loopback, insecure, named, token bool
	}{
		{"localhost:8080", true, true, true, true},
		{"LOCALHOST", true, true, true, true},
		{"127.0.0.1:8080", true, true, true, true},
		{"127.9.9.9", true, true, true, true},
		{"[::1]:8080", true, true, true, true},
		{"192.0.2.7:8080", false, true, true, true},
		{"stats.example.org", false, false, true, true},
		{"stats.example.org.:8080", false, false, true, true},
		{"evil.example", false, false, false, true},
		{"localhost.evil.example", false, false, false, true},
		{"127.0.0.1.evil.example", false, false, false, true},
		{"", false, false, false, true},
	} {
		for server, want := range map[*Server]bool{loopback: c.loopback, insecure: c.insecure, named: c.named, token: c.token} {
			w := server.ask(t, http.MethodGet, "/livez", func(r *http.Request) { r.Host = c.host })
			if got := w.Code == http.StatusOK; got != want {
				t.Errorf("host %q at %s %v: allowed %t, want %t", c.host, server.options.Listen, server.options.AllowedHosts, got, want)
			}
		}
	}
}

func TestToken(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(func(o *Options) { o.AuthTokenFile = tokenFile(t, testToken) })
	s.now = time.Now
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for _, c := range []struct {
		target string
		adjust func(*http.Request)
		want   int
	}{
		{"/livez", nil, 200},
		{"/readyz", nil, 200},
		{"/login", nil, 200},
		{"/", nil, 303},
		{"/js/app.js", nil, 401},
		{"/metrics", nil, 401},
		{"/openapi.yaml", nil, 401},
		{"/api/v1/metrics", nil, 401},
		{"/api/v1/metrics", bearer(testToken), 200},
		{"/api/v1/metrics", bearer(testToken + "x"), 401},
		{"/api/v1/metrics", bearer(""), 401},
		{"/api/v1/metrics", func(r *http.Request) { r.Header.Set("Authorization", "Basic "+testToken) }, 401},
		{"/api/v1/metrics?token=" + url.QueryEscape(testToken), nil, 401},
		{"/?token=wrong", nil, 401},
	} {
		if w := s.ask(t, http.MethodGet, c.target, c.adjust); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.target, w.Code, c.want)
		}
	}
}

func TestSession(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(func(o *Options) { o.AuthTokenFile = tokenFile(t, testToken) })
	clock := time.Now()
	s.now = func() time.Time { return clock }
	post := func(token, origin string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
		r.Host = "localhost:8080"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		theContract(t).check(t, r, w)
		return w
	}
	if w := post("wrong", "http://localhost:8080"); w.Code != 401 || len(w.Result().Cookies()) > 0 {
		t.Errorf("a wrong token: %d, %v", w.Code, w.Result().Cookies())
	}
	if w := post(testToken, "http://evil.example"); w.Code != 403 || len(w.Result().Cookies()) > 0 {
		t.Errorf("another site's form: %d, %v", w.Code, w.Result().Cookies())
	}
	byForm := post(testToken, "http://localhost:8080")
	byLink := s.ask(t, http.MethodGet, "/?token="+url.QueryEscape(testToken)+"&period=1h", nil)
	if where := byLink.Header().Get("Location"); where != "/?period=1h" {
		t.Errorf("after the link: %q", where)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{"form": byForm, "link": byLink} {
		cookies := w.Result().Cookies()
		if w.Code != 303 || len(cookies) != 1 {
			t.Fatalf("%s: %d, %v", name, w.Code, cookies)
		}
		c := cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || strings.Contains(c.Value, testToken) {
			t.Errorf("%s: cookie %s", name, c)
		}
		with := func(value string) int {
			return s.ask(t, http.MethodGet, "/api/v1/metrics", func(r *http.Request) {
				r.AddCookie(&http.Cookie{Name: c.Name, Value: value})
			}).Code
		}
		changed := []byte(c.Value)
		changed[3] ^= 1
		if with(c.Value) != 200 || with(string(changed)) != 401 || with("") != 401 {
			t.Errorf("%s: the cookie does not decide", name)
		}
		clock = clock.Add(sessionLength)
		if with(c.Value) != 401 {
			t.Errorf("%s: the session does not end", name)
		}
		clock = clock.Add(-sessionLength)
	}
	other := e.serve(func(o *Options) { o.AuthTokenFile = tokenFile(t, "another token that is long") })
	if other.access.isSession(byForm.Result().Cookies()[0].Value, clock) {
		t.Error("a session outlives its token")
	}
}

func TestLoginsAreLimited(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(func(o *Options) { o.AuthTokenFile = tokenFile(t, testToken) })
	last := 0
	for range loginsPerMinute + 1 {
		last = s.ask(t, http.MethodPost, "/login", nil).Code
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the last of many attempts: %d", last)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		adjust func(*Options)
		want   string // faults, one for each line
	}{
		{func(*Options) {}, ""},
		{func(o *Options) { o.Listen = "localhost:0" }, ""},
		{func(o *Options) { o.Listen = "[::1]:8080" }, ""},
		{func(o *Options) { o.Listen = ":8080" }, "listen"},
		{func(o *Options) { o.Listen, o.Insecure = ":8080", true }, ""},
		{func(o *Options) { o.Listen, o.AuthTokenFile = "192.0.2.1:80", "f" }, ""},
		{func(o *Options) { o.Listen = "8080" }, "listen"},
		{func(o *Options) { o.AuthTokenFile, o.Insecure = "f", true }, "insecure"},
		{func(o *Options) {
			o.AllowedOrigins, o.AllowedHosts = []string{"example.org", "https://a.example/x"}, []string{"a/b"}
			o.HeavyQueries, o.Live.PingEvery = 0, 0
		}, "allowed origins\nallowed origins\nallowed hosts\nheavy\nlive: PingEvery"},
	} {
		o := Default()
		c.adjust(&o)
		var got []string
		if err := o.Validate(); err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		want := strings.Split(c.want, "\n")
		if c.want == "" {
			want = nil
		}
		if len(got) != len(want) {
			t.Errorf("%+v: %q, want %q", o.Listen, got, want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%q, want %q", got[i], want[i])
			}
		}
	}
}

func TestBadTokenFiles(t *testing.T) {
	e := newEngine(t, testDefinitions)
	for _, path := range []string{tokenFile(t, "short"), filepath.Join(t.TempDir(), "missing")} {
		o := Default()
		o.AuthTokenFile = path
		_, err := New(o, Deps{Plan: e.plan, Store: e.store, Pipeline: e, Assets: testAssets})
		if err == nil || !strings.Contains(fmt.Sprint(err), "token") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
