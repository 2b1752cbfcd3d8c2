package processing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
	"github.com/tidemark/tidemark/processing/window"
)

// worker folds the records of its partitions, in offset order, into deltas that it owns alone. Between two barriers it
// shares nothing; at a barrier it hands everything over and learns the W that the commit will reach.
type worker struct {
	plan       *definition.Plan
	topic      string
	encoding   event.Encoding
	decoder    *event.Decoder
	shared     *shared
	recycle    func(Fetched)
	in         chan message
	panes      *window.Fold
	batches    []*sequence.Batch // by session kind: events held for the sequencer
	flows      []*flow           // by session kind: where empty batches come from
	partitions map[event.PartitionID]*partition
	watermark  event.Millis // of the last commit
	input      window.Input
	out        harvest
	letters    int64 // bytes of out.deadLetters
	staged     int64 // the worker's part of shared.staged
}

// shared is what the loop reads while workers fold.
type shared struct {
	lowest atomic.Int64 // the lowest event time read while W has no value
	staged atomic.Int64 // about how many bytes the workers' harvests will put into a commit
}

// message is either records to fold or a barrier.
type message struct {
	partition *partition
	fetched   Fetched
	last      bool          // the last part of a fetch answer: the memory of all of it can go
	whole     Fetched       // all of the answer
	writers   event.Writers // the schemas that its records name
	barrier   *barrier
}

// barrier collects what the workers have folded. Each sends its harvest, then waits for W.
type barrier struct {
	harvests chan harvest
	proceed  chan proceed // one for each worker
}

type proceed struct {
	watermark event.Millis
	spent     [][]*window.Pane // by grouping: panes of earlier deltas, to be filled again
}

// partition is one partition's reading. It is owned by its worker; the loop reads the atomics.
type partition struct {
	id        event.PartitionID
	worker    int
	progress  window.Progress
	resume    event.Offset // records below were folded before the restart: they are only judged again, for the sequencer
	judged    event.Offset // records below were judged before, by this state or by that of the target
	from      event.Offset // records below are not even that: they are read to prove that the log is the same
	proof     Anchor       // what the state knows of the last record below resume
	position  event.Offset
	topicID   [16]byte     // of the log that is read
	fetched   event.Offset // what the source has to give next; the loop's
	reading   Assignment   // answers of others are of a reading that was given up; the loop's
	anchor    Anchor
	epoch     int32
	moved     bool
	folded    int64 // records since the last barrier
	late      *Late // of this commit
	journaled bool  // the floors are those of the journal: none is made

	astray        atomic.Bool // with a target: its journal is not that of this log
	disproved     atomic.Bool // the log is not the one that the state was made from: nothing of it is folded
	seenPosition  atomic.Int64
	seenWatermark atomic.Int64
	seenEpoch     atomic.Int32
}

// harvest is what one worker has folded since the last barrier.
type harvest struct {
	deltas      [][]window.Delta    // by grouping
	held        [][]*sequence.Batch // by worker, then session kind
	moved       []moved
	floors      []Floor
	deadLetters []DeadLetter
	late        []*Late
	counters    Counters
	newest      event.Millis
}

// moved says how far a partition has been read.
type moved struct {
	id       event.PartitionID
	position event.Offset
	max      event.Millis
	anchor   Anchor
	epoch    int32
	folded   int64
}

func newWorker(p *Pipeline, topic string, shared *shared, watermark event.Millis) (*worker, error) {
	decoder, err := event.NewDecoder(event.Options{
		WriterSchema: p.options.WriterSchema, Paths: p.plan.Paths, TimeSlot: p.plan.TimeSlot, Encoding: p.options.Encoding,
	})
	if err != nil {
		return nil, fmt.Errorf("compile the decoder: %w", err)
	}
	w := &worker{
		plan: p.plan, topic: topic, encoding: p.options.Encoding, decoder: decoder, shared: shared, recycle: p.source.Recycle, flows: p.committer.flows,
		in: make(chan message, 4), batches: make([]*sequence.Batch, len(p.plan.Sessions)),
		partitions: make(map[event.PartitionID]*partition), watermark: watermark,
		panes: window.NewFold(p.plan), input: window.NewInput(&p.plan.Events), out: harvest{newest: event.NoTime},
	}
	return w, nil
}

func (w *worker) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-w.in:
			if m.barrier == nil {
				w.decoder.Use(m.writers)
				w.fold(m.partition, m.fetched)
				w.stage(w.letters + w.panes.Bytes())
				if m.last {
					w.recycle(m.whole)
				}
				continue
			}
			m.barrier.harvests <- w.harvest()
			select {
			case <-ctx.Done():
				return nil
			case p := <-m.barrier.proceed:
				w.watermark = p.watermark
				w.reuse(p.spent)
			}
		}
	}
}

// fold takes one partition's part of a fetch answer.
func (w *worker) fold(p *partition, f Fetched) {
	w.partitions[p.id] = p
	if p.disproved.Load() || p.astray.Load() {
		return
	}
	for i := range f.Records {
		rec := &f.Records[i]
		if rec.Offset < p.resume {
			if rec.Offset == p.proof.Offset && anchorOf(rec) != p.proof {
				p.disproved.Store(true)
				return
			}
			if rec.Offset >= p.from {
				w.judgeAgain(p, rec)
			}
			continue
		}
		p.folded++
		w.out.counters.Consumed++
		if bad := w.read(rec); bad != nil {
			w.deadLetter(rec, bad)
			continue
		}
		if !w.record(p, rec) {
			return
		}
	}
	if n := len(f.Records); n > 0 {
		p.anchor = anchorOf(&f.Records[n-1])
	}
	p.position, p.moved = f.Position, true
	if f.LeaderEpoch >= 0 {
		p.epoch = f.LeaderEpoch
		p.seenEpoch.Store(p.epoch)
	}
	p.seenWatermark.Store(int64(p.progress.Watermark()))
	p.seenPosition.Store(int64(p.position))
}

func anchorOf(rec *event.Record) Anchor {
	h := xxhash.New()
	_, _ = h.Write(rec.Key)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(rec.Value)
	return Anchor{Offset: rec.Offset, Hash: h.Sum64()}
}

// read decodes a record and checks its time.
func (w *worker) read(rec *event.Record) *event.BadRecord {
	if err := w.decoder.Decode(w.input.Row, rec.Value); err != nil {
		return asBadRecord(err)
	}
	t := event.Millis(w.input.Row[w.plan.TimeSlot].Int())
	if bad := event.CheckTime(t, rec.Timestamp, w.plan.Source.MaxFutureSkew, w.plan.Source.MinTime); bad != nil {
		return bad
	}
	w.input.Time = t
	w.input.At = event.Coordinate{Partition: rec.Partition, Offset: rec.Offset}
	return nil
}

func asBadRecord(err error) *event.BadRecord {
	var bad *event.BadRecord
	if !errors.As(err, &bad) {
		panic("BUG: a decoder fails with something other than a bad record: " + err.Error())
	}
	return bad
}

// record judges a decoded record by its own partition and folds it. It reports false when a floor is missing for that.
func (w *worker) record(p *partition, rec *event.Record) bool {
	t := w.input.Time
	p.progress.Reach(rec.Offset)
	if p.progress.Watermark() < w.watermark {
		if p.journaled {
			p.astray.Store(true)
			return false
		}
		p.progress.Raise(w.watermark)
		w.out.floors = append(w.out.floors, Floor{Topic: w.topic, Partition: p.id, Offset: rec.Offset, Floor: w.watermark})
	}
	watermark := p.progress.Watermark()
	took, bad := w.panes.Add(&w.input, watermark)
	w.out.counters.BadValues += int64(bad)
	refused := false
	for _, g := range w.panes.Refused() {
		w.refuse(p, rec, g, refused)
		refused = true
	}
	for k := range w.plan.Sessions {
		switch {
		case !w.wantsSession(k):
		case t > watermark:
			w.hold(k, p, w.panes.Pass())
			took = true
		default:
			w.refuseSession(p, rec, k, refused)
			refused = true
		}
	}
	w.count(took, refused)
	p.progress.Observe(t, rec.Timestamp)
	w.out.newest = max(w.out.newest, t)
	if w.watermark == event.NoTime && int64(t) < w.shared.lowest.Load() {
		w.shared.lowest.Store(int64(t)) // a race between workers loses nothing that matters: it only paces fetching
	}
	return true
}

func takes(c *definition.Column, pass []bool) bool {
	if c.AnyOf == nil {
		return c.Where == definition.NoFilter || pass[c.Where]
	}
	for _, f := range c.AnyOf {
		if pass[f] {
			return true
		}
	}
	return false
}

func (w *worker) wantsSession(kind int) bool {
	return !w.input.Row[w.plan.Sessions[kind].KeySlot].IsNull() && w.input.Time >= w.flows[kind].from
}

// hold gives the event to the sequencer, which releases it once W has passed it.
func (w *worker) hold(kind int, p *partition, pass []bool) {
	k := &w.plan.Sessions[kind]
	if w.batches[kind] == nil {
		w.batches[kind] = w.flows[kind].batch()
	}
	w.batches[kind].Hold(w.input.Time, w.input.At, p.progress.Max(), w.input.Hash[k.KeySlot], w.input.Row, pass)
}

// judgeAgain gives a record that was folded before the restart to the sequencer if it was still held: its memory did
// not survive. Panes, counters and dead letters have it already.
func (w *worker) judgeAgain(p *partition, rec *event.Record) {
	if w.read(rec) != nil {
		return
	}
	p.progress.Reach(rec.Offset)
	t := w.input.Time
	if t > p.progress.Watermark() && t > w.watermark {
		w.input.Derive(&w.plan.Events)
		for k := range w.plan.Sessions {
			if w.wantsSession(k) {
				w.hold(k, p, w.input.Pass)
			}
		}
	}
	p.progress.Observe(t, rec.Timestamp)
}

func (w *worker) count(took, refused bool) {
	c := &w.out.counters
	switch {
	case took && refused:
		c.Applied++
		c.LatePartly++
	case took:
		c.Applied++
	case refused:
		c.Late++
	default:
		c.Filtered++
	}
}

// stage tells what a harvest would be now.
func (w *worker) stage(bytes int64) {
	w.shared.staged.Add(bytes - w.staged)
	w.staged = bytes
}

// harvest hands over everything since the last barrier and starts anew.
func (w *worker) harvest() harvest {
	h := w.out
	h.deltas = w.panes.Take()
	h.held = [][]*sequence.Batch{w.batches}
	for _, p := range w.partitions {
		if p.moved {
			h.moved = append(h.moved, moved{p.id, p.position, p.progress.Max(), p.anchor, p.epoch, p.folded})
			p.moved, p.folded = false, 0
		}
		if p.late != nil {
			h.late = append(h.late, p.late)
			p.late = nil
		}
	}
	w.batches = make([]*sequence.Batch, len(w.plan.Sessions))
	w.out = harvest{newest: event.NoTime}
	w.letters = 0
	w.stage(0)
	return h
}

// reuse takes back panes that the committer is done with.
func (w *worker) reuse(spent [][]*window.Pane) {
	for g, panes := range spent {
		for _, p := range panes {
			w.panes.Recycle(g, p)
		}
	}
}

// merge adds another worker's harvest.
func (h *harvest) merge(o harvest) {
	for g := range o.deltas {
		h.deltas[g] = append(h.deltas[g], o.deltas[g]...)
	}
	h.held = append(h.held, o.held...)
	h.moved = append(h.moved, o.moved...)
	h.floors = append(h.floors, o.floors...)
	h.deadLetters = append(h.deadLetters, o.deadLetters...)
	h.late = append(h.late, o.late...)
	h.counters = h.counters.Plus(o.counters)
	h.newest = max(h.newest, o.newest)
}

// noLowest is shared.lowest before the first record.
const noLowest = math.MaxInt64
