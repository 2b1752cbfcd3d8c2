package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// contract is the OpenAPI document as the tests read it: stricter than clients should, fields that it does not name are
// errors.
type contract struct {
	paths    map[string]map[string]operation
	routes   []route
	compiler *jsonschema.Compiler
	mu       sync.Mutex // the compiler is for one at a time
}

type operation struct {
	Responses map[string]struct {
		Ref     string         `yaml:"$ref"`
		Content map[string]any `yaml:"content"`
	} `yaml:"responses"`
}

type route struct {
	path    string
	pattern *regexp.Regexp
}

var theDocument = sync.OnceValues(func() (*contract, error) {
	var typed struct {
		Paths map[string]map[string]operation `yaml:"paths"`
	}
	var tree any
	for _, into := range []any{&typed, &tree} {
		if err := yaml.Unmarshal(openAPIDocument, into); err != nil {
			return nil, err
		}
	}
	// By way of JSON, so that numbers are what the validator expects.
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	forbidOthers(document)
	c := &contract{paths: typed.Paths, compiler: jsonschema.NewCompiler()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := c.compiler.AddResource("openapi.json", document); err != nil {
		return nil, err
	}
	for path := range typed.Paths {
		expr := regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
		if path == "/{file}" {
			expr = "/.+"
		}
		c.routes = append(c.routes, route{path, regexp.MustCompile("^" + expr + "$")})
	}
	// The most particular first.
	slices.SortFunc(c.routes, func(a, b route) int {
		return strings.Count(a.path, "{")*1000 - len(a.path) - strings.Count(b.path, "{")*1000 + len(b.path)
	})
	return c, nil
})

func theContract(t testing.TB) *contract {
	t.Helper()
	c, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func forbidOthers(node any) {
	switch n := node.(type) {
	case map[string]any:
		if _, ok := n["properties"].(map[string]any); ok && n["type"] == "object" && n["additionalProperties"] == nil {
			n["additionalProperties"] = false
		}
		for _, child := range n {
			forbidOthers(child)
		}
	case []any:
		for _, child := range n {
			forbidOthers(child)
		}
	}
}

// check fails the test when the document does not allow the answer.
func (c *contract) check(t testing.TB, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	contentType, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil && w.Body.Len() > 0 {
		t.Errorf("%s %s: content type %q", r.Method, r.URL, w.Header().Get("Content-Type"))
		return
	}
	if strings.HasSuffix(contentType, "json") && !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s %s: not JSON: %s", r.Method, r.URL, w.Body)
		return
	}
	if contentType == "application/problem+json" {
		c.validate(t, r, w, "#/components/schemas/Problem")
		return // every operation has it, and so have requests for which there is none
	}
	i := slices.IndexFunc(c.routes, func(x route) bool { return x.pattern.MatchString(r.URL.Path) })
	if i < 0 {
		t.Errorf("%s %s: not in the document", r.Method, r.URL)
		return
	}
	path, method := c.routes[i].path, strings.ToLower(r.Method)
	if method == "head" {
		method = "get"
	}
	op, ok := c.paths[path][method]
	if !ok {
		t.Errorf("%s %s: the document has no %s of %s", r.Method, r.URL, method, path)
		return
	}
	status := fmt.Sprint(w.Code)
	response, ok := op.Responses[status]
	if !ok {
		t.Errorf("%s %s: the document has no status %s: %s", r.Method, r.URL, status, w.Body)
		return
	}
	if len(response.Content) == 0 || w.Body.Len() == 0 {
		return
	}
	if response.Content["*/*"] != nil {
		return
	}
	if response.Content[contentType] == nil {
		t.Errorf("%s %s: the document has no content %q", r.Method, r.URL, contentType)
		return
	}
	if contentType == "application/json" {
		token := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace
		c.validate(t, r, w, "#/paths/"+token(path)+"/"+method+"/responses/"+status+"/content/application~1json/schema")
	}
}

func (c *contract) validate(t testing.TB, r *http.Request, w *httptest.ResponseRecorder, pointer string) {
	t.Helper()
	c.mu.Lock()
	schema, err := c.compiler.Compile("openapi.json" + pointer)
	c.mu.Unlock()
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("%s %s: %v\n%s", r.Method, r.URL, err, w.Body)
	}
}

func TestEveryRouteIsDocumented(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(nil)
	var routes, documented []string
	err := chi.Walk(s.handler.(chi.Routes), func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if pattern == "/*" {
			pattern = "/{file}"
		}
		routes = append(routes, method+" "+pattern)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, operations := range theContract(t).paths {
		for method := range operations {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(routes)
	slices.Sort(documented)
	if diff := gocmp.Diff(routes, documented); diff != "" {
		t.Errorf("(-routes +documented)\n%s", diff)
	}
}

// TestContractNotices shows that the checks above can fail.
func TestContractNotices(t *testing.T) {
	for name, c := range map[string]struct {
		target, contentType, body string
		status                    int
	}{
		"unknown field":   {"/livez", "application/json", `{"ok":true,"reasons":[],"mood":1}`, 200},
		"missing field":   {"/livez", "application/json", `{"ok":true}`, 200},
		"wrong type":      {"/api/v1/feed", "application/json", `{"entries":[],"head":"1","first":1}`, 200},
		"unknown status":  {"/livez", "application/json", `{"ok":true,"reasons":[]}`, 418},
		"unknown path":    {"", "application/json", `{}`, 200},
		"unknown content": {"/livez", "text/plain", `ok`, 200},
		"broken JSON":     {"/livez", "application/json", `{`, 200},
		"bad problem":     {"/livez", "application/problem+json", `{"type":"about:blank","title":"","status":400}`, 400},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", c.contentType)
		w.WriteHeader(c.status)
		w.Body.WriteString(c.body)
		heard := &listener{TB: t}
		theContract(t).check(heard, httptest.NewRequest(http.MethodGet, "http://localhost"+c.target, nil), w)
		if !heard.failed {
			t.Errorf("%s: was not noticed", name)
		}
	}
}

// listener hears of failures without failing.
type listener struct {
	testing.TB
	failed bool
}

func (l *listener) Errorf(string, ...any) { l.failed = true }
