package session

import (
	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// Table holds the open sessions of one kind. It belongs to the committer; Apply, Advance and TakeChanges may run for
// several lanes at once, while nothing else runs.
type Table struct {
	kind        definition.Hash
	gap         event.Millis
	maxDuration event.Millis
	maxOpen     int // of a shard
	end         int // bit of the row: the event is an end marker; or none
	shape       sequence.Shape
	parts       []part
	counts      int // of a session: its events, and the parts that are kept as plain counts
	lanes       []lane
	shards      [sequence.Shards]shard
}

// part is one aggregate of a session: a plain count, which is what most of them are, or a column.
type part struct {
	definition.SessionAggregate
	plain  bool
	index  int // among the counts, or among the columns
	value  int // input, in the row's values; or none
	filter int // bit of the row; or none
}

const none = -1

// lane is what shards that are worked on one after the other share.
type lane struct {
	closed    Closed
	badValues int64
	read      uint64 // see warm: without it the compiler could leave the reading out
	blocks    []byte
	text      sequence.KeyText
	tally     digest.Tally // since TakeDigest
	fact      []byte       // scratch
}

// New returns a table without sessions. Shard n is in lane n % lanes, as in a sequencer with that many lanes.
func New(kind *definition.SessionKind, lanes int) *Table {
	if kind.Gap <= 0 || kind.MaxDuration <= 0 || kind.MaxOpen <= 0 {
		panic("BUG: a session kind without gap, max_duration or max_open")
	}
	t := &Table{
		kind: kind.Hash, gap: kind.Gap, maxDuration: kind.MaxDuration, maxOpen: kind.MaxOpen,
		shape:  sequence.Shape{KeySlot: kind.KeySlot},
		counts: eventCount + 1,
		lanes:  make([]lane, lanes),
	}
	t.end = bit(&t.shape, kind.EndWhen)
	var columns []aggregate.Kind
	for _, a := range kind.Aggregates {
		p := part{SessionAggregate: a, filter: bit(&t.shape, a.Where), value: value(&t.shape, a.Slot)}
		if a.Kind == aggregate.Count && p.value == none {
			p.plain, p.index = true, t.counts
			t.counts++
		} else {
			p.index = len(columns)
			columns = append(columns, a.Kind)
		}
		t.parts = append(t.parts, p)
	}
	for i := range t.shards {
		t.shards[i].init(t.counts, columns)
	}
	for i := range t.lanes {
		t.lanes[i].closed.Row = make([]event.Value, max(kind.Closed.Slots, definition.SessionFields+len(t.parts)))
	}
	return t
}

// Shape says what the table needs of an event.
func (t *Table) Shape() sequence.Shape { return t.shape }

// bit finds or adds a filter to a shape.
func bit(shape *sequence.Shape, filter int) int {
	if filter == definition.NoFilter {
		return none
	}
	return place(&shape.Filters, filter)
}

// value finds or adds a slot to a shape.
func value(shape *sequence.Shape, slot int) int {
	if slot == definition.NoSlot {
		return none
	}
	return place(&shape.Slots, slot)
}

func place(list *[]int, n int) int {
	for i, m := range *list {
		if m == n {
			return i
		}
	}
	*list = append(*list, n)
	return len(*list) - 1
}

// Apply takes the next event in the total order of its lane. Sessions that it finds ended are handed to closed.
func (t *Table) Apply(r *sequence.Row, closed func(*Closed)) {
	shard := sequence.ShardOf(r.KeyHash)
	s, l := &t.shards[shard], t.laneOf(shard)
	slot := s.find(r.KeyHash, r.Key)
	if slot != none {
		if at, reason := t.due(&s.sessions[slot]); at < r.At.Time || at == r.At.Time && reason == MaxDuration {
			t.close(s, l, slot, at, reason, closed)
			slot = none
		}
	}
	ends := t.end != none && r.Passed(t.end)
	if slot == none {
		if s.open >= t.maxOpen && !ends {
			t.makeRoom(s, l, r.At.Time, closed)
		}
		slot = s.start(r)
	}
	t.add(s, l, slot, r)
	if ends {
		t.close(s, l, slot, r.At.Time, End, closed)
	}
}

// ApplyGroup is Apply for rows that follow each other.
func (t *Table) ApplyGroup(rows []sequence.Row, closed func(*Closed)) {
	for len(rows) > 0 {
		group := rows[:min(len(rows), groupRows)]
		t.warm(group)
		for i := range group {
			t.Apply(&group[i], closed)
		}
		rows = rows[len(group):]
	}
}

// groupRows is how many rows are looked up side by side.
const groupRows = 32

// warm reads what Apply is going to need of a group. Nearly every read is a cache miss: those of one row wait for each
// other, those of several rows don't. What it finds does not matter, only that it has been read.
func (t *Table) warm(group []sequence.Row) {
	var slots [groupRows]int32
	for i := range group {
		s := &t.shards[sequence.ShardOf(group[i].KeyHash)]
		if s.open > 0 {
			slots[i] = s.cells[uint32(group[i].KeyHash)&uint32(len(s.cells)-1)].slot
		}
	}
	var read uint64
	for i := range group {
		r := &group[i]
		read += uint64(r.Key[0]) + uint64(r.Key[len(r.Key)-1])
		if slots[i] > 0 {
			s := &t.shards[sequence.ShardOf(r.KeyHash)]
			key := s.key(slots[i] - 1)
			read += uint64(key[len(key)-1]) + uint64(s.countsOf(slots[i] - 1)[eventCount])
		}
	}
	t.laneOf(sequence.ShardOf(group[0].KeyHash)).read = read
}

// Advance runs the timers of a lane's shards up to and including w. All events of the lane with time <= w have been
// applied before.
func (t *Table) Advance(w event.Millis, lane int, closed func(*Closed)) {
	if w == event.NoTime {
		return
	}
	for n := lane; n < len(t.shards); n += len(t.lanes) {
		t.run(&t.shards[n], &t.lanes[lane], w, w, closed)
	}
}

// OpenSessions is the number of open sessions.
func (t *Table) OpenSessions() int {
	n := 0
	for i := range t.shards {
		n += t.shards[i].open
	}
	return n
}

// TakeBadValues returns how many values since the last call could not be held by an aggregate and counted as null.
func (t *Table) TakeBadValues() int64 {
	var n int64
	for i := range t.lanes {
		n += t.lanes[i].badValues
		t.lanes[i].badValues = 0
	}
	return n
}

func (t *Table) laneOf(shard int) *lane {
	if len(t.lanes) == 1 {
		return &t.lanes[0]
	}
	return &t.lanes[shard%len(t.lanes)]
}

// add adds an event to an open session.
func (t *Table) add(s *shard, l *lane, slot int32, r *sequence.Row) {
	x, counts := &s.sessions[slot], s.countsOf(slot)
	x.last, x.partition, x.offset = r.At.Time, r.At.Partition, r.At.Offset
	counts[eventCount]++
	s.touch(slot)
	for i := range t.parts {
		p := &t.parts[i]
		if p.filter != none && !r.Passed(p.filter) {
			continue
		}
		if p.plain {
			counts[p.index]++
			continue
		}
		in := aggregate.Input{At: r.At}
		if p.value != none {
			in.Value = &r.Values[p.value]
			if p.Kind == aggregate.Uniques {
				in.Hash = in.Value.Hash()
			}
		}
		if !s.columns[p.index].Add(int(slot), &in) {
			l.badValues++
		}
	}
}
