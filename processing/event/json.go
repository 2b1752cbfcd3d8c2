package event

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// jsonReader reads an event that is JSON by the names of its Avro schema, and checks all of it against the schema.
//
// Values of unions may be plain ("u1") or name their branch ({"string": "u1"}). A plain one goes to the first branch that
// takes it; objects must name theirs where several branches are records or maps. An object with a branch's name for its
// only key, and a value of that branch's shape, names the branch. Fields that are nullable or have a default may be left
// out; what the schema doesn't know is ignored.
type jsonReader struct {
	jsonScanner
	event  *avroType
	wanted *projection
	row    []Value
	seen   []uint64 // bits of the fields that have been read, of all open records
}

func (r *jsonReader) decode(row []Value, value []byte) *BadRecord {
	if !utf8.Valid(value) {
		return undecodable("the JSON is not valid UTF-8")
	}
	clear(row) // fields that are left out are null
	r.reset(value)
	r.row, r.seen = row, r.seen[:0]
	ok := r.value(r.event, r.wanted)
	if ok && (r.peek() != 0 || r.pos < len(value)) {
		ok = r.stop("more follows the end of the record")
	}
	r.row, r.buf = nil, nil
	if ok {
		return nil
	}
	if r.fault.path == "" {
		return undecodable("at byte %d: %s", r.fault.at, r.fault.what)
	}
	return undecodable("%s, at byte %d: %s", r.fault.path, r.fault.at, r.fault.what)
}

// value reads a value of a type; a nil projection wants nothing of it.
func (r *jsonReader) value(t *avroType, p *projection) bool {
	switch t.kind {
	case avroRecord:
		return r.record(t, p)
	case avroUnion:
		return r.union(t, p)
	case avroMap:
		return r.entries(t, p)
	case avroArray:
		return r.items(t)
	}
	v, ok := r.scalar(t)
	if ok && p != nil {
		if v.Kind == Int {
			v = IntValue(p.time(v.Int()))
		}
		for _, slot := range p.slots {
			r.row[slot] = v
		}
	}
	return ok
}

func (r *jsonReader) scalar(t *avroType) (Value, bool) {
	switch t.kind {
	case avroNull:
		return Value{}, r.literal("null")
	case avroBoolean:
		if r.peek() == 't' {
			return BoolValue(true), r.literal("true")
		}
		return BoolValue(false), r.literal("false")
	case avroInt:
		return r.integer(math.MinInt32, math.MaxInt32)
	case avroLong:
		return r.integer(math.MinInt64, math.MaxInt64)
	case avroFloat:
		return r.float(32)
	case avroDouble:
		return r.float(64)
	case avroEnum:
		return r.symbol(t)
	case avroBytes:
		return r.bytes()
	case avroFixed:
		at := r.pos
		v, ok := r.bytes()
		if ok && len(v.Bytes()) != t.size {
			r.pos = at
			return v, r.stop("wanted " + strconv.Itoa(t.size) + " bytes, found " + strconv.Itoa(len(v.Bytes())))
		}
		return v, ok
	default:
		text, ok := r.text()
		return StringValue(text), ok
	}
}

func (r *jsonReader) integer(low, high int64) (Value, bool) {
	r.peek()
	at := r.pos
	digits, whole, ok := r.number()
	if !ok {
		return Value{}, false
	}
	n, fits := parseInt(digits)
	if !whole || !fits || n < low || n > high {
		r.pos = at
		return Value{}, r.stop("wanted a whole number from " + strconv.FormatInt(low, 10) + " to " + strconv.FormatInt(high, 10))
	}
	return IntValue(n), true
}

// parseInt reads a whole JSON number. It counts downwards, because there is one negative number more.
func parseInt(digits []byte) (n int64, ok bool) {
	negative := digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	for _, c := range digits {
		d := int64(c - '0')
		if n < (math.MinInt64+d)/10 {
			return 0, false
		}
		n = n*10 - d
	}
	if negative {
		return n, true
	}
	return -n, n != math.MinInt64
}

// float reads a number, or one of the three words that Avro's JSON has for what JSON can't write.
func (r *jsonReader) float(bits int) (Value, bool) {
	r.peek()
	at := r.pos
	if r.peek() == '"' {
		word, ok := r.text()
		if !ok {
			return Value{}, false
		}
		switch string(word) {
		case "NaN":
			return FloatValue(math.NaN()), true
		case "Infinity":
			return FloatValue(math.Inf(1)), true
		case "-Infinity":
			return FloatValue(math.Inf(-1)), true
		}
		r.pos = at
		return Value{}, r.stop("wanted a number, found a string")
	}
	digits, _, ok := r.number()
	if !ok {
		return Value{}, false
	}
	f, err := strconv.ParseFloat(string(digits), bits)
	if err != nil {
		r.pos = at
		return Value{}, r.stop("the number does not fit into " + strconv.Itoa(bits) + " bits")
	}
	return FloatValue(f), true
}

func (r *jsonReader) symbol(t *avroType) (Value, bool) {
	r.peek()
	at := r.pos
	text, ok := r.text()
	if !ok {
		return Value{}, false
	}
	for _, s := range t.symbols {
		if string(s.Bytes()) == string(text) {
			return s, true
		}
	}
	r.pos = at
	return Value{}, r.stop("the enum " + t.name + " has no symbol " + excerpt(text))
}

// bytes reads bytes or fixed, which are strings with a character for each byte.
func (r *jsonReader) bytes() (Value, bool) {
	r.peek()
	at := r.pos
	text, ok := r.text()
	if !ok {
		return Value{}, false
	}
	if !slices.ContainsFunc(text, func(b byte) bool { return b >= utf8.RuneSelf }) {
		return StringValue(text), true
	}
	from := len(r.scratch)
	for _, c := range string(text) {
		if c > 0xff {
			r.pos = at
			return Value{}, r.stop("bytes hold characters up to U+00FF only")
		}
		r.scratch = append(r.scratch, byte(c))
	}
	return StringValue(r.scratch[from:len(r.scratch):len(r.scratch)]), true
}

func (r *jsonReader) items(t *avroType) bool {
	more, ok := r.open('[')
	for more && ok {
		if !r.value(t.items, nil) {
			return false
		}
		more, ok = r.next('[')
	}
	return ok
}

func (r *jsonReader) entries(t *avroType, p *projection) bool {
	more, ok := r.open('{')
	for more && ok {
		key, ok := r.key()
		if !ok {
			return false
		}
		var value *projection
		if p != nil {
			for i := range p.entries {
				if p.entries[i].key == string(key) {
					value = p.entries[i].value
					r.setNulls(value)
				}
			}
		}
		if !r.value(t.items, value) {
			return r.inside(excerpt(key))
		}
		if more, ok = r.next('{'); !ok {
			return false
		}
	}
	return ok
}

// setNulls forgets what an earlier duplicate has set.
func (r *jsonReader) setNulls(p *projection) {
	for _, slot := range p.all {
		r.row[slot] = Value{}
	}
}

func (r *jsonReader) record(t *avroType, p *projection) bool {
	first := len(r.seen)
	for range (len(t.fields) + 63) / 64 {
		r.seen = append(r.seen, 0)
	}
	more, ok := r.open('{')
	for guess := 0; more && ok; {
		key, ok := r.key()
		if !ok {
			return false
		}
		i := guess // most producers write the fields in the order of the schema
		if i >= len(t.fields) || t.fields[i].name != string(key) {
			var known bool
			if i, known = t.index[string(key)]; !known {
				if !r.skip() {
					return r.inside(excerpt(key))
				}
				if more, ok = r.next('{'); !ok {
					return false
				}
				continue
			}
		}
		guess = i + 1
		if !r.field(t, p, i, &r.seen[first+i/64]) {
			return r.inside(t.fields[i].name)
		}
		if more, ok = r.next('{'); !ok {
			return false
		}
	}
	if !ok || !r.missing(t, p, r.seen[first:]) {
		return false
	}
	r.seen = r.seen[:first]
	return true
}

func (r *jsonReader) field(t *avroType, p *projection, i int, seen *uint64) bool {
	var in *projection
	if p != nil {
		in = p.fields[i]
	}
	bit := uint64(1) << (i % 64)
	if *seen&bit != 0 && in != nil {
		r.setNulls(in)
	}
	*seen |= bit
	return r.value(t.fields[i].typ, in)
}

// missing deals with the fields that have been left out.
func (r *jsonReader) missing(t *avroType, p *projection, seen []uint64) bool {
	for i := range t.fields {
		if seen[i/64]&(1<<(i%64)) != 0 {
			continue
		}
		f := &t.fields[i]
		if !f.hasFallback && !f.typ.nullable() {
			r.stop("the field is missing")
			return r.inside(f.name)
		}
		if p != nil && p.fields[i] != nil {
			for _, a := range p.fields[i].missing {
				r.row[a.slot] = a.value
			}
		}
	}
	return true
}

// excerpt is what a detail shows of foreign text.
func excerpt(text []byte) string {
	const limit = 40
	if len(text) > limit {
		return strconv.Quote(string(text[:limit])) + "..."
	}
	return strconv.Quote(string(text))
}

func (t *avroType) nullable() bool {
	return t.kind == avroNull || slices.ContainsFunc(t.branches, func(b *avroType) bool { return b.kind == avroNull })
}
