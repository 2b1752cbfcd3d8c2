package kafka

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

// The first two headers of every record.
const headerSeq, headerEpoch = "tidemark-seq", "tidemark-epoch"

// PublisherReader is the publisher's name among the readers of the feed.
const PublisherReader = "publisher"

// publishPage is how many entries are read from the feed together.
const publishPage = 1000

// Feed is what the publisher reads: the entries, and what the store knows about them.
type Feed interface {
	// Feed returns up to limit entries that follow a sequence, of all types.
	Feed(after uint64, limit int) ([]processing.Entry, error)
	// Marks returns up to limit marks of commits that follow a sequence.
	Marks(after uint64, limit int) ([]processing.Mark, error)
	// Mark returns the mark of a sequence, if there is one.
	Mark(seq uint64) (m processing.Mark, ok bool, err error)
	// Standing is the mark of the last commit, also of one that appended nothing.
	Standing() (processing.Mark, error)
	// Journal returns what another fold has to know besides the log. The version changes when it does.
	Journal() (processing.Journal, error)
	JournalVersion() uint64
	// Adopted reports whether Adopt has been called in this epoch.
	Adopted() (bool, error)
	// Adopt keeps for good that a reader goes on after a mark, and that brokers know it.
	Adopt(name string, m *processing.Mark) error
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
	Instance        string    // id of the store: whose outputs these are
	Epoch           string    // of the feed's sequence
	Plan            *definition.Plan
	Feed            Feed
	CreateTopics    bool // those that are missing
	Embedded        bool // the brokers are the embedded one, see mend.go

	// TransactionTimeout is how long brokers keep a transaction open that nobody ends: after a crash, readers wait so long at most, unless
	// the server is back earlier. Default 20 s.
	TransactionTimeout time.Duration
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
	if o.Instance == "" || o.Epoch == "" {
		faults = append(faults, errors.New("instance and epoch: missing"))
	}
	if o.TransactionTimeout < time.Second || o.TransactionTimeout > 15*time.Minute {
		faults = append(faults, fmt.Errorf("transaction timeout: %v is not between 1s and 15m", o.TransactionTimeout))
	}
	return errors.Join(faults...)
}

// DefaultTransactionTimeout is that of PublisherOptions.
const DefaultTransactionTimeout = 20 * time.Second

// Publisher writes the feed to Kafka: results to the metrics topic, alerts and dead letters to theirs. Late entries are for
// REST only. Who reads committed records sees each entry exactly once, whatever dies when; those of one key in one partition, in the
// order of the feed.
//
//  1. Whole commits go out, and with them, in the same transaction, how far that is: see ProgressTopic. Where the store
//     thinks that the publisher stands is only where to look first.
//  2. A session begins with the transactional id, which ends what an earlier one left open, then a claim, then the
//     progress, which nobody else can move from then on. Then commits follow each other.
//  3. Any error ends the session, and the next one begins. Nothing is sent again that was not found missing.
//  4. A session that follows another one of this publisher first looks whose claim is the last. If it is another publisher's, that
//     one has taken over, and this one stands down for good. One that finds after its claim that it must not publish says so, and
//     whoever was there before goes on.
//  5. What does not fit together (progress of another history, or none where there should be) is a fault: nothing is
//     published until somebody decides.
//
// While brokers are away, or the schema registry that has to give the schemas their numbers, it keeps trying, and the feed waits for it. The one thing that is given up is a record that is
// larger than the brokers take: it could never leave, and nothing after it.
type Publisher struct {
	opts        PublisherOptions
	metrics     *metricEncoder
	alerts      *alertEncoder
	frames      frames
	log         *slog.Logger
	incarnation string
	news        chan struct{} // holds a token when the feed may have grown since it was last read
	finishing   chan struct{} // closed by Finish
	board       publisherBoard

	life                   context.Context // ends after Run's own context, so that a transaction can be aborted
	die                    context.CancelFunc
	claimed                bool         // there has been a session
	contested              time.Time    // since when another publisher's claim has been there that may be released; zero: none
	sessions, tornSessions atomic.Int64 // so far
	begun                  *session     // by Begin, for Run
	limit                  int          // of a batch
}

var _ processing.Observer = (*Publisher)(nil)

// NewPublisher makes a publisher. Nothing is sent before Begin.
func NewPublisher(opts PublisherOptions) (*Publisher, error) {
	if opts.TransactionTimeout == 0 {
		opts.TransactionTimeout = DefaultTransactionTimeout
	}
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
	frames := frames{log: opts.Cluster.Logger}
	if opts.Encoding == AvroConfluent {
		frames.registrar = opts.Registrar
	}
	frames.add(opts.MetricsTopic, schemas.Metrics)
	frames.add(opts.AlertsTopic, schemas.Alerts)
	p := &Publisher{
		opts: opts, metrics: metrics, alerts: alerts, frames: frames, log: opts.Cluster.Logger,
		incarnation: newIncarnation(), news: make(chan struct{}, 1), finishing: make(chan struct{}), limit: largestBatch,
	}
	p.life, p.die = context.WithCancel(context.Background())
	return p, nil
}

func newIncarnation() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	return hex.EncodeToString(id[:])
}

func (p *Publisher) transactionalID() string { return "tidemark-" + p.opts.Instance }
func (p *Publisher) keys() progressKeys      { return progressKeys(p.opts.Instance) }

func (p *Publisher) outputs() []string {
	return []string{p.opts.MetricsTopic, p.opts.AlertsTopic, p.opts.DeadLetterTopic}
}

// Committed implements processing.Observer.
func (p *Publisher) Committed(*processing.Committed) {
	select {
	case p.news <- struct{}{}:
	default: // there is a token already
	}
}

// record is what an entry becomes, nil if it does not leave.
func (p *Publisher) record(e *processing.Entry) *kgo.Record {
	var r *kgo.Record
	switch e.Type {
	case processing.ResultEntry:
		r = p.result(e.Seq, e.Result)
	case processing.AlertEntry:
		r = p.alert(e.Seq, e.Alert)
	case processing.DeadLetterEntry:
		r = p.deadLetter(e.Seq, e.DeadLetter)
	default:
		return nil
	}
	r.Value = p.frames.frame(r.Topic, r.Value)
	return r
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
			numberHeader(headerSeq, seq),
			textHeader(headerEpoch, p.opts.Epoch),
			textHeader("tidemark-id", r.ID()),
			textHeader("tidemark-kind", r.Kind.String()),
			numberHeader("tidemark-revision", r.Revision),
		},
	}
}

func (p *Publisher) deadLetter(seq uint64, d *processing.DeadLetter) *kgo.Record {
	headers := []kgo.RecordHeader{
		numberHeader(headerSeq, seq),
		textHeader(headerEpoch, p.opts.Epoch),
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
