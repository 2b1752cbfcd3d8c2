package server

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tidemark/tidemark/store"
)

// testNow is the clock of the servers of the tests.
var testNow = time.UnixMilli(100_000)

var testAssets = fstest.MapFS{
	"index.html": {Data: []byte("<!doctype html><title>Tidemark</title>")},
	"js/app.js":  {Data: []byte("// nothing\n")},
}

// sizedStore takes the same room on every machine.
type sizedStore struct{ *store.Store }

func (sizedStore) Size() (bytes, free uint64) { return 4096, 1 << 30 }

func (sizedStore) Usage() ([]store.SpaceUsage, error) {
	return []store.SpaceUsage{{Name: "result", Bytes: 3000}, {Name: "feed", Bytes: 512}}, nil
}

func (sizedStore) Course() []store.CoursePoint {
	return []store.CoursePoint{{Start: 40_000, Commits: 3, Bytes: 1200, Longest: 1500 * time.Microsecond}, {Start: 50_000, Commits: 1, Bytes: 90, Longest: time.Millisecond}}
}

// serve makes a server of an engine.
func (e *engine) serve(adjust func(*Options)) *Server {
	e.t.Helper()
	options := Default()
	options.Version = "1.2.3"
	if adjust != nil {
		adjust(&options)
	}
	s, err := New(options, Deps{
		Plan: e.plan, Store: sizedStore{e.store}, Pipeline: e, Epoch: "epoch-1", Readers: []string{"publisher"}, Assets: testAssets,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	s.now = func() time.Time { return testNow }
	e.server = s
	return s
}

// ask sends a request and checks the answer against the OpenAPI document.
func (s *Server) ask(t testing.TB, method, target string, adjust func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8080"
	if adjust != nil {
		adjust(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	theContract(t).check(t, r, w)
	return w
}

// get returns the JSON of an answer that must be 200.
func get[T any](t testing.TB, s *Server, target string) T {
	t.Helper()
	w := s.ask(t, http.MethodGet, target, nil)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	var body T
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return body
}
