package memory

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tidemark/tidemark/processing"
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

// Reader reads a log for one run of a pipeline.
type Reader struct {
	log       *Log
	id        [16]byte // of the topic as Open saw it
	errors    map[event.PartitionID]int
	stopped   map[event.PartitionID]bool         // by an error, until Assign
	positions map[event.PartitionID]event.Offset // guarded by log.mu, like the rest
	paused    map[event.PartitionID]bool
	reported  map[event.PartitionID]event.Offset
	fetched   map[event.PartitionID]int
}

var _ processing.Source = (*Reader)(nil)

// Reader starts a reading.
func (l *Log) Reader() *Reader {
	return &Reader{
		log: l, positions: make(map[event.PartitionID]event.Offset), paused: make(map[event.PartitionID]bool),
		errors: make(map[event.PartitionID]int), stopped: make(map[event.PartitionID]bool),
		reported: make(map[event.PartitionID]event.Offset), fetched: make(map[event.PartitionID]int),
	}
}

// Fetched is how many records of a partition were handed out.
func (r *Reader) Fetched(id event.PartitionID) int {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.fetched[id]
}

// Failed is how many fetches of a partition were answered with an error.
func (r *Reader) Failed(id event.PartitionID) int {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.errors[id]
}

// Paused reports whether the fetching of a partition is stopped.
func (r *Reader) Paused(id event.PartitionID) bool {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.paused[id]
}

// Reported is what the consumer group was told.
func (r *Reader) Reported(id event.PartitionID) event.Offset {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.reported[id]
}

// Open implements processing.Source.
func (r *Reader) Open(ctx context.Context, waiting func(reason error)) (processing.Topic, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for r.log.away != nil {
		waiting(r.log.away)
		changed := r.log.changed
		r.log.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		r.log.mu.Lock()
		if ctx.Err() != nil {
			return processing.Topic{}, ctx.Err()
		}
	}
	r.id = r.log.id
	t := processing.Topic{ClusterID: r.log.cluster, ID: r.log.id, Name: "events"}
	for i := range r.log.partitions {
		t.Partitions = append(t.Partitions, event.PartitionID(i))
	}
	return t, nil
}

// Assign implements processing.Source.
func (r *Reader) Assign(positions map[event.PartitionID]event.Offset) {
	r.log.change(func() {
		for p, o := range positions {
			r.positions[p] = o
			delete(r.paused, p)
			delete(r.stopped, p)
		}
	})
}

// Poll implements processing.Source.
func (r *Reader) Poll(ctx context.Context) []processing.Fetched {
	for {
		answer, changed := r.fetch()
		if len(answer) > 0 {
			return answer
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Reader) fetch() (answer []processing.Fetched, changed chan struct{}) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for id := range r.positions {
		if int(id) < len(r.log.partitions) && !r.paused[id] && !r.stopped[id] {
			if f, ok := r.fetchOf(id, r.log.partitions[id]); ok {
				answer = append(answer, f)
			}
		}
	}
	slices.SortFunc(answer, func(a, b processing.Fetched) int { return cmp.Compare(a.Partition, b.Partition) })
	return answer, r.log.changed
}

func (r *Reader) fetchOf(id event.PartitionID, p *partition) (processing.Fetched, bool) {
	from := r.positions[id]
	if r.log.away != nil {
		return processing.Fetched{}, false
	}
	to := min(from+event.Offset(r.log.round), p.stable())
	if err := r.refusal(p, from, &to); err != nil {
		r.errors[id]++
		r.stopped[id] = true
		return processing.Fetched{Partition: id, Err: err}, true
	}
	if p.stalled || to <= from {
		return processing.Fetched{}, false
	}
	f := processing.Fetched{Partition: id, Position: to, LeaderEpoch: p.epochAt(to - 1)}
	for _, rec := range p.entries[from-p.start : to-p.start] {
		if !p.control[rec.Offset] {
			f.Records = append(f.Records, rec)
		}
	}
	r.positions[id] = to
	r.fetched[id] += len(f.Records)
	return f, true
}

// refusal is why a fetch from an offset is answered with an error. It cuts the answer before what can't be read.
func (r *Reader) refusal(p *partition, from event.Offset, to *event.Offset) error {
	if err := p.fault; err != nil {
		p.fault = nil
		return err
	}
	switch {
	case r.log.id != r.id:
		return processing.ErrTopicRecreated
	case from < p.start, from > p.high():
		return processing.ErrOffsetOutOfRange
	}
	for _, b := range p.choked {
		if b.from <= from && from < b.to {
			return processing.ErrBatchTooLarge
		}
		if from < b.from {
			*to = min(*to, b.from)
		}
	}
	return nil
}

func (p *partition) epochAt(o event.Offset) int32 {
	for e, from := range p.epochs {
		if from > o {
			return int32(e) - 1
		}
	}
	return int32(len(p.epochs)) - 1
}

// EpochEnds implements processing.Source.
func (r *Reader) EpochEnds(_ context.Context, epochs map[event.PartitionID]int32) (map[event.PartitionID]processing.EpochEnd, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if r.log.away != nil {
		return nil, r.log.away
	}
	ends := make(map[event.PartitionID]processing.EpochEnd)
	for id, epoch := range epochs {
		switch p := r.log.partitions[id]; {
		case int(epoch) >= len(p.epochs):
			ends[id] = processing.EpochEnd{Epoch: -1, End: processing.NoEnd}
		case int(epoch) == len(p.epochs)-1:
			ends[id] = processing.EpochEnd{Epoch: epoch, End: p.high()}
		default:
			ends[id] = processing.EpochEnd{Epoch: epoch, End: p.epochs[epoch+1]}
		}
	}
	return ends, nil
}

// AfterBatch implements processing.Source. What is not choked is a batch of its own.
func (r *Reader) AfterBatch(_ context.Context, id event.PartitionID, at event.Offset) (event.Offset, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for _, b := range r.log.partitions[id].choked {
		if b.from <= at && at < b.to {
			return b.to, nil
		}
	}
	return at + 1, nil
}

// Pause implements processing.Source.
func (r *Reader) Pause(partitions []event.PartitionID) {
	r.log.change(func() {
		for _, p := range partitions {
			r.paused[p] = true
		}
	})
}

// Resume implements processing.Source.
func (r *Reader) Resume(partitions []event.PartitionID) {
	r.log.change(func() {
		for _, p := range partitions {
			delete(r.paused, p)
		}
	})
}

// Ends implements processing.Source.
func (r *Reader) Ends(context.Context) ([]processing.End, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if r.log.away != nil {
		return nil, r.log.away
	}
	var ends []processing.End
	for i, p := range r.log.partitions {
		e := processing.End{Partition: event.PartitionID(i), SentAt: time.Now(), TopicID: r.log.id, Err: p.unknown}
		if p.unknown == nil {
			e.Start, e.Stable, e.High = p.start, p.stable(), p.high()
		}
		ends = append(ends, e)
	}
	return ends, nil
}

// Recycle implements processing.Source. It spoils the records, so that whoever keeps one notices.
func (r *Reader) Recycle(f processing.Fetched) { clear(f.Records) }

// ReportPositions implements processing.Source.
func (r *Reader) ReportPositions(_ context.Context, next map[event.PartitionID]event.Offset) error {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for p, o := range next {
		r.reported[p] = o
	}
	return nil
}
