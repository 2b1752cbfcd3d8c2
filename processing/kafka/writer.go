package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/event"
)

// Compression is how a Writer's batches are compressed.
type Compression string

// The compressions.
const (
	NoCompression Compression = "none"
	LZ4           Compression = "lz4"
)

// WriterOptions configure a Writer.
type WriterOptions struct {
	Cluster     Cluster
	Topic       string
	Compression Compression
}

// Validate reports every fault.
func (o *WriterOptions) Validate() error {
	faults := []error{o.Cluster.Validate()}
	if o.Topic == "" {
		faults = append(faults, errors.New("topic: missing"))
	}
	if o.Compression != NoCompression && o.Compression != LZ4 {
		faults = append(faults, fmt.Errorf("compression: %q is neither %q nor %q", o.Compression, NoCompression, LZ4))
	}
	return errors.Join(faults...)
}

// Writer appends records to partitions that the caller has chosen, in order per partition.
type Writer struct {
	cluster Cluster
	topic   string
	client  *kgo.Client

	mu     sync.Mutex
	failed error // the first; owned by mu
}

// NewWriter makes a writer. Nothing is sent before its first use.
func NewWriter(opts WriterOptions) (*Writer, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	codec := kgo.NoCompression()
	if opts.Compression == LZ4 {
		codec = kgo.Lz4Compression()
	}
	client, err := opts.Cluster.open(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(200_000), // Write blocks at these,
		kgo.MaxBufferedBytes(32<<20),    // whichever comes first
		kgo.AllowIdempotentProduceCancellation(),
	)
	if err != nil {
		return nil, err
	}
	return &Writer{cluster: opts.Cluster, topic: opts.Topic, client: client}, nil
}

// Partitions returns the number of the topic's partitions. It waits for a broker until ctx ends. It returns
// ErrUnknownTopic if the topic doesn't exist, and doesn't wait for brokers that don't let us in.
func (w *Writer) Partitions(ctx context.Context) (int, error) {
	from := asker{cluster: &w.cluster, adm: kadm.NewClient(w.client), hasty: true}
	found, err := from.describe(ctx, w.topic)
	if err != nil {
		return 0, err
	}
	switch t := found.Topics[w.topic]; {
	case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
		return 0, fmt.Errorf("%s: %w", w.topic, ErrUnknownTopic)
	case t.Err != nil:
		return 0, fmt.Errorf("look up topic %s: %w", w.topic, t.Err)
	default:
		return len(t.Partitions), nil
	}
}

// Written returns how many offsets the topic's partitions have given out since it was made.
func (w *Writer) Written(ctx context.Context) (event.Offset, error) {
	ends, err := kadm.NewClient(w.client).ListEndOffsets(ctx, w.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the ends of %s: %w", w.topic, err)
	}
	var written event.Offset
	ends.Each(func(o kadm.ListedOffset) { written += event.Offset(o.Offset) })
	return written, nil
}

// Write hands records over and returns when all are buffered, which blocks while too much is under way. Keys and values
// must not change before Flush. The error may be of an earlier call.
func (w *Writer) Write(ctx context.Context, records []event.Record) error {
	for i := range records {
		r := &records[i]
		w.client.Produce(ctx, w.record(r), w.done)
	}
	return w.err()
}

func (w *Writer) record(r *event.Record) *kgo.Record {
	out := &kgo.Record{
		Topic:     w.topic,
		Partition: int32(r.Partition),
		Timestamp: time.UnixMilli(int64(r.Timestamp)),
		Key:       r.Key,
		Value:     r.Value,
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader(h))
	}
	return out
}

// Flush waits until the brokers have acknowledged everything.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.client.Flush(ctx); err != nil {
		return fmt.Errorf("write to %s: %w", w.topic, err)
	}
	return w.err()
}

// Close gives up what has not been acknowledged. See Flush.
func (w *Writer) Close() { w.client.Close() }

func (w *Writer) done(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
}

func (w *Writer) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return fmt.Errorf("write to %s: %w", w.topic, w.failed)
	}
	return nil
}
