package kafka

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/event"
)

// Positions count offsets that hold no record (any more): whatever compaction, aborted transactions and retention have left of
// the end of a log, a reading comes to where the cluster says that it ends, and so does a fold to a target there. It may, as
// the last batch of a log is never compacted away, be that a record or a mark; and what is beyond a target counts as the target.
func TestSourcePositionsCountWhatIsGone(t *testing.T) {
	t.Parallel()
	keep, gone := "compact", "0"
	for _, c := range []struct {
		name string
		make func(t *testing.T, b *Broker, tx *kgo.Client)
		ends string // start and end of the log
	}{
		{"superseded records", func(t *testing.T, b *Broker, _ *kgo.Client) {
			put(t, b, "k=1", "k=2", "l=1", "k=3", "l=2")
			b.cluster.Compact()
		}, "2 5"},
		{"tombstones at the end", func(t *testing.T, b *Broker, _ *kgo.Client) {
			put(t, b, "k=1", "l=1", "k", "l", "m")
			b.cluster.Compact()
		}, "4 5"},
		{"an aborted transaction at the end", func(t *testing.T, b *Broker, tx *kgo.Client) {
			put(t, b, "k=1", "l=1")
			transact(t, tx, kgo.TryAbort, "k=2", "m=1")
			b.cluster.Compact()
		}, "0 5"},
		{"aborted transactions, one after the other", func(t *testing.T, b *Broker, tx *kgo.Client) {
			put(t, b, "k=1")
			for range 3 {
				transact(t, tx, kgo.TryAbort, "k=2")
			}
			b.cluster.Compact()
		}, "0 7"},
		{"a committed transaction that is superseded", func(t *testing.T, b *Broker, tx *kgo.Client) {
			transact(t, tx, kgo.TryCommit, "k=1", "l=1")
			transact(t, tx, kgo.TryCommit, "k=2", "l=2")
			b.cluster.Compact()
		}, "2 6"},
		{"retention has taken all", func(t *testing.T, b *Broker, _ *kgo.Client) {
			put(t, b, "k=1", "l=1")
			must(t, b.cluster.DeleteRecords("events", 0, 2))
		}, "2 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t, nil)
			must(t, b.cluster.CreateTopic("events", 1, map[string]string{"cleanup.policy": keep, "delete.retention.ms": gone}))
			c.make(t, b, newClient(t, b.Addr(), kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("events")))
			ctx := limit(t)
			s := newSource(t, clusterAt(b.Addr()))
			ends, err := s.Ends(ctx)
			must(t, err)
			e := ends[0]
			if got := fmt.Sprint(e.Start, " ", e.High); got != c.ends || e.Stable != e.High {
				t.Fatalf("ends are %+v, want %s", e, c.ends)
			}
			if e.Start == e.High {
				return // a reading begins at its end
			}
			s.Assign(map[event.PartitionID]event.Offset{0: e.Start})
			l := readLog{}
			l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: e.High})
			if l.positions[0] != e.High || len(l.errs) > 0 {
				t.Errorf("read %v up to %d, errors %v; want up to %d", l.records[0], l.positions[0], l.errs, e.High)
			}
		})
	}
}

// keyed makes records of "key=value"; those without a value are tombstones.
func keyed(texts []string) (records []*kgo.Record) {
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		r := kgo.KeySliceRecord([]byte(key), []byte(value))
		if !ok {
			r.Value = nil
		}
		records = append(records, r)
	}
	return records
}

// put writes records one by one, so that each is a batch of its own.
func put(t *testing.T, b *Broker, texts ...string) {
	t.Helper()
	client := newClient(t, b.Addr(), kgo.DefaultProduceTopic("events"))
	for _, r := range keyed(texts) {
		must(t, client.ProduceSync(limit(t), r).FirstErr())
	}
}

// transact writes records in a transaction.
func transact(t *testing.T, tx *kgo.Client, end kgo.TransactionEndTry, texts ...string) {
	t.Helper()
	must(t, tx.BeginTransaction())
	for _, r := range keyed(texts) {
		must(t, tx.ProduceSync(limit(t), r).FirstErr())
	}
	must(t, tx.EndTransaction(limit(t), end))
}
