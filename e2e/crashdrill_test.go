package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// startDrill starts a crash drill that takes its addresses where they are free.
func startDrill(t *testing.T, data, duration string) *process {
	t.Helper()
	p := &process{t: t}
	p.cmd = exec.Command(binary(t), "demo", "--crash-drill", duration, "--data", data, "--listen", freeAddress(t), "--embedded-listen", freeAddress(t), "--min-free", "0")
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// servers are the processes that work in a directory.
func servers(t *testing.T, data string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		line, err := os.ReadFile(file) // it may have ended
		if args := bytes.Split(line, []byte{0}); err == nil && len(args) > 1 && string(args[1]) == "serve" && bytes.Contains(line, []byte(data)) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

func TestCrashDrill(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startDrill(t, data, "8s")
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, p.log.String())
	}
	out := p.log.String()
	for _, want := range []string{
		`(?m)^ +\d+\.\d s  killed (?:while it|out of the blue).* back after \d+\.\d\d s, [\d,]+ records so far$`,
		`(?m)^\d+ kills: .* Back after `,
		`(?m)^  digest +([0-9a-f]{32}) +([0-9a-f]{32})$`,
		`(?m)^  results on its topics +[\d,]+, each once +[\d,]+, each once$`,
		`\nThe same, to the last bit.\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("there is no %s in\n%s", want, out)
		}
	}
	if digests := regexp.MustCompile(`[0-9a-f]{32}`).FindAllString(out, -1); len(digests) != 2 || digests[0] != digests[1] {
		t.Errorf("digests %v", digests)
	}
	left, err := os.ReadDir(data)
	if err != nil || len(left) > 0 {
		t.Errorf("what is left: %v, %v", left, err)
	}
}

// However a drill ends, its servers end with it.
func TestCrashDrillLeavesNoOrphans(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*process) error{
		"interrupted": func(p *process) error { return p.cmd.Process.Signal(os.Interrupt) },
		"killed":      func(p *process) error { return p.cmd.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			p := startDrill(t, data, "10m")
			p.await("both servers run", func() bool { return len(servers(t, data)) == 2 })
			if err := end(p); err != nil {
				t.Fatal(err)
			}
			err := p.cmd.Wait()
			p.await("the servers have ended", func() bool { return len(servers(t, data)) == 0 })
			if name != "interrupted" {
				return
			}
			if p.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(p.log.String(), "ended before its verdict") {
				t.Errorf("%v\n%s", err, p.log.String())
			}
			left, err := os.ReadDir(data)
			if err != nil || len(left) > 0 {
				t.Errorf("what is left: %v, %v", left, err)
			}
		})
	}
}
