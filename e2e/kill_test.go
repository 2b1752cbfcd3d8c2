package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/e2e/apachekafka"
)

// moment is when a server is killed.
type moment string

const (
	startingUp moment = "while it starts"
	catchingUp moment = "while it catches up"
	publishing moment = "while it publishes"
	stopping   moment = "while it stops"
	sometime   moment = "some time later"
)

var moments = []moment{startingUp, catchingUp, publishing, stopping, sometime}

// Nothing is idle in these tests: whether something is depends on the clock, and with it what is late. So the numbers are a
// function of the log alone, and two servers that have read it can be compared to the last bit.
const neverIdle = "version: 1\nsource: {idle_timeout: 10h, close_when_idle: 20h}\n"

func writeNeverIdle(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "definitions.yaml")
	if err := os.WriteFile(path, []byte(neverIdle), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// victim is a server that is killed again and again, always on the same directory and the same addresses.
type victim struct {
	*process // the one that runs, or ran last
	listen   string
	args     []string
	rng      *rand.Rand
	died     map[moment]int
}

func newVictim(t *testing.T, rng *rand.Rand, args ...string) *victim {
	t.Helper()
	args = append([]string{"serve", "--data", t.TempDir(), "--log-level", "warn", "--definitions", writeNeverIdle(t)}, args...)
	return &victim{process: &process{t: t}, listen: freeAddress(t), args: args, rng: rng, died: map[moment]int{}}
}

func (v *victim) start() { v.process = launch(v.t, v.listen, v.args...) }

// progress is how far the server has come.
func (v *victim) progress() (consumed, behind, unpublished int64) {
	var view struct {
		Counters   struct{ Consumed int64 }
		Partitions []struct{ Lag int64 }
		Readers    []struct{ Lag int64 }
	}
	if v.fetch("/api/v1/pipeline", &view) != nil {
		return 0, 0, 0
	}
	for _, p := range view.Partitions {
		behind += p.Lag
	}
	for _, r := range view.Readers {
		unpublished += r.Lag
	}
	return view.Counters.Consumed, behind, unpublished
}

// killAt starts the server and kills it at a moment. A moment that doesn't come is not waited for: it is killed all the same.
func (v *victim) killAt(m moment) {
	v.t.Helper()
	v.start()
	switch m {
	case startingUp:
		v.linger(150 * time.Millisecond)
	case catchingUp:
		v.ready()
		v.see(func(_, behind, _ int64) bool { return behind > 0 })
	case publishing:
		v.ready()
		v.see(func(_, _, unpublished int64) bool { return unpublished > 0 })
		v.linger(10 * time.Millisecond)
	case stopping:
		v.ready()
		v.linger(300 * time.Millisecond)
		if err := v.cmd.Process.Signal(os.Interrupt); err != nil {
			v.t.Fatalf("interrupt: %v\n%s", err, v.log.String())
		}
		v.linger(60 * time.Millisecond)
	case sometime:
		v.ready()
		before, _, _ := v.progress()
		more := before + v.rng.Int64N(2000)
		v.see(func(consumed, _, _ int64) bool { return consumed >= more })
	}
	v.die()
	v.died[m]++
}

// linger lets some random time pass, up to a limit.
func (v *victim) linger(limit time.Duration) { <-time.After(time.Duration(v.rng.Int64N(int64(limit)))) }

// see waits until the server's progress is so, for a second at most.
func (v *victim) see(so func(consumed, behind, unpublished int64) bool) {
	limit := time.After(time.Second)
	for !so(v.progress()) {
		select {
		case <-limit:
			return
		default:
		}
	}
}

// die kills the server. It may have ended by then, but only in good order.
func (v *victim) die() {
	v.t.Helper()
	_ = v.cmd.Process.Kill() // an error says that it has ended
	err := v.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		if strings.Contains(v.log.String(), "address already in use") {
			return // somebody else's for a moment; the next start will tell
		}
		v.t.Fatalf("it ended by itself: %v\n%s", err, v.log.String())
	}
}

// killAgainAndAgain kills a server at random moments while records come in, and starts it a last time.
func (v *victim) killAgainAndAgain(s *stream, kills int) {
	v.t.Helper()
	began := time.Now()
	each := sized(2000, 500)
	for n := range kills {
		s.allow(each)
		m := moments[v.rng.IntN(len(moments))]
		if n == 0 {
			m = startingUp // nothing is there yet
		}
		v.killAt(m)
		if n%100 == 99 {
			v.t.Logf("%d kills in %v", n+1, time.Since(began).Round(time.Second))
		}
	}
	v.start()
	v.ready()
	s.finish()
	v.t.Logf("%d kills in %v: %v", kills, time.Since(began).Round(time.Second), v.died)
}

// The server and the broker in it are one process. What it has acknowledged is there after each kill, and what it makes of that is
// what a server makes that was never killed.
func TestKilledAgainAndAgainWithTheBrokerInside(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	rng, seed := chance(t)
	broker := freeAddress(t)
	v := newVictim(t, rng, "--embedded-listen", broker)
	s := startStream(t, broker, "events", seed)
	v.killAgainAndAgain(s, sized(25, 1000))
	calm := launch(t, freeAddress(t), calmArgs(t, "--kafka-brokers", broker, "--events-topic", "events")...)
	calm.ready()
	sameToTheLastBit(t,
		&site{t: t, server: calm, broker: broker, suffix: "-calm"},
		&site{t: t, server: v.process, broker: broker})
}

// The broker is Apache Kafka, which lives on. A server beside the killed one reads the same topic undisturbed.
func TestKilledAgainAndAgainOnApacheKafka(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	b := apachekafka.Start(t, apachekafka.Options{Properties: map[string]string{"log.retention.ms": "-1"}})
	broker := b.Addr(apachekafka.Plaintext)
	rng, seed := chance(t)
	calm := launch(t, freeAddress(t), calmArgs(t, "--kafka-brokers", broker)...)
	calm.ready()
	v := newVictim(t, rng, "--kafka-brokers", broker, "--create-topics")
	s := startStream(t, broker, "events", seed)
	v.killAgainAndAgain(s, sized(25, 1000))
	sameToTheLastBit(t,
		&site{t: t, server: calm, broker: broker, suffix: "-calm"},
		&site{t: t, server: v.process, broker: broker})
}

// calmArgs are those of a server beside the one that is disturbed: it reads the same topic and has outputs of its own.
func calmArgs(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{
		"serve", "--data", t.TempDir(), "--log-level", "warn", "--definitions", writeNeverIdle(t), "--create-topics",
		"--metrics-topic", "metrics-calm", "--alerts-topic", "alerts-calm", "--dead-letter-topic", "dead-letters-calm",
	}, more...)
}

func (m moment) String() string { return fmt.Sprintf("%q", string(m)) }
