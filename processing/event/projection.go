package event

import (
	"errors"
	"fmt"
	"slices"
)

// projection says which parts of a value of one type are wanted, and where they go. It has the shape of the type, as
// far as paths lead; a nil projection wants nothing.
type projection struct {
	all     []int         // every slot at or under this one
	slots   []int         // of a scalar: where it goes
	isTime  bool          // of a scalar: it is the event time
	divisor int64         // of a scalar: > 1 where it is an event time finer than milliseconds
	fields  []*projection // of a record, by field
	entries []entry       // of a map
	union   []*projection // of a union, by branch
	missing []assignment  // of a record's field, in JSON: what a default puts in when the field is left out
}

// entry is a wanted key of a map.
type entry struct {
	key   string
	value *projection
}

// assignment is a value for a slot that is known without reading anything.
type assignment struct {
	slot  int
	value Value
}

// wish is a path that has been followed to some type.
type wish struct {
	rest Path
	slot int
}

// project makes the projection of paths on a type; timeSlot is the path of the event time.
func project(t *avroType, paths []Path, timeSlot int) (*projection, error) {
	var errs []error
	wishes := make([]wish, len(paths))
	for slot, path := range paths {
		leaves, _, err := resolve(t, path, 0)
		if err == nil && slot == timeSlot {
			err = checkTimeTypes(leaves)
		}
		if err != nil {
			errs = append(errs, err)
		}
		wishes[slot] = wish{path, slot}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return newProjection(t, wishes, timeSlot), nil
}

// timeDivisors is what makes milliseconds of the logical types that an event time can have.
var timeDivisors = map[string]int64{
	"":                 1,
	"timestamp-millis": 1, "local-timestamp-millis": 1,
	"timestamp-micros": 1e3, "local-timestamp-micros": 1e3,
	"timestamp-nanos": 1e6, "local-timestamp-nanos": 1e6,
}

func checkTimeTypes(leaves []*avroType) error {
	if len(leaves) == 0 {
		return errors.New("event time: it is always null")
	}
	for _, t := range leaves {
		if _, ok := timeDivisors[t.logical]; t.kind != avroLong || !ok {
			return fmt.Errorf("event time: wanted a long that is plain milliseconds or a timestamp, not %s", withArticle(t.describe()))
		}
	}
	return nil
}

// describe names a type with its logical type.
func (t *avroType) describe() string {
	if t.logical != "" {
		return t.kind.String() + " (" + t.logical + ")"
	}
	return t.kind.String()
}

// newProjection expects wishes that resolve. Those that don't in one branch of a union are null there.
func newProjection(t *avroType, wishes []wish, timeSlot int) *projection {
	if len(wishes) == 0 {
		return nil
	}
	p := &projection{divisor: 1}
	for _, w := range wishes {
		p.all = append(p.all, w.slot)
	}
	switch t.kind {
	case avroRecord:
		p.fields = make([]*projection, len(t.fields))
		for i, f := range t.fields {
			p.fields[i] = newProjection(f.typ, entering(wishes, f.name), timeSlot)
			if p.fields[i] != nil && f.hasFallback {
				p.fields[i].missing = fallback(nil, f.typ, p.fields[i], f.fallback)
			}
		}
	case avroMap:
		for _, w := range wishes {
			if len(w.rest) == 0 || slices.ContainsFunc(p.entries, func(e entry) bool { return e.key == w.rest[0] }) {
				continue
			}
			if value := newProjection(t.items, entering(wishes, w.rest[0]), timeSlot); value != nil {
				p.entries = append(p.entries, entry{w.rest[0], value})
			}
		}
	case avroUnion:
		p.union = make([]*projection, len(t.branches))
		for i, branch := range t.branches {
			p.union[i] = newProjection(branch, wishes, timeSlot)
		}
	default:
		p.slots = entered(wishes)
		if slices.Contains(p.slots, timeSlot) {
			p.isTime = true
			p.divisor = timeDivisors[t.logical]
		}
	}
	return p
}

// entering returns the wishes that go on to a field or key, past it.
func entering(wishes []wish, name string) []wish {
	var in []wish
	for _, w := range wishes {
		if len(w.rest) > 0 && w.rest[0] == name {
			in = append(in, wish{w.rest[1:], w.slot})
		}
	}
	return in
}

// entered returns the slots of the wishes that end here.
func entered(wishes []wish) []int {
	var slots []int
	for _, w := range wishes {
		if len(w.rest) == 0 {
			slots = append(slots, w.slot)
		}
	}
	return slots
}

// time makes milliseconds of the event time, rounding down; other numbers it leaves alone.
func (p *projection) time(n int64) int64 { return floorDiv(n, p.divisor) }

func floorDiv(n, d int64) int64 {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}

// fallback appends what a default, as avro.SchemaField holds it, puts into the slots of a projection.
func fallback(dst []assignment, t *avroType, p *projection, value any) []assignment {
	if p == nil {
		return dst
	}
	switch t.kind {
	case avroRecord:
		fields := value.(map[string]any)
		for i, f := range t.fields {
			v, ok := fields[f.name]
			if !ok {
				v = f.fallback
			}
			dst = fallback(dst, f.typ, p.fields[i], v)
		}
		return dst
	case avroMap:
		values := value.(map[string]any)
		for _, e := range p.entries {
			if v, ok := values[e.key]; ok {
				dst = fallback(dst, t.items, e.value, v)
			}
		}
		return dst
	case avroUnion:
		i := slices.IndexFunc(t.branches, func(b *avroType) bool { return b.holds(value) })
		if i < 0 {
			panic(fmt.Sprintf("BUG: no branch for the default %v", value))
		}
		return fallback(dst, t.branches[i], p.union[i], value)
	}
	v := scalarValue(t, p, value)
	for _, slot := range p.slots {
		dst = append(dst, assignment{slot, v})
	}
	return dst
}

// scalarValue makes a Value of a default.
func scalarValue(t *avroType, p *projection, value any) Value {
	switch v := value.(type) {
	case nil:
		return Value{}
	case bool:
		return BoolValue(v)
	case int32:
		return IntValue(p.time(int64(v)))
	case int64:
		return IntValue(p.time(v))
	case float32:
		return FloatValue(float64(v))
	case float64:
		return FloatValue(v)
	case string:
		return StringValue([]byte(v))
	case []byte:
		return StringValue(v)
	}
	panic(fmt.Sprintf("BUG: default %v (%T) of %s", value, value, t.kind))
}

// holds reports whether a default is of the type, by the Go types that avro.SchemaField names.
func (t *avroType) holds(value any) bool {
	switch v := value.(type) {
	case nil:
		return t.kind == avroNull
	case bool:
		return t.kind == avroBoolean
	case int32:
		return t.kind == avroInt
	case int64:
		return t.kind == avroLong
	case float32:
		return t.kind == avroFloat
	case float64:
		return t.kind == avroDouble
	case string:
		isSymbol := func(s Value) bool { return string(s.Bytes()) == v }
		return t.kind == avroString || t.kind == avroEnum && slices.ContainsFunc(t.symbols, isSymbol)
	case []byte:
		return t.kind == avroBytes || t.kind == avroFixed && len(v) == t.size
	case []any:
		return t.kind == avroArray
	case map[string]any:
		return t.kind == avroMap || t.kind == avroRecord
	}
	return false
}
