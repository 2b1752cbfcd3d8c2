package window

import (
	"slices"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// correctEvery bounds how often a window is corrected before it settles.
const correctEvery = time.Second

// Book closes the windows of one metric and keeps those that can still change. It is owned by the committer.
//
//  1. Close publishes the final of each window with W >= end - 1, once, made of the rows that must have been read by then.
//  2. Touch marks the windows of a pane whose late rows changed; a final that had to leave late rows out starts marked.
//  3. Correct publishes what changed in marked windows, at most once a second each, and a last time as a window settles.
//  4. The revisions of a group only grow, also if it loses its rank and comes back, and over silent folds, see Hear.
//  5. A window counts in the metric's digest with its final until it settles, and with all rows from then on: what
//     corrections said in between, and when, is no function of the log.
//
// What a window has published is all that a correction is compared with, so that a restart, which knows only that,
// goes on alike.
type Book struct {
	metric  *definition.Metric
	totals  *Totals // of the metric's grouping
	overall *Totals // of its grouping of totals; nil when it has none
	from    event.Millis
	pages   map[event.Millis]*page // closed windows that have not settled, by start
	tally   digest.Tally           // since TakeDigest
	fact    []byte                 // scratch
	heard   int                    // corrections go on above this revision
	heardTo event.Millis           // of the windows that W had passed there

	columns, overallColumns []int // that the metric reads
}

// Emission is what one window publishes in one commit, which may be nothing but a change of its digest.
type Emission struct {
	Metric  *definition.Metric
	Start   event.Millis
	Changed []*Result // finals, corrections and retracts
	page    *page
}

// Digest is what the window adds to the metric's digest as of this commit.
func (e *Emission) Digest() digest.Sum { return e.page.digest }

// Published are the window's last revisions, by group. Those of a metric with `having` include retracts: of groups whose
// revisions go on if they come back, and of the only row of a metric without groups, which may never have been
// published (its revision is 0 then) and tells that the window is not empty.
func (e *Emission) Published() []Result { return e.page.published }

// NewBook makes the book of a metric whose windows are published if they start at from or later.
func NewBook(m *definition.Metric, rows, overall *Totals, from event.Millis) *Book {
	b := &Book{metric: m, totals: rows, overall: overall, from: from, pages: make(map[event.Millis]*page), columns: []int{m.Count}}
	for _, a := range m.Aggregates {
		list := &b.columns
		if a.Total {
			list = &b.overallColumns
		}
		if !slices.Contains(*list, a.Column) {
			*list = append(*list, a.Column)
		}
	}
	return b
}

// Hear says that others have read revisions, up to some, of windows that end before W: those of their corrections begin above.
func (b *Book) Hear(revision int, w event.Millis) { b.heard, b.heardTo = revision, w }

// Resume takes up a closed window that has not settled, with what it has published and what it adds to the digest. Late
// rows may have come since. What a metric published before it was taken out of force and came back stays as it is: rows
// have gone by in between.
func (b *Book) Resume(start event.Millis, published []Result, sum digest.Sum) {
	if start < b.from {
		return
	}
	ranked := make([]Row, 0, len(published))
	for i := range published {
		if published[i].Kind != Retract {
			ranked = append(ranked, Row{Key: keyOf(published[i].Group), Value: published[i].Value})
		}
	}
	slices.SortFunc(ranked, compareRank)
	pg := &page{published: published, digest: sum, marked: true, ranks: make(map[string]int, len(published))}
	for rank, row := range ranked {
		pg.ranks[groupID(Groups(b.metric, row.Key))] = rank
	}
	b.pages[start] = pg
}

// keyOf is the row's key that a rendered group comes of.
func keyOf(group []string) []byte {
	var key []byte
	for _, text := range group {
		switch g := ParseGroupValue(text); g.Kind {
		case GroupOther:
			return otherKey
		case GroupNone:
			key = appendPart(key, &event.Value{})
		default:
			v := event.StringValue([]byte(g.Text))
			key = appendPart(key, &v)
		}
	}
	return key
}

// Close publishes the finals of the windows that W passes on its way from was to w, in the order of their ends.
func (b *Book) Close(was, w event.Millis) []Emission {
	var out []Emission
	for _, start := range b.windows(was, w) {
		if start < b.from {
			continue
		}
		end := start + b.metric.Size
		late := b.leavesOut(start, end)
		pg := &page{late: late, marked: late}
		em := Emission{Metric: b.metric, Start: start, page: pg}
		ev := b.evaluate(start, end, FinalRows)
		b.count(pg, start, &ev)
		if em.Changed = pg.publish(b.metric, start, ev, Final); pg.changed {
			out = append(out, em)
		}
		if b.metric.Lateness > 0 {
			b.pages[start] = pg
		}
	}
	return out
}

// windows returns the starts, ascending, of the windows with a row whose end - 1 lies in (was, w].
func (b *Book) windows(was, w event.Millis) []event.Millis {
	m := b.metric
	var starts []event.Millis
	next := event.NoTime
	for _, pane := range b.totals.Starts() {
		first := FirstWindow(m, pane)
		if was != event.NoTime {
			// The first window that W had not passed: end - 1 > was.
			if open := FirstWindow(m, was+1); open > first {
				first = open
			}
		}
		for s := max(first, next); s <= pane && s+m.Size-1 <= w; s += m.Slide {
			starts = append(starts, s)
			next = s + m.Slide
		}
	}
	return starts
}

// FirstWindow returns the start of the first window of a metric that contains t. It is also the first that ends after t.
func FirstWindow(m *definition.Metric, t event.Millis) event.Millis {
	return definition.Clock{Width: m.Slide, Offset: m.Offset}.PaneStart(t-m.Size) + m.Slide
}

// leavesOut reports whether the window has late rows that its final must not count.
func (b *Book) leavesOut(start, end event.Millis) bool {
	return b.totals.leavesOut(start, end) || b.overall != nil && b.overall.leavesOut(start, end)
}

func (t *Totals) leavesOut(start, end event.Millis) bool {
	from, _ := slices.BinarySearch(t.starts, start)
	for _, s := range t.starts[from:] {
		if s >= end {
			return false
		}
		if t.panes[s].late != nil && !t.complete(s, end) {
			return true
		}
	}
	return false
}

// evaluation is a window's published rows, in rank order.
type evaluation struct {
	rows      []Row
	totals    *Pane
	took      bool // there were events, also if no row is published
	truncated bool
}

func (b *Book) evaluate(start, end event.Millis, which Rows) evaluation {
	rows := b.totals.Window(start, end, which, b.columns)
	var totals *Pane
	if b.overall != nil {
		totals = b.overall.Window(start, end, which, b.overallColumns)
	}
	ranked, took := Evaluate(b.metric, rows, totals, b.metric.Size)
	if len(ranked) == 0 {
		return evaluation{took: took}
	}
	return evaluation{Publish(b.metric, ranked, rows, totals, b.metric.Size), totals, took, rows.Truncated()}
}

// Touch marks the closed windows that contain a pane whose late rows changed.
func (b *Book) Touch(pane, w event.Millis) {
	m := b.metric
	for s := FirstWindow(m, pane); s <= pane; s += m.Slide {
		if s+m.Size-1 > w || s < b.from {
			continue // still open: the final or its mark will see the rows; or never published
		}
		pg := b.pages[s]
		if pg == nil {
			if settled(m, s, w) {
				continue
			}
			pg = &page{}
			b.pages[s] = pg
		}
		pg.late, pg.marked = true, true
	}
}

// Recall marks, after a restart, the closed windows that contain late rows: of one that has published nothing so far
// nobody else remembers that a correction was waiting. It comes after all that is resumed.
func (b *Book) Recall(w event.Millis) {
	if w == event.NoTime {
		return
	}
	for _, t := range []*Totals{b.totals, b.overall} {
		if t == nil {
			continue
		}
		for _, pane := range t.Starts() {
			if t.HasLate(pane) {
				b.Touch(pane, w)
			}
		}
	}
}

func settled(m *definition.Metric, start, w event.Millis) bool {
	return w >= start+m.Size-1+m.Lateness
}

// Correct publishes what changed in marked windows that have not been corrected within the last second, and in those
// that settle, which it then forgets. The rows of a window without late rows are those of its final.
func (b *Book) Correct(w event.Millis, now time.Time) []Emission {
	var out []Emission
	for start, pg := range b.pages {
		done := settled(b.metric, start, w)
		if done {
			delete(b.pages, start)
		}
		due := pg.marked && now.Sub(pg.corrected) >= correctEvery
		if !due && !(done && (pg.marked || pg.late)) {
			continue
		}
		pg.marked, pg.corrected = false, now
		if start+b.metric.Size-1 <= b.heardTo {
			pg.heard = b.heard
		}
		em := Emission{Metric: b.metric, Start: start, page: pg}
		ev := b.evaluate(start, start+b.metric.Size, AllRows)
		counted := done && b.count(pg, start, &ev)
		if em.Changed = pg.publish(b.metric, start, ev, Correction); pg.changed || counted {
			out = append(out, em)
		}
	}
	slices.SortFunc(out, func(x, y Emission) int { return int(x.Start - y.Start) })
	return out
}

// Due is when the first of the windows that wait to be corrected may be; ok is false if none waits.
func (b *Book) Due() (at time.Time, ok bool) {
	for _, pg := range b.pages {
		if next := pg.corrected.Add(correctEvery); pg.marked && (!ok || next.Before(at)) {
			at, ok = next, true
		}
	}
	return at, ok
}

// OpenRows returns the provisional rows of the windows that W has not closed, up to the first that ends after the newest
// event. Of a metric without groups it returns a retract in place of a row that `having` withholds.
func (b *Book) OpenRows(w, newest event.Millis) []Result {
	m := b.metric
	if newest == event.NoTime {
		return nil
	}
	var out []Result
	for _, start := range b.windows(w, FirstWindow(m, newest)+m.Size-1) {
		if start < b.from {
			continue
		}
		ev := b.evaluate(start, start+m.Size, AllRows)
		if ev.withheld(m) {
			out = append(out, withheldResult(m, start))
		}
		for _, row := range ev.rows {
			r := resultOf(m, start, row, ev.truncated)
			r.Kind = Provisional
			out = append(out, r)
		}
	}
	return out
}
