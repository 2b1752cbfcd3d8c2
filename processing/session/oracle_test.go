package session

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// oracle answers what the sessions of one shard must be, in the plainest way: all events are sorted, every timer runs
// at its place in the total order, and every question is a walk over all open sessions.
type oracle struct {
	kind   *definition.SessionKind
	open   map[string]*visited
	seen   map[string]map[int64]bool // distinct numbers by key of the open session
	closed []visited
}

func newOracle(kind *definition.SessionKind) *oracle {
	return &oracle{kind: kind, open: make(map[string]*visited), seen: make(map[string]map[int64]bool)}
}

func (o *oracle) run(events []visit, w event.Millis) []visited {
	slices.SortFunc(events, func(a, b visit) int { return a.order.Compare(b.order) })
	for _, v := range events {
		o.timers(v.order.Time, v.order.Time-1)
		o.take(v)
	}
	o.timers(w, w)
	return o.closed
}

// timers runs what is due: of max_duration up to one time, of the gap up to another.
func (o *oracle) timers(duration, gap event.Millis) {
	for {
		at, reason, key := event.Millis(math.MaxInt64), "", ""
		for _, k := range slices.Sorted(maps.Keys(o.open)) {
			s := o.open[k]
			if c := s.first + o.kind.MaxDuration; c <= duration && (c < at || c == at && reason == "gap") {
				at, reason, key = c, "max_duration", k
			}
			if c := s.last + o.kind.Gap; c <= gap && c < at {
				at, reason, key = c, "gap", k
			}
		}
		if reason == "" {
			return
		}
		o.close(key, at, reason)
	}
}

func (o *oracle) take(v visit) {
	s := o.open[v.key]
	if s == nil {
		if len(o.open) == o.kind.MaxOpen && !v.end {
			o.evict(v.order.Time)
		}
		s = &visited{key: v.key, first: v.order.Time}
		o.open[v.key] = s
		o.seen[v.key] = make(map[int64]bool)
	}
	s.last, s.at = v.order.Time, v.order
	s.events++
	s.sum += float64(v.number)
	o.seen[v.key][v.number] = true
	if v.view {
		if s.views == 0 {
			s.entry = v.text
		}
		s.views++
	}
	if v.end {
		s.ends++
		o.close(v.key, v.order.Time, "end")
	}
}

func (o *oracle) evict(at event.Millis) {
	oldest := slices.MinFunc(slices.Collect(maps.Values(o.open)), func(a, b *visited) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.key, b.key))
	})
	o.close(oldest.key, at, "evicted")
}

func (o *oracle) close(key string, at event.Millis, reason string) {
	s := o.open[key]
	s.at.Time, s.reason, s.numbers = at, reason, int64(len(o.seen[key]))
	o.closed = append(o.closed, *s)
	delete(o.open, key)
}

// keysOf finds keys of two shards, so that sessions get into each other's way.
func keysOf(perShard int) (keys []string, shards map[string]int) {
	shards = make(map[string]int)
	for _, shard := range []int{7, 200} {
		for i, n := 0, 0; n < perShard; i++ {
			if key := "key" + strconv.Itoa(i); sequence.ShardOf(hashOfText(key)) == shard {
				keys, shards[key] = append(keys, key), shard
				n++
			}
		}
	}
	return keys, shards
}

// pipeline is a sequencer and a table, and what a store would hold for them.
type pipeline struct {
	kind      *definition.SessionKind
	lanes     int
	sequencer *sequence.Sequencer
	table     *Table
	stored    map[int][]byte
	closed    []visited
	w         event.Millis
}

// start begins with what is stored.
func (p *pipeline) start(t rapid.TB) {
	p.table = New(p.kind, p.lanes)
	p.sequencer = sequence.NewSequencer(p.table.Shape(), p.lanes)
	for shard, block := range p.stored {
		if err := p.table.Load(shard, block); err != nil {
			t.Fatal(err)
		}
	}
}

// commit adds events, moves W and stores what has changed.
func (p *pipeline) commit(t rapid.TB, events []visit, w event.Millis) {
	b := p.sequencer.NewBatch()
	for _, v := range events {
		v.hold(b, hashOfText(v.key))
	}
	p.sequencer.Add(b)
	p.w = w
	closed, changes := make([][]visited, p.lanes), make([][]Change, p.lanes)
	var lanes sync.WaitGroup
	for lane := range p.lanes {
		lanes.Go(func() {
			each := func(c *Closed) { closed[lane] = append(closed[lane], visitedOf(c)) }
			p.sequencer.ReleaseGroups(w, lane, func(rows []sequence.Row) { p.table.ApplyGroup(rows, each) })
			p.table.Advance(w, lane, each)
			changes[lane] = p.table.TakeChanges(lane)
		})
	}
	lanes.Wait()
	p.closed = append(p.closed, slices.Concat(closed...)...)
	for _, c := range slices.Concat(changes...) {
		p.store(t, c)
	}
}

func (p *pipeline) store(t rapid.TB, c Change) {
	older, have := p.stored[c.Shard]
	switch {
	case c.Rewrite && c.Block == nil:
		delete(p.stored, c.Shard)
	case c.Rewrite || !have:
		p.stored[c.Shard] = slices.Clone(c.Block)
	default:
		merged, err := MergeBlocks(older, c.Block)
		if err != nil {
			t.Fatal(err)
		}
		p.stored[c.Shard] = merged
	}
}

// TestAgainstOracle compares with the oracle over random events that crowd few milliseconds and full shards, with
// commits, lanes and restarts at random. A restart keeps what is stored, and the events that W has not passed come again.
func TestAgainstOracle(t *testing.T) {
	keys, shards := keysOf(6)
	rapid.Check(t, func(t *rapid.T) {
		kind := visits(event.Millis(rapid.IntRange(1, 12).Draw(t, "gap")), event.Millis(rapid.IntRange(1, 30).Draw(t, "max duration")),
			rapid.IntRange(1, 6).Draw(t, "max open"))
		p := &pipeline{kind: kind, lanes: rapid.IntRange(1, 3).Draw(t, "lanes"), stored: make(map[int][]byte), w: -1}
		p.start(t)
		var all, waiting []visit
		var offsets [3]event.Offset
		for range rapid.IntRange(1, 14).Draw(t, "commits") {
			var fresh []visit
			for range rapid.IntRange(0, 20).Draw(t, "events") {
				partition := rapid.IntRange(0, len(offsets)-1).Draw(t, "partition")
				offsets[partition]++
				n := rapid.IntRange(0, 1<<14-1).Draw(t, "event")
				v := visit{
					order: event.Order{Time: p.w + 1 + event.Millis(n%16), Coordinate: event.Coordinate{
						Partition: event.PartitionID(partition), Offset: offsets[partition]}},
					key: keys[n>>4%len(keys)], number: int64(n >> 8 % 4), text: strconv.Itoa(n % 7),
					end: n>>10%8 == 0, view: n>>13%2 == 0,
				}
				fresh = append(fresh, v)
			}
			all, waiting = append(all, fresh...), append(waiting, fresh...)
			p.commit(t, fresh, p.w+event.Millis(rapid.IntRange(0, 14).Draw(t, "advance")))
			waiting = slices.DeleteFunc(waiting, func(v visit) bool { return v.order.Time <= p.w })
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				p.start(t)
				p.commit(t, waiting, p.w)
			}
		}
		p.commit(t, nil, p.w+100)
		compareWithOracle(t, p, all, shards)
	})
}

func compareWithOracle(t *rapid.T, p *pipeline, all []visit, shards map[string]int) {
	var want []visited
	for _, shard := range []int{7, 200} {
		events := slices.DeleteFunc(slices.Clone(all), func(v visit) bool { return shards[v.key] != shard })
		want = append(want, newOracle(p.kind).run(events, p.w)...)
	}
	for _, list := range [][]visited{want, p.closed} {
		slices.SortFunc(list, func(a, b visited) int { return a.at.Compare(b.at) })
	}
	if !slices.Equal(p.closed, want) {
		t.Fatalf("got  %v\nwant %v", p.closed, want)
	}
	if n := p.table.OpenSessions(); n != 0 || len(p.stored) != 0 {
		t.Fatalf("%d sessions are open and %d shards are stored when all have closed", n, len(p.stored))
	}
}
