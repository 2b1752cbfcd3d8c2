package processing

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// Pipeline folds the records of a source into a store. Its state is a function of the log and of the journal: how
// records are spread over workers and commits changes none of it.
//
// Goroutines: the loop reads fetch answers, looks at the cluster and decides when to commit; workers fold; the
// committer owns everything durable; a poller and a looker talk to the source. While a commit is being written the
// workers fold on, into fresh deltas.
type Pipeline struct {
	options Options
	plan    *definition.Plan
	source  Source
	store   Store

	committer *committer
	library   *library // the loop's
	journal   *journal
	begins    *beginnings
	loaded    loaded
	status    board
	decisions chan *decision
	ended     chan struct{}
}

// New loads the state from the store, so that a fault in it shows before anything starts.
func New(plan *definition.Plan, source Source, store Store, options Options) (*Pipeline, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	if options.Target != nil {
		options.Registry = nil // what was known, and from when on, is in the target
	}
	if options.Workers == 0 {
		options.Workers = runtime.GOMAXPROCS(0)
	}
	p := &Pipeline{
		options: options, plan: plan, source: source, store: store, decisions: make(chan *decision), ended: make(chan struct{}),
	}
	state, err := store.Load(plan)
	if err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	p.journal, p.begins = newJournal(state, options.Target), newBeginnings(plan, state, options.Target)
	p.loaded = newLoaded(state, p.journal)
	reader, err := event.NewReader(options.WriterSchema, plan.Paths, plan.TimeSlot)
	if err != nil {
		return nil, fmt.Errorf("compile the events schema: %w", err)
	}
	if p.library, err = newLibrary(&options, reader, p.journal.schemas); err != nil {
		return nil, fmt.Errorf("load schemas: %w", err)
	}
	if p.committer, err = newCommitter(p, state); err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	p.status.start(state)
	return p, nil
}

// Observe tells o of every commit from now on. It must be called before Run.
func (p *Pipeline) Observe(o Observer) { p.committer.observers = append(p.committer.observers, o) }

// Run reads until ctx ends, then commits what was read and returns nil. With a target it reads until that is reached, and
// returns an error if ctx ends before; ErrLogTooShort, ErrOtherLog or ErrPastTarget if it can't be. It returns a *CommitError
// when the store could not be written.
func (p *Pipeline) Run(ctx context.Context) error {
	defer close(p.ended)
	// Taking work ends with ctx; what was taken is committed under a context of its own.
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	group, work := errgroup.WithContext(work)
	group.Go(func() error { return p.committer.run(work) })
	group.Go(func() error {
		defer abandon()
		return p.read(ctx, work)
	})
	return group.Wait()
}

// read runs everything but the committer.
func (p *Pipeline) read(ctx, work context.Context) error {
	taking, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(work, stop)()
	l := newLoop(p)
	if err := l.begin(taking); err != nil {
		if taking.Err() != nil && l.errand == nil {
			return nil
		}
		return err
	}
	group, work := errgroup.WithContext(work)
	folding, endFolding := context.WithCancel(work)
	for _, w := range l.intake.workers {
		group.Go(func() error { return w.run(folding) })
	}
	group.Go(func() error { return l.poll(taking) })
	if q := p.library.inquiry; q != nil {
		l.registry = q.answers
		group.Go(func() error { return q.run(taking) })
	}
	group.Go(func() error { return l.lookAround(taking) })
	group.Go(func() error {
		defer endFolding()
		defer stop()
		return l.run(taking, work)
	})
	return group.Wait()
}

// Open returns the provisional results of the windows that are not closed. It fails once the pipeline has ended.
func (p *Pipeline) Open(ctx context.Context) (*Open, error) {
	reply := make(chan *Open, 1)
	select {
	case p.committer.opens <- reply:
	case <-p.ended:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case o := <-reply:
		return o, nil
	case <-p.ended:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ErrEnded is returned by Open once the pipeline has ended.
var ErrEnded = errors.New("the pipeline has ended")

// Status is a picture of the pipeline now.
func (p *Pipeline) Status() Status { return p.status.picture() }

// loop is the goroutine that reads, looks and decides when to commit.
type loop struct {
	pipeline  *Pipeline
	topic     Topic
	intake    intake
	idleness  *window.Idleness
	errand    *errand // nil without a target
	courses   map[event.PartitionID]*course
	ends      map[event.PartitionID]End
	maxima    map[event.PartitionID]event.Millis // M_p as of the last barrier
	faults    map[event.PartitionID]*Fault
	found     []Fault                         // since the last commit: what appeared, got another name, or was cleared
	pending   []*decision                     // of operators, to be carried out with a commit
	decided   []*decision                     // carried out with the commit that is being made
	decidedAt map[event.PartitionID]time.Time // what a look has asked before says nothing of how a partition goes on
	adopted   []Cursor                        // of partitions that are new to the state; the next commit takes them

	watermark  event.Millis // W as announced to the workers
	stride     stride
	interval   time.Duration
	timer      *time.Timer
	busy       bool                        // a commit is being made
	first      bool                        // nothing has been committed yet: where definitions start has to be
	due        time.Time                   // when the first correction that waits may be made; zero when none does
	unverified map[event.PartitionID]bool  // partitions whose cursors have to be verified yet; the looker's once it runs
	unknown    map[event.PartitionID]error // partitions that the cluster names but can't tell of yet: W waits for them
	spent      [][]*window.Pane            // by grouping, of the last commit
	answers    chan []arrival
	looks      chan look
	away       error           // the cluster did not answer the last look; nil: it did
	registry   <-chan []answer // what the schema registry says; nil without one
}

func (l *loop) run(taking, work context.Context) error {
	defer l.timer.Stop()
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for {
		select {
		case <-taking.Done():
			if err := l.finish(work); err != nil || l.errand == nil {
				return err
			}
			return errInterrupted
		case answer := <-l.answers:
			l.take(work, answer)
		case seen := <-l.looks:
			l.look(seen)
		case d := <-l.pipeline.decisions:
			l.pending = append(l.pending, d)
			l.commit(work)
		case answers := <-l.registry:
			l.learn(work, answers)
		case <-l.timer.C:
			l.commit(work)
		case d := <-l.pipeline.committer.done:
			l.committed(work, d)
		case <-ask.C:
			l.askBrakes(work)
		}
		if l.errand == nil {
			continue
		}
		if l.errand.failed != nil {
			return l.errand.failed
		}
		if l.arrived() {
			return l.prove()
		}
	}
}

func (l *loop) take(ctx context.Context, answer []arrival) {
	now := time.Now()
	good := answer[:0]
	for _, f := range answer {
		p := l.intake.partitions[f.Partition]
		if l.faults[f.Partition] != nil || p == nil {
			continue // what follows a fault may leave a gap
		}
		if f.Assignment != p.reading {
			continue // it was on its way when reading was sent on
		}
		if !l.follow(&f) {
			continue
		}
		if f.Err != nil {
			l.fault(f.Partition, kindOf(f.Err), f.Err.Error())
			continue
		}
		p.fetched = f.Position
		if len(f.Records) > 0 {
			l.idleness.Read(f.Partition, now)
		}
		good = append(good, f)
	}
	l.intake.take(ctx, good, l.watermark)
	if l.intake.full() && !l.busy {
		l.commit(ctx)
	}
}

func (l *loop) source() Source { return l.pipeline.source }

// readFrom reads partitions from some offsets on. What was fetched of them before and is still on its way will not be taken.
func (l *loop) readFrom(positions map[event.PartitionID]event.Offset) {
	reading := l.source().Assign(positions)
	for id := range positions {
		l.intake.partitions[id].reading = reading
	}
}

// commit asks the workers for what they have folded and gives it to the committer.
func (l *loop) commit(ctx context.Context) {
	if l.busy {
		return
	}
	if !l.anything() {
		l.schedule(l.interval)
		return
	}
	b := &barrier{harvests: make(chan harvest, len(l.intake.workers)), proceed: make(chan proceed, len(l.intake.workers))}
	for _, w := range l.intake.workers {
		select {
		case w.in <- message{barrier: b}:
		case <-ctx.Done():
			return
		}
	}
	var all harvest
	for i := range l.intake.workers {
		select {
		case h := <-b.harvests:
			if i == 0 {
				all = h
				continue
			}
			all.merge(h)
		case <-ctx.Done():
			return
		}
	}
	l.checkProofs()
	if l.errand != nil && l.errand.failed != nil {
		return // what was folded of a record's portion must not be committed without the rest
	}
	l.watermark = l.stride.bound(l.watermark, event.Millis(l.intake.shared.lowest.Load()), l.nextWatermark(all.moved))
	made := job{
		harvest: all, watermark: l.watermark, adopted: l.adopted, schemas: l.pipeline.library.take(), logs: l.logStarts(), gaps: l.carryOut(&all), faults: l.found,
	}
	for i := range l.intake.workers {
		b.proceed <- proceed{watermark: l.watermark, spent: l.share(i)}
	}
	l.spent = nil
	l.intake.dispatched, l.intake.unharvested = 0, false
	l.busy, l.first = true, false
	l.pipeline.committer.jobs <- made
	l.adopted, l.found = nil, nil
	l.intake.handOn(ctx, l.watermark)
}

// share is one worker's part of the panes that the last commit is done with.
func (l *loop) share(worker int) [][]*window.Pane {
	part := make([][]*window.Pane, len(l.spent))
	for g, panes := range l.spent {
		for i := worker; i < len(panes); i += len(l.intake.workers) {
			part[g] = append(part[g], panes[i])
		}
	}
	return part
}

// anything reports whether a commit would have something to say.
func (l *loop) anything() bool {
	due := !l.due.IsZero() && !time.Now().Before(l.due)
	return l.intake.unharvested || due || l.first || len(l.adopted)+len(l.found) > 0 || l.decidable() || l.nextWatermark(nil) != l.watermark
}

// catchingUp is how many records of one commit say that more are waiting than come in.
const catchingUp = 10_000

// committed adapts the interval: short while there is little to do, long while catching up.
func (l *loop) committed(ctx context.Context, d commitDone) {
	l.busy, l.due, l.spent = false, d.due, d.spent
	o := &l.pipeline.options
	if d.records > catchingUp {
		l.interval = min(2*l.interval, o.MaxCommit)
	} else {
		l.interval = o.MinCommit
	}
	l.stride.learn(d.closing)
	l.pipeline.status.committed(d)
	taking := l.askBrakes(ctx)
	l.report()
	l.answer() // who hears of a decision finds it in the status
	if l.stride.limited || taking && (l.intake.full() || l.intake.held() > 0) {
		l.schedule(0) // W has further to go; or a commit has to be made, or W to move, before more can be taken
		return
	}
	l.schedule(max(0, l.interval-d.took))
}

func (l *loop) schedule(after time.Duration) { l.timer.Reset(after) }

// finish commits what was taken. What waits in the intake is read again after the restart.
func (l *loop) finish(ctx context.Context) error {
	l.pipeline.status.stopping()
	l.pending = nil // whoever waits learns that the pipeline has ended
	if l.busy {
		select {
		case d := <-l.pipeline.committer.done:
			l.busy = false
			l.pipeline.status.committed(d)
			l.report()
			l.answer()
		case <-ctx.Done():
			return nil
		}
	}
	clear(l.intake.waiting)
	l.commit(ctx)
	if !l.busy {
		return nil
	}
	select {
	case d := <-l.pipeline.committer.done:
		l.pipeline.status.committed(d)
		l.report()
		l.answer()
		if l.errand != nil {
			return nil
		}
		// Nothing depends on what lag tools know: a broker that is away is no reason to fail at the end.
		if err := l.reportPositions(ctx); err != nil {
			l.pipeline.options.Logger.Warn("lag tools are not told where we end", "error", err)
		}
		return nil
	case <-ctx.Done():
		return nil
	}
}

func sortedIDs[V any](m map[event.PartitionID]V) []event.PartitionID {
	ids := make([]event.PartitionID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
