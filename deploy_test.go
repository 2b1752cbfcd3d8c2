package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// What deploy/ and the Dockerfile say of the program is held to the program: flags, environment variables, addresses, paths,
// exit codes and metrics. Whether others can read the files is what `make packaging` asks, in tools/packaging.

// commandLine reads arguments as the program would, without running anything.
func commandLine(t *testing.T, env map[string]string, args ...string) (*commands, error) {
	t.Helper()
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	var cli commands
	config := &configFile{env: lookup}
	parser, err := kong.New(&cli, kong.Resolvers(config), kong.DefaultEnvars("TIDEMARK"), kong.Vars{"log_level": "info"},
		kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range flagsByName(parser) {
		for _, name := range flag.Envs {
			t.Setenv(name, "") // kong asks the process
			os.Unsetenv(name)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	if err := config.read(parser, args); err != nil {
		return nil, err
	}
	_, err = parser.Parse(args)
	return &cli, err
}

// knownVariables are those that flags can be given by.
func knownVariables(t *testing.T) map[string]bool {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.DefaultEnvars("TIDEMARK"), kong.Vars{"log_level": "info"})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{passwordVariable: true, "TIDEMARK_CONFIG": true}
	for _, f := range flagsByName(parser) {
		for _, name := range f.Envs {
			known[name] = true
		}
	}
	return known
}

// variable finds what is set for the program, as in TIDEMARK_DATA=/data.
var variable = regexp.MustCompile(`\b(TIDEMARK_[A-Z_]+)=([^\s\\]+)`)

// imageEnv is what the image sets.
func imageEnv(t *testing.T) map[string]string {
	t.Helper()
	env := make(map[string]string)
	for _, m := range variable.FindAllStringSubmatch(readText(t, "Dockerfile"), -1) {
		env[m[1]] = m[2]
	}
	return env
}

func readText(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func readYAML(t *testing.T, path string, into ...any) {
	t.Helper()
	documents := yaml.NewDecoder(strings.NewReader(readText(t, path)))
	for _, v := range into {
		if err := documents.Decode(v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func TestTheImageSetsWhatTheProgramKnows(t *testing.T) {
	env, known := imageEnv(t), knownVariables(t)
	for name := range env {
		if !known[name] {
			t.Errorf("the Dockerfile sets %s, which no flag has", name)
		}
	}
	cli, err := commandLine(t, env, "serve", "--kafka-brokers", "kafka:9092")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(cli.Serve.Listen)
	if err != nil || !strings.Contains(readText(t, "Dockerfile"), "\nEXPOSE "+port+"\n") {
		t.Errorf("the image listens on %q and exposes something else", cli.Serve.Listen)
	}
	if health, err := commandLine(t, env, "health"); err != nil || health.Health.Listen != cli.Serve.Listen {
		t.Errorf("the health check asks %q: %v", health.Health.Listen, err)
	}
	if !strings.Contains(readText(t, "Dockerfile"), "\nVOLUME "+cli.Serve.Data+"\n") {
		t.Errorf("%s is no volume", cli.Serve.Data)
	}
	module := readText(t, "go.mod")
	wanted := regexp.MustCompile(`(?m)^go (\d+)\.(\d+)`).FindString(module)
	if !strings.Contains(readText(t, "Dockerfile"), "GO_VERSION="+strings.TrimPrefix(wanted, "go ")+".") {
		t.Errorf("the Dockerfile builds with another Go than go.mod wants, %s", wanted)
	}
	// Both build the same program.
	flags := regexp.MustCompile(`-ldflags=.?-s -w -buildid= -X main\.released=`)
	for _, file := range []string{"Dockerfile", "scripts/release/main.go"} {
		if !flags.MatchString(readText(t, file)) || !strings.Contains(readText(t, file), "-trimpath") {
			t.Errorf("%s builds with other flags", file)
		}
	}
}

func TestComposeRunsTheProgram(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Entrypoint  []string
			Ports       []string
			Volumes     []string
			Secrets     []string
			Healthcheck struct{ Test []string }
		}
	}
	readYAML(t, "deploy/compose.yaml", &file)
	env := imageEnv(t)
	server := file.Services["tidemark"]
	cli, err := commandLine(t, env, append([]string{"serve"}, server.Command...)...)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(cli.Serve.Listen)
	if want := []string{"127.0.0.1:" + port + ":" + port}; !slices.Equal(server.Ports, want) {
		t.Errorf("it publishes %v, want %v", server.Ports, want)
	}
	if want := []string{"tidemark:" + cli.Serve.Data}; !slices.Equal(server.Volumes, want) {
		t.Errorf("volumes %v, want %v", server.Volumes, want)
	}
	if name := strings.TrimPrefix(cli.Serve.AuthTokenFile, "/run/secrets/"); !slices.Contains(server.Secrets, name) {
		t.Errorf("its secrets are %v, and it wants %s", server.Secrets, name)
	}
	if health := server.Healthcheck.Test; len(health) < 2 || !slices.Equal(health[:2], []string{"CMD", "tidemark"}) {
		t.Errorf("health check %v", health)
	} else if _, err := commandLine(t, env, health[2:]...); err != nil {
		t.Errorf("health check: %v", err)
	}
	traffic := file.Services["traffic"]
	simulate, err := commandLine(t, env, append(traffic.Entrypoint[1:], traffic.Command...)...)
	if err != nil || !slices.Equal(simulate.Simulate.KafkaBrokers, cli.Serve.KafkaBrokers) || simulate.Simulate.EventsTopic != cli.Serve.EventsTopic {
		t.Errorf("the traffic goes elsewhere: %v", err)
	}
	var scrape struct {
		Jobs []struct {
			Authorization struct {
				File string `yaml:"credentials_file"`
			}
			Targets []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "deploy/prometheus/prometheus.yml", &scrape)
	if job := scrape.Jobs[0]; job.Targets[0].Targets[0] != "tidemark:"+port || job.Authorization.File != cli.Serve.AuthTokenFile {
		t.Errorf("Prometheus asks %+v", job)
	}
}

func TestKubernetesRunsTheProgram(t *testing.T) {
	var config struct{ Data map[string]string }
	var service struct {
		Spec struct{ Ports []struct{ Port int } }
	}
	type mount struct {
		Path string `yaml:"mountPath"`
	}
	type probe struct {
		Get struct{ Path, Port string } `yaml:"httpGet"`
	}
	var set struct {
		Spec struct {
			Replicas int
			Template struct {
				Spec struct {
					Containers []struct {
						Args  []string
						Ports []struct {
							Port int `yaml:"containerPort"`
						}
						Startup   probe   `yaml:"startupProbe"`
						Liveness  probe   `yaml:"livenessProbe"`
						Readiness probe   `yaml:"readinessProbe"`
						Mounts    []mount `yaml:"volumeMounts"`
					}
				}
			}
		}
	}
	readYAML(t, "deploy/kubernetes.yaml", &config, &service, &set)
	c := set.Spec.Template.Spec.Containers[0]
	env := imageEnv(t)
	i := slices.Index(c.Args, "--config")
	file := filepath.Join(t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(file, []byte(config.Data[filepath.Base(c.Args[i+1])]), 0o600); err != nil {
		t.Fatal(err)
	}
	cli, err := commandLine(t, env, append(append([]string{"serve"}, c.Args[:i+1]...), append([]string{file}, c.Args[i+2:]...)...)...)
	if err != nil {
		t.Fatal(err)
	}
	if len(cli.Serve.KafkaBrokers) == 0 || set.Spec.Replicas != 1 {
		t.Errorf("brokers %v, %d replicas", cli.Serve.KafkaBrokers, set.Spec.Replicas)
	}
	_, port, _ := net.SplitHostPort(cli.Serve.Listen)
	if got := fmt.Sprint(c.Ports[0].Port, service.Spec.Ports[0].Port); got != port+" "+port {
		t.Errorf("ports %s, want %s", got, port)
	}
	if got := []string{c.Startup.Get.Path, c.Liveness.Get.Path, c.Readiness.Get.Path}; !slices.Equal(got, []string{"/livez", "/livez", "/readyz"}) {
		t.Errorf("probes %v", got)
	}
	for _, path := range []string{cli.Serve.Data, filepath.Dir(cli.Serve.AuthTokenFile), filepath.Dir(c.Args[i+1])} {
		if !slices.ContainsFunc(c.Mounts, func(m mount) bool { return m.Path == path }) {
			t.Errorf("nothing is mounted at %s", path)
		}
	}
}

func TestTheUnitRunsTheProgram(t *testing.T) {
	unit := readText(t, "deploy/tidemark.service")
	known, env := knownVariables(t), make(map[string]string)
	for _, m := range variable.FindAllStringSubmatch(unit, -1) {
		if env[m[1]] = m[2]; !known[m[1]] {
			t.Errorf("it sets %s, which no flag has", m[1])
		}
	}
	for _, want := range []string{
		fmt.Sprintf("\nRestartPreventExitStatus=%d %d\n", exitUsage, exitDecision), "\nRestart=on-failure\n",
		"\nStateDirectory=" + strings.TrimPrefix(env["TIDEMARK_DATA"], "/var/lib/") + "\n",
	} {
		if !strings.Contains(unit, want) {
			t.Errorf("it lacks %q", strings.TrimSpace(want))
		}
	}
	start := strings.Fields(regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(unit)[1])
	file := filepath.Join(t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(file, []byte("kafka-brokers: [kafka:9092]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start[slices.Index(start, "--config")+1] = file
	cli, err := commandLine(t, env, start[1:]...)
	if err != nil || cli.Serve.Data != env["TIDEMARK_DATA"] || cli.Serve.AuthTokenFile != env["TIDEMARK_AUTH_TOKEN_FILE"] {
		t.Errorf("%+v: %v", cli, err)
	}
}

// metricWords finds the names of metrics in an expression, each with the matchers that follow it.
var metricWords = regexp.MustCompile(`\b(tidemark_[a-z_]+)(?:\{([^}]*)\})?`)

// expressions are those of rules and dashboards.
func expressions(t *testing.T) []string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	readYAML(t, "deploy/prometheus/rules.yaml", &rules)
	var found []string
	for _, r := range rules.Groups[0].Rules {
		found = append(found, r.Expr)
	}
	files, err := filepath.Glob("deploy/grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	for _, file := range files {
		found = append(found, dashboardExpressions(t, file)...)
	}
	return found
}

func dashboardExpressions(t *testing.T, file string) (found []string) {
	t.Helper()
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.NewDecoder(strings.NewReader(readText(t, file))).Decode(&d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			found = append(found, target.Expr)
		}
	}
	return found
}

// TestRulesAndDashboardsAskForMetricsThatThereAre holds them to docs/reference/metrics.md, which other tests hold to /metrics.
func TestRulesAndDashboardsAskForMetricsThatThereAre(t *testing.T) {
	labels := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `(tidemark_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\|").FindAllStringSubmatch(readText(t, "docs/reference/metrics.md"), -1) {
		own := append(regexp.MustCompile(`[a-z]+`).FindAllString(m[3], -1), "job", "instance")
		labels[m[1]] = own
		if m[2] == "histogram" {
			labels[m[1]+"_bucket"], labels[m[1]+"_count"], labels[m[1]+"_sum"] = append(own, "le"), own, own
		}
	}
	var faults []error
	used := 0
	for _, expr := range expressions(t) {
		for _, m := range metricWords.FindAllStringSubmatch(expr, -1) {
			own, known := labels[m[1]]
			used++
			if !known {
				faults = append(faults, fmt.Errorf("%s: there is no metric %s", expr, m[1]))
			}
			for _, l := range regexp.MustCompile(`([a-z]+)\s*[=!]`).FindAllStringSubmatch(m[2], -1) {
				if known && !slices.Contains(own, l[1]) {
					faults = append(faults, fmt.Errorf("%s: %s has no label %s", expr, m[1], l[1]))
				}
			}
		}
	}
	if err := errors.Join(faults...); err != nil || used < 30 {
		t.Errorf("%d uses of metrics: %v", used, err)
	}
	// A rule without a place in the runbook tells nobody what to do.
	for _, m := range regexp.MustCompile(`docs/runbook\.md#([a-z]+)`).FindAllSubmatch([]byte(readText(t, "deploy/prometheus/rules.yaml")), -1) {
		if !bytes.Contains(bytes.ToLower([]byte(readText(t, "docs/runbook.md"))), append([]byte("\n### "), m[1]...)) {
			t.Errorf("docs/runbook.md has no section %s", m[1])
		}
	}
}
