package processing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/schemas"
)

// library is what the loop knows of the schemas that framed values name. It is owned by the loop.
//
// A schema is known once the state has it, the user gave it, or the registry told it; from then on it stays known. What
// the registry does not know is refused, and asked for again after a while. As long as a schema is neither known nor
// refused, its partition waits.
//
// So that records which are read again get the verdict that they got before, the state says of each partition from which
// offset on a schema was known there. Everything before is refused for good.
type library struct {
	encoding event.Encoding
	volumes  map[schemas.Ref]*volume
	refused  map[schemas.Ref]time.Time // until then
	noticed  map[schemas.Ref]bool      // those whose Schema the next commit has to write
	inquiry  *inquiry                  // nil without a registry
	asked    map[schemas.Ref]bool      // questions that it has not answered yet
	memory   time.Duration             // how long a refusal is believed
}

// volume is a schema that is known.
type volume struct {
	Schema
	from   map[event.PartitionID]event.Offset
	writer *event.Writer
}

// use is that the records of one fetch answer name a schema.
type use struct {
	ref  schemas.Ref
	last event.Offset // of the last record that does
}

func newLibrary(o *Options, reader *event.Reader, known []Schema) (*library, error) {
	l := &library{
		encoding: o.Encoding, memory: o.RegistryMemory, volumes: make(map[schemas.Ref]*volume),
		refused: make(map[schemas.Ref]time.Time), noticed: make(map[schemas.Ref]bool), asked: make(map[schemas.Ref]bool),
	}
	for _, s := range known {
		v := newVolume(s, reader)
		for _, start := range s.Starts {
			v.from[start.Partition] = start.From
		}
		l.volumes[s.Ref] = v
	}
	// What the user gives goes before what is built in, and what the state was made with before both: the same
	// fingerprint can mean texts that differ in their logical types.
	for _, text := range append(slices.Clone(o.WriterSchemas), o.WriterSchema) {
		fingerprint, err := schemas.Fingerprint(text)
		if err != nil {
			return nil, err
		}
		if ref := schemas.Fingerprinted(fingerprint); l.volumes[ref] == nil {
			l.volumes[ref] = newVolume(Schema{Ref: ref, RegisteredSchema: RegisteredSchema{Type: AvroSchema, Text: text}}, reader)
		}
	}
	if o.Registry != nil {
		l.inquiry = newInquiry(o, reader)
	}
	return l, nil
}

func newVolume(s Schema, reader *event.Reader) *volume {
	return &volume{Schema: s, from: make(map[event.PartitionID]event.Offset), writer: CompileWriter(s.Ref, s.RegisteredSchema, reader)}
}

// CompileWriter makes a writer of a schema. One that can't be read as the events schema has only bad records.
func CompileWriter(ref schemas.Ref, s RegisteredSchema, reader *event.Reader) *event.Writer {
	if s.Type != AvroSchema {
		return event.Refuse(event.IncompatibleSchema, fmt.Sprintf("%v is a schema of type %s, not Avro", ref, s.Type))
	}
	w, err := reader.Writer(s.Text)
	if err != nil {
		return event.Refuse(event.IncompatibleSchema, excerpt(fmt.Sprintf("%v can't be read as the events schema: %v", ref, err)))
	}
	return w
}

// excerpt is what a dead letter tells of all that is wrong with a schema.
func excerpt(text string) string {
	const most = 1000
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// manyRefused is how many refusals may be kept that are not believed any more.
const manyRefused = 10_000

// learn takes an answer of the registry.
func (l *library) learn(a answer) {
	now := time.Now()
	delete(l.asked, a.ref)
	if a.writer == nil {
		if len(l.refused) > manyRefused {
			maps.DeleteFunc(l.refused, func(_ schemas.Ref, until time.Time) bool { return until.Before(now) })
		}
		l.refused[a.ref] = now.Add(l.memory)
		return
	}
	delete(l.refused, a.ref)
	l.volumes[a.ref] = &volume{
		Schema: Schema{Ref: a.ref, RegisteredSchema: a.schema}, from: make(map[event.PartitionID]event.Offset), writer: a.writer,
	}
}

// lacking asks for the schemas without which records can't be judged, and returns them. Those before p.judged were judged
// before.
func (l *library) lacking(p *partition, uses []use) (lacking []schemas.Ref) {
	for _, u := range uses {
		if u.last < p.judged || l.volumes[u.ref] != nil || !l.asksFor(u.ref) {
			continue
		}
		until, refused := l.refused[u.ref]
		if refused && time.Now().Before(until) {
			continue
		}
		tries := l.inquiry.tries
		if refused {
			tries = 1 // it was refused before: a registration would have arrived by now
		}
		if !l.asked[u.ref] {
			l.asked[u.ref] = true
			l.inquiry.ask(u.ref, tries)
		}
		lacking = append(lacking, u.ref)
	}
	return lacking
}

// answered reports whether the question for a schema is no longer open.
func (l *library) answered(ref schemas.Ref) bool { return !l.asked[ref] }

// asksFor reports whether the registry could know a schema. Its numbers are not negative.
func (l *library) asksFor(ref schemas.Ref) bool {
	return l.inquiry != nil && ref.Framing == schemas.Confluent && ref.RegistryID() >= 0
}

// writers is what a worker needs for the records of a partition from an offset on, up to the next cut.
func (l *library) writers(p *partition, uses []use, first event.Offset) event.Writers {
	if len(uses) == 0 {
		return nil
	}
	writers := make(event.Writers, len(uses))
	for _, u := range uses {
		if u.last < first {
			continue
		}
		v := l.volumes[u.ref]
		if v == nil {
			writers[u.ref] = l.refusal(u.ref)
			continue
		}
		from, noted := v.from[p.id]
		switch {
		case noted && from <= first:
			writers[u.ref] = v.writer
		case first < p.judged:
			writers[u.ref] = event.Refuse(event.UnknownSchema, u.ref.String()+" was not known when the record was first read")
		default:
			v.from[p.id] = first
			l.noticed[u.ref] = true
			writers[u.ref] = v.writer
		}
	}
	return writers
}

// refusal says why values that name a schema are bad.
func (l *library) refusal(ref schemas.Ref) *event.Writer {
	detail := ref.String() + " is not known"
	switch {
	case ref.Framing == schemas.SingleObject:
		detail += ": it is neither the events schema nor among --writer-schemas"
	case l.inquiry == nil:
		detail = "the value is in Confluent framing, with " + ref.String() + ": --schema-registry is needed to read it"
	case l.asksFor(ref):
		detail += " to the schema registry"
	}
	return event.Refuse(event.UnknownSchema, detail)
}

// cut is how many of the records, of which the first was read before, have one verdict for each schema.
func (l *library) cut(p *partition, uses []use, records []event.Record) int {
	first := records[0].Offset
	if first >= p.judged {
		return len(records)
	}
	end := p.judged
	for _, u := range uses {
		if v := l.volumes[u.ref]; v != nil {
			if from, noted := v.from[p.id]; noted && from > first {
				end = min(end, from)
			}
		}
	}
	return sort.Search(len(records), func(i int) bool { return records[i].Offset >= end })
}

// take returns the schemas that the next commit has to write.
func (l *library) take() []Schema {
	var changed []Schema
	for ref := range l.noticed {
		v := l.volumes[ref]
		s := v.Schema
		s.Starts = nil
		for _, id := range slices.Sorted(maps.Keys(v.from)) {
			s.Starts = append(s.Starts, SchemaStart{Partition: id, From: v.from[id]})
		}
		changed = append(changed, s)
	}
	clear(l.noticed)
	slices.SortFunc(changed, func(a, b Schema) int { return compareRefs(a.Ref, b.Ref) })
	return changed
}

func compareRefs(a, b schemas.Ref) int {
	return cmp.Or(cmp.Compare(a.Framing, b.Framing), cmp.Compare(a.ID, b.ID))
}

// usesOf lists the schemas that records name. It may be called from any goroutine.
func usesOf(encoding event.Encoding, records []event.Record) []use {
	const few = 8 // up to here, looking through them is quicker than a map
	var (
		uses []use
		at   map[schemas.Ref]int
		same int // the index of the last one: most records name the schema that the one before does
	)
	for i := range records {
		if schemas.FramingOf(records[i].Value) == schemas.NoFraming {
			continue // most are; and no encoding has a framing without its first bytes
		}
		ref, ok := encoding.Ref(records[i].Value)
		if !ok {
			continue
		}
		if len(uses) == 0 || uses[same].ref != ref {
			if at == nil {
				same = slices.IndexFunc(uses, func(u use) bool { return u.ref == ref })
			} else if known, ok := at[ref]; ok {
				same = known
			} else {
				same = -1
			}
			if same < 0 {
				same = len(uses)
				uses = append(uses, use{ref: ref})
				if at != nil {
					at[ref] = same
				} else if len(uses) > few {
					at = make(map[schemas.Ref]int)
					for j, u := range uses {
						at[u.ref] = j
					}
				}
			}
		}
		uses[same].last = records[i].Offset
	}
	return uses
}
