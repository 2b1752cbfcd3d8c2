package processing

import (
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// Phase is what the pipeline as a whole is doing.
type Phase string

// The phases.
const (
	Starting   Phase = "starting"
	Running    Phase = "running"
	CatchingUp Phase = "catching_up"
	Faulted    Phase = "faulted"
	Stopping   Phase = "stopping"
)

// Status is a picture of the pipeline at one moment.
type Status struct {
	Phase        Phase
	Verdict      string // one sentence
	Held         string // why no records are taken for a while; "": they are
	Outputs      Outputs
	Watermark    event.Millis
	Partitions   []PartitionStatus // by partition
	Counters     Counters
	Commit       CommitStatus
	OpenSessions int64
	Verified     bool // cursors were checked against the cluster
}

// Outputs says how what is in the feed gets to others. It is the publisher's to say, and added by who has both.
type Outputs struct {
	Fault   string // why nothing is published any more, until somebody decides; "": it is
	Trouble string // why nothing is published just now; "": it is
}

// PartitionStatus is a picture of one partition.
type PartitionStatus struct {
	Topic     string
	Partition event.PartitionID
	Position  event.Offset
	End       event.Offset // of what read-committed readers see
	Lag       int64
	Rate      float64 // records a second
	Watermark event.Millis
	Idle      bool
	HoldsBack bool   // W waits for this one
	Fault     string // what was found; "": none
	FaultKind FaultKind
	Advice    string // what an operator can do about the fault
	Waiting   string // for what the next records need, such as the schema registry; "" when they don't wait

	// What a decision has to know.
	epoch   int32        // of the last record read
	fetched event.Offset // the next that the source has to give
	resume  event.Offset // of the cursor, while records before it are read again
}

// CommitStatus tells of the commits so far.
type CommitStatus struct {
	Seq         uint64    // head of the feed
	At          time.Time // of the last one; zero before the first
	DurationP50 time.Duration
	DurationP99 time.Duration
}

// Committed is what one commit made visible.
type Committed struct {
	Seq       uint64 // head of the feed
	Watermark event.Millis
	At        time.Time
	Results   []window.Result // finals, corrections and retracts, in the order of their sequences
	Entries   []Entry         // everything the commit appended to the feed, Results included
}

// Observer is told of every commit after it is durable, in order, by the committer. It must return quickly.
type Observer interface {
	Committed(c *Committed)
}

// Open holds the rows of the windows that W has not closed yet, computed from the state as of the feed's head Seq.
type Open struct {
	Seq       uint64
	Watermark event.Millis
	Newest    event.Millis    // the newest event time folded
	Rows      []window.Result // Provisional, by metric, start and group
}
