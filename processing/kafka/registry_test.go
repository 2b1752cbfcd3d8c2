package kafka

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/schemas"
)

// startRegistry runs a registry that knows the events schema as number 7.
func startRegistry(t *testing.T, opts ...srfake.Option) *srfake.Registry {
	t.Helper()
	r := srfake.New(opts...)
	t.Cleanup(r.Close)
	r.SeedSchema("events-value", 1, 7, sr.Schema{Schema: schemas.Events})
	return r
}

func newTestRegistry(t *testing.T, o RegistryOptions) *Registry {
	t.Helper()
	r, err := NewRegistry(o)
	must(t, err)
	t.Cleanup(r.Close)
	return r
}

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// answering has a registry answer every request alike.
func answering(status int, body string) srfake.Interceptor {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return true
	}
}

func TestRegistryTellsSchemas(t *testing.T) {
	fake := startRegistry(t)
	fake.SeedSchema("json-value", 1, 8, sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON})
	r := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}})
	ctx := limit(t)
	s, err := r.Schema(ctx, 7)
	must(t, err)
	if s.Type != processing.AvroSchema || s.Text != schemas.Events {
		t.Errorf("schema 7 is %+v", s)
	}
	if s, err = r.Schema(ctx, 8); err != nil || s.Type != "JSON" {
		t.Errorf("schema 8 is %+v, %v", s, err)
	}
	if _, err = r.Schema(ctx, 9); !errors.Is(err, processing.ErrUnknownSchema) || !strings.Contains(err.Error(), "404") {
		t.Errorf("schema 9: %v", err)
	}
}

// Only one answer says that there is no such schema; all else is worth asking again.
func TestRegistryAnswersThatSayNothing(t *testing.T) {
	for name, c := range map[string]struct {
		answer  srfake.Interceptor
		unknown bool
		says    string
	}{
		"no such schema":    {answering(404, `{"error_code":40403,"message":"Schema 9 not found"}`), true, "Schema 9 not found"},
		"no such path":      {answering(404, "<html>nothing here</html>"), false, "does not seem to be a schema registry"},
		"too many requests": {answering(429, ""), false, "status 429"},
		"server error":      {answering(500, `{"error_code":50001,"message":"store"}`), false, "status 500: store"},
		"unavailable":       {answering(503, "<html>"+strings.Repeat("x", 5000)), false, "status 503: Service Unavailable"},
		"not allowed":       {answering(401, ""), false, "status 401"},
		"no JSON":           {answering(200, "hello"), false, "decode"},
		"redirect to itself": {func(w http.ResponseWriter, q *http.Request) bool {
			http.Redirect(w, q, q.URL.Path, http.StatusTemporaryRedirect)
			return true
		}, false, "10 redirects"},
		"connection that breaks": {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, false, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := startRegistry(t)
			fake.Intercept(c.answer)
			r := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}})
			_, err := r.Schema(limit(t), 9)
			if err == nil || errors.Is(err, processing.ErrUnknownSchema) != c.unknown || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want unknown: %v, and %q", err, c.unknown, c.says)
			}
			fake.ClearInterceptors()
			_, err = r.Schema(limit(t), 7)
			must(t, err)
		})
	}
}

// A server that has told schemas is a registry: its 404 without an explanation means what it says.
func TestPlain404OfARegistry(t *testing.T) {
	fake := startRegistry(t)
	r := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}})
	_, err := r.Schema(limit(t), 7)
	must(t, err)
	fake.Intercept(answering(404, ""))
	if _, err := r.Schema(limit(t), 9); !errors.Is(err, processing.ErrUnknownSchema) {
		t.Errorf("%v", err)
	}
}

func TestSlowRegistry(t *testing.T) {
	fake := startRegistry(t)
	fake.Intercept(func(_ http.ResponseWriter, q *http.Request) bool {
		<-q.Context().Done()
		return true
	})
	r := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}, Timeout: 50 * time.Millisecond})
	if _, err := r.Schema(limit(t), 7); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, processing.ErrUnknownSchema) {
		t.Errorf("%v", err)
	}
}

// The servers of one registry are asked in turn, beginning with the one that answered last.
func TestSeveralRegistryServers(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	var asked atomic.Int32
	ill, well := startRegistry(t), startRegistry(t)
	ill.Intercept(func(w http.ResponseWriter, q *http.Request) bool {
		asked.Add(1)
		return answering(503, "")(w, q)
	})
	r := newTestRegistry(t, RegistryOptions{URLs: []string{down.URL, ill.URL(), well.URL()}})
	for range 3 {
		_, err := r.Schema(limit(t), 7)
		must(t, err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the ill one was asked %d times", n)
	}
	well.Intercept(answering(500, ""))
	_, err := r.Schema(limit(t), 7)
	for _, u := range []string{down.URL, ill.URL(), well.URL()} {
		if err == nil || !strings.Contains(err.Error(), u) {
			t.Errorf("%v does not tell of %s", err, u)
		}
	}
}

func TestRegistryCredentials(t *testing.T) {
	const basic = "Basic dXNlcjpwYTpzcw==" // user:pa:ss
	token := secretFile(t, "first\n")
	for name, c := range map[string]struct {
		want string
		opts func(url string) RegistryOptions
	}{
		"in the URL": {basic, func(u string) RegistryOptions {
			return RegistryOptions{URLs: []string{strings.Replace(u, "http://", "http://user:pa%3Ass@", 1)}}
		}},
		"in a file": {basic, func(u string) RegistryOptions {
			return RegistryOptions{URLs: []string{u}, BasicFile: secretFile(t, "user:pa:ss\n")}
		}},
		"as a token": {"Bearer first", func(u string) RegistryOptions { return RegistryOptions{URLs: []string{u}, TokenFile: token} }},
	} {
		t.Run(name, func(t *testing.T) {
			fake := startRegistry(t, srfake.WithAuth(c.want))
			r := newTestRegistry(t, c.opts(fake.URL()))
			_, err := r.Schema(limit(t), 7)
			must(t, err)
			fake.Intercept(answering(500, ""))
			if _, err := r.Schema(limit(t), 7); err == nil || strings.Contains(err.Error(), "pa") && strings.Contains(err.Error(), "ss@") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	t.Run("a token that is replaced", func(t *testing.T) {
		fake := startRegistry(t, srfake.WithAuth("Bearer second"))
		r := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}, TokenFile: token})
		if _, err := r.Schema(limit(t), 7); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%v", err)
		}
		must(t, os.WriteFile(token, []byte("second"), 0o600))
		_, err := r.Schema(limit(t), 7)
		must(t, err)
	})
}

// Another host, to which a server redirects, is asked, but not shown who we are.
func TestRedirectDoesNotCarryCredentials(t *testing.T) {
	other := startRegistry(t)
	var shown atomic.Value
	other.Intercept(func(_ http.ResponseWriter, q *http.Request) bool {
		shown.Store(q.Header.Get("Authorization"))
		return false
	})
	fake := startRegistry(t, srfake.WithAuth("Bearer secret"))
	fake.Intercept(func(w http.ResponseWriter, q *http.Request) bool {
		http.Redirect(w, q, other.URL()+q.URL.Path, http.StatusPermanentRedirect)
		return true
	})
	r := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}, TokenFile: secretFile(t, "secret")})
	_, err := r.Schema(limit(t), 7)
	must(t, err)
	if shown.Load() != "" {
		t.Errorf("the other host was shown %q", shown.Load())
	}
	id, err := r.Register(limit(t), "metrics-value", schemas.Metrics)
	must(t, err)
	if _, ok := other.GetSchema("metrics-value", 1); !ok || id == 0 {
		t.Errorf("the schema was not registered where the redirect led; it has number %d", id)
	}
}

func TestRegistryOverTLS(t *testing.T) {
	plain := startRegistry(t)
	secure := httptest.NewUnstartedServer(plain.Handler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	ca := secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	r := newTestRegistry(t, RegistryOptions{URLs: []string{secure.URL}, CAFile: ca})
	_, err := r.Schema(limit(t), 7)
	must(t, err)
	r = newTestRegistry(t, RegistryOptions{URLs: []string{secure.URL}})
	if _, err := r.Schema(limit(t), 7); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}

// A schema comes with all that it refers to, in one text.
func TestSchemaReferences(t *testing.T) {
	fake := startRegistry(t)
	fake.SeedSchema("money", 1, 20, sr.Schema{Schema: `{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"cents","type":"long"}]}`})
	fake.SeedSchema("line", 3, 21, sr.Schema{
		Schema:     `{"type":"record","name":"Line","namespace":"shop.lines","fields":[{"name":"price","type":"shop.Money"},{"name":"next","type":["null","Line"]}]}`,
		References: []sr.SchemaReference{{Name: "shop.Money", Subject: "money", Version: 1}},
	})
	fake.SeedSchema("order", 1, 22, sr.Schema{
		Schema:     `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"total","type":"Money"},{"name":"lines","type":{"type":"array","items":"shop.lines.Line"}}]}`,
		References: []sr.SchemaReference{{Name: "shop.Money", Subject: "money", Version: 1}, {Name: "shop.lines.Line", Subject: "line", Version: 3}},
	})
	r := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}})
	s, err := r.Schema(limit(t), 22)
	must(t, err)
	whole, err := avro.Parse(s.Text)
	must(t, err)
	value, err := whole.Encode(map[string]any{
		"total": map[string]any{"cents": 5}, "lines": []any{map[string]any{"price": map[string]any{"cents": 5}, "next": nil}},
	})
	must(t, err)
	if len(value) != 5 {
		t.Errorf("%s encodes to %x", s.Text, value)
	}
}

func TestRegistryOptions(t *testing.T) {
	secret := secretFile(t, "user:secret")
	for name, c := range map[string]struct {
		opts RegistryOptions
		says string
	}{
		"no address":      {RegistryOptions{}, "an address is needed"},
		"no URL":          {RegistryOptions{URLs: []string{"http://u:secret@[::1"}}, "an address is no URL"},
		"no scheme":       {RegistryOptions{URLs: []string{"registry:8081"}}, `"registry:8081" is no http or https URL`},
		"a query":         {RegistryOptions{URLs: []string{"http://u:secret@r/?x=1"}}, "must end with its path"},
		"two ways":        {RegistryOptions{URLs: []string{"http://u:secret@r"}, TokenFile: secret}, "want one of"},
		"no file":         {RegistryOptions{URLs: []string{"http://r"}, TokenFile: secret + "x"}, "read credentials"},
		"an empty file":   {RegistryOptions{URLs: []string{"http://r"}, TokenFile: secretFile(t, "\n")}, "is empty"},
		"no password":     {RegistryOptions{URLs: []string{"http://r"}, BasicFile: secretFile(t, "user")}, "NAME:PASSWORD"},
		"no certificates": {RegistryOptions{URLs: []string{"https://r"}, CAFile: secret}, "holds no certificate"},
	} {
		_, err := NewRegistry(c.opts)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), ":secret@") {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}
