package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark/tidemark/processing"
)

// conversation is every kind of request that a publisher makes, and what brokers may answer.
var conversation = map[kmsg.Key][]*kerr.Error{
	kmsg.Metadata:           {kerr.BrokerNotAvailable},
	kmsg.FindCoordinator:    {kerr.CoordinatorNotAvailable, kerr.TransactionalIDAuthorizationFailed},
	kmsg.InitProducerID:     {kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.ProducerFenced, kerr.TransactionalIDAuthorizationFailed},
	kmsg.AddPartitionsToTxn: {kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.TopicAuthorizationFailed},
	kmsg.Produce:            {kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.InvalidProducerEpoch, kerr.OutOfOrderSequenceNumber, kerr.TopicAuthorizationFailed, kerr.UnknownServerError},
	kmsg.EndTxn:             {kerr.NotCoordinator, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.RequestTimedOut, kerr.UnknownServerError, kerr.InvalidTxnState},
	kmsg.Fetch:              {kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed, kerr.UnknownServerError},
	kmsg.ListOffsets:        {kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed},
	kmsg.DescribeConfigs:    {kerr.TopicAuthorizationFailed},
}

// Whatever goes wrong in a request of whatever kind, each entry is there exactly once, in order. A short run draws some of it.
func TestPublisherFaults(t *testing.T) {
	drawn := func() bool { return !testing.Short() || rand.IntN(4) == 0 }
	for key, answers := range conversation {
		for _, answer := range answers {
			if !drawn() {
				continue
			}
			t.Run(fmt.Sprint(key.Name(), "/", answer.Message), func(t *testing.T) {
				survives(t, func(broker *kfake.Cluster) {
					n := 0
					broker.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: answer, Count: 12, When: func(kmsg.Request) bool {
						n++
						return n%4 == 2
					}})
				})
			})
		}
		for name, what := range map[string]func(c *kfake.Cluster, req kmsg.Request) (kmsg.Response, error, bool){
			"cut before": func(*kfake.Cluster, kmsg.Request) (kmsg.Response, error, bool) {
				return nil, errors.New("cut"), true
			},
			"never answered": func(*kfake.Cluster, kmsg.Request) (kmsg.Response, error, bool) { return nil, nil, true },
		} {
			if !drawn() {
				continue
			}
			t.Run(fmt.Sprint(key.Name(), "/", name), func(t *testing.T) {
				survives(t, func(broker *kfake.Cluster) {
					n := 0
					broker.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
						broker.KeepControl()
						if n++; n%5 != 2 || n > 30 {
							return nil, nil, false
						}
						return what(broker, req)
					})
				})
			})
		}
	}
}

// survives publishes in several commits and transactions while brokers misbehave.
func survives(t *testing.T, misbehave func(*kfake.Cluster)) {
	t.Helper()
	survivesWith(t, func(dial dialer) dialer { return dial }, misbehave)
}

func survivesWith(t *testing.T, network func(dialer) dialer, misbehave func(*kfake.Cluster)) {
	t.Helper()
	withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
		own := cluster
		own.dial = network(cluster.dial)
		misbehave(broker)
		feed := newFeed()
		run := startPublisher(ctx, t, own, feed)
		seq := uint64(0)
		for range 12 {
			seq = feed.commit(manyResults(40)...)
			run.publisher.Committed(nil)
			feed.waitSaved(ctx, t, seq)
		}
		must(t, run.stop())
		if o := run.publisher.Outputs(); o.Fault != "" {
			t.Errorf("halted: %s", o.Fault)
		}
		published(ctx, t, consumeMetrics(t, cluster), seq)
	})
}

// The answer to a commit is lost, though it was made: what was published is read back, and not sent again.
func TestPublisherCommitsInDoubt(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.EndTxn} {
		t.Run(key.Name(), func(t *testing.T) {
			survivesWith(t, func(dial dialer) dialer { return loseAnswers(dial, key) }, func(*kfake.Cluster) {})
		})
	}
}

// loseAnswers cuts a connection at every third answer to a kind of request, when it has come.
func loseAnswers(dial dialer, key kmsg.Key) dialer {
	var asked atomic.Int64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &losing{Conn: conn, key: key, asked: &asked}, err
	}
}

type losing struct {
	net.Conn
	key   kmsg.Key
	asked *atomic.Int64
	lose  atomic.Bool
}

// Write has whole requests: their length, then what they are.
func (c *losing) Write(p []byte) (int, error) {
	if len(p) >= 6 && kmsg.Key(binary.BigEndian.Uint16(p[4:])) == c.key && c.asked.Add(1)%3 == 0 {
		c.lose.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *losing) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.lose.Load() {
		return 0, errors.Join(io.ErrUnexpectedEOF, c.Close())
	}
	return n, err
}

// Two servers of one instance: the one that comes later publishes, the other stands down, and nothing is there twice.
func TestPublishersFight(t *testing.T) {
	withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
		feed := newFeed(manyResults(200)...)
		first := startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 200)
		second := startPublisher(ctx, t, cluster, feed) // of the same store, as if two processes could have it open
		second.waitBegun(ctx, t)
		seq := feed.commit(manyResults(50)...)
		first.publisher.Committed(nil)
		if err := <-first.done; err != nil {
			t.Fatalf("the first ended with %v", err)
		}
		fault := first.publisher.Outputs().Fault
		for _, want := range []string{second.publisher.incarnation, "stands down"} {
			if !strings.Contains(fault, want) {
				t.Errorf("the first says %q, not %q", fault, want)
			}
		}
		second.publisher.Committed(nil)
		feed.waitSaved(ctx, t, seq)
		must(t, second.stop())
		published(ctx, t, consumeMetrics(t, cluster), seq)
	})
}

// Who claims, finds that it must not publish and says so has taken nothing away: the one that was there goes on.
func TestPublisherGoesOnAfterAClaimThatIsReleased(t *testing.T) {
	withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
		feed := newFeed(manyResults(200)...)
		first := startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 200)
		second, err := NewPublisher(publisherOptions(cluster, feed, "e1"))
		must(t, err)
		s, _, err := second.claim(ctx)
		must(t, err)
		seq := feed.commit(manyResults(50)...)
		first.publisher.Committed(nil)
		for ctx.Err() == nil && first.publisher.Outputs().Trouble != errContested.Error() {
			<-time.After(10 * time.Millisecond) // of the bubble
		}
		s.release(ctx)
		s.close()
		feed.waitSaved(ctx, t, seq)
		if o := first.publisher.Outputs(); o != (processing.Outputs{}) {
			t.Errorf("the first says %+v", o)
		}
		must(t, first.stop())
		published(ctx, t, consumeMetrics(t, cluster), seq)
	})
}

// waitBegun waits until a publisher has a session.
func (r *publisherRun) waitBegun(ctx context.Context, t *testing.T) {
	t.Helper()
	for ctx.Err() == nil {
		if r.publisher.sessions.Load() > 0 {
			return
		}
		<-time.After(10 * time.Millisecond) // of the bubble
	}
	t.Fatal("it never began")
}

// A server that stands still for longer than brokers keep its transaction open goes on with a new one.
func TestPublisherOutlivesItsTransaction(t *testing.T) {
	var asked atomic.Int64
	survivesWith(t, func(dial dialer) dialer {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return &stalling{Conn: conn, asked: &asked}, err
		}
	}, func(*kfake.Cluster) {})
	if asked.Load() < 8 {
		t.Errorf("%d transactions were ended", asked.Load())
	}
}

// stalling stands still before the third and the fourth end of a transaction.
type stalling struct {
	net.Conn
	asked *atomic.Int64
}

func (c *stalling) Write(p []byte) (int, error) {
	if len(p) >= 6 && kmsg.Key(binary.BigEndian.Uint16(p[4:])) == kmsg.EndTxn {
		if n := c.asked.Add(1); n == 3 || n == 4 {
			<-time.After(2 * DefaultTransactionTimeout) // of the bubble
		}
	}
	return c.Conn.Write(p)
}

// A batch that brokers refuse for its size is sent in smaller ones; what is too large even so is given up.
func TestPublisherLearnsHowMuchBrokersTake(t *testing.T) {
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprint("told ", told), func(t *testing.T) {
			inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
				broker, err := kfake.NewCluster(kfake.Ports(9092), kfake.ListenFn(net.Listen), kfake.SeedTopics(1, "metrics", "alerts", "dead-letters", ProgressTopic),
					kfake.BrokerConfigs(map[string]string{"message.max.bytes": "60000"}))
				must(t, err)
				defer broker.Close()
				if !told {
					broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1})
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				entries := manyResults(2000)
				entries[1000] = resultEntry(pagesResult(noise(100_000)))
				feed := newFeed(entries...)
				run := startPublisher(ctx, t, cluster, feed)
				feed.waitSaved(ctx, t, 2000)
				must(t, run.stop())
				published(ctx, t, consumeMetrics(t, cluster), 1999)
			})
		})
	}
}

// noise does not get smaller.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		x := uint32(i)*2654435761 + 12345
		b[i] = 'a' + byte(x>>16)%26
	}
	return string(b)
}

// standingOf reads what the progress topic has, committed records only.
func standingOf(ctx context.Context, t *testing.T, cluster Cluster) *standing {
	t.Helper()
	back, err := newLookback(&cluster)
	must(t, err)
	defer back.close()
	s, err := back.standing(ctx, "i1", -1)
	must(t, err)
	return s
}

// The journal goes out when it has changed, in parts, and comes back whole.
func TestJournalInProgress(t *testing.T) {
	withBroker(t, func(ctx context.Context, t *testing.T, broker *kfake.Cluster, cluster Cluster) {
		results := manyResults(10)
		results[4].Result.Revision = 17
		feed := newFeed(results...)
		for i := range 10_000 {
			feed.journal.Floors = append(feed.journal.Floors, processing.Floor{Topic: "events", Offset: placeAt(0, 0).Cursors[0].Next + 1, Floor: placeAt(0, 7).Watermark, Partition: 3})
			feed.journal.Floors[i].TopicID[0] = byte(i)
		}
		run := startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 10)
		s := standingOf(ctx, t, cluster)
		if s.progress.JournalParts < 2 {
			t.Errorf("%d parts", s.progress.JournalParts)
		}
		target, err := s.target()
		must(t, err)
		if len(target.Floors) != 10_000 || !slices.Equal(target.Floors, feed.journal.Floors) || len(target.Cursors) != 1 || target.Cursors[0].Next != 10 {
			t.Errorf("came back as %d floors, %v", len(target.Floors), target.Cursors)
		}
		feed.mu.Lock()
		feed.journal.Floors, feed.version = feed.journal.Floors[:1], 1
		feed.mu.Unlock()
		feed.commit(manyResults(1)...)
		run.publisher.Committed(nil)
		feed.waitSaved(ctx, t, 11)
		target, err = standingOf(ctx, t, cluster).target()
		must(t, err)
		if len(target.Floors) != 1 {
			t.Errorf("the shorter journal has %d floors", len(target.Floors))
		}
		must(t, run.stop())

		// The next session goes on with the highest revision of all.
		feed.commit(manyResults(1)...)
		run = startPublisher(ctx, t, cluster, feed)
		feed.waitSaved(ctx, t, 12)
		if target, err = standingOf(ctx, t, cluster).target(); err != nil || target.Revision != 17 {
			t.Errorf("the highest revision is %d, %v; want 17", target.Revision, err)
		}
		must(t, run.stop())
	})
}
