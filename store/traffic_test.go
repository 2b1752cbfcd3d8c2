package store

import (
	"fmt"
	"math/rand/v2"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
	"github.com/tidemark/tidemark/processing/session"
	"github.com/tidemark/tidemark/processing/window"
)

// The commits of traffic: real blocks, in the amounts that the default metrics have.
const (
	trafficPartitions = 12
	trafficGroupings  = 12
	trafficEvents     = 80 // a commit; they touch some 64 shards
	trafficResults    = 20
	trafficVisitors   = 5000
	trafficCommitMs   = 20
	trafficPane       = 5_000
)

// traffic makes commits as the pipeline does, out of random events.
type traffic struct {
	plan      definition.Plan
	rng       *rand.Rand
	now       event.Millis
	seq       uint64
	tables    []*window.Table
	totals    []*window.Pane // of each grouping's open pane
	started   event.Millis   // of the open panes
	sequencer *sequence.Sequencer
	sessions  *session.Table
}

func newTraffic() *traffic {
	t := &traffic{rng: rand.New(rand.NewPCG(7, 7))}
	for i := range trafficGroupings {
		g := definition.Grouping{Hash: definition.Hash{1, byte(i)}, Width: trafficPane, MaxGroups: 1000, Columns: []definition.Column{
			{Hash: definition.Hash{2}, Kind: aggregate.Count, Slot: definition.NoSlot, Where: definition.NoFilter}}}
		if i%2 == 0 {
			g.Keys = []definition.Key{{Name: "url", Slot: 1}}
		} else {
			g.Columns = append(g.Columns, definition.Column{Hash: definition.Hash{3}, Kind: aggregate.Uniques, Slot: 0, Where: definition.NoFilter})
		}
		t.plan.Groupings = append(t.plan.Groupings, g)
	}
	for i := range t.plan.Groupings {
		t.tables = append(t.tables, window.NewTable(&t.plan.Groupings[i]))
		t.totals = append(t.totals, window.NewPane(&t.plan.Groupings[i]))
	}
	kind := definition.SessionKind{Name: "visits", Hash: definition.Hash{4}, Gap: 3_000, MaxDuration: 60_000, EndWhen: definition.NoFilter, MaxOpen: 10_000,
		Aggregates: []definition.SessionAggregate{{Name: "events", Column: definition.Column{Kind: aggregate.Count, Slot: definition.NoSlot, Where: definition.NoFilter}}}}
	t.plan.Sessions = []definition.SessionKind{kind}
	t.plan.Metrics = []definition.Metric{{Name: "m", Hash: definition.Hash{5}, Size: trafficPane, Lateness: 60_000}}
	t.sessions = session.New(&t.plan.Sessions[0], 1)
	t.sequencer = sequence.NewSequencer(t.sessions.Shape(), 1)
	return t
}

// next makes the commit that follows the one before.
func (t *traffic) next() *processing.Changes {
	t.now += trafficCommitMs
	c := &processing.Changes{Watermark: t.now, AtMs: int64(t.now), Counters: processing.Counters{Consumed: int64(t.now)}}
	for p := range trafficPartitions {
		c.Cursors = append(c.Cursors, processing.Cursor{ClusterID: "5L6g3nShT-eMCtK--X86sw", Topic: "events", Partition: event.PartitionID(p),
			Next: event.Offset(t.now), Max: t.now, HeldFrom: event.Offset(t.now - 9), HeldMax: t.now, Anchor: processing.Anchor{Offset: event.Offset(t.now - 1), Hash: t.rng.Uint64()}})
	}
	t.settle(c)
	t.fold()
	for i, table := range t.tables {
		for _, d := range table.Take() {
			k := processing.PaneKey{Grouping: t.plan.Groupings[i].Hash, Start: d.Start, Late: d.Late}
			c.Panes = append(c.Panes, processing.PaneChange{PaneKey: k, Op: processing.PaneMerge, Block: d.Pane.AppendBlock(nil)})
			t.totals[i].Merge(d.Pane)
			table.Recycle(d.Pane)
		}
	}
	for _, ch := range t.sessions.TakeChanges(0) {
		ch.Block = append([]byte(nil), ch.Block...)
		c.Sessions = append(c.Sessions, processing.SessionChange{Kind: t.plan.Sessions[0].Hash, Shard: ch.Shard, Rewrite: ch.Rewrite, Block: ch.Block})
	}
	t.publish(c)
	return c
}

// settle closes the open panes once their time is over.
func (t *traffic) settle(c *processing.Changes) {
	start := t.now - t.now%trafficPane
	if start == t.started {
		return
	}
	for i := range t.totals {
		g := &t.plan.Groupings[i]
		c.Panes = append(c.Panes, processing.PaneChange{PaneKey: processing.PaneKey{Grouping: g.Hash, Start: t.started}, Op: processing.PaneSettle, Width: g.Width, Block: t.totals[i].AppendBlock(nil)})
		t.totals[i] = window.NewPane(g)
	}
	t.started = start
}

// fold adds events to panes and sessions.
func (t *traffic) fold() {
	batch := t.sequencer.NewBatch()
	for i := range trafficEvents {
		visitor := fmt.Appendf(nil, "0192d1c4-1b02-7d5a-8c33-%012d", t.rng.IntN(trafficVisitors))
		url := fmt.Appendf(nil, "/products/outdoor/tent-%d", int(t.rng.ExpFloat64()*10))
		row := []event.Value{event.StringValue(visitor), event.StringValue(url)}
		hashes := []uint64{row[0].Hash(), row[1].Hash()}
		at := event.Coordinate{Partition: event.PartitionID(i % trafficPartitions), Offset: event.Offset(t.now)*trafficEvents + event.Offset(i)}
		in := window.Input{Time: t.now, At: at, Row: row, Hash: hashes, Pass: []bool{false}}
		for _, table := range t.tables {
			table.Add(&in, t.started, false)
		}
		batch.Hold(t.now, at, t.now, hashes[0], row, nil)
	}
	ignore := func(*session.Closed) {}
	t.sequencer.Add(batch)
	t.sequencer.ReleaseGroups(t.now, 0, func(rows []sequence.Row) { t.sessions.ApplyGroup(rows, ignore) })
	t.sessions.Advance(t.now, 0, ignore)
}

// publish adds the rows of one window.
func (t *traffic) publish(c *processing.Changes) {
	m := &t.plan.Metrics[0]
	block := processing.ResultBlock{Metric: m.Name, Hash: m.Hash, Start: t.started}
	for i := range trafficResults {
		t.seq++
		count := t.rng.Int64N(10_000)
		r := window.Result{Metric: m.Name, Definition: m.Hash, Start: t.started, End: t.started + m.Size, Group: []string{fmt.Sprintf("/products/outdoor/tent-%02d", i)},
			Kind: window.Correction, Revision: int(t.now), Value: definition.Number{Float: float64(count) / 10, Valid: true},
			Aggregates: []definition.Number{{Float: float64(count), Valid: true}}, Count: count, Seq: t.seq}
		block.Results = append(block.Results, r)
		c.Feed = append(c.Feed, processing.Entry{Seq: t.seq, Type: processing.ResultEntry, AtMs: c.AtMs, Result: &r})
	}
	c.Results = []processing.ResultBlock{block}
}
