package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a file system of a few megabytes.
type smallDisk struct {
	t   *testing.T
	dir string
}

func mountSmallDisk(t *testing.T, size string) *smallDisk {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return &smallDisk{t, dir}
}

// fill leaves about a number of bytes free.
func (d *smallDisk) fill(free int64) {
	d.t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &fs); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for left := int64(fs.Bavail)*fs.Bsize - free; left > 0; left -= 4096 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				d.t.Fatal(err)
			}
			return
		}
	}
}

func (d *smallDisk) empty() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *smallDisk) filler() string { return filepath.Join(d.dir, "filler") }

// A disk that is nearly full stops the reading and not the answers; one that is full ends the process with 75. When there is space again
// it goes on, and agrees with a server that had space all the time.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := mountSmallDisk(t, "64m")
	broker := freeAddress(t)
	calm := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", broker, "--min-free", "0")
	calm.ready()
	address := freeAddress(t)
	serve := func(minFree string) *process {
		return launch(t, address, "serve", "--data", filepath.Join(disk.dir, "data"), "--kafka-brokers", broker, "--create-topics", "--min-free", minFree,
			"--metrics-topic", "metrics-2", "--alerts-topic", "alerts-2", "--dead-letter-topic", "dead-letters-2")
	}
	simulate := func(count int, start string) {
		tool(t, "simulate", "--kafka-brokers", broker, "--rate", "100", "--count", fmt.Sprint(count), "--start", start, "--log-level", "warn")
	}
	agree := func(p *process) {
		t.Helper()
		p.await("both have read everything", func() bool {
			a, b := calm.pipeline(), p.pipeline()
			return a.Counters["consumed"] > 0 && a.WatermarkMs == b.WatermarkMs && fmt.Sprint(a.Counters) == fmt.Sprint(b.Counters)
		})
	}

	disk.fill(24 << 20)
	p := serve("50%")
	p.await("held", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "No records are taken: the disk of ") })
	if err := p.fetch("/readyz", &struct{}{}); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "is nearly full: ") {
		t.Errorf("readyz: %v", err)
	}
	simulate(20_000, "2026-01-05T12:00:00Z")
	if n := p.pipeline().Counters["consumed"]; n != 0 {
		t.Errorf("%d records were taken", n)
	}
	disk.empty()
	p.ready()
	agree(p)
	p.interrupt()

	p = serve("0")
	p.ready()
	disk.fill(0)
	simulated := make(chan struct{})
	go func() {
		defer close(simulated)
		simulate(150_000, "2026-01-05T13:00:00Z")
	}()
	wantEnd(t, p)
	wantEnd(t, serve("0")) // there is no room to start either
	<-simulated
	disk.empty()
	p = serve("0")
	p.ready()
	agree(p)
	compareServers(t, calm, p)
}

// wantEnd waits for the end of a process that can't write.
func wantEnd(t *testing.T, p *process) {
	t.Helper()
	hangs := time.AfterFunc(tooLong, func() { p.cmd.Process.Kill() })
	defer hangs.Stop()
	p.cmd.Wait() // the exit code says it
	checkEnd(t, p)
}

// checkEnd says whether a process ended as one that can't write does.
func checkEnd(t *testing.T, p *process) {
	t.Helper()
	line := "tidemark: the store could not be written: "
	if code, log := p.cmd.ProcessState.ExitCode(), p.log.String(); code != 75 || !strings.Contains(log, line) || !strings.Contains(log, syscall.ENOSPC.Error()) {
		t.Fatalf("exit code %d (-1: it hung), said:\n%s", code, log)
	}
}
