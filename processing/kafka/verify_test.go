package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

func TestSourceEpochEnds(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))
	must(t, err)
	t.Cleanup(c.Close)
	addr := c.ListenAddrs()[0]
	write(t, addr, "events", 0, "a", "b", "c")
	must(t, c.MoveTopicPartition("events", 0, 0)) // the same broker is the leader of another epoch
	write(t, addr, "events", 0, "d", "e")
	s := newSource(t, clusterAt(addr))
	for _, want := range []struct {
		asked int32
		end   processing.EpochEnd
	}{
		{0, processing.EpochEnd{Epoch: 0, End: 3}},
		{1, processing.EpochEnd{Epoch: 1, End: 5}},
		{7, processing.EpochEnd{Epoch: -1, End: processing.NoEnd}},
	} {
		got, err := s.EpochEnds(limit(t), map[event.PartitionID]int32{0: want.asked})
		must(t, err)
		if diff := cmp.Diff(map[event.PartitionID]processing.EpochEnd{0: want.end}, got); diff != "" {
			t.Errorf("epoch %d (-want +got):\n%s", want.asked, diff)
		}
	}
}

// A topic that was made anew is read once Open has seen it: until then the client holds on to the one that it knew.
func TestSourceReadsARecreatedTopic(t *testing.T) {
	t.Parallel()
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(2)})
	ctx := limit(t)
	write(t, b.Addr(), "events", 0, "a", "b", "c")
	s := newSource(t, clusterAt(b.Addr()))
	before, err := s.Open(ctx, func(error) {})
	must(t, err)
	s.Assign(map[event.PartitionID]event.Offset{0: 0, 1: 0})
	var l readLog
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 3})
	must(t, b.cluster.DeleteTopic("events"))
	must(t, b.cluster.CreateTopic("events", 2, nil))
	for len(l.errs) == 0 && ctx.Err() == nil {
		l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 4})
	}
	if !errors.Is(l.errs[0], processing.ErrTopicRecreated) {
		t.Fatalf("errors %v", l.errs)
	}
	write(t, b.Addr(), "events", 0, "d", "e")
	write(t, b.Addr(), "events", 1, "f")
	after, err := s.Open(ctx, func(error) {})
	must(t, err)
	ends, err := s.Ends(ctx)
	must(t, err)
	if after.ID == before.ID || ends[0].TopicID != after.ID {
		t.Errorf("ids: %x before, %x after, %x of the ends", before.ID, after.ID, ends[0].TopicID)
	}
	l = readLog{}
	s.Assign(map[event.PartitionID]event.Offset{0: 0})
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{0: 2})
	s.Assign(map[event.PartitionID]event.Offset{1: 0})
	l.readUntil(ctx, s, map[event.PartitionID]event.Offset{1: 1})
	if !slices.Equal(l.records[0], []event.Offset{0, 1}) || !slices.Equal(l.records[1], []event.Offset{0}) || len(l.errs) > 0 {
		t.Errorf("read %v, errors %v", l.records, l.errs)
	}
}

// The end of a batch is found by its head, however large it is and whatever it would become.
func TestSourceAfterBatch(t *testing.T) {
	t.Parallel()
	c := generousCluster(t, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("events"),
		kgo.ProducerBatchMaxBytes(128<<20), kgo.BrokerMaxWriteBytes(256<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	must(t, err)
	defer client.Close()
	must(t, client.ProduceSync(limit(t), kgo.StringRecord("before")).FirstErr())
	half := bytes.Repeat([]byte{0}, maxBatchBytes/2+1)
	must(t, client.ProduceSync(limit(t), &kgo.Record{Value: half}, &kgo.Record{Value: half}, kgo.StringRecord("beside")).FirstErr())
	must(t, client.ProduceSync(limit(t), kgo.StringRecord("after")).FirstErr())

	s := newSource(t, clusterAt(c.ListenAddrs()[0]))
	s.Assign(map[event.PartitionID]event.Offset{0: 0})
	var l readLog
	l.readUntil(limit(t), s, map[event.PartitionID]event.Offset{0: 5})
	if len(l.errs) != 1 || !errors.Is(l.errs[0], processing.ErrBatchTooLarge) || l.positions[0] != 1 {
		t.Fatalf("read up to %d, errors %v", l.positions[0], l.errs)
	}
	for at, want := range []event.Offset{1, 4, 4, 4, 5} {
		if got, err := s.AfterBatch(limit(t), 0, event.Offset(at)); err != nil || got != want {
			t.Errorf("the batch at %d ends at %d, %v; want %d", at, got, err, want)
		}
	}
	if got, err := s.AfterBatch(limit(t), 0, 5); !errors.Is(err, errNoBatch) {
		t.Errorf("at the end of the log: %d, %v", got, err)
	}
	l.errs = nil
	s.Assign(map[event.PartitionID]event.Offset{0: 4})
	l.readUntil(limit(t), s, map[event.PartitionID]event.Offset{0: 5})
	if !slices.Equal(l.records[0], []event.Offset{0, 4}) || len(l.errs) > 0 {
		t.Errorf("read %v, errors %v", l.records[0], l.errs)
	}
}

// batchOf is the beginning of a record batch.
func batchOf(base int64, length, delta int32, magic byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(base))
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	b = append(binary.BigEndian.AppendUint32(b, 0), magic)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(delta))
	return append(b, make([]byte, max(0, int(length)+batchOverhead-len(b)))...)
}

func FuzzAfterBatch(f *testing.F) {
	f.Add(append(batchOf(0, 60, 2, 2), batchOf(3, 60, 4, 2)...), int64(5))
	f.Add(batchOf(7, 30, 0, 1), int64(7))
	f.Add(batchOf(7, -5, 1<<31-1, 2), int64(7))
	f.Fuzz(func(t *testing.T, batches []byte, at int64) {
		if at < 0 {
			return
		}
		next, err := afterBatch(batches, event.Offset(at))
		if err == nil && int64(next) <= at {
			t.Errorf("the batch at %d ends at %d", at, next)
		}
	})
}
