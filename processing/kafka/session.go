package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
)

// session is the right to publish, from one claim until the first error. There is no other recovery: what is in doubt (a
// commit that was not answered, an epoch that was bumped) is settled by the next session, which takes the
// transactional id again, so that whatever was open ends, and reads what has been committed.
type session struct {
	p       *Publisher
	client  *kgo.Client
	ended   func() bool // releases what closes the client when its context ends
	at      uint64      // published up to here
	journal journalState
	since   int   // bytes of progress since the journal was written
	highest int   // of the revisions that were published, in whatever epoch
	torn    *torn // what a transaction that was half ended left to do; nil: nothing
}

// journalState is what of the journal is in the topic.
type journalState struct {
	known   bool // this session has written it
	version uint64
	parts   int
}

// journalEvery is after how many bytes of progress the journal is written again although it is the same. So who looks back finds it
// near the end, also where the topic is kept by size, see mend.go.
const journalEvery = 1 << 20

// errTooLarge ends a session: brokers have refused a batch for its size. The next one sends smaller ones.
var errTooLarge = errors.New("a batch is larger than the brokers take")

// Batches are as large as brokers take by default, unless they say, or show, that it is less.
const largestBatch, smallestBatch = 1_000_000, 16 << 10

// claim opens a session: it takes the transactional id, says so, and reads what was published before.
func (p *Publisher) claim(ctx context.Context) (*session, *standing, error) {
	if p.opts.Embedded {
		if err := p.mend(ctx); err != nil {
			return nil, nil, fmt.Errorf("end what a crash left open: %w", err)
		}
	}
	p.learnSettings(ctx)
	client, err := p.opts.Cluster.open(
		kgo.ProducerBatchMaxBytes(int32(p.limit)),
		kgo.TransactionalID(p.transactionalID()),
		kgo.TransactionTimeout(p.opts.TransactionTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.MaxBufferedRecords(20_000), // produce waits at these,
		kgo.MaxBufferedBytes(16<<20),   // whichever comes first
	)
	if err != nil {
		return nil, nil, err
	}
	s := &session{p: p, client: client, at: 0}
	s.ended = context.AfterFunc(p.life, client.Close)
	ok := false
	defer func() {
		if !ok {
			s.close()
		}
	}()
	// The id is taken by hand, before anything is produced: then no error of it ends up in a batch.
	try, cancel := context.WithTimeout(ctx, p.opts.TransactionTimeout+10*time.Second)
	defer cancel()
	if _, _, err := client.ProducerID(try); err != nil {
		return nil, nil, fmt.Errorf("take the transactional id: %w", err)
	}
	keys := p.keys()
	mine := progressRecord(keys.claim(), newClaim(p.incarnation, p.opts.Epoch))
	err = s.transact(try, func(produce func(*kgo.Record)) error {
		produce(mine)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("claim: %w", err)
	}
	back, err := newLookback(&p.opts.Cluster)
	if err != nil {
		return nil, nil, err
	}
	defer back.close()
	found, err := back.standing(try, keys, mine.Offset+1)
	if err != nil {
		return nil, nil, err
	}
	if found.claim == nil {
		return nil, nil, &unreadable{fmt.Errorf("what was written to %s a moment ago is not there", ProgressTopic)}
	}
	ok = true
	return s, found, nil
}

// learnSettings asks how large batches may be, and whether progress will be kept. Not everybody is allowed to ask; then a refusal
// will tell the one, and nobody the other.
func (p *Publisher) learnSettings(ctx context.Context) {
	client, err := p.opts.Cluster.open()
	if err != nil {
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, append(p.outputs(), ProgressTopic)...)
	if err != nil {
		return
	}
	for _, topic := range found {
		for _, c := range topic.Configs {
			if n, err := strconv.Atoi(c.MaybeValue()); err == nil && c.Key == "max.message.bytes" {
				p.limit = max(min(p.limit, n), smallestBatch)
			}
			if topic.Name == ProgressTopic && c.Key == "cleanup.policy" && c.MaybeValue() != "compact" && !p.opts.Embedded {
				p.log.Warn("the progress topic is not compacted: what it says may be lost by its age, and outputs will stand still then",
					"topic", ProgressTopic, "cleanup_policy", c.MaybeValue())
			}
		}
	}
}

func (s *session) close() {
	s.ended()
	s.client.Close()
}

// transact runs one transaction. After an error its outcome may be unknown, and the session is over.
//
// The client library takes a new epoch of the producer by itself after some errors, which would leave what was sent before in an
// aborted transaction and commit the rest: so the epoch must be the same at the end as at the beginning.
func (s *session) transact(ctx context.Context, fill func(produce func(*kgo.Record)) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.p.opts.TransactionTimeout)
	defer cancel()
	if err := s.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	id, epoch, err := s.client.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	var results outcome
	err = fill(func(r *kgo.Record) {
		results.pending.Add(1)
		s.client.Produce(ctx, r, results.done)
	})
	if err == nil {
		err = s.client.Flush(ctx)
	}
	if err == nil {
		results.pending.Wait()
	}
	err = errors.Join(results.first(), err)
	if err == nil {
		var nowID int64
		var nowEpoch int16
		if nowID, nowEpoch, err = s.client.ProducerID(ctx); err == nil && (nowID != id || nowEpoch != epoch) {
			err = errors.New("the producer's epoch has changed within the transaction")
		}
	}
	if err != nil {
		s.abort()
		return err
	}
	if err := s.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	return nil
}

// abort lets readers go on at once where otherwise they would wait until the transaction times out. It is only a
// courtesy, and takes no longer than a moment.
func (s *session) abort() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.client.AbortBufferedRecords(ctx); err == nil {
		_ = s.client.EndTransaction(ctx, kgo.TryAbort)
	}
}

// release takes the claim back. If that can't be said, others will take it for a claim that stands.
func (s *session) release(ctx context.Context) {
	c := newClaim(s.p.incarnation, s.p.opts.Epoch)
	c.Released = true
	err := s.transact(ctx, func(produce func(*kgo.Record)) error {
		produce(progressRecord(s.p.keys().claim(), c))
		return nil
	})
	if err != nil {
		s.p.log.Warn("the claim to publish could not be released", "error", err)
	}
}

// outcome collects what has become of the records of a transaction.
type outcome struct {
	pending sync.WaitGroup
	mu      sync.Mutex
	err     error // the first; owned by mu
}

func (o *outcome) done(r *kgo.Record, err error) {
	if err != nil {
		if errors.Is(err, kerr.MessageTooLarge) {
			err = fmt.Errorf("%w: %w", errTooLarge, err)
		}
		o.mu.Lock()
		if o.err == nil {
			o.err = fmt.Errorf("produce to %s: %w", r.Topic, err)
		}
		o.mu.Unlock()
	}
	o.pending.Done()
}

func (o *outcome) first() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// How much goes into one transaction while the publisher is behind. A commit is never split, so one that is larger makes
// a larger transaction.
const (
	transactionEntries = 10_000
	transactionBytes   = 4 << 20
)

// advance publishes the next commits in one transaction, up to a mark, and reports false if there are none.
func (s *session) advance(ctx context.Context) (bool, error) {
	marks, err := s.p.opts.Feed.Marks(s.at, 256)
	if err != nil || len(marks) == 0 {
		return false, wrapFeed(err)
	}
	end := marks[0]
	err = s.transact(ctx, func(produce func(*kgo.Record)) error {
		at, bytes := s.at, 0
		for i := range marks {
			end = marks[i]
			for at < end.Seq {
				n, err := s.page(&at, end.Seq, produce)
				if err != nil {
					return err
				}
				bytes += n
			}
			if s.torn.covers(end.Seq) && (end.Seq-s.at >= transactionEntries || bytes >= transactionBytes) {
				break
			}
		}
		return s.tell(&end, produce)
	})
	if err != nil {
		if errors.Is(err, errTooLarge) {
			s.p.limit = max(s.p.limit/2, smallestBatch)
		}
		return false, err
	}
	return true, s.passed(&end)
}

// passed notes that everything up to a mark is out.
func (s *session) passed(end *processing.Mark) error {
	s.at, s.torn = end.Seq, s.torn.after(end.Seq)
	return wrapFeed(s.p.opts.Feed.SaveReader(PublisherReader, end.Seq))
}

// feedError is of the store: it ends the publisher.
type feedError struct{ err error }

func (e *feedError) Error() string { return e.err.Error() }
func (e *feedError) Unwrap() error { return e.err }

func wrapFeed(err error) error {
	if err == nil {
		return nil
	}
	return &feedError{err}
}

// page produces the entries after at, up to a page of them and not beyond end, and moves at.
func (s *session) page(at *uint64, end uint64, produce func(*kgo.Record)) (bytes int, err error) {
	limit := min(uint64(publishPage), end-*at)
	entries, err := s.p.opts.Feed.Feed(*at, int(limit))
	if err != nil {
		return 0, wrapFeed(fmt.Errorf("read feed after %d: %w", *at, err))
	}
	if len(entries) == 0 {
		return 0, wrapFeed(fmt.Errorf("feed ends at %d, its commit at %d", *at, end))
	}
	for i := range entries {
		r := s.p.record(&entries[i])
		*at = entries[i].Seq
		if result := entries[i].Result; result != nil {
			s.highest = max(s.highest, result.Revision)
		}
		if r == nil || s.torn.has(r, entries[i].Seq) {
			continue
		}
		size := recordSize(r)
		if size > s.p.limit {
			// It could never leave, and nothing after it.
			s.p.log.Error("result given up: larger than the brokers take",
				"topic", r.Topic, "seq", entries[i].Seq, "key", string(r.Key), "bytes", size, "limit", s.p.limit)
			continue
		}
		bytes += size
		produce(r)
	}
	return bytes, nil
}

// recordSize is what a record takes in a batch of its own, at most.
func recordSize(r *kgo.Record) int {
	const batch, record, header = 61, 5 * 5, 2 * 5 // what stands around it
	n := batch + record + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += header + len(h.Key) + len(h.Value)
	}
	return n
}

// tell produces the progress, and the journal where it has changed.
func (s *session) tell(end *processing.Mark, produce func(*kgo.Record)) error {
	keys := s.p.keys()
	next := journalState{known: true, version: s.p.opts.Feed.JournalVersion(), parts: s.journal.parts}
	if next != s.journal || s.since > journalEvery {
		j, err := s.p.opts.Feed.Journal()
		if err != nil {
			return wrapFeed(err)
		}
		next.parts = 0
		for rest := packJournal(&j); len(rest) > 0; next.parts++ {
			n := min(len(rest), journalPart)
			produce(&kgo.Record{Topic: ProgressTopic, Key: []byte(keys.journalAt(next.parts)), Value: rest[:n]})
			rest = rest[n:]
		}
		s.journal, s.since = next, 0 // if this transaction fails, the session ends
	}
	r := progressRecord(keys.progress(), progress{
		Format: progressFormat, Incarnation: s.p.incarnation, Epoch: s.p.opts.Epoch, Seq: end.Seq, Mark: end.Pack(nil), JournalParts: s.journal.parts,
		Revision: s.highest,
	})
	s.since += len(r.Value)
	produce(r)
	return nil
}

// partitioner keeps a key in one partition, as Kafka's own clients do, and what has no key (dead letters) in one that
// follows from its sequence: where an entry goes must be the same when it goes there again.
type partitioner struct{ keyed kgo.Partitioner }

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.keyed.ForTopic(topic)}
}

type topicPartitioner struct{ keyed kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner.
func (topicPartitioner) RequiresConsistency(*kgo.Record) bool { return true }

// Partition implements kgo.TopicPartitioner.
func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Key == nil && len(r.Headers) > 0 {
		r = &kgo.Record{Key: r.Headers[0].Value} // the sequence
	}
	return p.keyed.Partition(r, n)
}
