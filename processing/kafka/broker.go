package kafka

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

var (
	// ErrAddrInUse is returned when something else listens on the broker's address.
	ErrAddrInUse = errors.New("address already in use")
	// ErrBrokerInUse is returned when another process runs a broker on the same directory.
	ErrBrokerInUse = errors.New("broker directory in use by another process")
)

// TopicSpec describes a topic of the embedded broker.
type TopicSpec struct {
	Partitions     int
	RetentionBytes int64 // of all its partitions together; the oldest records go first, whatever their age
}

// minRetention of a partition holds its last batch, which is 1 MiB at most: a log that loses all of its segments forgets
// where it ended, and its offsets start again at 0.
const minRetention = 2 << 20

// DefaultTopics are the topics that the embedded broker has, 256 MiB together.
func DefaultTopics(events, metrics, alerts, deadLetters string) map[string]TopicSpec {
	return map[string]TopicSpec{
		events:      {Partitions: DataPartitions, RetentionBytes: 192 << 20},
		metrics:     {Partitions: DataPartitions, RetentionBytes: 40 << 20},
		alerts:      {Partitions: LogPartitions, RetentionBytes: 8 << 20},
		deadLetters: {Partitions: LogPartitions, RetentionBytes: 8 << 20},
		// Not compacted: this broker's compaction takes what is not committed for the last word.
		ProgressTopic: {Partitions: LogPartitions, RetentionBytes: 8 << 20},
	}
}

// BrokerOptions configure an embedded broker.
type BrokerOptions struct {
	Listen string // host:port, loopback only; port 0 takes a free one
	// Dir holds the log. It is made with mode 0700 and brought back to it, so that nobody else reaches the files in it;
	// their own modes follow the process's umask, which belongs to the command.
	Dir    string
	Topics map[string]TopicSpec // made if missing; one that exists stays as it is
	Logger *slog.Logger
	// UnsafeNoSync leaves it to the operating system when data reach the disk: a crash of the process loses nothing then,
	// a crash of the machine may. For tests and benchmarks.
	UnsafeNoSync bool
}

// Validate reports every fault.
func (o *BrokerOptions) Validate() error {
	var faults []error
	if _, err := loopback(o.Listen); err != nil {
		faults = append(faults, fmt.Errorf("listen: %w", err))
	}
	if o.Dir == "" {
		faults = append(faults, errors.New("dir: missing"))
	}
	if o.Logger == nil {
		faults = append(faults, errors.New("logger: missing"))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Topics)) {
		switch t := o.Topics[name]; {
		case t.Partitions < 1:
			faults = append(faults, fmt.Errorf("topic %s: partitions: at least one is needed", name))
		case t.RetentionBytes < int64(t.Partitions)*minRetention:
			faults = append(faults, fmt.Errorf("topic %s: retention: %d bytes are less than %d a partition", name, t.RetentionBytes, minRetention))
		}
	}
	return errors.Join(faults...)
}

// loopback returns addr with a numeric host, and an error unless that is a loopback address.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("%q is not a loopback address; the embedded broker has no access control", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return "", fmt.Errorf("%q is not a port", port)
	}
	return net.JoinHostPort(host, port), nil
}

// Broker is a running embedded broker.
type Broker struct {
	cluster *kfake.Cluster
	lock    *dirLock
	addr    string
	stop    chan struct{} // closed to end the janitor
	ended   chan struct{} // closed when the janitor has ended
}

// StartBroker starts a broker, with the topics, records, positions of groups and identities that its directory holds.
// It returns ErrAddrInUse, ErrBrokerInUse, or an error of Validate; in these cases nothing was touched.
func StartBroker(opts BrokerOptions) (*Broker, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	listener, err := listen(opts.Listen)
	if err != nil {
		return nil, err
	}
	b, err := startOn(listener, &opts)
	if err != nil {
		listener.Close()
		return nil, err
	}
	return b, nil
}

// listen comes first: a busy port must not leave a directory behind.
func listen(addr string) (net.Listener, error) {
	numeric, err := loopback(addr)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", numeric)
	if isAddrInUse(err) {
		return nil, fmt.Errorf("embedded broker: listen on %s: %w", addr, ErrAddrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return listener, nil
}

func startOn(listener net.Listener, opts *BrokerOptions) (*Broker, error) {
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	lock, err := lockDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{lock: lock, addr: listener.Addr().String(), stop: make(chan struct{}), ended: make(chan struct{})}
	if err := b.load(listener, opts); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	go b.runJanitor()
	return b, nil
}

// load starts the cluster on the directory and adds the topics that are missing.
func (b *Broker) load(listener net.Listener, opts *BrokerOptions) error {
	if err := os.Chmod(opts.Dir, 0o700); err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	settings := []kfake.Opt{
		kfake.Ports(0), // one node
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		kfake.DataDir(opts.Dir),
		kfake.ClusterID(base64.RawURLEncoding.EncodeToString(id[:])), // the first start's; a directory keeps its own
		kfake.WithLogger(brokerLogger{opts.Logger}),
		// Nowhere are records dropped for their age: see minRetention. The sizes are for topics that clients make.
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms":    "-1",
			"log.retention.bytes": strconv.Itoa(16 << 20),
			"log.segment.bytes":   strconv.Itoa(2 << 20),
		}),
	}
	if !opts.UnsafeNoSync {
		settings = append(settings, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(settings...)
	if err != nil {
		return fmt.Errorf("embedded broker: load %s: %w", opts.Dir, err)
	}
	if err := b.adopt(cluster, opts); err != nil {
		cluster.Close()
		return err
	}
	b.cluster = cluster
	// After a crash the whole log went through memory; give that back.
	debug.FreeOSMemory()
	return nil
}

// adopt brings a loaded cluster to what the options ask for.
func (b *Broker) adopt(cluster *kfake.Cluster, opts *BrokerOptions) error {
	// Sequence numbers of producers are written by a clean stop only. Left there, a later crash would load them again and
	// refuse the batches of producers that have gone on since.
	if err := os.Remove(filepath.Join(opts.Dir, "seq_windows.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("embedded broker: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(opts.Topics)) {
		if cluster.TopicInfo(name) != nil {
			continue
		}
		spec := opts.Topics[name]
		share := spec.RetentionBytes / int64(spec.Partitions)
		err := cluster.CreateTopic(name, int32(spec.Partitions), map[string]string{
			"retention.bytes": strconv.FormatInt(share, 10),
			"segment.bytes":   strconv.FormatInt(share/8, 10), // only whole segments leave the disk
		})
		if err != nil {
			return fmt.Errorf("embedded broker: create topic %s: %w", name, err)
		}
	}
	return nil
}

// Addr is the address that clients use, with the port in numbers.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker and releases its directory. Clients that are still connected are cut off.
func (b *Broker) Close() error {
	close(b.stop)
	<-b.ended
	b.cluster.Close()
	return b.lock.release()
}

// runJanitor drops what exceeds the topics' retention. The cluster's own timer is of no use: it isn't started again for
// topics that were loaded.
func (b *Broker) runJanitor() {
	defer close(b.ended)
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-tick.C:
			b.cluster.ApplyRetention()
		}
	}
}

// brokerLogger passes on the cluster's warnings, most of which are failed writes.
type brokerLogger struct{ out *slog.Logger }

func (l brokerLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	if strings.HasPrefix(format, "txn: EndTxn slow") {
		return // it syncs each partition in turn, and thinks that 5 ms is long
	}
	if level == kfake.LogLevelError || level == kfake.LogLevelWarn {
		l.out.Warn("embedded broker", "message", strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
