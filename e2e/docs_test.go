package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCommandsInTheDocsWork runs the commands of the pages, block by block, as a reader would who types them in. It needs kcat and
// curl, and is asked for by TIDEMARK_KCAT=1.
//
// A page has a folder of its own. What starts a server starts one, after ending the page's last; a page that never does asks a demo.
// Addresses are exchanged for free ones, `kafka-1:9092,kafka-2:9092` for a broker, and rates for what does not take long. What is for
// programs that are not there (Docker, systemd, Kubernetes) is not run; TestCommandsInTheDocsAreHeld of the program holds it, and all
// that stands in sentences, to what it calls.
func TestCommandsInTheDocsWork(t *testing.T) {
	t.Parallel()
	if os.Getenv("TIDEMARK_KCAT") == "" {
		t.Skip("set TIDEMARK_KCAT=1 to run this with kcat and curl")
	}
	broker := freeAddress(t)
	launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", broker).ready()
	ran := 0
	for _, file := range docPages(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p := openPage(t, file, broker)
			p.run()
			ran += p.ran
		})
	}
	if ran < 40 {
		t.Errorf("only %d commands were run", ran)
	}
}

func docPages(t *testing.T) []string {
	t.Helper()
	files := []string{"../README.md", "../docs/runbook.md"}
	for _, pattern := range []string{"../docs/guide/*.md", "../docs/reference/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// page is a page of the docs, and what its reader has before him.
type page struct {
	t      *testing.T
	dir    string // where its reader works
	text   string
	broker string // for kafka-1 and kafka-2
	kafka  string // where 127.0.0.1:9092 is, the default of simulate
	server *process
	ran    int
}

var fence = regexp.MustCompile("(?ms)^```(sh|yaml ([a-z.]+))\n(.*?)^```$")

func openPage(t *testing.T, file, broker string) *page {
	t.Helper()
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	p := &page{t: t, dir: t.TempDir(), text: read(file), broker: broker}
	if err := os.Mkdir(filepath.Join(p.dir, "deploy"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.save(read("../docs/guide/first-hour.md")) // other pages go on with its file
	return p
}

// save writes the files that a page shows under their names.
func (p *page) save(text string) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		if m[2] == "" {
			continue
		}
		content := strings.ReplaceAll(m[3], "kafka-1:9092, kafka-2:9092", p.broker)
		if err := os.WriteFile(filepath.Join(p.dir, m[2]), []byte(content), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *page) run() {
	p.save(p.text)
	for _, m := range fence.FindAllStringSubmatch(p.text, -1) {
		if m[1] != "sh" {
			continue
		}
		for _, command := range splitCommands(m[3]) {
			p.command(command)
		}
	}
	if p.server != nil {
		p.server.interrupt()
	}
}

var comment = regexp.MustCompile(`(^|\s+)# .*$`)

// splitCommands puts together what stands on several lines.
func splitCommands(block string) (commands []string) {
	open := ""
	for _, line := range strings.Split(block, "\n") {
		open += comment.ReplaceAllString(line, "")
		if rest, ok := strings.CutSuffix(open, `\`); ok {
			open = rest
		} else if !strings.HasSuffix(open, "|") && open != "" {
			commands, open = append(commands, open), ""
		}
	}
	return commands
}

// elsewhere are the programs whose commands are not run here.
var elsewhere = []string{"cd", "docker", "export", "go", "journalctl", "kubectl", "make", "promtool", "systemctl", "websocat"}

func (p *page) command(command string) {
	p.t.Helper()
	command = strings.NewReplacer("go run . ", "tidemark ", "bin/tidemark ", "tidemark ", "kafka-1:9092,kafka-2:9092", p.broker, "kafka-1:9092", p.broker).Replace(command)
	words := strings.Fields(command)
	switch {
	case words[0] == "tidemark" && (words[1] == "serve" || words[1] == "demo"):
		p.start(words[1:])
	case command == "kill -9 PID":
		p.server.kill()
	case slices.Contains(elsewhere, words[0]):
		return
	case words[0] == "tidemark" && slices.Contains([]string{"digest", "inspect", "replay"}, words[1]):
		p.end() // they want the server to be stopped
		p.shell(command)
	case words[0] == "tidemark" && words[1] == "resume":
		p.refused(command, "nothing to decide") // what it decides where there is something is operator_test.go's to show
	case slices.Contains([]string{"tidemark", "curl", "echo", "kcat", "openssl"}, words[0]):
		p.shell(command)
	default:
		p.t.Errorf("%s: the test does not know how to run it", command)
		return
	}
	p.ran++
}

// start starts a server on free addresses.
func (p *page) start(words []string) {
	p.t.Helper()
	p.end()
	if i := slices.Index(words, "--listen"); i >= 0 {
		words = slices.Delete(slices.Clone(words), i, i+2)
	}
	if !slices.Contains(words, "--kafka-brokers") && !slices.Contains(words, "--config") {
		p.kafka = freeAddress(p.t)
		words = append(words, "--embedded-listen", p.kafka)
	}
	if words[0] == "demo" {
		words = append(words, "--rate", "20")
	}
	p.server = launchIn(p.t, p.dir, freeAddress(p.t), words...)
	p.server.ready()
}

func (p *page) end() {
	if p.server != nil && p.server.cmd.ProcessState == nil {
		p.server.interrupt()
	}
	p.server = nil
}

// wants says which server a command asks: the docs' reader has one before him.
func wants(command string) string {
	words := strings.Fields(command)
	switch {
	case strings.Contains(command, "127.0.0.1:"):
		return "demo"
	case words[0] != "tidemark":
		return ""
	case slices.Contains([]string{"backup", "rebuild", "resume"}, words[1]), words[1] == "simulate" && !strings.Contains(command, "--kafka-brokers"):
		return "serve"
	}
	return ""
}

var pace, count, length = regexp.MustCompile(`--rate \d+`), regexp.MustCompile(`--count \d+`), regexp.MustCompile(`--duration \S+`)

// shell runs a command that has to succeed.
func (p *page) shell(command string) {
	p.t.Helper()
	if out, err := p.output(command); err != nil {
		p.t.Errorf("%s: %v\n%s", command, err, out)
	}
}

// refused runs a command that has nothing to do, and has to say so.
func (p *page) refused(command, says string) {
	p.t.Helper()
	if out, err := p.output(command); err == nil || !strings.Contains(string(out), says) {
		p.t.Errorf("%s: %v\n%s", command, err, out)
	}
}

func (p *page) output(command string) ([]byte, error) {
	p.t.Helper()
	if kind := wants(command); kind != "" && p.server == nil {
		p.start([]string{kind})
	}
	if p.server != nil {
		command = strings.ReplaceAll(command, "http://127.0.0.1:8080", p.server.base)
	}
	command = strings.ReplaceAll(command, "127.0.0.1:9092", p.kafka)
	command = strings.ReplaceAll(command, "curl ", "curl --silent --show-error --fail ")
	if strings.HasPrefix(command, "tidemark simulate") {
		command = count.ReplaceAllString(pace.ReplaceAllString(command, "--rate 0"), "--count 1000")
		command = length.ReplaceAllString(command, "--duration 10s")
		if !strings.Contains(command, "--kafka-brokers") {
			command += " --kafka-brokers " + p.kafka
		}
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), tooLong)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", command)
	cmd.Dir, cmd.WaitDelay = p.dir, time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("PATH=%s:%s", filepath.Dir(binary(p.t)), os.Getenv("PATH")))
	return cmd.CombinedOutput()
}
