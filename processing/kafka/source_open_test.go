package kafka

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

func TestSourceOpenUnknownTopic(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	ctx := limit(t)
	if _, err := newSource(t, clusterAt(b.Addr())).Open(ctx, func(error) {}); !errors.Is(err, ErrUnknownTopic) || !strings.Contains(err.Error(), "events") {
		t.Errorf("error is %v, want ErrUnknownTopic with the name", err)
	}
	s, err := NewSource(SourceOptions{Cluster: clusterAt(b.Addr()), Topic: "events", Group: "tidemark", CreateTopics: true})
	must(t, err)
	defer s.Close()
	topic, err := s.Open(ctx, func(error) {})
	if err != nil || len(topic.Partitions) != DataPartitions {
		t.Errorf("created %+v, %v", topic, err)
	}
}

func TestSourceOpenWaitsForBrokers(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		s := newSource(t, cluster)
		opened := make(chan error)
		go func() {
			_, err := s.Open(t.Context(), func(error) {})
			opened <- err
		}()
		select {
		case err := <-opened:
			t.Fatalf("opened without a broker: %v", err)
		case <-time.After(10 * time.Minute):
		}
		c := startVirtual(t, net, 2)
		defer c.Close()
		start := time.Now()
		must(t, <-opened)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v to notice the broker", took)
		}
	})
}

func TestSourceOpenEndsWithContext(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *kfake.VirtualNetwork, cluster Cluster) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := newSource(t, cluster).Open(ctx, func(error) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestSourceTopicRecreated(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		c := startVirtual(t, net, 2)
		defer c.Close()
		s := newSource(t, cluster)
		s.Assign(map[event.PartitionID]event.Offset{0: 0, 1: 0})
		synctest.Wait()
		must(t, c.DeleteTopic("events"))
		must(t, c.CreateTopic("events", 2, nil))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		faulted := map[event.PartitionID]int{}
		for len(faulted) < 2 && ctx.Err() == nil {
			for _, f := range s.Poll(ctx) {
				if !errors.Is(f.Err, processing.ErrTopicRecreated) {
					t.Errorf("fetched %+v", f)
				}
				faulted[f.Partition]++
			}
		}
		if diff := cmp.Diff(map[event.PartitionID]int{0: 1, 1: 1}, faulted); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
}
