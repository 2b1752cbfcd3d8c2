package kafka

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

// ProgressTopic is the publisher's own topic: compacted, one partition. Several servers may share it; the keys of each
// begin with its instance:
//
//	INSTANCE/claim       who publishes for the instance: the last claim counts
//	INSTANCE/progress    up to where that is done; written in the same transaction as what it tells of
//	INSTANCE/journal/N   parts of the journal, as many as the progress says; rewritten when it has changed
//
// A record that the publisher can't read is a fault, never taken for nothing.
const ProgressTopic = "tidemark-progress"

// progressFormat is raised when records change. Those of a newer one are a fault.
const progressFormat = 2

// claim says who publishes. It is written after the transactional id was taken, so that whoever was there before is
// fenced, and can read here by whom.
type claim struct {
	Format      int       `json:"format"`
	Incarnation string    `json:"incarnation"` // of one process's publisher
	Epoch       string    `json:"epoch"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Since       time.Time `json:"since"`
	Released    bool      `json:"released,omitempty"` // it found that it must not publish
}

func newClaim(incarnation, epoch string) claim {
	host, err := os.Hostname()
	if err != nil {
		host = "a host without a name"
	}
	return claim{
		Format: progressFormat, Incarnation: incarnation, Epoch: epoch, Host: host, PID: os.Getpid(),
		Since: time.Now().UTC().Truncate(time.Millisecond),
	}
}

func (c *claim) String() string {
	return fmt.Sprintf("%s (process %d on %s, since %s)", c.Incarnation, c.PID, c.Host, c.Since.Format(time.RFC3339))
}

// progress says what has been published: the feed of an epoch up to Mark.Seq.
type progress struct {
	Format       int    `json:"format"`
	Incarnation  string `json:"incarnation"`
	Epoch        string `json:"epoch"`
	Seq          uint64 `json:"seq"`           // that of the mark, for people
	Mark         []byte `json:"mark"`          // see processing.Mark.Pack
	JournalParts int    `json:"journal_parts"` // of the journal
	Revision     int    `json:"revision"`      // the highest of any result that was published for the instance
}

// journalPart is how large a record of the journal gets.
const journalPart = 512 << 10

// progressKeys are the keys of one instance.
type progressKeys string

func (k progressKeys) claim() string          { return string(k) + "/claim" }
func (k progressKeys) progress() string       { return string(k) + "/progress" }
func (k progressKeys) journal() string        { return string(k) + "/journal/" }
func (k progressKeys) journalAt(n int) string { return k.journal() + strconv.Itoa(n) }

func progressRecord(key string, value any) *kgo.Record {
	b, err := json.Marshal(value)
	if err != nil {
		panic("BUG: encode " + key + ": " + err.Error())
	}
	return &kgo.Record{Topic: ProgressTopic, Partition: 0, Key: []byte(key), Value: b}
}

// standing is what the topic says of one instance.
type standing struct {
	claim    *claim    // nil: none
	progress *progress // nil: none
	mark     processing.Mark
	journal  map[int][]byte

	last map[string]*kgo.Record // by key
}

// take notes a record.
func (s *standing) take(keys progressKeys, r *kgo.Record) {
	if !strings.HasPrefix(string(r.Key), string(keys)+"/") {
		return // another instance's
	}
	if s.last == nil {
		s.last = map[string]*kgo.Record{}
	}
	s.last[string(r.Key)] = r
}

// decode reads the last record of each key. Keys that only a later version knows say nothing.
func (s *standing) decode(keys progressKeys) error {
	s.journal = map[int][]byte{}
	for key, r := range s.last {
		var err error
		switch {
		case key == keys.claim():
			s.claim = new(claim)
			err = decodeProgress(r.Value, s.claim, &s.claim.Format)
		case key == keys.progress():
			err = s.decodeProgress(r.Value)
		case strings.HasPrefix(key, keys.journal()):
			var n int
			n, err = strconv.Atoi(strings.TrimPrefix(key, keys.journal()))
			s.journal[n] = r.Value
		}
		if err != nil {
			return &unreadable{fmt.Errorf("record %d of %s: %w", r.Offset, ProgressTopic, err)}
		}
	}
	return nil
}

func (s *standing) decodeProgress(value []byte) (err error) {
	s.progress = new(progress)
	if err := decodeProgress(value, s.progress, &s.progress.Format); err != nil {
		return err
	}
	if s.mark, err = processing.UnpackMark(s.progress.Mark); err == nil && s.mark.Seq != s.progress.Seq {
		err = fmt.Errorf("it says %d and its mark %d", s.progress.Seq, s.mark.Seq)
	}
	if n := s.progress.Revision; err == nil && (n < 0 || n > math.MaxInt32) {
		err = fmt.Errorf("there is no revision %d", n)
	}
	return err
}

// unreadable is the fault of a record that somebody else has written, or a later version. Asking again won't mend it.
type unreadable struct{ err error }

func (e *unreadable) Error() string { return e.err.Error() }
func (e *unreadable) Unwrap() error { return e.err }

func decodeProgress(value []byte, into any, format *int) error {
	if err := json.Unmarshal(value, into); err != nil {
		return err
	}
	if *format != progressFormat {
		return fmt.Errorf("format %d, this version knows %d", *format, progressFormat)
	}
	return nil
}

// target is what a fold needs that is to stand where the progress does.
func (s *standing) target() (*processing.Target, error) {
	t := &processing.Target{Watermark: s.mark.Watermark, Cursors: s.mark.Cursors, Revision: s.progress.Revision}
	var whole []byte
	for n := range s.progress.JournalParts {
		part, ok := s.journal[n]
		if !ok {
			return nil, &unreadable{fmt.Errorf("part %d of the journal is not in %s", n, ProgressTopic)}
		}
		whole = append(whole, part...)
	}
	if len(whole) == 0 {
		return t, nil
	}
	var j processing.Journal
	d := json.NewDecoder(bytes.NewReader(whole))
	d.DisallowUnknownFields() // a field of a later version is not for leaving out
	if err := d.Decode(&j); err != nil {
		return nil, &unreadable{fmt.Errorf("journal in %s: %w", ProgressTopic, err)}
	}
	t.Floors, t.Gaps, t.Schemas, t.Starts = j.Floors, j.Gaps, j.Schemas, j.Starts
	return t, nil
}

func packJournal(j *processing.Journal) []byte {
	b, err := json.Marshal(j)
	if err != nil {
		panic("BUG: encode journal: " + err.Error())
	}
	return b
}

// known is what a store says about its own outputs.
type known struct {
	epoch       string
	incarnation string
	adopted     bool            // the epoch has been taken up before
	reader      uint64          // published at least so far
	head        uint64          // of the feed when the store was opened
	at          processing.Mark // where the fold stood then
	mark        func(seq uint64) (processing.Mark, bool, error)
}

// verdict says how to go on. Exactly one of the fields is set.
type verdict struct {
	after *processing.Mark // publish what follows it
	fold  bool             // first fold silently to where the progress stands
	fault string           // publish nothing: somebody has to decide
}

// judge compares what the topic says with what the store says. Nothing is guessed.
func judge(s *standing, k *known) (verdict, error) {
	switch {
	case s.progress == nil && (k.adopted || k.reader > 0):
		return fault("%s says nothing of this instance, though it has published up to %d: was the topic deleted, or has another cluster taken its place?", ProgressTopic, k.reader)
	case s.progress == nil:
		return verdict{after: nothing()}, nil
	case s.progress.Epoch == k.epoch:
		return judgeSame(s, k)
	case s.progress.Seq == 0 && k.reader == 0:
		return verdict{after: nothing()}, nil
	}
	if !k.at.SharesLog(&s.mark) && k.at.Watermark >= s.mark.Watermark {
		return verdict{after: &k.at}, nil // rebuilt from another log: somebody has decided that
	}
	mark, shared, err := k.lookup(s.mark.Seq)
	switch {
	case err != nil:
		return verdict{}, err
	case shared && mark.SamePlace(&s.mark):
		return verdict{after: &mark}, nil // a copy of the store that published
	case k.at.SamePlace(&s.mark):
		return verdict{after: &k.at}, nil
	case k.at.Reaches(&s.mark):
		return verdict{fold: true}, nil
	}
	return fault("the state of epoch %s has gone past what epoch %s had published when it ended, up to %d: what lies between can't be told apart", k.epoch, s.progress.Epoch, s.progress.Seq)
}

func judgeSame(s *standing, k *known) (verdict, error) {
	seq := s.progress.Seq
	switch {
	case seq < k.reader:
		return fault("%s says that %d was the last to be published, and the store %d: has the topic lost records?", ProgressTopic, seq, k.reader)
	case seq > k.head && s.progress.Incarnation != k.incarnation:
		return fault("%d has been published, and the store ends at %d: it has lost commits, or it is an old copy", seq, k.head)
	}
	mark, ok, err := k.lookup(seq)
	if err != nil {
		return verdict{}, err
	}
	if !ok || !mark.SamePlace(&s.mark) {
		return fault("what has been published up to %d is not what the store has there: another copy of it has gone its own way", seq)
	}
	return verdict{after: &mark}, nil
}

// nothing is where outputs begin.
func nothing() *processing.Mark { return &processing.Mark{Watermark: event.NoTime} }

// lookup is where the fold stood when it had made an entry.
func (k *known) lookup(seq uint64) (processing.Mark, bool, error) {
	m, ok, err := k.mark(seq)
	if err == nil && !ok && seq == k.at.Seq {
		return k.at, true, nil
	}
	return m, ok, err
}

// wayOut ends each fault.
const wayOut = "; nothing is published. `tidemark rebuild` makes a new state from the log, which goes on where the outputs end"

func fault(format string, args ...any) (verdict, error) {
	return verdict{fault: fmt.Sprintf(format, args...) + wayOut}, nil
}

// faultOf is the verdict on a topic that can't be read.
func faultOf(err error) (verdict, error) {
	var bad *unreadable
	if errors.As(err, &bad) {
		return fault("%v", bad.err)
	}
	return verdict{}, err
}
