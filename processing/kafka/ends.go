package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// Special timestamps of the ListOffsets request.
const (
	atEnd   = -1
	atStart = -2
)

// Ends asks for the ends of all partitions that the cluster knows of now, or knew of a quarter of a second ago. SentAt is of
// the first question. High is asked for before Stable: asked for after it, records written in between would look like
// an open transaction. It is never behind Stable.
func (s *Source) Ends(ctx context.Context) ([]processing.End, error) {
	found, err := s.adm.Metadata(ctx, s.opts.Topic)
	if err != nil {
		return nil, fmt.Errorf("ask for partitions of %s: %w", s.opts.Topic, err)
	}
	detail := found.Topics[s.opts.Topic]
	if detail.Err != nil {
		return nil, fmt.Errorf("ask for partitions of %s: %w", s.opts.Topic, detail.Err)
	}
	sent := time.Now()
	ends := make([]processing.End, 0, len(detail.Partitions))
	at := make(map[int32]*processing.End, len(detail.Partitions))
	for _, p := range detail.Partitions.Sorted() {
		ends = append(ends, processing.End{Partition: event.PartitionID(p.Partition), SentAt: sent, TopicID: [16]byte(detail.ID)})
		at[p.Partition] = &ends[len(ends)-1]
	}
	const readUncommitted, readCommitted = 0, 1
	for _, q := range []struct {
		timestamp int64
		isolation int8
		put       func(e *processing.End, o event.Offset)
	}{
		{atEnd, readUncommitted, func(e *processing.End, o event.Offset) { e.High = o }},
		{atEnd, readCommitted, func(e *processing.End, o event.Offset) { e.Stable, e.High = o, max(e.High, o) }},
		{atStart, readUncommitted, func(e *processing.End, o event.Offset) { e.Start = o }},
	} {
		if err := s.list(ctx, at, q.timestamp, q.isolation, q.put); err != nil {
			return nil, fmt.Errorf("ask for ends of %s: %w", s.opts.Topic, err)
		}
	}
	return ends, nil
}

// list asks for one offset of each partition and puts it where it belongs.
func (s *Source) list(ctx context.Context, at map[int32]*processing.End, timestamp int64, isolation int8, put func(*processing.End, event.Offset)) error {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = isolation
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = s.opts.Topic
	for p := range at {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition = p
		partition.CurrentLeaderEpoch = -1
		partition.Timestamp = timestamp
		topic.Partitions = append(topic.Partitions, partition)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, s.client)
	if err != nil {
		return err
	}
	answered := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			end := at[p.Partition]
			if end == nil {
				continue
			}
			answered++
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				end.Err = err
				continue
			}
			put(end, event.Offset(p.Offset))
		}
	}
	if answered < len(at) {
		return fmt.Errorf("%d of %d partitions left out of the answer", len(at)-answered, len(at))
	}
	return nil
}
