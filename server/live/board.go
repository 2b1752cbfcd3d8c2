package live

import (
	"container/list"
	"maps"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
)

// holdFinals is for how long the last final of a group is held, in event time after its window's end. Without it, every
// page that was ever viewed would stay.
const holdFinals event.Millis = 5 * 60 * 1000

// maxTombs is how many removed rows are remembered. Readers that are further behind start again with a snapshot.
const maxTombs = 1 << 14

// Board is what the server holds for the channel "metrics". Every change has a version.
//
//  1. A row is a cell, found by (metric, window start, group). Cells stand in a list in the order of their last change,
//     so that what changed since a version is the list's tail.
//  2. A removed cell stays in the list as a tomb, so that readers learn of it. The oldest tombs are forgotten; whoever
//     last read before a forgotten tomb can't be told the difference any more.
//  3. A final takes the place of the provisional row of its window, under the same key.
//
// It is changed by the committer and by the hub's polls, and read by every client; each holds the lock for as long as
// what it changes or reads takes.
type Board struct {
	mu        sync.Mutex
	metrics   []*metricRows // by metric's name, as in the plan
	byHash    map[definition.Hash]*metricRows
	byName    map[string]*metricRows
	cells     map[place]*cell
	order     *list.List // of *cell, the last changed at the back
	tombs     *list.List // of *cell, those that are gone, the last removed at the back
	maxTombs  int
	version   uint64
	forgotten uint64 // version of the last tomb that was forgotten
	seq       uint64
	watermark event.Millis
	changed   chan struct{} // closed at the next change; nil while nobody waits
}

// metricRows is what the board holds of one metric.
type metricRows struct {
	rank   int
	shape  *wire.Shape
	metric *definition.Metric
	finals map[string]*cell        // by group
	gone   map[string]event.Millis // by group: start of the last window that was retracted, if none was published after it
	open   map[place]*cell
	first  event.Millis // start of the earliest window with an event; NoTime before it
	judged *judged      // of a metric without groups that has a `having`; nil of others
}

// place is where a row belongs.
type place struct {
	metric int // rank
	start  event.Millis
	group  string // values, each followed by a zero byte
}

// cell is one row or, once it is gone, its tomb.
type cell struct {
	place
	key     string
	result  window.Result
	row     []byte // JSON of the row; made when first read, nil after a change
	created uint64 // version; readers from before it have never seen the cell
	changed uint64 // version
	inOrder *list.Element
	tomb    *list.Element // not nil: gone
}

// NewBoard makes an empty board for the metrics of a plan.
func NewBoard(plan *definition.Plan) *Board {
	b := &Board{
		byHash:    make(map[definition.Hash]*metricRows),
		byName:    make(map[string]*metricRows),
		cells:     make(map[place]*cell),
		order:     list.New(),
		tombs:     list.New(),
		maxTombs:  maxTombs,
		watermark: event.NoTime,
	}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		mr := &metricRows{
			rank: i, shape: wire.NewShape(m), metric: m,
			finals: make(map[string]*cell), gone: make(map[string]event.Millis), open: make(map[place]*cell), first: event.NoTime,
			judged: newJudged(m),
		}
		b.metrics = append(b.metrics, mr)
		b.byHash[m.Hash] = mr
		b.byName[m.Name] = mr
	}
	return b
}

// HoldFrom is the earliest start of a window whose final is held when the watermark is w.
func HoldFrom(m *definition.Metric, w event.Millis) event.Millis {
	return w + 1 - max(holdFinals, m.Size) - m.Size
}

// Load takes up what the store holds at seq and w: the results that HoldFrom asks for, and the start of the earliest
// window of each metric that has one.
func (b *Board) Load(seq uint64, w event.Millis, results []window.Result, first map[definition.Hash]event.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for hash, start := range first {
		if mr := b.byHash[hash]; mr != nil {
			mr.first = start
		}
	}
	b.commitLocked(seq, w, results)
}

// head is the sequence up to which the board holds the feed.
func (b *Board) head() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seq
}

// Committed applies a commit. One that the board already holds changes nothing.
func (b *Board) Committed(c *processing.Committed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	withholds := slices.ContainsFunc(c.Results, func(r window.Result) bool { return r.Withheld() }) // which no sequence tells
	if c.Seq < b.seq || c.Seq == b.seq && c.Watermark <= b.watermark && !withholds {
		return
	}
	b.commitLocked(c.Seq, c.Watermark, c.Results)
}

func (b *Board) commitLocked(seq uint64, w event.Millis, results []window.Result) {
	b.version++
	b.seq = seq
	moved := w > b.watermark
	b.watermark = max(w, b.watermark)
	for i := range results {
		if mr := b.byHash[results[i].Definition]; mr != nil {
			b.resultLocked(mr, &results[i])
		}
	}
	for _, mr := range b.metrics {
		if moved {
			b.closeLocked(mr)
		}
		if mr.judged != nil && b.watermark != event.NoTime {
			b.judgedFinalLocked(mr)
		}
	}
	b.announceLocked()
}

// resultLocked applies a final, a correction or a retract.
func (b *Board) resultLocked(mr *metricRows, r *window.Result) {
	at := mr.place(r)
	held := mr.finals[at.group]
	if mr.judged != nil {
		mr.noteFirst(r.Start)
		mr.judged.take(r)
		return // judgedFinalLocked shows what counts
	}
	if r.Kind != window.Retract {
		mr.noteFirst(r.Start)
	}
	gone, retracted := mr.gone[at.group]
	switch {
	case held != nil && held.start > at.start, retracted && gone > at.start:
		return // changes a window that is no longer the last one
	case len(mr.metric.Keys) > 0 && b.watermark != event.NoTime && at.start < HoldFrom(mr.metric, b.watermark):
		return // a window that is too old to be held
	case r.Kind == window.Retract:
		b.retractLocked(mr, at, held)
		return
	}
	delete(mr.gone, at.group)
	if held != nil && held.start < at.start {
		b.removeLocked(held)
	}
	delete(mr.open, at)
	mr.finals[at.group] = b.setLocked(mr, at, r)
}

// retractLocked takes a group away whose last window is no longer published. The one before it does not come back, so that
// whoever was there and whoever loads what the store holds agree.
func (b *Board) retractLocked(mr *metricRows, at place, held *cell) {
	if len(mr.metric.Keys) > 0 {
		mr.gone[at.group] = at.start
	} else if held == nil || held.start != at.start {
		return
	}
	if held != nil {
		delete(mr.finals, at.group)
		b.removeLocked(held)
	}
}

// closeLocked brings a metric up to the watermark: windows without events close too, and old finals leave.
func (b *Board) closeLocked(mr *metricRows) {
	for at, c := range mr.open {
		if c.result.End-1 <= b.watermark {
			delete(mr.open, at)
			b.removeLocked(c)
		}
	}
	if len(mr.metric.Keys) == 0 {
		if mr.judged == nil {
			b.supplyFinalLocked(mr)
		}
		return
	}
	oldest := HoldFrom(mr.metric, b.watermark)
	maps.DeleteFunc(mr.gone, func(_ string, start event.Millis) bool { return start < oldest })
	for group, c := range mr.finals {
		if c.start < oldest {
			delete(mr.finals, group)
			b.removeLocked(c)
		}
	}
}

// supplyFinalLocked stands in for the newest closed window of an ungrouped metric when nothing happened in it.
func (b *Board) supplyFinalLocked(mr *metricRows) {
	newest := window.FirstWindow(mr.metric, b.watermark+1) - mr.metric.Slide
	if mr.first == event.NoTime || newest < mr.first {
		return
	}
	held := mr.finals[""]
	if held != nil && held.start >= newest {
		return
	}
	if held != nil {
		b.removeLocked(held)
	}
	empty := mr.shape.Empty(newest)
	mr.finals[""] = b.setLocked(mr, mr.place(&empty), &empty)
}

// Opened applies the rows of the open windows, as of o.Seq. The board may meanwhile be ahead of o, or behind it: a
// window is left alone when one of the two has closed it.
func (b *Board) Opened(o *processing.Open) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
	present, withheld := make(map[place]bool, len(o.Rows)), make(map[place]bool)
	for i := range o.Rows {
		r := &o.Rows[i]
		mr := b.byHash[r.Definition]
		if mr == nil || r.End-1 <= b.watermark {
			continue
		}
		mr.noteFirst(r.Start)
		at := mr.place(r)
		if r.Kind == window.Retract {
			withheld[at] = true
			continue
		}
		present[at] = true
		mr.open[at] = b.setLocked(mr, at, r)
	}
	for _, mr := range b.metrics {
		b.supplyOpenLocked(mr, o, present, withheld)
		for at, c := range mr.open {
			if !present[at] && c.result.End-1 > o.Watermark {
				delete(mr.open, at)
				b.removeLocked(c)
			}
		}
	}
	if last := b.order.Back(); last == nil || last.Value.(*cell).changed < b.version {
		b.version-- // nothing has changed
		return
	}
	b.announceLocked()
}

// supplyOpenLocked stands in for the open windows of an ungrouped metric in which nothing has happened so far.
func (b *Board) supplyOpenLocked(mr *metricRows, o *processing.Open, present, withheld map[place]bool) {
	m := mr.metric
	if !mr.shape.ImpliesEmpty() || mr.first == event.NoTime || o.Newest == event.NoTime {
		return
	}
	w := max(o.Watermark, b.watermark)
	if w == event.NoTime {
		return
	}
	bound := window.FirstWindow(m, o.Newest) + m.Size // the end of the first window that ends after it
	start := max(window.FirstWindow(m, w+1), mr.first)
	for ; start+m.Size <= bound; start += m.Slide {
		empty := mr.shape.Empty(start)
		empty.Kind, empty.Revision = window.Provisional, 0
		at := mr.place(&empty)
		if !present[at] && !withheld[at] {
			present[at] = true
			mr.open[at] = b.setLocked(mr, at, &empty)
		}
	}
}
