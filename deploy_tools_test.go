package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// packagingTools is asked for by TIDEMARK_PACKAGING=1: promtool and systemd-analyze must then be there.
func packagingTools(t *testing.T) {
	t.Helper()
	if os.Getenv("TIDEMARK_PACKAGING") == "" {
		t.Skip("set TIDEMARK_PACKAGING=1 to run this with promtool and systemd-analyze")
	}
}

func runTool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func TestPrometheusTakesConfigurationAndRules(t *testing.T) {
	packagingTools(t)
	const dir = "deploy/prometheus"
	runTool(t, dir, "promtool", "check", "config", "--syntax-only", "--lint-fatal", "prometheus.yml")
	runTool(t, dir, "promtool", "check", "rules", "--lint-fatal", "rules.yaml")
	runTool(t, dir, "promtool", "test", "rules", "rules_test.yaml")
	tested := readText(t, dir+"/rules_test.yaml")
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(readText(t, dir+"/rules.yaml"), -1) {
		// Once it must stay silent, and once it must fire, with what it says.
		if !strings.Contains(tested, "{alertname: "+m[1]+", ") || !strings.Contains(tested, "- alertname: "+m[1]+"\n") {
			t.Errorf("rules_test.yaml does not show when %s fires and when it does not", m[1])
		}
	}
}

// Prometheus parses what dashboards ask for, as if these were rules.
func TestPrometheusTakesTheDashboards(t *testing.T) {
	packagingTools(t)
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	ofGrafana := strings.NewReplacer("$__rate_interval", "5m", "$job", "tidemark", "$instance", ".*")
	for i, expr := range dashboardExpressions(t, "deploy/grafana/dashboards/tidemark.json") {
		fmt.Fprintf(&rules, "  - {record: 'panel:%d', expr: '%s'}\n", i, ofGrafana.Replace(expr))
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	runTool(t, ".", "promtool", "check", "rules", file)
}

// exposure is the most that systemd may find open, of 100. It finds that the service has a network and a user of its own.
const exposure = "15"

func TestSystemdTakesTheUnit(t *testing.T) {
	packagingTools(t)
	program, err := exec.LookPath("true") // the program must be there
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tidemark.service")
	unit := strings.Replace(readText(t, "deploy/tidemark.service"), "/usr/local/bin/tidemark", program, 1)
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	if err != nil || len(out) > 0 { // what it does not know is a warning to it
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	runTool(t, ".", "systemd-analyze", "security", "--offline=yes", "--threshold="+exposure, file)
}
