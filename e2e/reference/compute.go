package reference

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"

	"github.com/tidemark/tidemark/processing/event"
)

// Floor is a lower bound of a partition's watermark for the records from Offset on.
type Floor struct {
	Partition event.PartitionID
	Offset    event.Offset
	Floor     event.Millis
}

// Input is a log, and how far the engine has brought it.
type Input struct {
	Partitions map[event.PartitionID][]event.Record // JSON objects, in offset order
	Floats     []string                             // names of fields whose numbers are doubles; all others are whole
	Floors     []Floor
	Watermark  event.Millis // W
}

// Expected is what the engine must have made of it.
type Expected struct {
	Rows     []Row // by metric, start, group
	Counters Counters
}

// Counters count records as the interface's counters of the same names do.
type Counters struct {
	Consumed, Applied, Filtered, Late, DeadLetters, LatePartly int64
}

// Row is one group of one closed window.
type Row struct {
	Metric      string
	Start, End  event.Millis
	Group       []string // by key
	Final, Last *Result  // nil: not published, or no more
	Settled     bool     // nothing can change it any more
}

// Result is what a row shows. Numbers are nil where they are null.
type Result struct {
	Value      *float64
	Aggregates map[string]*float64
	Count      int64
}

const noTime event.Millis = math.MinInt64

// run is one computation.
type run struct {
	*File
	in       *Input
	events   evaluator
	formulas evaluator
	items    []*item
	expected *Expected
}

// Compute computes all of it.
func Compute(f *File, in Input) *Expected {
	r := &run{File: f, in: &in, events: evaluator{lets: f.lets}, formulas: evaluator{formula: true}, expected: &Expected{}}
	for _, p := range slices.Sorted(maps.Keys(in.Partitions)) {
		r.judge(p, in.Partitions[p])
	}
	closed := map[string][]*item{}
	for i := range f.kinds {
		closed[f.kinds[i].name] = r.cut(&f.kinds[i])
	}
	for i := range f.metrics {
		m := &f.metrics[i]
		if m.from == "" {
			r.windows(m, r.events, r.items)
		} else {
			r.windows(m, evaluator{}, closed[m.from])
		}
	}
	slices.SortStableFunc(r.expected.Rows, compareRows)
	return r.expected
}

// judge reads the records of a partition and finds W_p before each of them.
func (r *run) judge(p event.PartitionID, records []event.Record) {
	highest := noTime // M_p
	for i := range records {
		rec := &records[i]
		r.expected.Counters.Consumed++
		of, t, ok := r.decode(rec)
		if !ok {
			r.expected.Counters.DeadLetters++
			continue
		}
		w := noTime
		if highest != noTime {
			w = highest - r.outOfOrderness - 1
		}
		for _, f := range r.in.Floors {
			if f.Partition == p && f.Offset <= rec.Offset {
				w = max(w, f.Floor)
			}
		}
		it := &item{of, event.Order{Time: t, Coordinate: event.Coordinate{Partition: p, Offset: rec.Offset}}, w}
		r.items = append(r.items, it)
		r.count(it)
		highest = max(highest, min(t, rec.Timestamp))
	}
}

// decode reads a JSON object; ok is false where it is a dead letter.
func (r *run) decode(rec *event.Record) (of fields, t event.Millis, ok bool) {
	d := json.NewDecoder(bytes.NewReader(rec.Value))
	d.UseNumber()
	if d.Decode(&of) != nil {
		return nil, 0, false
	}
	of = r.typed("", of).(fields)
	at, ok := of["timestamp"].(int64)
	t = event.Millis(at)
	return of, t, ok && t >= r.minTime && t-rec.Timestamp <= r.futureSkew
}

// typed gives numbers their types.
func (r *run) typed(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for inner := range v {
			v[inner] = r.typed(inner, v[inner])
		}
	case json.Number:
		if slices.Contains(r.in.Floats, name) {
			f, err := v.Float64()
			must(err)
			return f
		}
		n, err := v.Int64()
		must(err)
		return n
	}
	return v
}

// verdicts of an event in panes of one width.
const (
	onTime = iota
	lateButAllowed
	late
)

func (it *item) judged(paneEnd, lateness event.Millis) int {
	switch {
	case it.watermark < paneEnd-1:
		return onTime
	case it.watermark < paneEnd-1+lateness:
		return lateButAllowed
	default:
		return late
	}
}

// sequenced reports whether sessions take the event.
func (it *item) sequenced() bool { return it.order.Time > it.watermark }

// count adds an event to the counters: by whether those that want it, metrics and session kinds, took it.
func (r *run) count(it *item) {
	took, refused := false, false
	for i := range r.metrics {
		m := &r.metrics[i]
		wants := slices.ContainsFunc(m.aggregates, func(a aggregate) bool { return len(a.taken(r.events, []*item{it})) > 0 })
		switch {
		case m.from != "" || !wants:
		case it.judged(m.paneEnd(it.order.Time), m.lateness) == late:
			refused = true
		default:
			took = true
		}
	}
	for i := range r.kinds {
		switch {
		case r.events.value(r.kinds[i].key, it.fields) == nil:
		case it.sequenced():
			took = true
		default:
			refused = true
		}
	}
	c := &r.expected.Counters
	switch {
	case took && refused:
		c.LatePartly++
		c.Applied++
	case took:
		c.Applied++
	case refused:
		c.Late++
	default:
		c.Filtered++
	}
}
