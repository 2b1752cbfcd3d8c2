package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
)

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
	last      processing.Assignment
	assigned  map[event.PartitionID]processing.Assignment
	holding   bool // answers stay with Poll, see Hold
	looking   bool // it is on its way
	holdLook  bool // the next answer of Ends stays until Release
}

var _ processing.Source = (*Reader)(nil)

// Reader starts a reading.
func (l *Log) Reader() *Reader {
	return &Reader{
		log: l, positions: make(map[event.PartitionID]event.Offset), paused: make(map[event.PartitionID]bool),
		errors: make(map[event.PartitionID]int), stopped: make(map[event.PartitionID]bool),
		reported: make(map[event.PartitionID]event.Offset), fetched: make(map[event.PartitionID]int),
		assigned: make(map[event.PartitionID]processing.Assignment),
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
func (r *Reader) Assign(positions map[event.PartitionID]event.Offset) (a processing.Assignment) {
	r.log.change(func() {
		r.last++
		a = r.last
		for p, o := range positions {
			r.positions[p], r.assigned[p] = o, a
			delete(r.paused, p)
			delete(r.stopped, p)
		}
	})
	return a
}

// Poll implements processing.Source.
func (r *Reader) Poll(ctx context.Context) []processing.Fetched {
	for {
		answer, changed := r.fetch()
		if len(answer) > 0 {
			r.hand(ctx)
			return answer
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// Hold keeps the next answer on its way, however long, until Release.
func (r *Reader) Hold() { r.log.change(func() { r.holding = true }) }

// HoldLook keeps the next answer of Ends on its way until Release.
func (r *Reader) HoldLook() { r.log.change(func() { r.holdLook, r.looking = true, true }) }

// Release is the end of Hold and HoldLook.
func (r *Reader) Release() { r.log.change(func() { r.holding, r.looking = false, false }) }

// hand waits while answers are held.
func (r *Reader) hand(ctx context.Context) { r.wait(ctx, &r.holding) }

func (r *Reader) wait(ctx context.Context, while *bool) {
	for ctx.Err() == nil {
		r.log.mu.Lock()
		holding, changed := *while, r.log.changed
		r.log.mu.Unlock()
		if !holding {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
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
		return processing.Fetched{Partition: id, Assignment: r.assigned[id], Err: err}, true
	}
	if p.stalled || to <= from {
		return processing.Fetched{}, false
	}
	f := processing.Fetched{Partition: id, Position: to, LeaderEpoch: p.epochAt(to - 1), Assignment: r.assigned[id]}
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
func (r *Reader) Ends(ctx context.Context) ([]processing.End, error) {
	ends, held, err := r.ends()
	if held {
		r.wait(ctx, &r.looking)
	}
	return ends, err
}

func (r *Reader) ends() (ends []processing.End, held bool, err error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	held, r.holdLook = r.holdLook, false
	if r.log.away != nil {
		return nil, held, r.log.away
	}
	for i, p := range r.log.partitions {
		e := processing.End{Partition: event.PartitionID(i), SentAt: time.Now(), TopicID: r.log.id, Err: p.unknown}
		if p.unknown == nil {
			e.Start, e.Stable, e.High = p.start, p.stable(), p.high()
		}
		ends = append(ends, e)
	}
	return ends, held, nil
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
