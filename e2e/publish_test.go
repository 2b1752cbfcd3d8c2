package e2e

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// committed reads what a topic has for who reads committed records only, to the end that it has now.
func committed(t *testing.T, addr, topic string) (records []*kgo.Record) {
	t.Helper()
	c := client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	defer cancel()
	ends, err := kadm.NewClient(c).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records
}

// exactlyOnce checks that no entry of the feed is in a topic twice, and that those of a partition are in order. It returns how many
// there are up to a sequence.
func exactlyOnce(t *testing.T, addr, topic string, to uint64) (n int) {
	t.Helper()
	seen := map[string]bool{}
	last := map[string]uint64{}
	for _, r := range committed(t, addr, topic) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		seq, err := strconv.ParseUint(headers["tidemark-seq"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		id := headers["tidemark-epoch"] + "/" + headers["tidemark-seq"]
		if seen[id] {
			t.Errorf("%s: %s is there twice", topic, id)
		}
		seen[id] = true
		place := headers["tidemark-epoch"] + "/" + strconv.Itoa(int(r.Partition))
		if seq < last[place] {
			t.Errorf("%s/%d: %d comes after %d", topic, r.Partition, seq, last[place])
		}
		last[place] = seq
		if seq <= to {
			n++
		}
	}
	return n
}

// entries is how many entries of a type the feed of a server has up to a sequence.
func (p *process) entries(kind string, to uint64) (n int) {
	p.t.Helper()
	for after := "0"; ; {
		var page struct {
			Entries []struct{ Seq uint64 }
		}
		if err := p.fetch("/api/v1/feed?types="+kind+"&limit=1000&after="+after, &page); err != nil {
			p.t.Fatal(err)
		}
		if len(page.Entries) == 0 {
			return n
		}
		for _, e := range page.Entries {
			if e.Seq <= to {
				n++
			}
		}
		after = strconv.FormatUint(page.Entries[len(page.Entries)-1].Seq, 10)
	}
}

// allPublished waits until all is out, and compares the topics with the feed.
func (p *process) allPublished(addr, metrics, deadLetters string) {
	p.t.Helper()
	p.await("all is published", func() bool { v := p.pipeline(); return v.Counters["consumed"] > 0 && v.published() })
	to := uint64(0)
	for _, r := range p.pipeline().Readers {
		to = max(to, r.Position)
	}
	for kind, topic := range map[string]string{"result": metrics, "dead_letter": deadLetters} {
		if got, want := exactlyOnce(p.t, addr, topic, to), p.entries(kind, to); got != want {
			p.t.Errorf("%s has %d entries, the feed %d", topic, got, want)
		}
	}
}

// promisedDrain is how long a server takes at most to end when it is told to.
const promisedDrain = 15 * time.Second

// A server that is told to stop commits what it has taken and publishes what is committed.
func TestStopPublishesWhatIsCommitted(t *testing.T) {
	t.Parallel()
	addr, broker, data := freeAddress(t), freeAddress(t), t.TempDir()
	start := func() *process { return launch(t, addr, "serve", "--data", data, "--embedded-listen", broker) }
	p := start()
	p.ready()
	tool(t, "simulate", "--kafka-brokers", broker, "--rate", "100", "--duration", "3m", "--start", "2026-01-05T12:00:00Z", "--bad", "0.01", "--log-level", "warn")
	p.await("some is consumed", func() bool { return p.pipeline().Counters["consumed"] > 1000 })
	if took := p.interrupt(); took > promisedDrain {
		t.Errorf("took %v to end", took)
	}
	if text := p.log.String(); strings.Contains(text, "don't take what is committed") {
		t.Errorf("not all was published:\n%s", text)
	}
	p = start()
	p.ready()
	p.allPublished(broker, "metrics", "dead-letters")
}

// Brokers that are away don't keep a server from ending.
func TestStopWithoutBrokers(t *testing.T) {
	t.Parallel()
	broker := freeAddress(t)
	other := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", broker)
	other.ready()
	p := launchAt(t, "stop", "--kafka-brokers", broker, "--create-topics")
	p.ready()
	tool(t, "simulate", "--kafka-brokers", broker, "--events-topic", "stop-events", "--rate", "100", "--duration", "3m", "--start", "2026-01-05T12:00:00Z", "--log-level", "warn")
	p.await("some is consumed", func() bool { return p.pipeline().Counters["consumed"] > 1000 })
	other.kill()
	if took := p.interrupt(); took > promisedDrain {
		t.Errorf("took %v to end\n%s", took, p.log.String())
	}
}

// A second signal ends a server at once.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	broker := freeAddress(t)
	other := launch(t, freeAddress(t), "serve", "--data", t.TempDir(), "--embedded-listen", broker)
	other.ready()
	p := launchAt(t, "second", "--kafka-brokers", broker, "--create-topics")
	p.ready()
	tool(t, "simulate", "--kafka-brokers", broker, "--events-topic", "second-events", "--rate", "100", "--duration", "3m", "--start", "2026-01-05T12:00:00Z", "--log-level", "warn")
	other.kill()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.await("it says that it stops", func() bool {
		return strings.Contains(p.unready(), "the server stops") || p.fetch("/livez", &struct{}{}) != nil
	})
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !strings.Contains(err.Error(), "finished") {
		t.Fatal(err)
	}
	began := time.Now()
	_ = p.cmd.Wait()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v after the second signal", took)
	}
}
