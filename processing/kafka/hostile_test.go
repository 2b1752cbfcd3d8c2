package kafka

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// generousCluster takes batches of up to 32 MiB.
func generousCluster(t *testing.T, partitions int32) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "events"),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "33554432"}))
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// produce writes records with a client that is not ours.
func produce(t *testing.T, addrs []string, codec kgo.CompressionCodec, records ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(32<<20), kgo.BrokerMaxWriteBytes(64<<20), kgo.ProducerBatchCompression(codec), kgo.DisableIdempotentWrite())
	must(t, err)
	defer client.Close()
	for _, r := range records {
		r.Topic = "events"
		must(t, client.ProduceSync(limit(t), r).FirstErr())
	}
}

// A record that is larger than what a fetch asks for is read like any other, and so is what follows it.
func TestSourceReadsRecordsLargerThanAFetch(t *testing.T) {
	c := generousCluster(t, 2)
	huge := bytes.Repeat([]byte("x"), fetchBytes+fetchBytes/2)
	produce(t, c.ListenAddrs(), kgo.NoCompression(),
		&kgo.Record{Value: []byte("before")}, &kgo.Record{Value: huge}, &kgo.Record{Value: huge[:fetchPartitionBytes+1]},
		&kgo.Record{Key: huge[:1<<20], Value: []byte("after")}, &kgo.Record{Partition: 1, Value: []byte("beside")})
	cluster := clusterAt(c.ListenAddrs()[0])
	s := newSource(t, cluster)
	s.Assign(map[event.PartitionID]event.Offset{0: 0, 1: 0})
	var l readLog
	l.readUntil(limit(t), s, map[event.PartitionID]event.Offset{0: 4, 1: 1})
	if len(l.errs) > 0 || len(l.records[0]) != 4 || len(l.records[1]) != 1 {
		t.Errorf("read %v, faults %v", l.records, l.errs)
	}
}

// A batch that decompresses to far more than batches hold faults its partition, and only that.
func TestSourceRefusesBatchesThatExplode(t *testing.T) {
	codecs := []kgo.CompressionCodec{kgo.GzipCompression(), kgo.ZstdCompression(), kgo.Lz4Compression(), kgo.SnappyCompression()}
	if testing.Short() {
		codecs = codecs[1:2]
	}
	for _, codec := range codecs {
		c := generousCluster(t, 2)
		cluster := clusterAt(c.ListenAddrs()[0])
		bomb := bytes.Repeat([]byte{0}, maxBatchBytes+1)
		client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerBatchMaxBytes(128<<20), kgo.BrokerMaxWriteBytes(256<<20), kgo.ProducerBatchCompression(codec))
		must(t, err)
		must(t, client.ProduceSync(limit(t), &kgo.Record{Topic: "events", Value: bomb}).FirstErr())
		must(t, client.ProduceSync(limit(t), &kgo.Record{Topic: "events", Partition: 1, Value: []byte("good")}).FirstErr())
		client.Close()
		s := newSource(t, cluster)
		s.Assign(map[event.PartitionID]event.Offset{1: 0})
		var l readLog
		l.readUntil(limit(t), s, map[event.PartitionID]event.Offset{1: 1})
		s.Assign(map[event.PartitionID]event.Offset{0: 0})
		l.readUntil(limit(t), s, map[event.PartitionID]event.Offset{0: 1})
		if len(l.errs) != 1 || !errors.Is(l.errs[0], processing.ErrBatchTooLarge) || !strings.Contains(l.errs[0].Error(), "read events/0: ") || len(l.records[1]) != 1 {
			t.Errorf("%v: read %v, faults %v", codec, l.records, l.errs)
		}
	}
}

// The embedded broker takes records of almost a megabyte, and says of larger ones that they are too large.
func TestBrokerRefusesRecordsThatAreTooLarge(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"events": smallTopic(1)})
	w, err := NewWriter(WriterOptions{Cluster: clusterAt(b.Addr()), Topic: "events", Compression: NoCompression})
	must(t, err)
	defer w.Close()
	must(t, w.Write(limit(t), []event.Record{{Value: make([]byte, 1_000_000-100)}}))
	must(t, w.Flush(limit(t)))
	err = w.Write(limit(t), []event.Record{{Value: make([]byte, 1<<20)}})
	err = errors.Join(err, w.Flush(limit(t)))
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record of 1 MiB: %v", err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	must(t, err)
	defer client.Close()
	if err := client.ProduceSync(limit(t), &kgo.Record{Topic: "events", Value: make([]byte, 1<<20)}).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record of 1 MiB from a client that sends it: %v", err)
	}
}

// Whatever a record has beside its value comes through as it is: the source judges nothing.
func TestSourcePassesOddRecordsOn(t *testing.T) {
	c := generousCluster(t, 1)
	headers := make([]kgo.RecordHeader, 1000)
	for i := range headers {
		headers[i] = kgo.RecordHeader{Key: "\xff\x00", Value: nil}
	}
	w, err := NewWriter(WriterOptions{Cluster: clusterAt(c.ListenAddrs()[0]), Topic: "events", Compression: LZ4})
	must(t, err)
	defer w.Close()
	odd := []event.Record{
		{Timestamp: math.MaxInt64 / 2_000_000, Value: nil},
		{Timestamp: -1, Key: []byte{}, Value: []byte{}},
		{Timestamp: -1000, Key: bytes.Repeat([]byte{0xff}, 500_000), Value: []byte("v")},
		{Timestamp: 0},
	}
	for _, h := range headers {
		odd[3].Headers = append(odd[3].Headers, event.Header(h))
	}
	must(t, w.Write(limit(t), odd))
	must(t, w.Flush(limit(t)))
	s := newSource(t, clusterAt(c.ListenAddrs()[0]))
	s.Assign(map[event.PartitionID]event.Offset{0: 0})
	n := 0
	for n < len(odd) {
		for _, f := range s.Poll(limit(t)) {
			for _, r := range f.Records {
				want := odd[n]
				if r.Timestamp != want.Timestamp || !bytes.Equal(r.Key, want.Key) || (r.Value == nil) != (want.Value == nil) || len(r.Headers) != len(want.Headers) {
					t.Errorf("record %d: at %d, key of %d bytes, value %q, %d headers", n, r.Timestamp, len(r.Key), r.Value, len(r.Headers))
				}
				n++
			}
		}
	}
}
