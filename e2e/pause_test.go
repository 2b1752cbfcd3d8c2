package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tidemark/tidemark/e2e/apachekafka"
)

// transactionTimeout is how long brokers let a transaction of these tests be open.
const transactionTimeout = 2 * time.Second

// A server that stands still while its transaction runs out has lost that transaction, and must find that out by itself: what it
// held goes out again, once.
func TestStoppedForLongerThanATransactionMayLast(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	t.Run("embedded broker", func(t *testing.T) {
		t.Parallel()
		broker := freeAddress(t)
		calm := launch(t, freeAddress(t), calmArgs(t, "--embedded-listen", broker)...)
		stoppedForLong(t, calm, broker)
	})
	t.Run("Apache Kafka", func(t *testing.T) {
		t.Parallel()
		b := apachekafka.Start(t, apachekafka.Options{Properties: map[string]string{
			"log.retention.ms": "-1", "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
		}})
		broker := b.Addr(apachekafka.Plaintext)
		calm := launch(t, freeAddress(t), calmArgs(t, "--kafka-brokers", broker)...)
		stoppedForLong(t, calm, broker)
	})
}

func stoppedForLong(t *testing.T, calm *process, broker string) {
	calm.ready()
	rng, seed := chance(t)
	v := newVictim(t, rng, "--kafka-brokers", broker, "--create-topics", "--transaction-timeout", transactionTimeout.String())
	v.start()
	v.ready()
	s := startStream(t, broker, "events", seed)
	for range sized(3, 30) {
		v.stopInTransaction(s, admin(t, broker))
	}
	s.finish()
	sameToTheLastBit(t,
		&site{t: t, server: calm, broker: broker, suffix: "-calm"},
		&site{t: t, server: v.process, broker: broker})
}

// stopInTransaction stops the server while it has a transaction open, and lets it go on when the broker has given that up.
func (v *victim) stopInTransaction(s *stream, adm *kadm.Client) {
	v.t.Helper()
	const tries = 200
	for range tries {
		s.allow(500)
		v.see(func(_, _, unpublished int64) bool { return unpublished > 0 })
		v.linger(5 * time.Millisecond)
		v.signal(syscall.SIGSTOP)
		id := v.openTransaction(adm)
		if id == "" {
			v.signal(syscall.SIGCONT)
			continue
		}
		began := time.Now()
		v.await("the broker gives the transaction up", func() bool {
			return time.Since(began) > transactionTimeout && v.openTransaction(adm) == ""
		})
		v.t.Logf("stood still for %v with %s open", time.Since(began).Round(time.Millisecond), id)
		v.signal(syscall.SIGCONT)
		return
	}
	v.t.Errorf("it has not been stopped within a transaction in %d tries", tries)
}

func (v *victim) signal(sig os.Signal) {
	v.t.Helper()
	if err := v.cmd.Process.Signal(sig); err != nil {
		v.t.Fatalf("%v: %v\n%s", sig, err, v.log.String())
	}
}

// openTransaction is the id of a transaction of the server that is open; its outputs have names that others' have not.
func (v *victim) openTransaction(adm *kadm.Client) string {
	v.t.Helper()
	list, err := adm.ListTransactions(v.t.Context(), nil, []string{"Ongoing"})
	if err != nil {
		v.t.Fatal(err)
	}
	described, err := adm.DescribeTransactions(v.t.Context(), list.TransactionalIDs()...)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, d := range described {
		for _, topic := range d.Topics.Sorted() {
			if topic.Topic == "metrics" {
				return d.TxnID
			}
		}
	}
	return ""
}

// A server stands still, a copy of it is started elsewhere and takes over, and the first one goes on. One of the two publishes, the
// other one says why it doesn't, and goes on answering.
func TestTwoServersOnCopiesOfOneStoreDoNotFight(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	b := apachekafka.Start(t, apachekafka.Options{Properties: map[string]string{"log.retention.ms": "-1"}})
	broker := b.Addr(apachekafka.Plaintext)
	rng, seed := chance(t)
	calm := launch(t, freeAddress(t), calmArgs(t, "--kafka-brokers", broker)...)
	calm.ready()
	original := newVictim(t, rng, "--kafka-brokers", broker, "--create-topics")
	original.start()
	original.ready()
	s := startStream(t, broker, "events", seed)
	s.allow(5000)
	original.readAll(5000)
	original.interrupt()
	copied := copyOf(original, rng)
	original.start()
	original.ready()
	original.signal(syscall.SIGSTOP)
	copied.start()
	copied.ready()
	s.allow(5000)
	copied.readAll(10_000)
	original.signal(syscall.SIGCONT)
	s.finish()
	copied.await("one of the two stands down", func() bool {
		return original.downBecause() != "" || copied.downBecause() != ""
	})
	winner, loser := copied, original
	if copied.downBecause() != "" {
		winner, loser = original, copied
	}
	t.Logf("the copy goes on: %v; the other one: %s", winner == copied, loser.downBecause())
	sameToTheLastBit(t,
		&site{t: t, server: calm, broker: broker, suffix: "-calm"},
		&site{t: t, server: winner.process, broker: broker})
	if why := winner.downBecause(); why != "" {
		t.Errorf("neither publishes: %s", why)
	}
	loser.await("who stands down reads on", func() bool {
		return loser.pipeline().Counters["consumed"] == winner.pipeline().Counters["consumed"]
	})
	if digestOf(t, loser.process) != digestOf(t, winner.process) {
		t.Error("who stands down has other numbers")
	}
	if loser.downBecause() == "" {
		t.Error("who stood down is ready again")
	}
}

// readAll waits until the server has read so many records, and published what came of them.
func (v *victim) readAll(n int64) {
	v.t.Helper()
	v.await("everything is read and published", func() bool {
		view := v.pipeline()
		return view.Counters["consumed"] >= n && view.published()
	})
}

// copyOf is a server on a copy of the directory of one that has ended, with an address of its own.
func copyOf(v *victim, rng *rand.Rand) *victim {
	v.t.Helper()
	c := newVictim(v.t, rng)
	c.args = append([]string{}, v.args...)
	const data = 2 // serve --data DIR
	c.args[data] = v.t.TempDir()
	if err := os.CopyFS(c.args[data], os.DirFS(v.args[data])); err != nil {
		v.t.Fatal(err)
	}
	return c
}

// downBecause is why a server that answers is not ready; empty while it is, or doesn't answer.
func (p *process) downBecause() string {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(p.base + "/readyz")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		return ""
	}
	var told struct{ Reasons []string }
	if err := json.Unmarshal(body, &told); err != nil {
		return fmt.Sprintf("%s: %v", body, err)
	}
	why := strings.Join(told.Reasons, "; ")
	if strings.Contains(why, "cursors are not verified") {
		return "" // it only starts
	}
	return why
}
