package processing

import (
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
	"github.com/tidemark/tidemark/processing/session"
	"github.com/tidemark/tidemark/processing/window"
)

// flow is the ordered way of one session kind: held events are released in total order and become sessions, and closed
// sessions become rows of the groupings that take them. It is owned by the committer; batches come from the workers.
type flow struct {
	kind      *definition.SessionKind
	from      event.Millis // events before are not taken; set once, before anything runs
	sequencer *sequence.Sequencer
	sessions  *session.Table
	lanes     []*closedLane
	free      chan *sequence.Batch // emptied, for workers to fill again
}

// closedLane folds the sessions that one lane closes.
type closedLane struct {
	space     *definition.Space
	groupings []*definition.Grouping // fed by the kind
	plan      []int                  // their places in the plan
	clocks    []definition.Clock
	tables    []*window.Table
	input     window.Input
	badValues int64
}

func newFlow(plan *definition.Plan, kind, lanes int) *flow {
	k := &plan.Sessions[kind]
	sessions := session.New(k, lanes)
	f := &flow{
		kind: k, sessions: sessions, sequencer: sequence.NewSequencer(sessions.Shape(), lanes),
		free: make(chan *sequence.Batch, 2*lanes),
	}
	for range lanes {
		l := &closedLane{space: &k.Closed}
		l.input.Hash = make([]uint64, k.Closed.Slots)
		l.input.Pass = make([]bool, len(k.Closed.Filters))
		for i := range plan.Groupings {
			g := &plan.Groupings[i]
			if g.From != kind {
				continue
			}
			l.groupings = append(l.groupings, g)
			l.plan = append(l.plan, i)
			l.clocks = append(l.clocks, definition.Clock{Width: g.Width, Offset: g.Offset})
			l.tables = append(l.tables, window.NewTable(g))
		}
		f.lanes = append(f.lanes, l)
	}
	return f
}

// batch is an empty batch for a worker. It may be called from any goroutine.
func (f *flow) batch() *sequence.Batch {
	select {
	case b := <-f.free:
		return b
	default:
		return f.sequencer.NewBatch()
	}
}

// add takes over what the workers hold.
func (f *flow) add(b *sequence.Batch) {
	f.sequencer.Add(b)
	select {
	case f.free <- b:
	default:
	}
}

// advance brings the sessions up to W: all events that W has passed, then all timers. The lanes share nothing.
func (f *flow) advance(w event.Millis) {
	var group errgroup.Group
	for i, l := range f.lanes {
		group.Go(func() error {
			f.sequencer.ReleaseGroups(w, i, func(rows []sequence.Row) { f.sessions.ApplyGroup(rows, l.fold) })
			f.sessions.Advance(w, i, l.fold)
			return nil
		})
	}
	_ = group.Wait() // no lane returns an error
}

// fold adds a closed session to the tables. Its time is when it closed, which no watermark has passed.
func (l *closedLane) fold(c *session.Closed) {
	in := &l.input
	in.Time, in.At, in.Row = c.At.Time, c.At.Coordinate, c.Row
	in.Derive(l.space)
	for i, t := range l.tables {
		_, bad := t.Add(in, l.clocks[i].PaneStart(in.Time), false)
		l.badValues += int64(bad)
	}
}

// takeDeltas returns what the closed sessions add, by grouping of the plan, and how many values could not be held.
func (f *flow) takeDeltas(groupings int) (deltas [][]window.Delta, badValues int64) {
	deltas = make([][]window.Delta, groupings)
	badValues = f.sessions.TakeBadValues()
	for _, l := range f.lanes {
		for i, t := range l.tables {
			deltas[l.plan[i]] = append(deltas[l.plan[i]], t.Take()...)
		}
		badValues += l.badValues
		l.badValues = 0
	}
	return deltas, badValues
}

// recycle gives panes back to the tables that they came from, by grouping of the plan.
func (f *flow) recycle(spent [][]*window.Pane) {
	for n, l := range f.lanes {
		for i, t := range l.tables {
			for at, p := range spent[l.plan[i]] {
				if at%len(f.lanes) == n {
					t.Recycle(p)
				}
			}
		}
	}
}

// changes are the sessions that changed, ready to be stored.
func (f *flow) changes() []SessionChange {
	var out []SessionChange
	for lane := range f.lanes {
		for _, c := range f.sessions.TakeChanges(lane) {
			out = append(out, SessionChange{Kind: f.kind.Hash, Shard: c.Shard, Rewrite: c.Rewrite, Block: c.Block})
		}
	}
	return out
}
