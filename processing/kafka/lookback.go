package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lookback reads what is in our own output topics: read committed, a piece at a time, and it knows after each piece how far that
// came, whatever was aborted or compacted away. A consumer of the client library says so only with the next record.
type lookback struct {
	client *kgo.Client
	adm    *kadm.Client
	topics map[string]kadm.TopicDetail
}

func newLookback(cluster *Cluster) (*lookback, error) {
	client, err := cluster.open()
	if err != nil {
		return nil, err
	}
	return &lookback{client: client, adm: kadm.NewClient(client)}, nil
}

func (l *lookback) close() { l.client.Close() }

// learn asks for leaders and partitions.
func (l *lookback) learn(ctx context.Context, topics ...string) error {
	found, err := l.adm.Metadata(ctx, topics...)
	if err != nil {
		return fmt.Errorf("ask for metadata: %w", err)
	}
	for _, name := range topics {
		if err := found.Topics[name].Err; err != nil {
			return fmt.Errorf("look up topic %s: %w", name, err)
		}
	}
	l.topics = found.Topics
	return nil
}

// bounds returns the first offset of a partition and the end of what is committed.
func (l *lookback) bounds(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	starts, err := l.adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the start of %s: %w", topic, err)
	}
	ends, err := l.adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the end of %s: %w", topic, err)
	}
	from, _ := starts.Lookup(topic, partition)
	to, _ := ends.Lookup(topic, partition)
	return from.Offset, to.Offset, nil
}

// read hands on the records in [from, to), in order. It waits for transactions that are open before to.
func (l *lookback) read(ctx context.Context, topic string, partition int32, from, to int64, each func(*kgo.Record) error) error {
	for at := from; at < to; {
		records, next, err := l.fetch(ctx, topic, partition, at)
		if err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", topic, partition, at, err)
		}
		for _, r := range records {
			if r.Offset >= to {
				return nil
			}
			if err := each(r); err != nil {
				return err
			}
		}
		if next == at && !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("read %s/%d at %d: %w", topic, partition, at, ctx.Err())
		}
		at = next
	}
	return nil
}

// fetch asks for one piece, and returns where the next one begins.
func (l *lookback) fetch(ctx context.Context, topic string, partition int32, at int64) ([]*kgo.Record, int64, error) {
	detail := l.topics[topic]
	where := detail.Partitions[partition]
	if where.Err != nil {
		return nil, at, where.Err
	}
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 200, 1, 8<<20
	req.IsolationLevel, req.SessionEpoch = 1, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, detail.ID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, at, 4<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	answer, err := l.client.Broker(int(where.Leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, at, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, at, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, at, errors.New("the answer is of other partitions")
	}
	got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: at, IsolationLevel: kgo.ReadCommitted(), Topic: topic, Partition: partition,
	}, &resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
	return got.Records, next, got.Err
}

// standing reads what the progress topic says of an instance: up to an offset, or, if that is negative, as far as
// transactions have ended.
func (l *lookback) standing(ctx context.Context, keys progressKeys, to int64) (*standing, error) {
	if err := l.learn(ctx, ProgressTopic); err != nil {
		return nil, err
	}
	from, end, err := l.bounds(ctx, ProgressTopic, 0)
	if err != nil {
		return nil, err
	}
	if to < 0 {
		to = end
	}
	s := &standing{}
	err = l.read(ctx, ProgressTopic, 0, from, to, func(r *kgo.Record) error {
		s.take(keys, r)
		return nil
	})
	if err == nil {
		err = s.decode(keys)
	}
	return s, err
}
