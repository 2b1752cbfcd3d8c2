package window

import (
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// Idleness decides which partitions do not hold W. A partition is idle after two looks at the cluster, the second sent
// at least the timeout after the first, both found its log read to the very end, and no record was read between.
//
// The topic as a whole is asleep before its first record and whenever all partitions are idle. When it wakes,
// idleness counts anew for every partition: a bulk load after a quiet hour must not make those partitions late whose
// records happen to arrive second.
type Idleness struct {
	timeout    time.Duration
	closeAfter time.Duration
	partitions map[event.PartitionID]*calm
	asleep     bool
	woke       time.Time // looks sent before prove nothing
	since      time.Time // when the last partition became idle; zero while one is active
	lastRecord time.Time // when a record was last read
}

// calm is the evidence that one partition is idle.
type calm struct {
	firstEmpty time.Time // when the first look of an unbroken row was sent
	idle       bool
	unread     bool      // the last look found records that were not read, perhaps of an open transaction
	read       bool      // records were read since the topic woke
	readAt     time.Time // when, the last time: looks sent before prove nothing
}

// NewIdleness starts with a topic that has never had a record (asleep), or with one that resumes: then every partition
// counts as active until it proves to be idle.
func NewIdleness(timeout, closeAfter time.Duration, asleep bool, now time.Time) *Idleness {
	return &Idleness{
		timeout: timeout, closeAfter: closeAfter, asleep: asleep, woke: now, lastRecord: now,
		partitions: make(map[event.PartitionID]*calm),
	}
}

// Add makes a partition known. If its reading does not begin at the end of its log, it holds W until that is read, even if the
// topic is asleep: the times of what is there are not known.
func (i *Idleness) Add(p event.PartitionID, atEnd bool) {
	if i.partitions[p] == nil {
		i.partitions[p] = i.newCalm(atEnd)
	}
}

// Restart drops the evidence of a partition that is read from somewhere else now.
func (i *Idleness) Restart(p event.PartitionID, atEnd bool) { i.partitions[p] = i.newCalm(atEnd) }

func (i *Idleness) newCalm(atEnd bool) *calm { return &calm{idle: i.asleep && atEnd, unread: !atEnd} }

// Remove forgets a partition.
func (i *Idleness) Remove(p event.PartitionID) { delete(i.partitions, p) }

// Looked takes what a look at the cluster found: whether everything up to the end of the log has been read.
func (i *Idleness) Looked(p event.PartitionID, sent time.Time, atEnd bool) {
	c := i.partitions[p]
	c.unread = !atEnd
	switch {
	case !atEnd:
		// What waits to be read will be read: W has to wait for it.
		if !i.asleep {
			c.firstEmpty, c.idle = time.Time{}, false
		}
	case sent.Before(i.woke), sent.Before(c.readAt):
	case c.firstEmpty.IsZero():
		c.firstEmpty = sent
	case sent.Sub(c.firstEmpty) >= i.timeout:
		c.idle = true
		i.doze(sent)
	}
}

// doze puts the topic to sleep once all partitions are idle.
func (i *Idleness) doze(now time.Time) {
	if i.asleep {
		return
	}
	for _, c := range i.partitions {
		if !c.idle {
			return
		}
	}
	i.asleep, i.since = true, now
}

// Read tells that records of a partition were read.
func (i *Idleness) Read(p event.PartitionID, now time.Time) {
	if i.asleep {
		i.asleep, i.woke, i.since = false, now, time.Time{}
		for _, c := range i.partitions {
			*c = calm{}
		}
	}
	*i.partitions[p] = calm{read: true, readAt: now}
	i.lastRecord = now
}

// Idle reports whether a partition does not hold W.
func (i *Idleness) Idle(p event.PartitionID) bool { return i.partitions[p].idle }

// Spoke reports whether records of a partition were read since the topic woke. When all partitions fall idle at one
// look, those that spoke say how far W may go: had the others fallen idle a moment before, it would have got there.
func (i *Idleness) Spoke(p event.PartitionID) bool { return i.partitions[p].read }

// Quiet reports whether all partitions have been idle for long enough that W follows the clock, and how long ago the
// last record was read. While a partition has something to be read, if only a transaction that is still open, W waits.
func (i *Idleness) Quiet(now time.Time) (since time.Duration, ok bool) {
	if !i.asleep || i.since.IsZero() || now.Sub(i.since) < i.closeAfter {
		return 0, false
	}
	for _, c := range i.partitions {
		if c.unread {
			return 0, false
		}
	}
	return now.Sub(i.lastRecord), true
}
