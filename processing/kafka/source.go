package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

const (
	// Large answers spread the cost of one over many records, and larger ones than these fall out of the processor's
	// caches: 16 MiB and 4 MiB a partition cost a tenth more. An answer is compressed as it is stored; one waits in the
	// client while the one before is worked on.
	fetchBytes          = 8 << 20
	fetchPartitionBytes = 1 << 20
	// How long a broker holds a request that finds nothing. A partition that is assigned or resumed meanwhile waits for
	// the answer.
	fetchWait = 250 * time.Millisecond
	// What one batch may become when it is decompressed: a megabyte of zstd can hold a gigabyte of zeros. A batch that
	// is larger faults its partition.
	maxBatchBytes = 64 << 20
)

// SourceOptions configure a Source.
type SourceOptions struct {
	Cluster      Cluster
	Topic        string
	Group        string // that is told the positions; "": none is
	CreateTopics bool   // create the topic if it is missing
}

// Validate reports every fault.
func (o *SourceOptions) Validate() error {
	faults := []error{o.Cluster.Validate()}
	if o.Topic == "" {
		faults = append(faults, errors.New("topic: missing"))
	}
	return errors.Join(faults...)
}

// Source implements processing.Source. Poll belongs to one goroutine, all else to any.
//
// Rules of a partition:
//  1. It is read from where Assign said, and on from there; the client never moves it by itself.
//  2. An error that trying again won't mend is reported once. From then on the partition is paused and what still arrives
//     of it is dropped, until Assign names it again: an error that is fetched again and again would keep a core busy.
//  3. Errors that pass are retried by the client and not reported: no leader, a broker that is away, or one that doesn't
//     let us in, which somebody may mend.
//  4. Nothing is assigned between the client's giving an answer and its being numbered: Assign ends a poll that waits and
//     takes its turn before the next one. What the client has fetched and not given then is dropped by it.
type Source struct {
	opts   SourceOptions
	client *kgo.Client
	adm    *kadm.Client

	records sync.Pool // of *[]event.Record

	mu        sync.Mutex
	assigned  map[event.PartitionID]assigned // owned by mu
	last      processing.Assignment          // owned by mu
	topicID   [16]byte                       // as Open saw it last; owned by mu
	reading   [16]byte                       // of the topic whose partitions the client reads; owned by mu
	polling   context.CancelFunc             // ends the poll that is under way; nil: none is; owned by mu
	assigning int                            // calls of Assign that want their turn; owned by mu
	turn      sync.Cond                      // one of the two has changed
}

// assigned is a partition that is read.
type assigned struct {
	number  processing.Assignment
	faulted bool // rule 2
}

var _ processing.Source = (*Source)(nil)

// NewSource makes a source. Nothing is sent before Open.
func NewSource(opts SourceOptions) (*Source, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	client, err := opts.Cluster.open(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), // positions count them
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.FetchMaxWait(fetchWait),
		kgo.MaxDecompressBatchBytes(maxBatchBytes),
		kgo.WithPools(&libraryRecords{}),
	)
	if err != nil {
		return nil, err
	}
	s := &Source{opts: opts, client: client, adm: kadm.NewClient(client), assigned: map[event.PartitionID]assigned{}}
	s.turn.L = &s.mu
	return s, nil
}

// Close ends every fetch. A Poll that waits returns.
func (s *Source) Close() {
	s.mu.Lock()
	all := s.of(slices.Collect(maps.Keys(s.assigned)))
	s.mu.Unlock()
	// Without this the client could begin to fetch what was just assigned while it closes, as soon as it hears where it is.
	s.client.RemoveConsumePartitions(all)
	s.client.Close()
}

// Open learns the topic's identity. It returns ErrUnknownTopic if the topic doesn't exist and isn't to be created.
func (s *Source) Open(ctx context.Context, waiting func(reason error)) (processing.Topic, error) {
	topic := s.opts.Topic
	from := asker{cluster: &s.opts.Cluster, adm: s.adm, waiting: waiting}
	err := ensureTopics(ctx, from, map[string]int{topic: DataPartitions}, s.opts.CreateTopics)
	if err != nil {
		return processing.Topic{}, err
	}
	// A topic that was just created may need a moment until every broker knows it.
	for {
		found, err := from.describe(ctx, topic)
		if err != nil {
			return processing.Topic{}, err
		}
		detail := found.Topics[topic]
		if detail.Err == nil {
			s.mu.Lock()
			s.topicID = detail.ID
			s.mu.Unlock()
			t := processing.Topic{ClusterID: found.Cluster, ID: detail.ID, Name: topic}
			for _, p := range detail.Partitions.Sorted() {
				t.Partitions = append(t.Partitions, event.PartitionID(p.Partition))
			}
			return t, nil
		}
		if !kerr.IsRetriable(detail.Err) {
			return processing.Topic{}, fmt.Errorf("look up topic %s: %w", topic, detail.Err)
		}
		if !pause(ctx, backoff(1)) {
			return processing.Topic{}, ctx.Err()
		}
	}
}

// Assign starts reading partitions. One that is already read starts again at its new position. The client holds on to the
// topic that it knows until it is told to forget it: if Open has seen another one since, no partition of the old one is
// read any more.
func (s *Source) Assign(positions map[event.PartitionID]event.Offset) processing.Assignment {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assigning++
	for s.polling != nil {
		s.polling()
		s.turn.Wait()
	}
	s.assigning--
	s.turn.Broadcast()
	s.last++
	if s.reading != s.topicID {
		if s.reading != [16]byte{} {
			s.client.PurgeTopicsFromConsuming(s.opts.Topic)
		}
		s.reading = s.topicID
	}
	var again []event.PartitionID
	offsets := make(map[int32]kgo.Offset, len(positions))
	for p, at := range positions {
		if _, ok := s.assigned[p]; ok {
			again = append(again, p)
		}
		s.assigned[p] = assigned{number: s.last}
		offsets[int32(p)] = kgo.NewOffset().At(int64(at))
	}
	if len(again) > 0 {
		s.client.RemoveConsumePartitions(s.of(again))
	}
	// They may have been paused, also before they were ever read.
	s.client.ResumeFetchPartitions(s.of(slices.Collect(maps.Keys(positions))))
	s.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.opts.Topic: offsets})
	return s.last
}

// Pause stops fetching of partitions. What was fetched and not yet polled is fetched again after Resume.
func (s *Source) Pause(partitions []event.PartitionID) {
	if len(partitions) > 0 {
		s.client.PauseFetchPartitions(s.of(partitions))
	}
}

// Resume starts fetching again, except of faulted partitions.
func (s *Source) Resume(partitions []event.PartitionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sound := make([]event.PartitionID, 0, len(partitions))
	for _, p := range partitions {
		if !s.assigned[p].faulted {
			sound = append(sound, p)
		}
	}
	if len(sound) > 0 {
		s.client.ResumeFetchPartitions(s.of(sound))
	}
}

// of is how the client library names partitions.
func (s *Source) of(partitions []event.PartitionID) map[string][]int32 {
	ids := make([]int32, len(partitions))
	for i, p := range partitions {
		ids[i] = int32(p)
	}
	return map[string][]int32{s.opts.Topic: ids}
}

// Poll waits for the next answer and returns all of it, by partition. It is empty only if ctx or the source has ended.
func (s *Source) Poll(ctx context.Context) []processing.Fetched {
	for {
		answer, closed := s.pollOnce(ctx)
		if len(answer) > 0 || ctx.Err() != nil || closed {
			return answer
		}
	}
}

// pollOnce returns what the client gives, or nothing when a partition is to be assigned: rule 4.
func (s *Source) pollOnce(ctx context.Context) (answer []processing.Fetched, closed bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	for s.assigning > 0 {
		s.turn.Wait()
	}
	s.polling = cancel
	s.mu.Unlock()
	fetches := s.client.PollFetches(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling = nil
	s.turn.Broadcast()
	return s.convert(fetches), fetches.IsClientClosed()
}

// convert numbers and translates an answer. The lock is held.
func (s *Source) convert(fetches kgo.Fetches) []processing.Fetched {
	var answer []processing.Fetched
	fetches.EachPartition(func(ft kgo.FetchTopicPartition) {
		if ft.Partition < 0 {
			answer = s.faultAll(answer, ft.Err)
			return
		}
		p := event.PartitionID(ft.Partition)
		a, ok := s.assigned[p]
		if !ok || a.faulted {
			return
		}
		f := processing.Fetched{Partition: p, LeaderEpoch: -1, Assignment: a.number}
		if n := len(ft.Records); n > 0 {
			last := ft.Records[n-1]
			f.Position = event.Offset(last.Offset + 1)
			f.LeaderEpoch = last.LeaderEpoch
			f.Records = s.appendRecords(s.slice(n), ft.Records)
		}
		f.Err = s.fault(p, ft.Err)
		if f.Position > 0 || f.Err != nil {
			answer = append(answer, f)
		}
	})
	slices.SortStableFunc(answer, func(a, b processing.Fetched) int { return cmp.Compare(a.Partition, b.Partition) })
	return answer
}

// faultAll deals with an error that is not of one partition: the end of ctx or of the client, which is no fault, or one of
// the whole topic.
func (s *Source) faultAll(answer []processing.Fetched, err error) []processing.Fetched {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed) {
		return answer
	}
	for p, a := range s.assigned {
		if a.faulted {
			continue
		}
		answer = append(answer, processing.Fetched{Partition: p, LeaderEpoch: -1, Assignment: a.number, Err: s.fault(p, err)})
	}
	return answer
}

// fault stops a partition for good if there is an error, and says what it is. Those that pass don't get here: the client
// retries them by itself.
func (s *Source) fault(p event.PartitionID, err error) error {
	var lost *kgo.ErrDataLoss
	switch {
	case err == nil, isAccess(err):
		return nil // rule 3
	case errors.Is(err, kerr.OffsetOutOfRange):
		err = processing.ErrOffsetOutOfRange
	case errors.Is(err, kerr.UnknownTopicID):
		err = processing.ErrTopicRecreated
	case errors.Is(err, kgo.ErrMaxDecompress):
		err = fmt.Errorf("%w: %w", processing.ErrBatchTooLarge, err)
	case errors.As(err, &lost):
		err = fmt.Errorf("%w: read up to %d, now it ends at %d", processing.ErrLogTruncated, lost.ConsumedTo, lost.ResetTo)
	}
	s.assigned[p] = assigned{number: s.assigned[p].number, faulted: true}
	s.client.PauseFetchPartitions(s.of([]event.PartitionID{p}))
	return fmt.Errorf("read %s/%d: %w", s.opts.Topic, p, err)
}

// slice returns an empty slice that holds n records.
func (s *Source) slice(n int) []event.Record {
	if kept, ok := s.records.Get().(*[]event.Record); ok && cap(*kept) >= n {
		return *kept
	}
	return make([]event.Record, 0, n+n/4) // some room, so that the next answer fits too
}

// Recycle takes the slice of records back.
func (s *Source) Recycle(f processing.Fetched) {
	if cap(f.Records) == 0 {
		return
	}
	clear(f.Records) // or the slice would hold on to the fetch buffer
	kept := f.Records[:0]
	s.records.Put(&kept)
}

// appendRecords takes over the library's records, leaving out those that are not for readers. Keys and values stay where
// they are, in the decompressed batch; the records themselves go back to their pool.
func (s *Source) appendRecords(dst []event.Record, records []*kgo.Record) []event.Record {
	for _, r := range records {
		if !r.Attrs.IsControl() {
			dst = append(dst, event.Record{
				Partition: event.PartitionID(r.Partition),
				Offset:    event.Offset(r.Offset),
				Timestamp: event.Millis(r.Timestamp.UnixMilli()),
				Key:       r.Key,
				Value:     r.Value,
				Headers:   headers(r.Headers),
			})
		}
		r.Recycle()
	}
	return dst
}

// libraryRecords is the pool of the client library's own records, 200 bytes each, which live only until Poll returns.
type libraryRecords struct{ kept sync.Pool }

// GetRecords implements kgo.PoolRecords.
func (p *libraryRecords) GetRecords(n int) []kgo.Record {
	if kept, ok := p.kept.Get().(*[]kgo.Record); ok && cap(*kept) >= n {
		return (*kept)[:n]
	}
	return make([]kgo.Record, n)
}

// PutRecords implements kgo.PoolRecords.
func (p *libraryRecords) PutRecords(records []kgo.Record) { p.kept.Put(&records) }

func headers(from []kgo.RecordHeader) []event.Header {
	if len(from) == 0 {
		return nil
	}
	to := make([]event.Header, len(from))
	for i, h := range from {
		to[i] = event.Header(h)
	}
	return to
}

// ReportPositions commits them for the group, which has no members.
func (s *Source) ReportPositions(ctx context.Context, next map[event.PartitionID]event.Offset) error {
	if s.opts.Group == "" {
		return nil
	}
	offsets := make(kadm.Offsets)
	for p, at := range next {
		offsets.AddOffset(s.opts.Topic, int32(p), int64(at), -1)
	}
	if err := s.adm.CommitAllOffsets(ctx, s.opts.Group, offsets); err != nil {
		return fmt.Errorf("report positions to group %s: %w", s.opts.Group, err)
	}
	return nil
}
