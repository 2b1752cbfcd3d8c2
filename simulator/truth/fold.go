package truth

import (
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// Options are what a Fold starts from.
type Options struct {
	Rules      Rules
	Partitions int     // of the topic, numbered from 0
	Floors     []Floor // of idle and new partitions
	// Watermark is the W up to which windows and sessions close. When it is zero, W is the lowest watermark of the
	// partitions that hold an event; at EndOfTime everything closes, as in a topic that has fallen quiet.
	Watermark event.Millis
	// Metrics are those to compute, by name; nil is all of them.
	Metrics []string
}

func (o *Options) wants(metric string) bool {
	return o.Metrics == nil || slices.Contains(o.Metrics, metric)
}

// Sink takes what is found, as it is found; what is nil is not told.
type Sink struct {
	Window     func(metric string, w Window) // of a metric in the order of starts, then of groups
	Session    func(Session)                 // closed ones, by ClosedAt, then key
	DeadLetter func(DeadLetter)              // in the order of the records
	Alert      func(Alert)                   // when it is resolved, or at the end while it fires
}

// Fold computes the truth of records as they come. Add them, each partition's in offset order, however the partitions
// interleave; then call End.
//
// No record can reach a window or a session any more once the watermarks of all partitions have passed it: what they
// have passed is given out and forgotten.
type Fold struct {
	options    Options
	sink       Sink
	partitions []partition
	counters   Counters
	events     []*book[*fact]
	sessions   []*book[*Session]
	cutter     cutter
	names      names
	cleared    event.Millis // when names were last forgotten
	judges     []*judge     // one a rule
	advanced   event.Millis // what the watermarks had passed when windows were last closed
}

// partition is how far one partition has come.
type partition struct {
	highest event.Millis // M_p
	next    event.Offset
	floors  []Floor
}

// NewFold makes a fold of no records.
func NewFold(o Options, s Sink) *Fold {
	f := &Fold{options: o, sink: s, advanced: noTime, names: names{map[string]*name{}, map[string]*string{}}}
	for p := range o.Partitions {
		own := partition{highest: noTime}
		for _, floor := range o.Floors {
			if floor.Partition == event.PartitionID(p) {
				own.floors = append(own.floors, floor)
			}
		}
		f.partitions = append(f.partitions, own)
	}
	f.cutter = cutter{rules: &f.options.Rules, open: map[string]*Session{}}
	for i := range eventMetrics {
		if o.wants(eventMetrics[i].name) {
			f.events = append(f.events, newBook(&eventMetrics[i], o.Rules.AllowedLateness))
		}
	}
	for i := range sessionMetrics {
		if o.wants(sessionMetrics[i].name) {
			f.sessions = append(f.sessions, newBook(&sessionMetrics[i], 0))
		}
	}
	for i := range o.Rules.Alerts {
		r := &o.Rules.Alerts[i]
		f.judges = append(f.judges, &judge{rule: r, slide: slideOf(r.Metric)})
	}
	return f
}

// watermark is W_p for a record at an offset.
func (p *partition) watermark(rules *Rules, at event.Offset) event.Millis {
	w := noTime
	if p.highest != noTime {
		w = p.highest - rules.OutOfOrderness - 1
	}
	for _, f := range p.floors {
		if f.Offset <= at {
			w = max(w, f.Floor)
		}
	}
	return w
}

// Add takes the next record of its partition.
func (f *Fold) Add(rec *event.Record) {
	p, rules := &f.partitions[rec.Partition], &f.options.Rules
	p.next = rec.Offset + 1
	f.counters.Consumed++
	at := event.Coordinate{Partition: rec.Partition, Offset: rec.Offset}
	e, reason := read(rec, rules, &f.names)
	if reason != "" {
		f.counters.DeadLetters++
		if f.sink.DeadLetter != nil {
			f.sink.DeadLetter(DeadLetter{at, reason})
		}
		return
	}
	e.order.Coordinate, e.watermark = at, p.watermark(rules, rec.Offset)
	p.highest = max(p.highest, min(e.order.Time, rec.Timestamp))
	f.take(e)
	f.advance()
}

// take gives an event to everything that wants it, and counts it by whether panes and sessions took it.
func (f *Fold) take(e *fact) {
	took, refused := e.sequenced(), !e.sequenced()
	if took {
		f.cutter.held = append(f.cutter.held, e)
	}
	for _, b := range f.events {
		if !b.metric.takes(e) && !b.metric.total {
			continue
		}
		v := e.judged(startOf(e.order.Time, b.metric.width)+b.metric.width, f.options.Rules.AllowedLateness)
		if v == late {
			refused = true
			continue
		}
		took = true
		b.add(e, e.order.Time, v == lateButAllowed)
	}
	switch {
	case took:
		f.counters.Applied++
		if refused {
			f.counters.LatePartly++
		}
	case refused:
		f.counters.Late++
	default:
		f.counters.Filtered++
	}
}

// stride is how far the watermarks go before it is looked for what they have passed.
const stride = 10 * second

// advance gives out what no record of any partition can reach any more.
func (f *Fold) advance() {
	lowest := EndOfTime
	for i := range f.partitions {
		p := &f.partitions[i]
		lowest = min(lowest, p.watermark(&f.options.Rules, p.next))
	}
	if w := f.options.Watermark; w != 0 {
		lowest = min(lowest, w)
	}
	if lowest == noTime || f.advanced != noTime && lowest < f.advanced+stride {
		return
	}
	f.advanced = lowest
	f.passed(lowest)
	if lowest > f.cleared+keep {
		f.names.forget(lowest)
		f.cleared = lowest
	}
}

// passed closes sessions, and the windows that nothing can change.
func (f *Fold) passed(w event.Millis) {
	for _, s := range f.cutter.advance(w) {
		if f.sink.Session != nil {
			f.sink.Session(*s)
		}
		for _, b := range f.sessions {
			b.add(s, s.ClosedAt, false)
		}
	}
	for _, b := range f.events {
		b.settle(w, f.publish)
	}
	for _, b := range f.sessions {
		b.settle(w, f.publish)
	}
}

// publish tells the windows of one start.
func (f *Fold) publish(metric string, windows []Window) {
	for _, w := range windows {
		if f.sink.Window != nil {
			f.sink.Window(metric, w)
		}
		for _, j := range f.judges {
			if j.rule.Metric == metric {
				f.alert(j.window(&w))
			}
		}
	}
}

func (f *Fold) alert(a *Alert) {
	if a != nil && f.sink.Alert != nil {
		f.sink.Alert(*a)
	}
}

// End closes all that W has passed by then, and returns W and the counters.
func (f *Fold) End() (event.Millis, Counters) {
	w := f.options.Watermark
	if w == 0 {
		w = f.lowestOfEvents()
	}
	if w == noTime { // there was no event
		return w, f.counters
	}
	f.passed(w)
	for _, b := range f.events {
		b.close(w, f.publish)
	}
	for _, b := range f.sessions {
		b.close(w, f.publish)
	}
	for _, j := range f.judges {
		f.alert(j.end(w))
	}
	return w, f.counters
}

// lowestOfEvents is the lowest watermark of the partitions that hold an event.
func (f *Fold) lowestOfEvents() event.Millis {
	var all []event.Millis
	for i := range f.partitions {
		p := &f.partitions[i]
		if w := p.watermark(&f.options.Rules, p.next); w != noTime {
			all = append(all, w)
		}
	}
	if len(all) == 0 {
		return noTime
	}
	return slices.Min(all)
}
