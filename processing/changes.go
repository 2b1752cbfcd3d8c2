package processing

import (
	"math"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

// Changes is everything that one commit writes, all or nothing.
type Changes struct {
	Watermark   event.Millis // W; NoTime until there is one
	Newest      event.Millis // the newest event time folded; NoTime before the first
	Cursors     []Cursor     // of the partitions that moved
	Floors      []Floor      // to be journaled
	Cut         Cut          // of the journal
	Panes       []PaneChange
	Sessions    []SessionChange
	Results     []ResultBlock      // whole windows, last revisions
	Alerts      []alert.Alert      // those that changed, whole
	Watches     []Watch            // those that changed
	Feed        []Entry            // sequences follow each other and the head before
	Counters    Counters           // absolute
	Definitions []Start            // definitions that start with this commit
	Schemas     []Schema           // those that this commit is the first to use, somewhere; whole
	Digests     []DefinitionDigest // those that changed, whole
	Gaps        []Gap              // accepted with this commit
	Faults      []Fault            // found since the last commit, or cleared
	Heard       *Heard             // nil: as it was
	AtMs        int64              // wall clock of the commit, for people only
}

// Cursor is where the reading of a partition stands, with enough identity to prove that it is still the same log.
type Cursor struct {
	ClusterID   string
	TopicID     [16]byte
	Topic       string
	Partition   event.PartitionID
	Next        event.Offset // the next offset to read
	Max         event.Millis // M_p at Next
	HeldFrom    event.Offset // the oldest offset that the sequencer still holds, or Next
	HeldMax     event.Millis // M_p just before HeldFrom
	LeaderEpoch int32
	Anchor      Anchor
	Start       event.Offset // where this state's reading of the partition began
}

// Anchor is the last record consumed; Offset is -1 when there was none.
type Anchor struct {
	Offset event.Offset
	Hash   uint64
}

// Floor is a lower bound of W_p for the records from Offset on.
type Floor struct {
	TopicID   [16]byte
	Topic     string
	Partition event.PartitionID
	Offset    event.Offset
	Floor     event.Millis
}

// Cut is what no fold can need any more, as the log does not have it: floors and gaps that are to be dropped from the journal.
type Cut struct {
	Floors []Floor
	Gaps   []Gap
}

// PaneKey names one block of rows. Late rows are kept apart from those that were on time.
type PaneKey struct {
	Grouping definition.Hash
	Start    event.Millis
	Late     bool
}

// PaneOp says what happens to a pane's block.
type PaneOp uint8

// The operations on panes.
const (
	PaneMerge  PaneOp = iota + 1 // Block is a delta
	PaneSettle                   // the pane is purged: both of its blocks go, and Block, the total of all rows, becomes history; PaneKey.Late is false
)

// PaneChange changes one pane.
type PaneChange struct {
	PaneKey
	Op    PaneOp
	Width event.Millis // of the pane; with PaneSettle
	Block []byte
}

// SessionChange changes the open sessions of one shard of one kind.
type SessionChange struct {
	Kind    definition.Hash
	Shard   int
	Rewrite bool // Block is the whole shard (empty: no session is open); otherwise Block is merged onto what is there
	Block   []byte
}

// ResultBlock is the last revision of every published group of one window.
type ResultBlock struct {
	Metric  string
	Hash    definition.Hash
	Start   event.Millis
	Results []window.Result // by group ascending; those retracted are gone
	Digest  digest.Sum      // what the window adds to its metric's digest, as of this commit
}

// DefinitionDigest is the digest of what one definition has made: the windows of a metric, the closed sessions of a kind, the
// transitions of a rule. It is a function of the log, of the journal and of W: a window counts with its final until it
// has settled, with its last revision from then on.
type DefinitionDigest struct {
	Hash  definition.Hash
	Name  string
	Facts int64 // windows with rows, closed sessions, or transitions
	Sum   digest.Sum
}

// TotalDigest is the sum of digests: two states have made the same if it is equal for the same definitions.
func TotalDigest(digests []DefinitionDigest) digest.Sum {
	var total digest.Sum
	for i := range digests {
		total = total.Plus(digests[i].Sum)
	}
	return total
}

// Gap is a part of a partition's log that an operator has decided to do without. It is part of the journal.
type Gap struct {
	TopicID   [16]byte // of the log that is read from To on; another one than the cursor had if the topic was made anew
	Topic     string
	Partition event.PartitionID
	From      event.Offset // the next offset to be read before
	Dropped   event.Offset // sessions do without what they had not taken yet of so many offsets before From; 0: nothing else was lost
	To        event.Offset // where reading goes on; Gone: nowhere, and the cursor is forgotten
	Reason    string       // the fault that it answers
	AtMs      int64        // wall clock of the decision
}

// Gone is where the reading of a partition goes on that is no more.
const Gone event.Offset = -1

// Watch is what a rule remembers of one group between windows, packed by package alert. An empty block forgets it.
type Watch struct {
	Rule  definition.Hash
	Group []string
	Block []byte
}

// EntryType says what a feed entry carries.
type EntryType uint8

// The types of feed entries.
const (
	ResultEntry     EntryType = 1
	AlertEntry      EntryType = 2
	DeadLetterEntry EntryType = 3
	LateEntry       EntryType = 4
)

// Entry is one entry of the feed; exactly one of the pointers is set, as Type says.
type Entry struct {
	Seq        uint64
	Type       EntryType
	AtMs       int64 // wall clock of the commit
	Result     *window.Result
	Alert      *alert.Alert // as of this transition
	DeadLetter *DeadLetter
	Late       *Late
}

// DeadLetter is a record that could not be used, and why.
type DeadLetter struct {
	Reason    string
	Detail    string
	Topic     string
	Partition event.PartitionID
	Offset    event.Offset
	SchemaID  int32 // 0: none
	Key       []byte
	Value     []byte // at most 64 KiB; Truncated says that there was more
	Truncated bool
}

// Late tells of the records of one partition that one commit refused as late, for all definitions or for some.
type Late struct {
	Topic        string
	Partition    event.PartitionID
	Count        int64
	ByDefinition map[string]int64
	Samples      []LateSample // at most 10
}

// LateSample is one late record.
type LateSample struct {
	Offset      event.Offset
	EventTimeMs event.Millis
}

// Counters count records since the state began: Consumed = Applied + Filtered + Late + DeadLetters + Duplicates.
type Counters struct {
	Consumed    int64 `json:"consumed"`
	Applied     int64 `json:"applied"`
	Filtered    int64 `json:"filtered"`
	Late        int64 `json:"late"`
	DeadLetters int64 `json:"dead_letters"`
	Duplicates  int64 `json:"duplicates"`
	LatePartly  int64 `json:"late_partly"`
	BadValues   int64 `json:"bad_values"`
}

// Plus adds counters.
func (c Counters) Plus(o Counters) Counters {
	return Counters{
		Consumed: c.Consumed + o.Consumed, Applied: c.Applied + o.Applied, Filtered: c.Filtered + o.Filtered,
		Late: c.Late + o.Late, DeadLetters: c.DeadLetters + o.DeadLetters, Duplicates: c.Duplicates + o.Duplicates,
		LatePartly: c.LatePartly + o.LatePartly, BadValues: c.BadValues + o.BadValues,
	}
}

// Start says from when on a definition is in force. Windows of a metric that start before From are not published, events
// before it are in no session of a kind, and a rule judges the windows that end after it.
type Start struct {
	Hash definition.Hash
	Name string
	From event.Millis
}

// ended is the From of a definition that is no longer in force: it starts anew if it comes back.
const ended = event.Millis(math.MaxInt64)

// Ended reports whether the definition was no longer in force when the state was last written with other definitions.
func (s *Start) Ended() bool { return s.From == ended }

// Schema is a schema that framed events were written with. It is kept so that reading them again needs nobody to ask.
type Schema struct {
	Ref schemas.Ref
	RegisteredSchema
	Starts []SchemaStart // by partition; records that name it elsewhere, or earlier, are dead letters
}

// SchemaStart says from which record of a partition on a schema was known.
type SchemaStart struct {
	Partition event.PartitionID
	From      event.Offset
}

// State is what a store holds when it is opened.
type State struct {
	Instance    string // id of this store
	Epoch       string // of the feed's sequence
	Watermark   event.Millis
	Newest      event.Millis
	Head        uint64 // the last sequence of the feed, 0 before the first
	Cursors     []Cursor
	Floors      []Floor // by partition, then offset
	Panes       []PaneBlock
	Sessions    []SessionBlock
	Results     []ResultBlock // of the windows that have not settled, see Store.Load
	Alerts      []alert.Alert // those that fire, of rules no longer in force too
	Watches     []Watch
	Counters    Counters
	Definitions []Start
	Schemas     []Schema
	Digests     []DefinitionDigest
	Gaps        []Gap   // by partition, then To
	Faults      []Fault // that stood at the last commit, by partition
	Heard       Heard   // what others have read before a silent fold
}

// Heard is what others have read of the windows that a silent fold has closed: how far their revisions have got is no function
// of the log, so those that are published from then on begin above all of them.
type Heard struct {
	Revision  int          // the highest; 0: nothing was heard
	Watermark event.Millis // where the silent fold ended: of the windows that W had passed then
}

// PaneBlock is the merged block of an open pane.
type PaneBlock struct {
	PaneKey
	Block []byte
}

// SessionBlock is the merged block of one shard's open sessions.
type SessionBlock struct {
	Kind  definition.Hash
	Shard int
	Block []byte
}
