package apachekafka

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/e2e/freeport"
)

// libVariable is the environment variable with the folder of the jars.
const libVariable = "TIDEMARK_KAFKA_LIB"

// Available reports whether a broker is asked for.
func Available() bool { return os.Getenv(libVariable) != "" }

// Need skips the test, saying how to run it, unless a broker is asked for.
func Need(t testing.TB) {
	t.Helper()
	if !Available() {
		t.Skipf("to run this with Apache Kafka: %s=$(scripts/kafka) go test PACKAGE, from the top directory", libVariable)
	}
}

// Options configure a broker. The zero value is one with Plaintext alone.
type Options struct {
	Listeners  []Listener        // beside Plaintext
	Users      map[string]string // passwords by name, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512; without commas
	Properties map[string]string // of server.properties, before those that this package sets
}

// Broker is a running broker.
type Broker struct {
	lib     string
	dir     string
	cluster string
	options Options
	ports   map[string]int // by listener; the controller's too
	process *process       // nil: stopped
}

// Start starts a broker that lives as long as the test. The test is skipped if no broker is asked for.
func Start(t testing.TB, options Options) *Broker {
	t.Helper()
	Need(t)
	b := &Broker{lib: os.Getenv(libVariable), dir: t.TempDir(), options: options}
	if jars, err := filepath.Glob(filepath.Join(b.lib, "kafka_*.jar")); err != nil || len(jars) == 0 {
		t.Fatalf("%s: no jars of Apache Kafka in %q; scripts/kafka fetches them and prints their folder", libVariable, b.lib)
	}
	t.Cleanup(func() {
		b.kill()
		if t.Failed() {
			t.Logf("the end of the broker's log:\n%s", b.log(40))
		}
	})
	if err := b.format(); err != nil {
		t.Fatal(err)
	}
	// A port that was free may be taken when the broker comes to it.
	var err error
	for range 3 {
		if err = b.reserve(); err != nil {
			break
		}
		if err = b.launch(); err == nil || !strings.Contains(b.log(100), "Address already in use") {
			break
		}
	}
	if err != nil {
		t.Fatalf("start Apache Kafka: %v\n%s", err, b.log(40))
	}
	return b
}

// Addr is the address of a listener by its name.
func (b *Broker) Addr(listener string) string {
	port, ok := b.ports[listener]
	if !ok {
		panic("BUG: no listener " + listener)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// Stop ends the broker in good order, which takes about a second. On a busy machine it has been seen not to end within half a minute:
// then it is killed.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	killed, err := b.process.interrupt()
	if err != nil {
		t.Fatalf("stop Apache Kafka: %v", err)
	}
	if killed {
		t.Logf("Apache Kafka had not ended after %v, and was killed", stopLimit)
	}
	b.process = nil
}

// Restart starts the broker again where and with what it was before, after Stop or instead of it.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if b.process != nil {
		b.Stop(t)
	}
	if err := b.launch(); err != nil {
		t.Fatalf("restart Apache Kafka: %v\n%s", err, b.log(40))
	}
}

// Reconfigure restarts the broker with other options. Users stay those that it was started with, and listeners keep their
// names and addresses.
func (b *Broker) Reconfigure(t testing.TB, options Options) {
	t.Helper()
	b.options = options
	if err := b.configure(); err != nil {
		t.Fatal(err)
	}
	b.Restart(t)
}

// Tool runs one of Kafka's command line tools, by its class, and returns what it prints.
func (b *Broker) Tool(t testing.TB, in []byte, class string, args ...string) string {
	t.Helper()
	cmd := b.java("warn", append([]string{class}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s%s", class, args, err, out.String(), faults.String())
	}
	return out.String()
}

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

// format makes the directory of the broker's data, with the users' SCRAM credentials in it.
func (b *Broker) format() error {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	id[0] &= 0x7f           // or the tool could take it for an option
	b.cluster = base64.RawURLEncoding.EncodeToString(id[:])
	b.ports = map[string]int{controller: 1, Plaintext: 2} // any: the tool doesn't listen
	for i, l := range b.options.Listeners {
		b.ports[l.Name] = 3 + i
	}
	if err := b.configure(); err != nil {
		return err
	}
	args := []string{"kafka.tools.StorageTool", "format", "--standalone", "-t", b.cluster, "-c", b.file("server.properties")}
	for name, password := range b.options.Users {
		for _, mechanism := range scramMechanisms {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, name, password))
		}
	}
	if out, err := b.java("warn", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format: %w\n%s", err, out)
	}
	return nil
}

// reserve chooses ports.
func (b *Broker) reserve() (err error) {
	for name := range b.ports {
		if b.ports[name], err = freeport.Find(); err != nil {
			return err
		}
	}
	return b.configure()
}

// java prepares a run of the Java machine that starts soon and stays small, with a log at a level.
func (b *Broker) java(level string, args ...string) *exec.Cmd {
	flags := []string{
		"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog.level=" + level,
		"-Dlog4j2.configurationFile=" + b.file("log4j2.properties"), "-cp", filepath.Join(b.lib, "*"),
	}
	return exec.Command("java", append(flags, args...)...)
}

// startLimit is long: a test machine has other things to do too.
const startLimit = 5 * time.Minute

// launch starts the process and waits until it takes requests.
func (b *Broker) launch() error {
	p, err := startProcess(b.java("info", "kafka.Kafka", b.file("server.properties")), b.file("log"))
	if err != nil {
		return err
	}
	b.process = p
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(startLimit)
	for {
		select {
		case <-p.ended:
			b.process = nil
			return fmt.Errorf("the broker has ended: %w", p.err)
		case <-deadline:
			b.kill()
			return fmt.Errorf("not up within %v", startLimit)
		case <-tick.C:
			if log, err := os.ReadFile(b.file("log")); err != nil {
				return err
			} else if bytes.Contains(log, []byte("Kafka Server started")) {
				return nil
			}
		}
	}
}

func (b *Broker) kill() {
	if b.process != nil {
		b.process.kill()
		b.process = nil
	}
}

var entry = regexp.MustCompile(`^\d\d:\d\d:\d\d\.`)

// log returns the last lines of the log, without those that tell of nothing unusual.
func (b *Broker) log(lines int) string {
	content, err := os.ReadFile(b.file("log"))
	if errors.Is(err, os.ErrNotExist) {
		return "(none)"
	}
	if err != nil {
		return err.Error()
	}
	usual := false
	all := slices.DeleteFunc(strings.Split(strings.TrimRight(string(content), "\n"), "\n"), func(line string) bool {
		if entry.MatchString(line) {
			usual = strings.Contains(line, " INFO ")
		}
		return usual
	})
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
