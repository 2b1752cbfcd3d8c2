package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrUnknownTopic is returned when a topic does not exist and was not to be created.
var ErrUnknownTopic = errors.New("no such topic")

// Topics that are created have these numbers of partitions, also in the embedded broker.
const (
	DataPartitions = 12 // of events and metrics
	LogPartitions  = 1  // of alerts, dead letters and progress
)

// ensureTopics checks that topics exist and returns ErrUnknownTopic naming those that don't; with create, it makes these
// with the given number of partitions and the cluster's own defaults for everything else, but for the progress topic. It retries until ctx ends
// while no broker can be reached.
func ensureTopics(ctx context.Context, from asker, partitions map[string]int, create bool) error {
	names := make([]string, 0, len(partitions))
	for name := range partitions {
		names = append(names, name)
	}
	found, err := from.describe(ctx, names...)
	if err != nil {
		return err
	}
	var missing []string
	for _, t := range found.Topics.Sorted() {
		switch {
		case t.Err == nil:
		case !errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			return fmt.Errorf("look up topic %s: %w", t.Topic, t.Err)
		case !create:
			missing = append(missing, t.Topic)
		default:
			// Another process may create it at the same time.
			_, err := from.adm.CreateTopic(ctx, int32(partitions[t.Topic]), -1, configsOf(t.Topic), t.Topic)
			if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
				return fmt.Errorf("create topic %s: %w", t.Topic, err)
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: %w: create it, or let it be created with --create-topics", strings.Join(missing, ", "), ErrUnknownTopic)
	}
	return nil
}

// configsOf are the settings of a topic that differ from the cluster's own. Of the progress topic only the last word on each key
// counts, and it is read from its start: so it is compacted, and soon, which takes small segments.
func configsOf(topic string) map[string]*string {
	if topic != ProgressTopic {
		return nil
	}
	compact, segment, dirty := "compact", strconv.Itoa(16<<20), "0.1"
	return map[string]*string{"cleanup.policy": &compact, "segment.bytes": &segment, "min.cleanable.dirty.ratio": &dirty}
}

// asker asks until a broker answers.
type asker struct {
	cluster *Cluster
	adm     *kadm.Client
	waiting func(reason error) // told at each try without an answer; nil: nobody is
	hasty   bool               // don't wait for what somebody has to mend: certificates, passwords
}

// ErrNoBroker is returned when no broker has answered for as long as the cluster's Patience lasts.
var ErrNoBroker = errors.New("no broker answers")

// describe asks for the metadata of topics.
func (a *asker) describe(ctx context.Context, topics ...string) (kadm.Metadata, error) {
	say := every{interval: 30 * time.Second}
	brokers := strings.Join(a.cluster.Brokers, ",")
	began, patience := time.Now(), a.cluster.Patience
	for {
		// The client tries for some seconds by itself; the limit lets us tell the user meanwhile.
		limit := 5 * time.Second
		if patience > 0 {
			limit = min(limit, max(patience-time.Since(began), time.Millisecond))
		}
		try, cancel := context.WithTimeout(ctx, limit)
		found, err := a.adm.Metadata(try, topics...)
		cancel()
		switch {
		case err == nil:
			return found, nil
		case ctx.Err() != nil:
			return found, ctx.Err()
		case isFinal(err), a.hasty && isAccess(err):
			return found, fmt.Errorf("ask %s for metadata: %w", brokers, err)
		case patience > 0 && time.Since(began) >= patience:
			return found, fmt.Errorf("%w: waited %v for %s: %w", ErrNoBroker, patience, brokers, err)
		}
		if a.waiting != nil {
			a.waiting(err)
		}
		if say.allow(time.Now()) {
			a.cluster.Logger.Warn(lament(err), "brokers", a.cluster.Brokers, "error", err)
		}
		again := time.Second
		if patience > 0 {
			again = min(again, max(patience-time.Since(began), 0))
		}
		if !pause(ctx, again) {
			return found, ctx.Err()
		}
	}
}

func lament(err error) string {
	if isAccess(err) {
		return "kafka doesn't let us in, or isn't the one that we want; trying again"
	}
	return "kafka can't be reached; trying again"
}

// isFinal reports whether err is a broker's answer that asking again won't change. Everything else is the network's, or
// will be mended by somebody.
func isFinal(err error) bool {
	var answer *kerr.Error
	return errors.As(err, &answer) && !answer.Retriable && !isAccess(err)
}
