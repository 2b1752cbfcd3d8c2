package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestREST runs the scripts of testdata against a minute of traffic, see someTraffic; it is 100 s past the epoch.
//
//	get TARGET
//	Header: value
//	----
//	status content-type, headers that matter, and the body, a line for each field and row
func TestREST(t *testing.T) {
	datadriven.Walk(t, "testdata/rest", func(t *testing.T, path string) {
		e := newEngine(t, testDefinitions)
		if !strings.HasSuffix(path, "_empty") {
			someTraffic(e)
		}
		s := e.serve(nil)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			target := strings.TrimSpace(strings.TrimPrefix(strings.SplitN(d.Input, "\n", 2)[0], "GET "))
			w := s.ask(t, strings.ToUpper(d.Cmd), target, func(r *http.Request) {
				for _, line := range strings.Split(d.Input, "\n")[1:] {
					name, value, _ := strings.Cut(line, ": ")
					r.Header.Set(name, value)
				}
			})
			var b strings.Builder
			fmt.Fprintf(&b, "%d %s\n", w.Code, w.Header().Get("Content-Type"))
			for _, name := range []string{"Allow", "Content-Disposition", "Location", "Retry-After"} {
				if value := w.Header().Get(name); value != "" {
					fmt.Fprintf(&b, "%s: %s\n", name, value)
				}
			}
			b.WriteString(readable(w.Body.Bytes()))
			return b.String()
		})
	})
}

// readable writes JSON with a line for each field, and for each element of a list of objects.
func readable(body []byte) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	var b strings.Builder
	d := json.NewDecoder(bytes.NewReader(body))
	_, _ = d.Token() // the opening brace
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err.Error()
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err.Error()
		}
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil && len(list) > 0 && bytes.HasPrefix(list[0], []byte("{")) {
			fmt.Fprintf(&b, "%s:\n", name)
			for _, element := range list {
				fmt.Fprintf(&b, "  %s\n", element)
			}
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	return b.String()
}
