package event

import "slices"

// resolveScalar compiles a value that is neither made of others nor a union.
func (c *compiler) resolveScalar(w, r *avroType, p *projection, path string) {
	if w.kind == avroEnum {
		c.resolveEnum(w, r, p, path)
		return
	}
	if r.kind == avroString || r.kind == avroBytes {
		w = r // both look the same; whether they have to be text is the reader's to say
	}
	if p == nil || len(p.slots) == 0 || r.kind == avroNull {
		c.read(w, p, path)
		return
	}
	divisor := p.divisor
	if p.isTime && w.kind == avroLong && w.logical != "" {
		// The writer says what its numbers are. By the letter of the rules they would be taken for what the reader's are.
		if d, ok := timeDivisors[w.logical]; ok {
			divisor = d
		}
	}
	c.setNulls(path, slices.DeleteFunc(slices.Clone(p.all), func(slot int) bool { return slices.Contains(p.slots, slot) }))
	c.readScalar(w, &projection{all: p.slots[:1], slots: p.slots[:1], divisor: 1}, path)
	slot := int32(p.slots[0])
	switch isWhole := w.kind == avroInt || w.kind == avroLong; {
	case isWhole && r.kind == avroFloat:
		c.emit(path, instruction{op: widen, to: slot, arg: 32})
	case isWhole && r.kind == avroDouble:
		c.emit(path, instruction{op: widen, to: slot, arg: 64})
	case isWhole && divisor != 1:
		c.emit(path, instruction{op: scaleTime, to: slot, arg: int32(divisor)})
	}
	c.copies(p.slots, path)
}

// resolveEnum compiles an enum: the table of symbols is the writer's, with the reader's meaning.
func (c *compiler) resolveEnum(w, r *avroType, p *projection, path string) {
	table := make([]Value, len(w.symbols))
	known := true
	for i, s := range w.symbols {
		text := string(s.Bytes())
		to := slices.IndexFunc(r.symbols, func(v Value) bool { return string(v.Bytes()) == text })
		if to < 0 {
			to = r.unknown
		}
		if to < 0 {
			known = false
			c.partly = append(c.partly, c.place(path)+": the events schema has no symbol "+text)
			continue
		}
		table[i] = r.symbols[to]
	}
	skip, read := skipEnum, readEnum
	if !known {
		skip, read = skipKnownEnum, readKnownEnum
	}
	if p != nil {
		c.setNulls(path, slices.DeleteFunc(slices.Clone(p.all), func(slot int) bool { return slices.Contains(p.slots, slot) }))
	}
	in := instruction{op: skip, to: int32(len(table))}
	if !known || p != nil && len(p.slots) > 0 {
		c.symbols = append(c.symbols, table)
		in.arg = int32(len(c.symbols) - 1)
	}
	if p == nil || len(p.slots) == 0 {
		c.emit(path, in)
		return
	}
	in.op, in.to = read, int32(p.slots[0])
	c.emit(path, in)
	c.copies(p.slots, path)
}
