package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The embedded broker has transactions, but no log of them. When it is killed it forgets that one was open, and ends it in part:
//
//  1. What was written and not ended reads as aborted after the start. It has no marker, though, and the next marker that the producer
//     writes, a commit, would take it in at the start after that. So a session begins with a marker that aborts, everywhere.
//  2. A commit is written to one partition after the other. Killed in between, some have it and in the others all is
//     aborted, the progress perhaps among them. So a session that follows a crash compares, partition by partition, what came
//     last with what the store knows for sure, and publishes once more what is missing, and only that.
//
// Kafka needs neither: its coordinator writes down that it commits before it does.

// mend writes a marker that aborts to every partition that a session may write to.
func (p *Publisher) mend(ctx context.Context) error {
	back, err := newLookback(&p.opts.Cluster)
	if err != nil {
		return err
	}
	defer back.close()
	topics := append(p.outputs(), ProgressTopic)
	if err := back.learn(ctx, topics...); err != nil {
		return err
	}
	id := p.transactionalID()
	begin := kmsg.NewPtrInitProducerIDRequest()
	begin.TransactionalID, begin.TransactionTimeoutMillis = &id, int32(p.opts.TransactionTimeout.Milliseconds())
	begun, err := begin.RequestWith(ctx, back.client)
	if err == nil {
		err = kerr.ErrorForCode(begun.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("take the transactional id: %w", err)
	}
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch = id, begun.ProducerID, begun.ProducerEpoch
	for _, name := range topics {
		t := kmsg.NewAddPartitionsToTxnRequestTopic()
		t.Topic = name
		for partition := range back.topics[name].Partitions {
			t.Partitions = append(t.Partitions, partition)
		}
		add.Topics = append(add.Topics, t)
	}
	added, err := add.RequestWith(ctx, back.client)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	for _, t := range added.Topics {
		for _, at := range t.Partitions {
			if err := kerr.ErrorForCode(at.ErrorCode); err != nil {
				return fmt.Errorf("begin a transaction in %s/%d: %w", t.Topic, at.Partition, err)
			}
		}
	}
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = id, begun.ProducerID, begun.ProducerEpoch, false
	ended, err := end.RequestWith(ctx, back.client)
	if err == nil {
		err = kerr.ErrorForCode(ended.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("abort the transaction: %w", err)
	}
	return nil
}

// torn is what may be missing of a transaction that was committed in part.
type torn struct {
	last map[string]map[int32]uint64 // by topic and partition: the last sequence of our epoch that is there
	top  uint64                      // the highest of them, or of the progress: behind it all is new
	part kgo.Partitioner
}

// has reports whether an entry is in its partition already.
func (t *torn) has(r *kgo.Record, seq uint64) bool {
	if t == nil || seq > t.top {
		return false
	}
	last := t.last[r.Topic]
	return seq <= last[int32(t.part.ForTopic(r.Topic).Partition(r, len(last)))]
}

// covers reports whether a transaction may end at a mark: not before all that may be missing is in it.
func (t *torn) covers(seq uint64) bool { return t == nil || seq >= t.top }

// after is what is left to do once all is out up to a sequence.
func (t *torn) after(seq uint64) *torn {
	if t.covers(seq) {
		return nil
	}
	return t
}

// findTorn looks for a transaction that was committed in part. It began behind reader, where the store knows that all is out. It
// returns nil if nothing is behind that.
func (p *Publisher) findTorn(ctx context.Context, reader, done uint64) (*torn, error) {
	back, err := newLookback(&p.opts.Cluster)
	if err != nil {
		return nil, err
	}
	defer back.close()
	topics := p.outputs()
	if err := back.learn(ctx, topics...); err != nil {
		return nil, err
	}
	t := &torn{last: map[string]map[int32]uint64{}, top: done, part: partitioner{kgo.StickyKeyPartitioner(nil)}}
	for _, name := range topics {
		t.last[name] = map[int32]uint64{}
		for partition := range back.topics[name].Partitions {
			last, err := p.lastPublished(ctx, back, name, partition)
			if err != nil {
				return nil, err
			}
			t.last[name][partition], t.top = last, max(t.top, last)
		}
	}
	if t.top <= reader {
		return nil, nil
	}
	return t, nil
}

// lastPublished is the last sequence of our epoch in a partition, 0 if there is none.
func (p *Publisher) lastPublished(ctx context.Context, back *lookback, topic string, partition int32) (last uint64, err error) {
	start, end, err := back.bounds(ctx, topic, partition)
	if err != nil {
		return 0, err
	}
	// Behind the last record there are markers and what was aborted; seldom more than a few.
	for span := int64(64); last == 0 && end > start; span *= 8 {
		from := max(start, end-span)
		err := back.read(ctx, topic, partition, from, end, func(r *kgo.Record) error {
			if len(r.Headers) >= 2 && r.Headers[0].Key == headerSeq && r.Headers[1].Key == headerEpoch && string(r.Headers[1].Value) == p.opts.Epoch {
				seq, err := strconv.ParseUint(string(r.Headers[0].Value), 10, 64)
				if err != nil {
					return fmt.Errorf("record %d of %s/%d: %w", r.Offset, topic, partition, err)
				}
				last = max(last, seq)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		end = from
	}
	return last, nil
}
