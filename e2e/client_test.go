package e2e

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/event"
)

// client is for what our own programs don't do: codecs, transactions, the administration of a cluster.
func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func admin(t *testing.T, addr string) *kadm.Client {
	t.Helper()
	return kadm.NewClient(client(t, addr))
}

// records is how many offsets a topic holds.
func records(t *testing.T, addr, topic string) (n int64) {
	t.Helper()
	ends, err := admin(t, addr).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

func setPassword(t *testing.T, addr, user, password string) {
	t.Helper()
	answer, err := admin(t, addr).AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{
		{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password},
	})
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// toRecords are records as the client library has them.
func toRecords(topic string, from []event.Record) []*kgo.Record {
	to := make([]*kgo.Record, len(from))
	for i := range from {
		r := &from[i]
		to[i] = &kgo.Record{Topic: topic, Partition: int32(r.Partition), Key: r.Key, Value: r.Value, Timestamp: timeOf(r.Timestamp)}
	}
	return to
}

func timeOf(m event.Millis) time.Time { return time.UnixMilli(int64(m)) }
