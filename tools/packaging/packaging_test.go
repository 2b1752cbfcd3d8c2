package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is in deploy/ passes, and a mistake in any of it does not.
func TestCheckFindsMistakes(t *testing.T) {
	const source = "../../deploy"
	if err := checkIn(t, source, "", "", ""); err != nil {
		t.Errorf("what is there: %v", err)
	}
	for _, c := range []struct{ file, old, mistaken, says string }{
		{"compose.yaml", "restart: unless-stopped", "restrat: unless-stopped", "restrat"},
		{"compose.yaml", "kafka: {condition: service_healthy}", "kavka: {condition: service_healthy}", "kavka"},
		{"compose.yaml", "prom/prometheus:v3.5.0", "prom/prometheus", "no version"},
		{"compose.yaml", "./grafana/dashboards:", "./grafana/dashbords:", "dashbords"},
		{"kubernetes.yaml", "serviceName: tidemark", "serviceNames: tidemark", "serviceNames"},
		{"kubernetes.yaml", "replicas: 1", "replicas: one", "spec.replicas"},
		{"kubernetes.yaml", "kind: Service\n", "kind: Servise\n", "Servise"},
		{"grafana/dashboards/tidemark.json", `"legendFormat"`, `"legendFromat"`, "legendFromat"},
		{"grafana/dashboards/tidemark.json", `"type": "timeseries"`, `"type": 7`, "panels"},
	} {
		if err := checkIn(t, source, c.file, c.old, c.mistaken); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s with %q: %v, want it to say %q", c.file, c.mistaken, err, c.says)
		}
	}
}

// checkIn checks a copy of the folder in which one file has a mistake.
func checkIn(t *testing.T, source, file, old, mistaken string) error {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if file != "" {
		path := filepath.Join(dir, filepath.FromSlash(file))
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), old) {
			t.Fatalf("%s does not contain %q", file, old)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(content), old, mistaken, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return run(t.Context(), []string{"check", dir}, io.Discard)
}

// A bill of a real binary, this test, is valid and tells the libraries in it; one that is not in form is refused.
func TestBill(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var bill strings.Builder
	if err := run(t.Context(), []string{"sbom", binary, "../../web/static/vendor/vendor.json", "v1.2.3"}, &bill); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"v1.2.3"`, `"pkg:golang/k8s.io/api@v`, `"pkg:npm/%40preact/signals@`, `"pkg:golang/std@1.`, `"SHA-256"`} {
		if !strings.Contains(bill.String(), want) {
			t.Errorf("the bill lacks %s", want)
		}
	}
	file := filepath.Join(t.TempDir(), "bill.json")
	for _, c := range []struct{ text, says string }{
		{bill.String(), ""},
		{strings.Replace(bill.String(), `"library"`, `"libary"`, 1), "components"},
		{strings.Replace(bill.String(), `"Apache-2.0"`, `"Apache-2"`, 1), "metadata"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		err := run(t.Context(), []string{"sbom-check", file}, io.Discard)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("the check says %v, want %q", err, c.says)
		}
	}
}
