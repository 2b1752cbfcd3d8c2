package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/schemas"
)

func TestPublisher(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"metrics": smallTopic(3), "alerts": smallTopic(1), "dead-letters": smallTopic(1), ProgressTopic: smallTopic(1)})
	ctx := limit(t)
	feed := newFeed(
		resultEntry(viewsResult()),
		processing.Entry{Type: processing.LateEntry, Late: &processing.Late{Topic: "events", Count: 1}},
		processing.Entry{Type: processing.DeadLetterEntry, DeadLetter: &processing.DeadLetter{
			Reason: "undecodable", Detail: "trailing bytes", Topic: "events", Partition: 4, Offset: 17, SchemaID: 5,
			Key: []byte("k"), Value: []byte{0xff}, Truncated: true}},
		resultEntry(pagesResult("<a&b>")),
		processing.Entry{Type: processing.AlertEntry, Alert: bounceAlert(alert.Firing)},
		processing.Entry{Type: processing.AlertEntry, Alert: bounceAlert(alert.Resolved)},
	)
	run := startPublisher(ctx, t, clusterAt(b.Addr()), feed)
	feed.waitSaved(ctx, t, 6)

	byKey := map[string]*kgo.Record{}
	for _, r := range readAll(t, b.Addr(), "metrics", 2) {
		byKey[string(r.Key)] = r
	}
	r := byKey[`["top_pages",["<a&b>"],60000]`]
	if r == nil || byKey[`["page_views_per_second",[],5000]`] == nil {
		t.Fatalf("keys are %v", byKey)
	}
	if got := decoded(t, r.Value)["metricId"]; got != pagesResult("<a&b>").ID() {
		t.Errorf("id in the value is %v", got)
	}
	if diff := cmp.Diff([]string{"tidemark-seq=4", "tidemark-epoch=e1", "tidemark-id=" + pagesResult("<a&b>").ID(),
		"tidemark-kind=correction", "tidemark-revision=3"}, headerTexts(r)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	d := readAll(t, b.Addr(), "dead-letters", 1)[0]
	if diff := cmp.Diff([]string{"tidemark-seq=3", "tidemark-epoch=e1", "tidemark-reason=undecodable", "tidemark-detail=trailing bytes",
		"tidemark-topic=events", "tidemark-partition=4", "tidemark-offset=17", "tidemark-schema-id=5", "tidemark-truncated=true"}, headerTexts(d)); diff != "" {
		t.Errorf("dead letter's headers (-want +got):\n%s", diff)
	}
	if string(d.Key) != "k" || string(d.Value) != "\xff" {
		t.Errorf("dead letter is %q: %q", d.Key, d.Value)
	}

	for i, a := range readAll(t, b.Addr(), "alerts", 2) {
		if diff := cmp.Diff([]string{fmt.Sprint("tidemark-seq=", 5+i), "tidemark-epoch=e1", "tidemark-id=a1",
			"tidemark-kind=alert", fmt.Sprint("tidemark-revision=", 1+i)}, headerTexts(a)); diff != "" {
			t.Errorf("alert's headers (-want +got):\n%s", diff)
		}
		if got := decodedAs(t, schemas.Alerts, a.Value); string(a.Key) != `["high_bounce_rate",["MOBILE","<de>"]]` || got["alertId"] != "a1" {
			t.Errorf("alert %s: %v", a.Key, got)
		}
	}

	// News wake it.
	feed.commit(resultEntry(viewsResult()))
	run.publisher.Committed(&processing.Committed{Seq: 7})
	feed.waitSaved(ctx, t, 7)
	must(t, run.stop())
}

func TestPublisherRetries(t *testing.T) {
	for name, fault := range map[string]*kerr.Error{
		"no leader":                   kerr.NotLeaderForPartition,
		"stored, answered too late":   kerr.RequestTimedOut,
		"not allowed for a while":     kerr.TopicAuthorizationFailed,
		"topic not there for a while": kerr.UnknownTopicOrPartition,
	} {
		t.Run(name, func(t *testing.T) {
			withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
				injected := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "metrics", Err: fault, Count: 30})
				feed := newFeed(manyResults(2500)...)
				run := startPublisher(ctx, t, cluster, feed)
				feed.waitSaved(ctx, t, 2500)
				must(t, run.stop())
				if injected.Hits() < 30 {
					t.Errorf("%d faults were injected", injected.Hits())
				}
				published(ctx, t, consumeMetrics(t, cluster), 2500)
			})
		})
	}
}

func TestPublisherWaitsForBrokers(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		feed := newFeed(manyResults(100)...)
		run := startPublisher(ctx, t, cluster, feed)
		select {
		case seq := <-feed.saved:
			t.Fatalf("saved %d without a broker", seq)
		case <-time.After(time.Hour):
		}
		broker := faultyBroker(t, net)
		defer broker.Close()
		start := time.Now()
		feed.waitSaved(ctx, t, 100)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v to notice the broker", took)
		}
		must(t, run.stop())
	})
}

// A publisher that dies after the brokers took a transaction and before it saved its place does not send it again.
func TestPublisherExactlyOnce(t *testing.T) {
	withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
		feed := newFeed(manyResults(25_000)...)
		crash := errors.New("crash")
		first := startPublisher(ctx, t, cluster, &crashingFeed{memoryFeed: feed, at: 20_000, err: crash})
		if err := <-first.done; !errors.Is(err, crash) {
			t.Fatalf("ended with %v", err)
		}
		second := startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 25_000)
		must(t, second.stop())
		published(ctx, t, consumeMetrics(t, cluster), 25_000)
	})
}

func TestPublisherStopsWhileUnanswered(t *testing.T) {
	withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
		asked := make(chan struct{}, 100)
		broker.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			broker.KeepControl()
			asked <- struct{}{}
			return nil, nil, true // taken, and never answered
		})
		feed := newFeed(manyResults(10)...)
		run := startPublisher(ctx, t, cluster, feed)
		<-asked
		synctest.Wait()
		start := time.Now()
		must(t, run.stop())
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v to stop", took)
		}
		if at := feed.readers[PublisherReader]; at != 0 {
			t.Errorf("saved %d", at)
		}
	})
}

func TestPublisherGivesUpWhatIsTooLarge(t *testing.T) {
	withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
		feed := newFeed(resultEntry(pagesResult(strings.Repeat("x", 2<<20))), resultEntry(viewsResult()))
		run := startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 2)
		must(t, run.stop())
	})
}

func TestPublisherStopsWhenTheFeedFails(t *testing.T) {
	feed := newFeed()
	feed.fail = errors.New("disk on fire")
	run := startPublisher(t.Context(), t, Cluster{Brokers: []string{"127.0.0.1:1"}, Logger: quiet()}, feed)
	if err := <-run.done; !errors.Is(err, feed.fail) {
		t.Errorf("error is %v", err)
	}
}

func TestPublisherOptionsFaults(t *testing.T) {
	_, err := NewPublisher(PublisherOptions{Encoding: "xml"})
	for _, want := range []string{"brokers", "logger", "topics", `"xml" is none of`, "plan and feed", "instance and epoch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestEnsureTopics(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"metrics": smallTopic(1)})
	ctx := limit(t)
	want := map[string]int{"metrics": DataPartitions, "dead-letters": LogPartitions}
	cluster := clusterAt(b.Addr())
	ensure := func(create bool) error { // each time by a client that knows nothing yet
		return ensureTopics(ctx, asker{cluster: &cluster, adm: newAdmin(t, b.Addr())}, want, create)
	}
	err := ensure(false)
	if !errors.Is(err, ErrUnknownTopic) || !strings.Contains(err.Error(), "dead-letters") || !strings.Contains(err.Error(), "--create-topics") {
		t.Errorf("error is %v, want what is missing and what to do", err)
	}
	must(t, ensure(true))
	must(t, ensure(false))
}
