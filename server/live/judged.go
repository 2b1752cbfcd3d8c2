package live

import (
	"maps"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// judged is what the board knows of the closed windows of a metric whose `having` decides about whole windows, for as
// long as finals are held: a correction can withhold the last one, and then the one before it is the last.
type judged struct {
	published map[event.Millis]window.Result // by start
	withheld  map[event.Millis]bool          // not empty, but nothing to show
}

func newJudged(m *definition.Metric) *judged {
	if len(m.Keys) > 0 || m.Having == nil {
		return nil
	}
	return &judged{make(map[event.Millis]window.Result), make(map[event.Millis]bool)}
}

// take notes a result or a retract.
func (j *judged) take(r *window.Result) {
	delete(j.published, r.Start)
	delete(j.withheld, r.Start)
	if r.Kind == window.Retract {
		j.withheld[r.Start] = true
	} else {
		j.published[r.Start] = *r
	}
}

// judgedFinalLocked shows the last closed window that has something to show.
func (b *Board) judgedFinalLocked(mr *metricRows) {
	oldest := HoldFrom(mr.metric, b.watermark)
	maps.DeleteFunc(mr.judged.published, func(start event.Millis, _ window.Result) bool { return start < oldest })
	maps.DeleteFunc(mr.judged.withheld, func(start event.Millis, _ bool) bool { return start < oldest })
	held, last := mr.finals[""], b.lastJudgedLocked(mr, oldest)
	if held != nil && (last == nil || held.start != last.Start) {
		delete(mr.finals, "")
		b.removeLocked(held)
	}
	if last != nil {
		at := mr.place(last)
		delete(mr.open, at)
		mr.finals[""] = b.setLocked(mr, at, last)
	}
}

func (b *Board) lastJudgedLocked(mr *metricRows, oldest event.Millis) *window.Result {
	if mr.first == event.NoTime {
		return nil
	}
	start := window.FirstWindow(mr.metric, b.watermark+1) - mr.metric.Slide // the last that has closed
	for ; start >= max(mr.first, oldest); start -= mr.metric.Slide {
		if r, ok := mr.judged.published[start]; ok {
			return &r
		}
		if !mr.judged.withheld[start] && mr.shape.ImpliesEmpty() {
			empty := mr.shape.Empty(start)
			return &empty
		}
	}
	return nil
}
