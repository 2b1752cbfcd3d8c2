package processing

import (
	"errors"
	"fmt"

	"github.com/tidemark/tidemark/processing/event"
)

// FaultKind says why a partition stands still. The words are stored, and part of the API.
type FaultKind string

// The kinds of faults.
const (
	ClusterChanged  FaultKind = "cluster_changed"     // another cluster than the one that the state was made from
	TopicRecreated  FaultKind = "topic_recreated"     // another topic of the same name
	PartitionGone   FaultKind = "partition_gone"      // the topic has no such partition any more
	TailLost        FaultKind = "tail_lost"           // the log ends before the position
	RetentionPassed FaultKind = "retention_passed"    // the log starts after what has to be read
	OutOfRange      FaultKind = "offset_out_of_range" // one of the two, found while reading; a look at the log tells which
	Diverged        FaultKind = "diverged"            // the log that the position belongs to ends before it: another leader's goes on
	RecordReplaced  FaultKind = "record_replaced"     // another record stands where the last one was read
	BatchTooLarge   FaultKind = "batch_too_large"     // once it is decompressed
	Unreadable      FaultKind = "unreadable"          // the broker or the client has another reason not to go on
)

// Fault is why a partition is not read on. It holds W until somebody decides: nothing is guessed.
type Fault struct {
	TopicID   [16]byte // of the log that the state was made from
	Topic     string
	Partition event.PartitionID
	Kind      FaultKind
	Detail    string       // what was found
	Next      event.Offset // where reading stood
	AtMs      int64        // wall clock when it was found
	Cleared   bool         // in Changes: it is no more
}

// Advice says what an operator can do.
func (f *Fault) Advice() string {
	resume := fmt.Sprintf("`tidemark resume --accept-gap %s/%d`", f.Topic, f.Partition)
	switch f.Kind {
	case ClusterChanged:
		return "give the brokers that the state was made from, or read this cluster's log from its start with " + resume + "; `tidemark rebuild` makes a new state of it"
	case TopicRecreated:
		return resume + " reads the new log from its start and keeps the state; `tidemark rebuild` makes a new state of it"
	case PartitionGone:
		return resume + " forgets the partition; `tidemark rebuild` makes a new state of what is there"
	case TailLost, Diverged:
		return resume + " keeps what was counted and goes on with what the log has instead; `tidemark rebuild` makes a new state of it"
	case RetentionPassed, OutOfRange:
		return resume + " goes on without what the log has no more; `tidemark rebuild` makes a new state of what it has"
	case RecordReplaced:
		return resume + " goes on with the next record; `tidemark rebuild` makes a new state of the log as it is now"
	case BatchTooLarge:
		return resume + " leaves the batch out"
	default:
		return "start the server again to try once more; " + resume + " leaves out the batch that can't be read"
	}
}

// What a Fetched.Err wraps when the log is not what it was; other errors are the broker's own.
var (
	ErrOffsetOutOfRange = errors.New("offset out of range") // retention has passed it, or the log was cut
	ErrTopicRecreated   = errors.New("topic was deleted or made anew")
	ErrLogTruncated     = errors.New("log was truncated")
	ErrBatchTooLarge    = errors.New("batch is too large once decompressed")
)

// kindOf is the kind of fault that an error of a fetch makes.
func kindOf(err error) FaultKind {
	switch {
	case errors.Is(err, ErrOffsetOutOfRange):
		return OutOfRange
	case errors.Is(err, ErrTopicRecreated):
		return TopicRecreated
	case errors.Is(err, ErrLogTruncated):
		return TailLost
	case errors.Is(err, ErrBatchTooLarge):
		return BatchTooLarge
	default:
		return Unreadable
	}
}
