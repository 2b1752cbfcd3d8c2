package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// runTool runs a command of the binary to its end and returns its exit code.
func runTool(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	text, err := exec.Command(binary(t), args...).CombinedOutput()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		return ended.ExitCode(), string(text)
	case err != nil:
		t.Fatal(err)
	}
	return 0, string(text)
}

// wantTool runs a command, which must end with a code and say something.
func wantTool(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	if got, out := runTool(t, args...); got != code || !strings.Contains(out, says) {
		t.Errorf("%v ended with %d, want %d and %q:\n%s", args, got, code, says, out)
	}
}

// A server is killed and stopped while it reads, a log is folded again with other numbers of workers, from the beginning and
// from a copy of an earlier state, also when the log no longer has its beginning.
func TestReplayOfTheBinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	broker := freeAddress(t)
	serve := func() *process {
		p := launch(t, freeAddress(t), "serve", "--data", at("data"), "--embedded-listen", broker)
		p.ready()
		return p
	}
	simulate := func(seed string) {
		tool(t, "simulate", "--kafka-brokers", broker, "--rate", "0", "--count", "20000", "--bad", "0.01", "--late", "0.02", "--seed", seed)
	}
	p := serve()
	simulate("1")
	p.kill()
	p = serve()
	p.consumed(records(t, broker, "events"))
	p.interrupt()
	if err := os.CopyFS(at("base"), os.DirFS(at("data/store"))); err != nil {
		t.Fatal(err)
	}
	p = serve()
	simulate("2")
	p.consumed(records(t, broker, "events"))
	wantTool(t, 1, "stop the server, or name a backup of it and, with --kafka-brokers, its brokers", "replay", "--from-store", at("data"), "--into", at("used"))
	wantTool(t, 0, "match", "replay", "--from-store", at("base"), "--into", at("beside"), "--verify", "--kafka-brokers", broker)
	p.interrupt()

	wantTool(t, 0, "match", "replay", "--from-store", at("data"), "--into", at("one"), "--verify", "--workers", "1")
	wantTool(t, 0, "match", "replay", "--from-store", at("data"), "--into", at("four"), "--verify", "--workers", "4")
	wantTool(t, 0, "match", "replay", "--from-store", at("data"), "--into", at("on"), "--verify", "--base", at("base"))
	wantTool(t, 0, "match", "replay", "--from-store", at("data"), "--into", at("on and on"), "--verify", "--base", at("on"))
	if err := os.CopyFS(at("before/store"), os.DirFS(at("base"))); err != nil {
		t.Fatal(err)
	}
	tool(t, "backup", "--data", at("before"), "--to", at("backup"))
	wantTool(t, 0, "match", "replay", "--from-store", at("data"), "--into", at("on from a backup"), "--verify", "--base", at("backup"))
	damage(t, at("backup/store"))
	wantTool(t, 1, "--base: not a whole backup: ", "replay", "--from-store", at("data"), "--into", at("never"), "--verify", "--base", at("backup"))
	if want, got := tool(t, "digest", "--data", at("data")), tool(t, "digest", "--data", at("four")); want != got {
		t.Errorf("digests were:\n%sand are:\n%s", want, got)
	}
	wantTool(t, 2, "is not empty", "replay", "--from-store", at("data"), "--into", at("one"))
	wantTool(t, 2, "--from-store: there is no store", "replay", "--from-store", at("nothing"), "--into", at("used"))
	wantTool(t, 2, "--kafka-brokers: needed", "replay", "--from-store", at("base"), "--into", at("used"))

	p = serve()
	wantTool(t, 1, "the state is past its target", "replay", "--from-store", at("base"), "--into", at("used"), "--base", at("four"), "--kafka-brokers", broker)
	earlier := make(kadm.Offsets)
	for partition := range int32(12) {
		earlier.AddOffset("events", partition, 100, -1)
	}
	if _, err := admin(t, broker).DeleteRecords(t.Context(), earlier); err != nil {
		t.Fatal(err)
	}
	p.interrupt()
	wantTool(t, 3, "--base BACKUP starts from a backup that the log still reaches back to", "replay", "--from-store", at("data"), "--into", at("used"), "--verify")
	wantTool(t, 0, "match", "replay", "--from-store", at("data"), "--into", at("still"), "--verify", "--base", at("base"))
	if _, err := os.Stat(at("used")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a replay that was refused has left a directory: %v", err)
	}
}

// damage flips a bit of the largest file in a directory.
func damage(t *testing.T, dir string) {
	t.Helper()
	var largest string
	var content []byte
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > len(content) {
			largest, content = filepath.Join(dir, f.Name()), b
		}
	}
	content[len(content)/2] ^= 4
	if err := os.WriteFile(largest, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
