package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

// PublisherReader is the publisher's name among the readers of the feed.
const PublisherReader = "publisher"

// publishPage is how many entries are read, sent and acknowledged together.
const publishPage = 1000

// Feed is what the publisher reads.
type Feed interface {
	// Feed returns up to limit entries that follow a sequence, of all types.
	Feed(after uint64, limit int) ([]processing.Entry, error)
	// Reader returns where a reader stands; false if it has never said so.
	Reader(name string) (uint64, bool, error)
	// SaveReader keeps where a reader stands. What follows stays in the feed.
	SaveReader(name string, seq uint64) error
}

// PublisherOptions configure a Publisher.
type PublisherOptions struct {
	Cluster         Cluster
	MetricsTopic    string
	AlertsTopic     string
	DeadLetterTopic string
	Encoding        Encoding
	Registrar       Registrar // of the schemas, for AvroConfluent
	Epoch           string    // of the feed's sequence
	Plan            *definition.Plan
	Feed            Feed
}

// Validate reports every fault.
func (o *PublisherOptions) Validate() error {
	faults := []error{o.Cluster.Validate()}
	if o.MetricsTopic == "" || o.AlertsTopic == "" || o.DeadLetterTopic == "" {
		faults = append(faults, errors.New("topics: missing"))
	}
	switch {
	case o.Encoding != Avro && o.Encoding != AvroConfluent && o.Encoding != JSON:
		faults = append(faults, fmt.Errorf("encoding: %q is none of %q, %q and %q", o.Encoding, Avro, AvroConfluent, JSON))
	case o.Encoding == AvroConfluent && o.Registrar == nil:
		faults = append(faults, fmt.Errorf("encoding: %q needs a schema registry", o.Encoding))
	}
	if o.Plan == nil || o.Feed == nil {
		faults = append(faults, errors.New("plan and feed: missing"))
	}
	return errors.Join(faults...)
}

// Publisher writes the feed to Kafka: results to the metrics topic, alerts and dead letters to theirs. Late entries are for
// REST only.
//
// It takes a page of the feed, sends it, waits until every record is acknowledged, saves its place, and takes the next.
// So each entry arrives at least once: after a crash the page that was under way goes out again, with the same ids and
// sequences in its headers. Records of one key go to one partition, in the order of the feed.
//
// While brokers are away, or the schema registry that has to give the schemas their numbers, it keeps trying, and the feed waits for it. The one thing that is given up is a record that is
// larger than the brokers take: it could never leave, and nothing after it.
type Publisher struct {
	opts    PublisherOptions
	client  *kgo.Client
	metrics *metricEncoder
	alerts  *alertEncoder
	frames  frames
	log     *slog.Logger
	news    chan struct{} // holds a token when the feed may have grown since it was last read
}

var _ processing.Observer = (*Publisher)(nil)

// NewPublisher makes a publisher. Nothing is sent before Run. See EnsureTopics.
func NewPublisher(opts PublisherOptions) (*Publisher, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	metrics, err := newMetricEncoder(opts.Encoding, opts.Plan)
	if err != nil {
		return nil, err
	}
	alerts, err := newAlertEncoder(opts.Encoding)
	if err != nil {
		return nil, err
	}
	client, err := opts.Cluster.open(
		kgo.RequiredAcks(kgo.AllISRAcks()),                   // idempotent, which is the default
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // as Kafka's own clients do
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerLinger(5*time.Millisecond), // a page becomes one batch a partition
		kgo.MaxBufferedRecords(2*publishPage),
		// So that Run can end while a request is unanswered. What was under way goes out again with the next start.
		kgo.AllowIdempotentProduceCancellation(),
	)
	if err != nil {
		return nil, err
	}
	frames := frames{log: opts.Cluster.Logger}
	if opts.Encoding == AvroConfluent {
		frames.registrar = opts.Registrar
	}
	frames.add(opts.MetricsTopic, schemas.Metrics)
	frames.add(opts.AlertsTopic, schemas.Alerts)
	return &Publisher{
		opts: opts, client: client, metrics: metrics, alerts: alerts, frames: frames, log: opts.Cluster.Logger,
		news: make(chan struct{}, 1),
	}, nil
}

// Committed implements processing.Observer.
func (p *Publisher) Committed(*processing.Committed) {
	select {
	case p.news <- struct{}{}:
	default: // there is a token already
	}
}

// Run publishes until ctx ends, or the feed can't be read.
func (p *Publisher) Run(ctx context.Context) error {
	defer p.client.Close()
	at, known, err := p.opts.Feed.Reader(PublisherReader)
	if err == nil && !known {
		err = p.opts.Feed.SaveReader(PublisherReader, 0) // from now on the feed waits
	}
	if err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	for {
		entries, err := p.opts.Feed.Feed(at, publishPage)
		if err != nil {
			return fmt.Errorf("publisher: read feed after %d: %w", at, err)
		}
		if len(entries) == 0 {
			select {
			case <-p.news:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if !p.publish(ctx, entries) {
			return nil
		}
		at = entries[len(entries)-1].Seq
		if err := p.opts.Feed.SaveReader(PublisherReader, at); err != nil {
			return fmt.Errorf("publisher: %w", err)
		}
	}
}

// publish sends entries until all of them are acknowledged, and reports false if ctx ended first.
func (p *Publisher) publish(ctx context.Context, entries []processing.Entry) bool {
	if !p.frames.register(ctx) {
		return false
	}
	records := p.records(entries)
	for try := 1; ; try++ {
		err := p.send(ctx, records)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		}
		p.log.Warn("results can't be published; trying again", "from_seq", entries[0].Seq, "error", err)
		if !pause(ctx, backoff(try)) {
			return false
		}
	}
}

// send produces records once. The client itself retries for as long as it makes sense.
func (p *Publisher) send(ctx context.Context, records []*kgo.Record) error {
	var faults error
	for _, result := range p.client.ProduceSync(ctx, records...) {
		switch {
		case result.Err == nil:
		case errors.Is(result.Err, kerr.MessageTooLarge):
			p.log.Error("result given up: larger than the brokers take",
				"topic", result.Record.Topic, "key", string(result.Record.Key), "bytes", len(result.Record.Value))
		case faults == nil:
			faults = fmt.Errorf("produce to %s: %w", result.Record.Topic, result.Err)
		}
	}
	return faults
}

func (p *Publisher) records(entries []processing.Entry) []*kgo.Record {
	records := make([]*kgo.Record, 0, len(entries))
	for i := range entries {
		switch e := &entries[i]; e.Type {
		case processing.ResultEntry:
			records = append(records, p.result(e.Seq, e.Result))
		case processing.AlertEntry:
			records = append(records, p.alert(e.Seq, e.Alert))
		case processing.DeadLetterEntry:
			records = append(records, p.deadLetter(e.Seq, e.DeadLetter))
		}
	}
	for _, r := range records {
		r.Value = p.frames.frame(r.Topic, r.Value)
	}
	return records
}

func (p *Publisher) result(seq uint64, r *window.Result) *kgo.Record {
	key, err := metricKey(r)
	if err != nil {
		panic("BUG: encode key: " + err.Error())
	}
	value, err := p.metrics.value(r)
	if err != nil {
		panic("BUG: encode result: " + err.Error()) // our own struct against our own schema
	}
	return &kgo.Record{
		Topic: p.opts.MetricsTopic,
		Key:   key,
		Value: value,
		Headers: []kgo.RecordHeader{
			numberHeader("tidemark-seq", seq),
			textHeader("tidemark-epoch", p.opts.Epoch),
			textHeader("tidemark-id", r.ID()),
			textHeader("tidemark-kind", r.Kind.String()),
			numberHeader("tidemark-revision", r.Revision),
		},
	}
}

func (p *Publisher) deadLetter(seq uint64, d *processing.DeadLetter) *kgo.Record {
	headers := []kgo.RecordHeader{
		numberHeader("tidemark-seq", seq),
		textHeader("tidemark-epoch", p.opts.Epoch),
		textHeader("tidemark-reason", d.Reason),
		textHeader("tidemark-detail", d.Detail),
		textHeader("tidemark-topic", d.Topic),
		numberHeader("tidemark-partition", d.Partition),
		numberHeader("tidemark-offset", d.Offset),
	}
	if d.SchemaID != 0 {
		headers = append(headers, numberHeader("tidemark-schema-id", d.SchemaID))
	}
	if d.Truncated {
		headers = append(headers, textHeader("tidemark-truncated", "true"))
	}
	return &kgo.Record{Topic: p.opts.DeadLetterTopic, Key: d.Key, Value: d.Value, Headers: headers}
}
