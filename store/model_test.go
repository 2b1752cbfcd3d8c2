package store

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

// testPlan has two groupings, one session kind and one metric whose results all stay open.
var testPlan = &definition.Plan{
	Groupings: []definition.Grouping{{Hash: definition.Hash{1}}, {Hash: definition.Hash{2}}},
	Sessions:  []definition.SessionKind{{Hash: definition.Hash{3}}},
	Metrics:   []definition.Metric{{Name: "m", Hash: definition.Hash{4}, Size: 1 << 40, Lateness: 1 << 40}},
}

// model is what a store must hold: maps, and the plainest code that applies changes to them.
type model struct {
	last     processing.Changes
	head     uint64
	cursors  map[event.PartitionID]processing.Cursor
	floors   map[string]processing.Floor
	panes    map[processing.PaneKey]string
	history  map[processing.PaneKey]string
	sessions map[int]string
	results  map[event.Millis]processing.ResultBlock
	starts   map[definition.Hash]processing.Start
	schemas  map[uint64]processing.Schema
	alerts   map[string]alert.Alert
	watches  map[string]processing.Watch
	digests  map[definition.Hash]processing.DefinitionDigest
	gaps     map[string]processing.Gap
	faults   map[event.PartitionID]processing.Fault
	feed     []processing.Entry
}

func newModel() *model {
	return &model{
		last:    processing.Changes{Watermark: event.NoTime},
		cursors: map[event.PartitionID]processing.Cursor{}, floors: map[string]processing.Floor{},
		panes: map[processing.PaneKey]string{}, history: map[processing.PaneKey]string{}, sessions: map[int]string{},
		results: map[event.Millis]processing.ResultBlock{}, starts: map[definition.Hash]processing.Start{}, schemas: map[uint64]processing.Schema{},
		alerts: map[string]alert.Alert{}, watches: map[string]processing.Watch{}, digests: map[definition.Hash]processing.DefinitionDigest{},
		gaps: map[string]processing.Gap{}, faults: map[event.PartitionID]processing.Fault{},
	}
}

func (m *model) apply(c *processing.Changes) {
	m.last = *c
	m.decide(c)
	for _, cur := range c.Cursors {
		m.cursors[cur.Partition] = cur
	}
	for _, f := range c.Floors {
		m.floors[fmt.Sprintf("%05d/%05d", f.Partition, f.Offset)] = f
	}
	for _, f := range c.Cut.Floors {
		delete(m.floors, fmt.Sprintf("%05d/%05d", f.Partition, f.Offset))
	}
	for _, p := range c.Panes {
		if p.Op == processing.PaneMerge {
			sum := []byte(m.panes[p.PaneKey] + string(p.Block))
			slices.Sort(sum)
			m.panes[p.PaneKey] = string(sum)
			continue
		}
		delete(m.panes, processing.PaneKey{Grouping: p.Grouping, Start: p.Start})
		delete(m.panes, processing.PaneKey{Grouping: p.Grouping, Start: p.Start, Late: true})
		m.history[p.PaneKey] = string(p.Block)
	}
	for _, s := range c.Sessions {
		switch {
		case !s.Rewrite:
			m.sessions[s.Shard] += string(s.Block)
		case len(s.Block) == 0:
			delete(m.sessions, s.Shard)
		default:
			m.sessions[s.Shard] = string(s.Block)
		}
	}
	for _, b := range c.Results {
		m.results[b.Start] = b
		if len(b.Results) == 0 && b.Digest.IsZero() {
			delete(m.results, b.Start)
		}
	}
	for _, s := range c.Definitions {
		m.starts[s.Hash] = s
	}
	for _, d := range c.Digests {
		m.digests[d.Hash] = d
	}
	for _, s := range c.Schemas {
		m.schemas[s.Ref.ID] = s
	}
	for _, a := range c.Alerts {
		m.alerts[a.ID] = a
	}
	for _, w := range c.Watches {
		m.watches[w.Group[0]] = w
		if len(w.Block) == 0 {
			delete(m.watches, w.Group[0])
		}
	}
	m.feed = append(m.feed, c.Feed...)
	m.head += uint64(len(c.Feed))
}

// decide applies gaps and faults.
func (m *model) decide(c *processing.Changes) {
	for _, g := range c.Gaps {
		m.gaps[fmt.Sprintf("%05d/%06d/%d", g.Partition, g.To+1, g.AtMs)] = g
		maps.DeleteFunc(m.floors, func(_ string, f processing.Floor) bool {
			return f.Partition == g.Partition && (f.TopicID != g.TopicID || f.Offset >= g.To)
		})
		if g.To == processing.Gone {
			delete(m.cursors, g.Partition)
		}
	}
	for _, g := range c.Cut.Gaps {
		delete(m.gaps, fmt.Sprintf("%05d/%06d/%d", g.Partition, g.To+1, g.AtMs))
	}
	for _, f := range c.Faults {
		m.faults[f.Partition] = f
		if f.Cleared {
			delete(m.faults, f.Partition)
		}
	}
}

func sorted[K cmp.Ordered, V any](m map[K]V) (values []V) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[k])
	}
	return values
}

// state is what Load must return.
func (m *model) state() *processing.State {
	s := &processing.State{
		Watermark: m.last.Watermark, Head: m.head, Counters: m.last.Counters,
		Cursors: sorted(m.cursors), Floors: sorted(m.floors), Results: sorted(m.results), Schemas: sorted(m.schemas),
		Watches: sorted(m.watches), Gaps: sorted(m.gaps), Faults: sorted(m.faults),
	}
	for _, a := range sorted(m.alerts) {
		if a.State == alert.Firing {
			s.Alerts = append(s.Alerts, a)
		}
	}
	for k, b := range m.panes {
		s.Panes = append(s.Panes, processing.PaneBlock{PaneKey: k, Block: []byte(b)})
	}
	slices.SortFunc(s.Panes, func(a, b processing.PaneBlock) int {
		return cmp.Or(slices.Compare(a.Grouping[:], b.Grouping[:]), cmp.Compare(a.Start, b.Start), cmp.Compare(fmt.Sprint(a.Late), fmt.Sprint(b.Late)))
	})
	for _, shard := range slices.Sorted(maps.Keys(m.sessions)) {
		s.Sessions = append(s.Sessions, processing.SessionBlock{Kind: testPlan.Sessions[0].Hash, Shard: shard, Block: []byte(m.sessions[shard])})
	}
	for _, st := range m.starts {
		s.Definitions = append(s.Definitions, st)
	}
	s.Digests = slices.SortedFunc(maps.Values(m.digests), func(a, b processing.DefinitionDigest) int { return slices.Compare(a.Hash[:], b.Hash[:]) })
	slices.SortFunc(s.Definitions, func(a, b processing.Start) int { return slices.Compare(a.Hash[:], b.Hash[:]) })
	return s
}

// randomChanges makes the commit after those that m has seen. Its number is Counters.Consumed.
func (m *model) randomChanges(rng *rand.Rand) *processing.Changes {
	n := m.last.Counters.Consumed + 1
	c := &processing.Changes{
		Watermark: event.Millis(n * 1000), AtMs: 1_700_000_000_000 + n*20,
		Counters: processing.Counters{Consumed: n, Applied: n},
		Cursors:  []processing.Cursor{{ClusterID: "c", Topic: "events", Partition: event.PartitionID(rng.IntN(4)), Next: event.Offset(n), Anchor: processing.Anchor{Offset: -1}}},
	}
	if rng.IntN(5) == 0 {
		c.Floors = []processing.Floor{{Topic: "events", Partition: event.PartitionID(rng.IntN(4)), Offset: event.Offset(n), Floor: c.Watermark}}
		if old := sorted(m.floors); len(old) > 2 {
			c.Cut.Floors = old[:1]
		}
		c.Definitions = []processing.Start{{Hash: definition.Hash{byte(n)}, Name: "d", From: c.Watermark}}
		c.Schemas = []processing.Schema{{
			Ref: schemas.Registered(int32(n % 3)), RegisteredSchema: processing.RegisteredSchema{Type: "AVRO", Text: string(randomBlock(rng))},
			Starts: []processing.SchemaStart{{Partition: event.PartitionID(rng.IntN(4)), From: event.Offset(n)}},
		}}
	}
	m.randomDecisions(rng, c)
	for range rng.IntN(4) {
		k := processing.PaneKey{Grouping: testPlan.Groupings[rng.IntN(2)].Hash, Start: event.Millis(n/8*8000 + rng.Int64N(3)*1000), Late: rng.IntN(4) == 0}
		c.Panes = append(c.Panes, processing.PaneChange{PaneKey: k, Op: processing.PaneMerge, Block: randomBlock(rng)})
	}
	for k, total := range m.panes {
		if n%7 == 0 && k.Start < c.Watermark-20_000 {
			k.Late = false
			c.Panes = append(c.Panes, processing.PaneChange{PaneKey: k, Op: processing.PaneSettle, Width: 1000, Block: []byte(total)})
		}
	}
	for range rng.IntN(6) {
		s := processing.SessionChange{Kind: testPlan.Sessions[0].Hash, Shard: rng.IntN(20), Rewrite: rng.IntN(4) == 0, Block: randomBlock(rng)}
		if s.Rewrite && rng.IntN(3) == 0 {
			s.Block = nil
		}
		c.Sessions = append(c.Sessions, s)
	}
	m.randomResults(rng, c)
	m.randomAlerts(rng, c)
	return c
}

// randomDecisions lets partitions stand still, and operators decide on them.
func (m *model) randomDecisions(rng *rand.Rand, c *processing.Changes) {
	if rng.IntN(8) == 0 {
		c.Faults = []processing.Fault{{
			Topic: "events", Partition: event.PartitionID(rng.IntN(4)), Kind: processing.TailLost, Detail: string(randomBlock(rng)),
			Next: event.Offset(rng.IntN(1000)), AtMs: c.AtMs, Cleared: rng.IntN(3) == 0,
		}}
	}
	for _, g := range sorted(m.gaps) { // the same ones in each process
		if rng.IntN(20) == 0 {
			c.Cut.Gaps = append(c.Cut.Gaps, g)
		}
	}
	if rng.IntN(12) == 0 {
		g := processing.Gap{Topic: "events", Partition: event.PartitionID(rng.IntN(4)), To: event.Offset(rng.Int64N(c.Counters.Consumed+1) - 1), Reason: "r", AtMs: c.AtMs}
		if rng.IntN(4) == 0 {
			g.TopicID = [16]byte{1}
		}
		c.Gaps = []processing.Gap{g}
		c.Cursors = slices.DeleteFunc(c.Cursors, func(cur processing.Cursor) bool { return cur.Partition == g.Partition && g.To == processing.Gone })
	}
}

// randomAlerts lets rules remember something, and alerts begin to fire or be resolved. Their ids sort as they began.
func (m *model) randomAlerts(rng *rand.Rand, c *processing.Changes) {
	for range rng.IntN(3) {
		w := processing.Watch{Rule: definition.Hash{6}, Group: []string{fmt.Sprint("g", rng.IntN(9))}, Block: randomBlock(rng)}
		if rng.IntN(3) == 0 {
			w.Block = nil
		}
		c.Watches = append(c.Watches, w)
	}
	add := func(a alert.Alert) {
		a.Transitions = append(slices.Clip(a.Transitions), alert.Transition{State: a.State, At: c.Watermark, Seq: m.head + uint64(len(c.Feed)) + 1})
		c.Alerts = append(c.Alerts, a)
		c.Feed = append(c.Feed, processing.Entry{Seq: a.Seq(), Type: processing.AlertEntry, AtMs: c.AtMs, Alert: &a})
	}
	for _, a := range sorted(m.alerts) {
		if a.State == alert.Firing && rng.IntN(5) == 0 {
			a.State, a.EndedAt = alert.Resolved, c.Watermark
			add(a)
		}
	}
	if rng.IntN(4) == 0 {
		add(alert.Alert{
			ID: fmt.Sprintf("%09d", c.Watermark), State: alert.Firing, Type: "CUSTOM_PATTERN", Severity: "LOW", StartedAt: c.Watermark,
			EndedAt: event.NoTime, Title: string(randomBlock(rng)),
		})
	}
}

func randomBlock(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(40))
	for i := range b {
		b[i] = 'a' + byte(rng.IntN(26))
	}
	slices.Sort(b)
	return b
}

func (m *model) randomResults(rng *rand.Rand, c *processing.Changes) {
	block := processing.ResultBlock{Metric: "m", Hash: testPlan.Metrics[0].Hash, Start: event.Millis(rng.IntN(30)) * 1000}
	block.Digest.Lo = uint64(rng.IntN(3))
	c.Digests = []processing.DefinitionDigest{{Hash: definition.Hash{byte(rng.IntN(3))}, Name: "d", Facts: c.Counters.Consumed, Sum: digest.Sum{Hi: rng.Uint64(), Lo: rng.Uint64()}}}
	for g := range rng.IntN(4) {
		seq := m.head + uint64(g) + 1
		r := window.Result{
			Metric: "m", Definition: block.Hash, Start: block.Start, End: block.Start + 1000, Group: []string{fmt.Sprint(g)},
			Kind: window.Final, Revision: 1, Value: definition.Number{Float: rng.Float64(), Valid: true}, Count: c.Counters.Consumed, Seq: seq,
		}
		block.Results = append(block.Results, r)
		c.Feed = append(c.Feed, processing.Entry{Seq: seq, Type: processing.ResultEntry, AtMs: c.AtMs, Result: &r})
	}
	c.Results = []processing.ResultBlock{block}
	if rng.IntN(6) == 0 {
		c.Feed = append(c.Feed, processing.Entry{Seq: m.head + uint64(len(c.Feed)) + 1, Type: processing.DeadLetterEntry, AtMs: c.AtMs,
			DeadLetter: &processing.DeadLetter{Reason: "undecodable", Topic: "events", Value: randomBlock(rng)}})
	}
}
