package processing

import (
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// lateSamples is how many late records an entry of the feed shows.
const lateSamples = 10

// refuse notes that a grouping's panes have closed to the event.
func (w *worker) refuse(p *partition, rec *event.Record, grouping int, before bool) {
	w.noteLate(p, rec, before)
	for i := range w.plan.Metrics {
		m := &w.plan.Metrics[i]
		if m.Grouping != grouping && m.Total != grouping {
			continue
		}
		grouped := takes(&w.plan.Groupings[m.Grouping].Columns[m.Count], w.panes.Pass())
		// The totals of a metric refuse what its groups refuse, and what only the totals count.
		if m.Grouping == grouping && grouped || m.Total == grouping && !grouped && w.totalTakes(m) {
			p.late.ByDefinition[m.Name]++
		}
	}
}

// totalTakes reports whether a metric's totals take the event.
func (w *worker) totalTakes(m *definition.Metric) bool {
	for _, a := range m.Aggregates {
		if a.Total && takes(&w.plan.Groupings[m.Total].Columns[a.Column], w.panes.Pass()) {
			return true
		}
	}
	return false
}

func (w *worker) refuseSession(p *partition, rec *event.Record, kind int, before bool) {
	w.noteLate(p, rec, before)
	p.late.ByDefinition[w.plan.Sessions[kind].Name]++
}

// noteLate keeps a sample of a record the first time that a definition refuses it.
func (w *worker) noteLate(p *partition, rec *event.Record, before bool) {
	if p.late == nil {
		p.late = &Late{Topic: w.topic, Partition: p.id, ByDefinition: make(map[string]int64)}
	}
	if before {
		return
	}
	p.late.Count++
	if len(p.late.Samples) < lateSamples {
		p.late.Samples = append(p.late.Samples, LateSample{Offset: rec.Offset, EventTimeMs: w.input.Time})
	}
}

// maxDeadValue caps what a dead letter keeps of a record's value and key.
const maxDeadValue = 64 << 10

// deadLetterCost is what a dead letter takes beside its texts.
const deadLetterCost = 64

func (w *worker) deadLetter(rec *event.Record, bad *event.BadRecord) {
	w.out.counters.DeadLetters++
	d := DeadLetter{Reason: string(bad.Reason), Detail: bad.Detail, Topic: w.topic, Partition: rec.Partition, Offset: rec.Offset}
	if ref, ok := w.encoding.Ref(rec.Value); ok {
		d.SchemaID = ref.RegistryID()
	}
	d.Key, d.Value = capped(rec.Key), capped(rec.Value)
	d.Truncated = len(rec.Key) > maxDeadValue || len(rec.Value) > maxDeadValue
	w.out.deadLetters = append(w.out.deadLetters, d)
	w.letters += int64(len(d.Key) + len(d.Value) + len(d.Detail) + len(d.Topic) + deadLetterCost)
}

// capped copies what is kept of b; nil stays nil, a tombstone is not an empty value.
func capped(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b[:min(len(b), maxDeadValue)]...)
}
