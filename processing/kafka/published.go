package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/event"
)

// Published is an entry of the feed as a read-committed consumer sees it on an output topic.
type Published struct {
	Topic     string
	Partition event.PartitionID
	Offset    event.Offset
	Epoch     string
	Seq       uint64
}

// ReadPublished reads output topics to the ends that they have now, each partition in order. Only what is committed is seen; it waits
// for transactions that are open.
func ReadPublished(ctx context.Context, cluster Cluster, topics ...string) ([]Published, error) {
	client, err := cluster.open(
		kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), // the last of a topic may be one
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	left, err := endsToRead(ctx, client, topics)
	if err != nil {
		return nil, err
	}
	var out []Published
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %v: %w", topics, err)
		}
		for _, r := range fetches.Records() {
			if at := (topicPartition{r.Topic, r.Partition}); r.Offset+1 >= left[at] {
				delete(left, at)
			}
			if r.Attrs.IsControl() {
				continue
			}
			entry, err := publishedIn(r)
			if err != nil {
				return nil, err
			}
			out = append(out, entry)
		}
	}
	return out, nil
}

type topicPartition struct {
	topic     string
	partition int32
}

// endsToRead are the ends of the partitions that hold something.
func endsToRead(ctx context.Context, client *kgo.Client, topics []string) (map[topicPartition]int64, error) {
	adm := kadm.NewClient(client)
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the starts of %v: %w", topics, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of %v: %w", topics, err)
	}
	left := map[topicPartition]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(end.Topic, end.Partition); !ok || end.Offset > start.Offset {
			left[topicPartition{end.Topic, end.Partition}] = end.Offset
		}
	})
	return left, nil
}

func publishedIn(r *kgo.Record) (Published, error) {
	p := Published{Topic: r.Topic, Partition: event.PartitionID(r.Partition), Offset: event.Offset(r.Offset)}
	for _, h := range r.Headers {
		switch h.Key {
		case "tidemark-epoch":
			p.Epoch = string(h.Value)
		case "tidemark-seq":
			seq, err := strconv.ParseUint(string(h.Value), 10, 64)
			if err != nil {
				return p, fmt.Errorf("%s/%d/%d: sequence: %w", r.Topic, r.Partition, r.Offset, err)
			}
			p.Seq = seq
		}
	}
	if p.Epoch == "" || p.Seq == 0 {
		return p, fmt.Errorf("%s/%d/%d: not an entry of a feed", r.Topic, r.Partition, r.Offset)
	}
	return p, nil
}
