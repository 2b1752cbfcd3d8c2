package processing

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// committer turns what the workers have folded into durable state: the one turning point of the pipeline. It owns the
// totals of open panes, the sequencers, the open sessions and the books of closed windows.
//
// A commit, in order:
//
//  1. Deltas are merged into the totals, and staged as merge operands.
//  2. The sequencers release what W has passed, in total order; sessions take it, then run their timers up to W.
//  3. Windows that W has passed close; closed windows that late rows changed are corrected; what can't change is settled.
//  4. Rules judge the finals. Results, alerts, dead letters and late records get their sequences.
//  5. What windows, sessions and alerts have changed goes into the digests of their definitions.
//  6. Everything is written in one synced batch. Only then does anybody hear of it.
//
// After an error memory may be ahead of the disk, so nothing is tried again: the process ends and the restart recovers.
type committer struct {
	plan      *definition.Plan
	store     Store
	observers []Observer
	topic     Topic

	totals    []*window.Totals // by grouping
	books     []*window.Book   // by metric
	flows     []*flow          // by session kind
	rules     *rulebook
	ledger    *ledger
	cursors   map[event.PartitionID]*Cursor
	resume    map[event.PartitionID]event.Offset // partitions whose held rows are still being read again
	counters  Counters
	watermark event.Millis
	newest    event.Millis
	seq       uint64
	silent    bool
	record    record
	opening   opening
	spent     [][]*window.Pane // by grouping: what the workers' deltas were made of, for them to fill again

	jobs  chan job
	done  chan commitDone
	opens chan chan *Open
}

// job is one commit to be made.
type job struct {
	harvest   harvest
	watermark event.Millis
	adopted   []Cursor                           // of partitions that are new to the state
	schemas   []Schema                           // that are new to it, or to a partition
	logs      map[event.PartitionID]event.Offset // where the logs start
	gaps      []*gapChange
	faults    []Fault // found or cleared
}

// opening is what the first commit writes beside its own.
type opening struct {
	starts   []Start
	sessions []SessionChange // of kinds that begin anew: they go
	floors   []Floor
	gaps     []Gap
	schemas  []Schema
	heard    *Heard
}

// commitDone tells the loop of a commit.
type commitDone struct {
	seq      uint64
	at       time.Time
	took     time.Duration
	records  int64
	counters Counters
	sessions int64
	closing  int64     // about how many bytes told of what W closed and settled
	due      time.Time // when the first correction that waits may be made; zero when none does
	spent    [][]*window.Pane
}

// CommitError is returned when a commit failed or is in doubt. The process must end; starting again is the recovery.
type CommitError struct{ Err error }

func (e *CommitError) Error() string { return "commit: " + e.Err.Error() }
func (e *CommitError) Unwrap() error { return e.Err }

func (c *committer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-c.jobs:
			d, err := c.commit(&j)
			if err != nil {
				return &CommitError{Err: err}
			}
			select {
			case c.done <- d:
			case <-ctx.Done():
				return nil
			}
		case reply := <-c.opens:
			reply <- c.openRows()
		}
	}
}

func (c *committer) commit(j *job) (commitDone, error) {
	began := time.Now()
	w := max(c.watermark, j.watermark)
	ch := &Changes{Watermark: w, Newest: max(c.newest, j.harvest.newest), Faults: j.faults, AtMs: began.UnixMilli()}
	ch.Definitions, ch.Sessions, ch.Floors, ch.Gaps = c.opening.starts, c.opening.sessions, c.opening.floors, c.opening.gaps
	ch.Schemas, ch.Heard = append(c.opening.schemas, j.schemas...), c.opening.heard
	touched := c.fold(ch, j.harvest.deltas)
	c.spent = panesOf(j.harvest.deltas)
	c.newest = ch.Newest
	c.runSessions(ch, &j.harvest, w)
	c.appendInput(ch, &j.harvest)
	c.publish(ch, touched, w, began)
	c.settle(ch, w)
	ch.Digests = c.ledger.take()
	c.moveCursors(ch, j)
	c.counters = c.counters.Plus(j.harvest.counters)
	ch.Counters = c.counters
	if err := c.store.Commit(ch); err != nil {
		return commitDone{}, err
	}
	c.watermark, c.opening = w, opening{}
	c.announce(ch)
	d := c.doneWith(j, began)
	d.closing = ch.closing()
	return d, nil
}

func (c *committer) doneWith(j *job, began time.Time) commitDone {
	d := commitDone{seq: c.seq, at: time.Now(), took: time.Since(began), records: j.harvest.counters.Consumed, counters: c.counters, spent: c.spent}
	for _, f := range c.flows {
		d.sessions += int64(f.sessions.OpenSessions())
	}
	if c.silent {
		return d // what waits, waits for the fold that goes on from here
	}
	for _, b := range c.books {
		if at, ok := b.Due(); ok && (d.due.IsZero() || at.Before(d.due)) {
			d.due = at
		}
	}
	return d
}

// fold merges deltas into the totals and stages them. It returns the panes whose late rows changed, by grouping.
func (c *committer) fold(ch *Changes, deltas [][]window.Delta) [][]event.Millis {
	touched := make([][]event.Millis, len(c.totals))
	for g, list := range deltas {
		for _, d := range unite(slices.Clone(list)) {
			key := PaneKey{Grouping: c.plan.Groupings[g].Hash, Start: d.Start, Late: d.Late}
			ch.Panes = append(ch.Panes, PaneChange{PaneKey: key, Op: PaneMerge, Block: d.Pane.AppendBlock(nil)})
			c.totals[g].Merge(d)
			if d.Late {
				touched[g] = append(touched[g], d.Start)
			}
		}
	}
	return touched
}

// panesOf lists the panes of deltas, which are free once they are folded.
func panesOf(deltas [][]window.Delta) [][]*window.Pane {
	panes := make([][]*window.Pane, len(deltas))
	for g, list := range deltas {
		for _, d := range list {
			panes[g] = append(panes[g], d.Pane)
		}
	}
	return panes
}

// unite merges the deltas that several workers have of one pane, so that each pane costs one key.
func unite(list []window.Delta) []window.Delta {
	slices.SortStableFunc(list, func(a, b window.Delta) int {
		if n := cmp.Compare(a.Start, b.Start); n != 0 || a.Late == b.Late {
			return n
		}
		if b.Late {
			return -1
		}
		return 1
	})
	out := list[:0]
	for _, d := range list {
		if n := len(out); n > 0 && out[n-1].Start == d.Start && out[n-1].Late == d.Late {
			out[n-1].Pane.Merge(d.Pane)
			continue
		}
		out = append(out, d)
	}
	return out
}

// runSessions brings every session kind up to W and folds what closed.
func (c *committer) runSessions(ch *Changes, h *harvest, w event.Millis) {
	for _, batches := range h.held {
		for k, b := range batches {
			if b != nil {
				c.flows[k].add(b)
			}
		}
	}
	if w == event.NoTime {
		return
	}
	for _, f := range c.flows {
		f.advance(w)
		deltas, bad := f.takeDeltas(len(c.totals))
		c.counters.BadValues += bad
		c.fold(ch, deltas)
		f.recycle(panesOf(deltas))
		ch.Sessions = append(ch.Sessions, f.changes()...)
		c.ledger.add(f.kind.Hash, f.sessions.TakeDigest())
	}
}

// publish closes windows and corrects closed ones: finals by window end, then corrections by window end, each in the
// order of the metrics' names, then the alerts that the finals bring about.
func (c *committer) publish(ch *Changes, touched [][]event.Millis, w event.Millis, now time.Time) {
	if w == event.NoTime {
		return
	}
	var finals, corrections []window.Emission
	for i, b := range c.books {
		m := &c.plan.Metrics[i]
		for _, g := range []int{m.Grouping, m.Total} {
			if g < 0 {
				continue
			}
			for _, pane := range touched[g] {
				b.Touch(pane, c.watermark)
			}
		}
		finals = append(finals, b.Close(c.watermark, w)...)
	}
	c.appendResults(ch, finals)
	if c.silent {
		// Nobody would hear of a correction. At no time at all only windows that settle are corrected: nothing else will.
		now = time.Time{}
	}
	for _, b := range c.books {
		corrections = append(corrections, b.Correct(w, now)...)
	}
	c.appendResults(ch, corrections)
	for i, b := range c.books {
		c.ledger.add(c.plan.Metrics[i].Hash, b.TakeDigest())
	}
	c.judge(ch, w, finals)
}

// appendInput puts what the input did wrong into the feed: dead letters and late records.
func (c *committer) appendInput(ch *Changes, h *harvest) {
	slices.SortFunc(h.deadLetters, func(a, b DeadLetter) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for i := range h.deadLetters {
		c.append(ch, Entry{Type: DeadLetterEntry, DeadLetter: &h.deadLetters[i]})
	}
	slices.SortFunc(h.late, func(a, b *Late) int { return cmp.Compare(a.Partition, b.Partition) })
	for _, l := range h.late {
		c.append(ch, Entry{Type: LateEntry, Late: l})
	}
}

// appendResults gives results their sequences and stages the windows they change.
func (c *committer) appendResults(ch *Changes, emissions []window.Emission) {
	slices.SortStableFunc(emissions, func(a, b window.Emission) int {
		return cmp.Compare(a.Start+a.Metric.Size, b.Start+b.Metric.Size)
	})
	for i := range emissions {
		em := &emissions[i]
		for _, r := range em.Changed {
			r.Seq = c.next()
			copied := *r
			c.append(ch, Entry{Type: ResultEntry, Result: &copied})
		}
		// A window that closes and is corrected in one commit is staged twice: the correction is the last word.
		ch.Results = append(ch.Results, ResultBlock{
			Metric: em.Metric.Name, Hash: em.Metric.Hash, Start: em.Start, Results: em.Published(), Digest: em.Digest(),
		})
	}
}

// next is the sequence of the next entry; of a silent fold, which makes none, that of the last.
func (c *committer) next() uint64 {
	if c.silent {
		return c.seq
	}
	return c.seq + 1
}

func (c *committer) append(ch *Changes, e Entry) {
	if c.silent {
		return
	}
	c.seq++
	e.Seq, e.AtMs = c.seq, ch.AtMs
	ch.Feed = append(ch.Feed, e)
}

// settle purges the panes that no unsettled window contains; they become history.
func (c *committer) settle(ch *Changes, w event.Millis) {
	if w == event.NoTime {
		return
	}
	for g, t := range c.totals {
		for _, s := range t.Purge(c.horizon(g, w)) {
			key := PaneKey{Grouping: c.plan.Groupings[g].Hash, Start: s.Start}
			ch.Panes = append(ch.Panes, PaneChange{PaneKey: key, Op: PaneSettle, Width: c.plan.Groupings[g].Width, Block: s.Pane.AppendBlock(nil)})
		}
	}
}

// horizon is the start of the earliest pane of a grouping that an unsettled window contains.
func (c *committer) horizon(grouping int, w event.Millis) event.Millis {
	g := &c.plan.Groupings[grouping]
	clock := definition.Clock{Width: g.Width, Offset: g.Offset}
	// A pane that no metric reads (any more) settles with its own lateness.
	h := clock.PaneStart(w + 1 - g.Lateness)
	for i := range c.plan.Metrics {
		m := &c.plan.Metrics[i]
		if m.Grouping != grouping && m.Total != grouping {
			continue
		}
		// The first window that has not settled is the first that contains this time.
		h = min(h, window.FirstWindow(m, w+1-m.Lateness))
	}
	return h
}

// announce tells the observers what is durable now.
func (c *committer) announce(ch *Changes) {
	made := &Committed{Seq: c.seq, Watermark: c.watermark, At: time.UnixMilli(ch.AtMs), Entries: ch.Feed}
	for i := range ch.Feed {
		if r := ch.Feed[i].Result; r != nil {
			made.Results = append(made.Results, *r)
		}
	}
	for i := range ch.Results {
		for _, r := range ch.Results[i].Results {
			if r.Withheld() {
				made.Results = append(made.Results, r)
			}
		}
	}
	for _, o := range c.observers {
		o.Committed(made)
	}
}

// openRows computes the provisional results of the windows that W has not closed.
func (c *committer) openRows() *Open {
	o := &Open{Seq: c.seq, Watermark: c.watermark, Newest: c.newest}
	for _, b := range c.books {
		o.Rows = append(o.Rows, b.OpenRows(c.watermark, c.newest)...)
	}
	return o
}
