package processing

import (
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// nextWatermark is W for the commit that is being made: the minimum over the partitions that hold it. It never moves
// back, nor at all before the rows that were held at the last shutdown have been read again.
func (l *loop) nextWatermark(moves []moved) event.Millis {
	for _, m := range moves {
		l.maxima[m.id] = max(l.maxima[m.id], m.max)
	}
	if len(l.unknown) > 0 {
		return l.watermark
	}
	for _, p := range l.intake.partitions {
		if event.Offset(p.seenPosition.Load()) < p.resume {
			return l.watermark
		}
	}
	if l.errand != nil {
		return l.errandWatermark()
	}
	// A faulted partition holds W, however idle it was before.
	lowest, ok := l.lowest(func(id event.PartitionID) bool { return l.faults[id] != nil || !l.idleness.Idle(id) })
	if !ok { // all are idle
		lowest, _ = l.lowest(l.idleness.Spoke)
		if l.intake.braked == "" {
			lowest = max(lowest, l.quiet())
		}
	}
	return max(l.watermark, lowest)
}

// lowest is the lowest watermark of some partitions; ok is false if there are none.
func (l *loop) lowest(of func(event.PartitionID) bool) (lowest event.Millis, ok bool) {
	lowest = event.NoTime
	for id, p := range l.intake.partitions {
		if !of(id) {
			continue
		}
		if own := event.Millis(p.seenWatermark.Load()); !ok || own < lowest {
			lowest, ok = own, true
		}
	}
	return lowest, ok
}

// quietStep is how W moves while nothing happens: a commit for each millisecond would keep the disk busy for nothing.
const quietStep = time.Second

// quiet is what W follows when nothing has arrived for long, so that the last windows and sessions close.
func (l *loop) quiet() event.Millis {
	since, ok := l.idleness.Quiet(time.Now())
	newest := event.NoTime
	for _, m := range l.maxima {
		newest = max(newest, m)
	}
	if !ok || newest == event.NoTime {
		return event.NoTime
	}
	since = since.Truncate(quietStep)
	return newest - l.pipeline.plan.Source.OutOfOrderness - 1 + event.Millis(since.Milliseconds())
}
