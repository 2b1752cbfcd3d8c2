package processing

import (
	"context"
	"errors"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Source is where records come from: one topic of one cluster, read by direct assignment, read committed.
type Source interface {
	// Open learns the topic's identity and partitions. It retries until ctx ends while the cluster can't be reached or
	// doesn't let us in, and tells why each time. It may be called again: partitions that are assigned from then on are
	// those of the topic that is there now.
	Open(ctx context.Context, waiting func(reason error)) (Topic, error)
	// Assign starts reading partitions at given offsets; it may be called again as partitions are added, and for those that
	// are read, paused or not, to go on elsewhere. What Poll returns of them from then on is of this assignment, or says by
	// its number that it was fetched before.
	Assign(positions map[event.PartitionID]event.Offset) Assignment
	// Poll waits for the next fetch answer and returns all of it. It returns an empty answer when ctx ends.
	Poll(ctx context.Context) []Fetched
	// Pause stops fetching of partitions and Resume starts it again. What Poll has returned stays valid.
	Pause(partitions []event.PartitionID)
	Resume(partitions []event.PartitionID)
	// Ends asks the cluster for the ends of all partitions, new ones included.
	Ends(ctx context.Context) ([]End, error)
	// EpochEnds asks where the records of leader epochs end, of some partitions. Partitions of which the cluster doesn't
	// tell are left out.
	EpochEnds(ctx context.Context, epochs map[event.PartitionID]int32) (map[event.PartitionID]EpochEnd, error)
	// AfterBatch says where the batch ends that holds the record at an offset, or the next one after it, without
	// decompressing it.
	AfterBatch(ctx context.Context, id event.PartitionID, at event.Offset) (event.Offset, error)
	// Recycle hands the records of an answer back once nothing refers to them any more.
	Recycle(f Fetched)
	// ReportPositions tells the consumer group, so that ordinary lag tools work. It never decides anything.
	ReportPositions(ctx context.Context, next map[event.PartitionID]event.Offset) error
}

// Assignment numbers the calls of Assign of one Source, from 1 on.
type Assignment uint64

// Topic is the identity of the events topic.
type Topic struct {
	ClusterID  string
	ID         [16]byte
	Name       string
	Partitions []event.PartitionID
}

// Fetched is what one fetch answer holds of one partition.
type Fetched struct {
	Partition   event.PartitionID
	Records     []event.Record
	Position    event.Offset // the next offset to fetch: past control records and aborted ones too
	LeaderEpoch int32
	Assignment  Assignment // that it was fetched under
	Err         error      // not nil: the partition can't be read on, e.g. ErrOffsetOutOfRange
}

// End is what the cluster says of a partition.
type End struct {
	Partition event.PartitionID
	Start     event.Offset // the first offset that the log still has
	Stable    event.Offset // the end of what read-committed readers see
	High      event.Offset // the end of the log
	SentAt    time.Time    // when the question was sent
	TopicID   [16]byte     // of the topic that there is now
	Err       error
}

// EpochEnd is where the records of a leader epoch end.
type EpochEnd struct {
	Epoch int32        // the one that was asked for, or the last before it that has records
	End   event.Offset // of its records; NoEnd: the log knows nothing of the epoch
}

// NoEnd is the end of an epoch that the log doesn't know.
const NoEnd event.Offset = -1

// Registry knows the schemas that values in Confluent framing name by number.
type Registry interface {
	// Schema returns the schema of a number. The error wraps ErrUnknownSchema when the registry says that there is none;
	// every other error means that it could not be asked, and is worth asking again.
	Schema(ctx context.Context, id int32) (RegisteredSchema, error)
}

// ErrUnknownSchema is returned by a Registry that does not know a schema.
var ErrUnknownSchema = errors.New("no such schema")

// RegisteredSchema is a schema as a registry has it. The text of an Avro schema holds all types that it refers to.
type RegisteredSchema struct {
	Type string
	Text string
}

// AvroSchema is the type of the schemas that can be read.
const AvroSchema = "AVRO"

// Store keeps state and cursors together.
type Store interface {
	// Load reads the state as of the last commit. State.Results are those of the plan's metrics whose windows can
	// still change: End - 1 + Lateness > W.
	Load(plan *definition.Plan) (*State, error)
	// Commit writes changes in one synced batch. After an error the store must not be used again.
	Commit(changes *Changes) error
}
