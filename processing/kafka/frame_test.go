package kafka

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/schemas"
)

// The schema gets its number before the first value leaves; until then nothing is lost and nothing is sent.
func TestPublisherInConfluentFraming(t *testing.T) {
	fake := startRegistry(t)
	var asked atomic.Int32
	enough := make(chan struct{})
	fake.Intercept(func(w http.ResponseWriter, q *http.Request) bool {
		if asked.Add(1) == 3 {
			close(enough)
		}
		return answering(503, "")(w, q)
	})
	registry := newTestRegistry(t, RegistryOptions{URLs: []string{fake.URL()}})
	b := startBroker(t, map[string]TopicSpec{"metrics": smallTopic(3), "alerts": smallTopic(1), "dead-letters": smallTopic(1), ProgressTopic: smallTopic(1)})
	ctx, cancel := context.WithCancel(limit(t))
	defer cancel()
	feed := newFeed(resultEntry(viewsResult()), resultEntry(pagesResult("/a")), processing.Entry{Type: processing.AlertEntry, Alert: bounceAlert(alert.Firing)})
	p, err := NewPublisher(PublisherOptions{
		Cluster: clusterAt(b.Addr()), MetricsTopic: "metrics", AlertsTopic: "alerts", DeadLetterTopic: "dead-letters", Encoding: AvroConfluent, Registrar: registry,
		Instance: "i1", Epoch: "e1", Plan: testPlan(), Feed: feed,
	})
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-enough
	if at, _, _ := feed.Reader(PublisherReader); at != 0 {
		t.Errorf("the publisher stands at %d without a registry", at)
	}
	fake.ClearInterceptors()
	feed.waitSaved(ctx, t, 3)
	registered, ok := fake.GetSchema("metrics-value", 1)
	if !ok || registered.Schema.Schema != schemas.Compact(schemas.Metrics) {
		t.Fatalf("registered is %+v", registered)
	}
	for _, r := range readAll(t, b.Addr(), "metrics", 2) {
		ref, value, err := schemas.Unframe(schemas.Confluent, r.Value)
		must(t, err)
		if ref != schemas.Registered(int32(registered.ID)) {
			t.Errorf("a value names %v, registered was %d", ref, registered.ID)
		}
		if m := decoded(t, value); m["source"] != "tidemark" {
			t.Errorf("the value is %v", m)
		}
	}
	ref, value, err := schemas.Unframe(schemas.Confluent, readAll(t, b.Addr(), "alerts", 1)[0].Value)
	must(t, err)
	if registered, ok := fake.GetSchema("alerts-value", 1); !ok || ref != schemas.Registered(int32(registered.ID)) {
		t.Errorf("an alert names %v, registered was %+v", ref, registered)
	}
	if got := decodedAs(t, schemas.Alerts, value); got["alertId"] != "a1" {
		t.Errorf("the alert is %v", got)
	}
	cancel()
	must(t, <-done)
}

// A publisher that waits for the registry ends when it is told to.
func TestPublisherThatWaitsForTheRegistryEnds(t *testing.T) {
	b := startBroker(t, map[string]TopicSpec{"metrics": smallTopic(1), "dead-letters": smallTopic(1)})
	ctx, cancel := context.WithCancel(limit(t))
	asked := make(chan struct{}, 100)
	p, err := NewPublisher(PublisherOptions{
		Cluster: clusterAt(b.Addr()), MetricsTopic: "metrics", AlertsTopic: "alerts", DeadLetterTopic: "dead-letters", Encoding: AvroConfluent,
		Registrar: registrarFunc(func() (int32, error) { asked <- struct{}{}; return 0, errors.New("down") }),
		Instance:  "i1", Epoch: "e1", Plan: testPlan(), Feed: newFeed(resultEntry(viewsResult())),
	})
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-asked
	cancel()
	must(t, <-done)
}

type registrarFunc func() (int32, error)

func (f registrarFunc) Register(context.Context, string, string) (int32, error) { return f() }

func TestConfluentFramingNeedsARegistry(t *testing.T) {
	o := PublisherOptions{
		Cluster: clusterAt("127.0.0.1:1"), MetricsTopic: "m", AlertsTopic: "a", DeadLetterTopic: "d", Encoding: AvroConfluent, Plan: testPlan(), Feed: newFeed(),
	}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "needs a schema registry") {
		t.Errorf("without one: %v", err)
	}
}
