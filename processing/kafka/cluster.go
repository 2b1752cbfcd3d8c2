package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Cluster says how to reach a Kafka cluster.
type Cluster struct {
	Brokers  []string  // host:port of some of its brokers
	Security *Security // nil: none
	ClientID string    // what brokers log; empty: "tidemark"
	Logger   *slog.Logger
	Patience time.Duration // with brokers none of which answers the first question; 0: until somebody stops waiting

	dial dialer // nil: TCP
}

// Validate reports every fault.
func (c *Cluster) Validate() error {
	var faults []error
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("brokers: at least one is needed"))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			faults = append(faults, fmt.Errorf("brokers: %w", err))
		}
	}
	if c.Patience < 0 {
		faults = append(faults, fmt.Errorf("patience: %v is negative", c.Patience))
	}
	if c.Logger == nil {
		faults = append(faults, errors.New("logger: missing"))
	}
	return errors.Join(faults...)
}

// Through returns the cluster as it is reached by connections of another kind than TCP.
func (c Cluster) Through(dial func(ctx context.Context, network, address string) (net.Conn, error)) Cluster {
	c.dial = dial
	return c
}

// open makes a client. Nothing is sent before its first use.
func (c *Cluster) open(opts ...kgo.Opt) (*kgo.Client, error) {
	id := c.ClientID
	if id == "" {
		id = "tidemark"
	}
	common := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(id),
		kgo.WithLogger(&clientLogger{out: c.Logger}),
		// Partitions that are added are to be seen within two seconds.
		kgo.MetadataMaxAge(2 * time.Second),
		kgo.MetadataMinAge(250 * time.Millisecond),
		// The default grows to 2.5 s; a broker that comes back should find us soon.
		kgo.RetryBackoffFn(backoff),
		// Brokers have no use for our client's own metrics.
		kgo.DisableClientMetrics(),
	}
	dial := c.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: connectLimit}).DialContext
	}
	if c.Security != nil {
		dial = c.Security.secure(dial)
		if m := c.Security.mechanism(); m != nil {
			common = append(common, kgo.SASL(m))
		}
	}
	common = append(common, kgo.Dialer(dial.tell()))
	client, err := kgo.NewClient(append(common, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make kafka client: %w", err)
	}
	return client, nil
}

// backoff is the pause before the n-th try again: 100 ms, doubling, up to 2 s.
func backoff(n int) time.Duration {
	const first, most = 100 * time.Millisecond, 2 * time.Second
	if n > 5 {
		return most
	}
	return min(first<<max(n-1, 0), most)
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// every lets a repeated message through once in a while.
type every struct {
	interval time.Duration
	last     time.Time
}

func (e *every) allow(now time.Time) bool {
	if !e.last.IsZero() && now.Sub(e.last) < e.interval {
		return false
	}
	e.last = now
	return true
}

// clientLogger passes on the warnings of the client library, each kind at most twice a minute: while a broker is away the
// library repeats itself at every try.
type clientLogger struct {
	out  *slog.Logger
	mu   sync.Mutex
	seen map[string]*every // by message; the library has some hundred of them
}

func (l *clientLogger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// ended reports whether something was given up because we end, which is nothing to warn of.
func ended(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, context.Canceled)
}

func (l *clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if slices.ContainsFunc(keyvals, ended) {
		return
	}
	l.mu.Lock()
	if l.seen == nil {
		l.seen = map[string]*every{}
	}
	e := l.seen[msg]
	if e == nil {
		e = &every{interval: 30 * time.Second}
		l.seen[msg] = e
	}
	ok := e.allow(time.Now())
	l.mu.Unlock()
	if !ok {
		return
	}
	// What the library calls an error is for us a warning: it goes on, and what it can't mend comes back as an error value.
	at := slog.LevelWarn
	if level >= kgo.LogLevelInfo {
		at = slog.LevelInfo
	}
	l.out.Log(context.Background(), at, "kafka client", append([]any{"message", msg}, keyvals...)...)
}
