package memory

import (
	"slices"
	"sync"

	"github.com/tidemark/tidemark/processing/event"
)

// Log is an events topic. All of it may be changed while it is read.
type Log struct {
	mu         sync.Mutex
	cluster    string
	id         [16]byte
	partitions []*partition
	round      int
	away       error         // why the cluster does not answer; nil: it does
	changed    chan struct{} // closed and replaced at every change
}

// partition is one partition's log. Its entries are those from offset start on.
type partition struct {
	entries []event.Record
	control map[event.Offset]bool // taken by marks, which are no records
	start   event.Offset
	open    event.Offset // from here on a transaction is open; noOffset: none is
	stalled bool
	fault   error          // of the next fetch
	unknown error          // what Ends says
	epochs  []event.Offset // where each leader epoch begins
	choked  []batch        // that can't be read
}

// batch is the offsets from from up to to.
type batch struct{ from, to event.Offset }

const noOffset event.Offset = -1

// NewLog makes a topic. A fetch answer has at most round records of each partition.
func NewLog(partitions, round int) *Log {
	l := &Log{cluster: "memory", id: [16]byte{1}, round: round, changed: make(chan struct{})}
	for range partitions {
		l.partitions = append(l.partitions, newPartition())
	}
	return l
}

func newPartition() *partition {
	return &partition{control: make(map[event.Offset]bool), open: noOffset, epochs: []event.Offset{0}}
}

// change does something to the log and wakes its readers.
func (l *Log) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	close(l.changed)
	l.changed = make(chan struct{})
}

// Append adds records and gives them their offsets.
func (l *Log) Append(records ...event.Record) {
	l.change(func() {
		for _, r := range records {
			p := l.partitions[r.Partition]
			r.Offset = p.high()
			p.entries = append(p.entries, r)
		}
	})
}

// Control adds a mark that no reader sees, such as the end of a transaction.
func (l *Log) Control(id event.PartitionID) {
	l.change(func() {
		p := l.partitions[id]
		p.control[p.high()] = true
		p.entries = append(p.entries, event.Record{Partition: id, Offset: p.high()})
	})
}

// Begin opens a transaction at the end of a partition; End closes it with a mark.
func (l *Log) Begin(id event.PartitionID) {
	l.change(func() { l.partitions[id].open = l.partitions[id].high() })
}

// End commits the open transaction of a partition.
func (l *Log) End(id event.PartitionID) {
	l.change(func() { l.partitions[id].open = noOffset })
	l.Control(id)
}

// Leave keeps the cluster from answering, as a broker does that is away; with nil it is there again.
func (l *Log) Leave(reason error) { l.change(func() { l.away = reason }) }

// Add adds a partition.
func (l *Log) Add() { l.change(func() { l.partitions = append(l.partitions, newPartition()) }) }

// Drop removes the last partition.
func (l *Log) Drop() { l.change(func() { l.partitions = l.partitions[:len(l.partitions)-1] }) }

// Lead gives a partition to another leader, whose records begin at an offset: it doesn't have those from there on.
func (l *Log) Lead(id event.PartitionID, from event.Offset) {
	l.change(func() {
		p := l.partitions[id]
		p.entries, p.epochs = p.entries[:from-p.start], append(p.epochs, from)
	})
}

// Choke makes the records from an offset up to another a batch that can't be read.
func (l *Log) Choke(id event.PartitionID, from, to event.Offset) {
	l.change(func() { l.partitions[id].choked = append(l.partitions[id].choked, batch{from, to}) })
}

// Empty loses all records of all partitions; the next ones have their first offsets again.
func (l *Log) Empty() {
	l.change(func() {
		for i := range l.partitions {
			l.partitions[i] = newPartition()
		}
	})
}

// Recreate makes it another topic of the same name, with the same records.
func (l *Log) Recreate() { l.change(func() { l.id[0]++ }) }

// Move makes it a topic of another cluster.
func (l *Log) Move(cluster string) { l.change(func() { l.cluster = cluster }) }

// Retain drops what is before an offset.
func (l *Log) Retain(id event.PartitionID, start event.Offset) {
	l.change(func() {
		p := l.partitions[id]
		p.entries, p.start = p.entries[start-p.start:], start
	})
}

// Truncate loses what is from an offset on.
func (l *Log) Truncate(id event.PartitionID, end event.Offset) {
	l.change(func() {
		p := l.partitions[id]
		p.entries = p.entries[:end-p.start]
	})
}

// Stall stops answers of a partition, as a slow broker does; Flow lets them come again.
func (l *Log) Stall(id event.PartitionID) { l.change(func() { l.partitions[id].stalled = true }) }

// Flow is the end of Stall.
func (l *Log) Flow(id event.PartitionID) { l.change(func() { l.partitions[id].stalled = false }) }

// Fail makes the next fetch of a partition fail.
func (l *Log) Fail(id event.PartitionID, err error) {
	l.change(func() { l.partitions[id].fault = err })
}

// Hide makes the ends of a partition unknown; a nil error ends that.
func (l *Log) Hide(id event.PartitionID, err error) {
	l.change(func() { l.partitions[id].unknown = err })
}

// Records are all records of a partition that the log still has.
func (l *Log) Records(id event.PartitionID) []event.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.partitions[id]
	return slices.DeleteFunc(slices.Clone(p.entries), func(r event.Record) bool { return p.control[r.Offset] })
}

func (p *partition) high() event.Offset { return p.start + event.Offset(len(p.entries)) }

func (p *partition) stable() event.Offset {
	if p.open != noOffset {
		return p.open
	}
	return p.high()
}
