package kafka

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// EpochEnds implements processing.Source. A broker that doesn't know an epoch although its own is not older has never heard
// of it, or forgot it: it proves nothing, and the partition is left out.
func (s *Source) EpochEnds(ctx context.Context, epochs map[event.PartitionID]int32) (map[event.PartitionID]processing.EpochEnd, error) {
	topic := s.opts.Topic
	var req kadm.OffsetForLeaderEpochRequest
	for p, epoch := range epochs {
		req.Add(topic, int32(p), epoch)
	}
	resp, err := s.adm.OffsetForLeaderEpoch(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask for leader epochs of %s: %w", topic, err)
	}
	found, err := s.adm.Metadata(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("ask for leaders of %s: %w", topic, err)
	}
	ends := make(map[event.PartitionID]processing.EpochEnd, len(epochs))
	for p, asked := range epochs {
		answer, ok := resp[topic][int32(p)]
		switch {
		case !ok:
			return nil, fmt.Errorf("ask for leader epochs of %s: partition %d left out of the answer", topic, p)
		case answer.Err != nil:
			return nil, fmt.Errorf("ask for leader epochs of %s/%d: %w", topic, p, answer.Err)
		case answer.EndOffset >= 0:
			ends[p] = processing.EpochEnd{Epoch: answer.LeaderEpoch, End: event.Offset(answer.EndOffset)}
		case found.Topics[topic].Partitions[int32(p)].LeaderEpoch < asked:
			ends[p] = processing.EpochEnd{Epoch: -1, End: processing.NoEnd}
		}
	}
	return ends, nil
}

// AfterBatch implements processing.Source. It fetches as the broker stores it, and looks at the heads of batches alone.
func (s *Source) AfterBatch(ctx context.Context, id event.PartitionID, at event.Offset) (event.Offset, error) {
	found, err := s.adm.Metadata(ctx, s.opts.Topic)
	if err != nil {
		return 0, fmt.Errorf("ask for the leader of %s/%d: %w", s.opts.Topic, id, err)
	}
	detail := found.Topics[s.opts.Topic]
	leader, ok := detail.Partitions[int32(id)]
	if err := errors.Join(detail.Err, leader.Err); err != nil || !ok {
		return 0, fmt.Errorf("ask for the leader of %s/%d: %w", s.opts.Topic, id, cmp.Or(err, error(kerr.UnknownTopicOrPartition)))
	}
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, int32(fetchWait.Milliseconds()), 1, fetchPartitionBytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = s.opts.Topic, detail.ID
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.FetchOffset, partition.PartitionMaxBytes = int32(id), int64(at), fetchPartitionBytes
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	answer, err := s.client.Broker(int(leader.Leader)).RetriableRequest(ctx, req)
	if err != nil {
		return 0, fmt.Errorf("fetch %s/%d at %d: %w", s.opts.Topic, id, at, err)
	}
	resp, ok := answer.(*kmsg.FetchResponse)
	if !ok {
		return 0, fmt.Errorf("fetch %s/%d at %d: an answer to something else", s.opts.Topic, id, at)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return 0, fmt.Errorf("fetch %s/%d at %d: %w", s.opts.Topic, id, at, err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.Partition != int32(id) {
				continue
			}
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, fmt.Errorf("fetch %s/%d at %d: %w", s.opts.Topic, id, at, err)
			}
			return afterBatch(p.RecordBatches, at)
		}
	}
	return 0, fmt.Errorf("fetch %s/%d at %d: the partition is left out of the answer", s.opts.Topic, id, at)
}

var errNoBatch = errors.New("the broker gives no batch there")

// The head of a record batch, all versions: base offset 8 bytes, length 4, leader epoch (before version 2: checksum) 4, magic 1.
// Version 2 goes on: checksum 4, attributes 2, last offset delta 4.
const (
	batchHead      = 17
	lastDeltaAt    = 23
	batchOverhead  = 12
	newestOldMagic = 1
)

// afterBatch finds the end of the batch that reaches an offset. The last batch may be cut off behind its head.
func afterBatch(batches []byte, at event.Offset) (event.Offset, error) {
	for len(batches) >= batchHead {
		base, length := int64(binary.BigEndian.Uint64(batches)), int64(int32(binary.BigEndian.Uint32(batches[8:])))
		last := base // messages of old formats that are compressed together have the offset of the last one
		if magic := batches[batchHead-1]; magic > newestOldMagic {
			if len(batches) < lastDeltaAt+4 {
				break
			}
			last += int64(int32(binary.BigEndian.Uint32(batches[lastDeltaAt:])))
		}
		if base < 0 || last < base || last == math.MaxInt64 || length < batchHead-batchOverhead {
			return 0, errors.New("the head of the batch makes no sense")
		}
		if last >= int64(at) {
			return event.Offset(last + 1), nil
		}
		if int64(len(batches)) < batchOverhead+length {
			break
		}
		batches = batches[batchOverhead+length:]
	}
	return 0, errNoBatch
}
