package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// schemaRegistry speaks as much of a registry's interface as is needed to write and read events.
type schemaRegistry struct {
	mu      sync.Mutex
	schemas []string // number 1 is the first
	mute    bool     // schemas can be registered, but nobody is told any
}

func startSchemaRegistry(t *testing.T) (*schemaRegistry, *httptest.Server) {
	t.Helper()
	r := &schemaRegistry{mute: true}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", r.tell)
	mux.HandleFunc("POST /subjects/{subject}/versions", r.register)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return r, server
}

func (r *schemaRegistry) setMute(mute bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = mute
}

func (r *schemaRegistry) tell(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, err := strconv.Atoi(q.PathValue("id"))
	switch {
	case r.mute:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case err != nil || id < 1 || id > len(r.schemas):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"schema": r.schemas[id-1]})
	}
}

func (r *schemaRegistry) register(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var body struct{ Schema string }
	if err := json.NewDecoder(q.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	for i, s := range r.schemas {
		if s == body.Schema {
			fmt.Fprintf(w, `{"id":%d}`, i+1)
			return
		}
	}
	r.schemas = append(r.schemas, body.Schema)
	fmt.Fprintf(w, `{"id":%d}`, len(r.schemas))
}

// The same events are written raw for one server, and in framings for others. A registry that says nothing holds up who
// needs it, a kill meanwhile loses nothing, and a restart needs no registry: all servers agree in the end.
func TestFramedEventsGiveTheSameWindows(t *testing.T) {
	t.Parallel()
	registry, http := startSchemaRegistry(t)
	broker := freeAddress(t)
	// Quiet must not close windows between the parts, or what is late would be chance.
	definitions := filepath.Join(t.TempDir(), "definitions.yaml")
	if err := os.WriteFile(definitions, []byte("version: 1\nsource: {idle_timeout: 5s, close_when_idle: 1h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", broker, "--definitions", definitions)
	raw.ready()
	data, listen := t.TempDir(), freeAddress(t)
	serve := func(url string) *process {
		p := launch(t, listen, "serve", "--data", data, "--kafka-brokers", broker, "--create-topics", "--events-topic", "framed",
			"--metrics-topic", "framed-metrics", "--dead-letter-topic", "framed-letters", "--schema-registry", url, "--output-encoding", "avro-confluent", "--definitions", definitions)
		p.ready()
		return p
	}
	single := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--kafka-brokers", broker, "--create-topics", "--events-topic", "single",
		"--metrics-topic", "single-metrics", "--dead-letter-topic", "single-letters", "--events-encoding", "avro-single-object", "--definitions", definitions)
	single.ready()
	p := serve(http.URL)
	simulate := func(from string) {
		common := []string{"simulate", "--kafka-brokers", broker, "--rate", "50", "--duration", "5m", "--start", from, "--late", "0.02", "--log-level", "warn"}
		tool(t, common...)
		tool(t, append(common, "--events-topic", "framed", "--encoding", "avro-confluent", "--schema-registry", http.URL)...)
		tool(t, append(common, "--events-topic", "single", "--encoding", "avro-single-object")...)
	}
	simulate("2026-01-05T12:00:00Z")
	waits := func() bool {
		return strings.Contains(p.pipeline().Verdict, "waiting for the schema registry to tell schema id ")
	}
	p.await("the verdict tells of the registry", waits)
	p.kill()
	p = serve(http.URL)
	p.await("the verdict tells of the registry after a kill", waits)
	if c := p.pipeline().Counters; c["consumed"] != 0 {
		t.Errorf("counters %v while the registry says nothing", c)
	}
	registry.setMute(false)
	agree := func(q *process) func() bool {
		return func() bool {
			a, b := raw.pipeline(), q.pipeline()
			return a.Counters["consumed"] > 10_000 && a.WatermarkMs == b.WatermarkMs && fmt.Sprint(a.Counters) == fmt.Sprint(b.Counters)
		}
	}
	p.await("both have read the first part", agree(p))
	p.interrupt()
	if out := tool(t, "inspect", "--data", data); !regexp.MustCompile(`schema id \d +AVRO +\d+ +12\n`).MatchString(out) {
		t.Errorf("inspect tells of no schema:\n%s", out)
	}

	simulate("2026-01-05T12:05:00Z")
	http.Close()
	p = serve(http.URL)
	p.await("both have read everything, one without the registry", agree(p))
	single.await("and the one with single objects", agree(single))
	if c := p.pipeline().Counters; c["dead_letters"] != 0 {
		t.Errorf("counters %v", c)
	}
	compareServers(t, raw, p)
	compareServers(t, raw, single)
	var readers struct {
		Readers []struct {
			Name string
			Lag  int
		}
	}
	if err := p.fetch("/api/v1/pipeline", &readers); err != nil {
		t.Fatal(err)
	}
	if len(readers.Readers) != 1 || readers.Readers[0].Lag == 0 {
		t.Errorf("readers %+v: nothing can be published while the schema has no number", readers.Readers)
	}
}
