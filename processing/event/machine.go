package event

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth is how deep values may nest. It keeps hostile bytes from growing the stack.
const maxDepth = 128

// machine runs a program over one value. Its methods return the position past what they read, or a negative number
// once the fault is noted.
//
// That strings are UTF-8 is checked for runs of them at once, because that costs a third of looking at each. All bytes
// of numbers, lengths, branches and symbols that are alone have no high bit, so that they can stand between two strings
// as characters would. What has high bits and is no text is a gap: the text before it ends there.
type machine struct {
	*program
	buf     []byte
	row     []Value
	fault   fault
	checked int          // texts were checked up to here
	gaps    [maxGaps]gap // since then, ascending
	noted   int          // of gaps
	badText int          // the first byte of a text that is no UTF-8, or noBadText
}

// fault is what is wrong with a value, and where.
type fault struct {
	path   string
	at     int
	what   string
	reason Reason // "": Undecodable
}

// bad is the fault of a whole value.
func (f *fault) bad() *BadRecord {
	where := ""
	if f.path != "" {
		where = f.path + ", "
	}
	return &BadRecord{
		Reason: cmp.Or(f.reason, Undecodable),
		Detail: fmt.Sprintf("%sat byte %d: %s", where, f.at, f.what),
	}
}

// stop notes what is wrong at an instruction.
func (m *machine) stop(r *routine, pc, pos int, what string) int {
	m.fault = fault{path: r.paths[pc], at: pos, what: what}
	return faultNoted
}

// inside tells a fault of a called routine where it was called.
func (m *machine) inside(r *routine, pc int) int {
	if m.fault.path == "" {
		m.fault.path = r.paths[pc]
	} else {
		m.fault.path = join(r.paths[pc], m.fault.path)
	}
	return faultNoted
}

// run executes a routine from a position on.
func (m *machine) run(r *routine, pos, depth int) int {
	for pc := 0; ; pc++ {
		if pos, pc = m.runCommon(r.code, pc, pos); pc == len(r.code) {
			return pos
		}
		if pos, pc = m.step(r, pc, pos, depth); pos < 0 {
			return pos
		}
	}
}

// runCommon executes instructions as long as they are common ones (lengths, branches and symbols of one byte, numbers of up
// to eight), and returns the position then and the instruction that is next. What is not common is left to step: a call in
// here, or much more that must be kept, would push the position out of its register, on which every next read waits.
func (m *machine) runCommon(code []instruction, pc, pos int) (int, int) {
	buf, row := m.buf, m.row
	for ; pc < len(code) && uint(pos) < uint(len(buf)); pc++ {
		in := &code[pc]
		b := int(buf[pos])
		switch in.op {
		case skipText:
			if end := pos + 1 + b>>1; b&0x81 == 0 && end <= len(buf) {
				pos = end
				continue
			}
		case readText:
			if end := pos + 1 + b>>1; b&0x81 == 0 && end <= len(buf) {
				row[in.to] = StringValue(buf[pos+1 : end])
				pos = end
				continue
			}
		case skipNullableText:
			if b == int(in.tag) {
				pos++
				continue
			}
			if b == 2-int(in.tag) && pos+1 < len(buf) {
				b = int(buf[pos+1])
				if end := pos + 2 + b>>1; b&0x81 == 0 && end <= len(buf) {
					pos = end
					continue
				}
			}
		case readNullableText:
			if b == int(in.tag) {
				row[in.to] = Value{}
				pos++
				continue
			}
			if b == 2-int(in.tag) && pos+1 < len(buf) {
				b = int(buf[pos+1])
				if end := pos + 2 + b>>1; b&0x81 == 0 && end <= len(buf) {
					row[in.to] = StringValue(buf[pos+2 : end])
					pos = end
					continue
				}
			}
		case jumpIfNull:
			if b == 2-int(in.tag) {
				pos++
				continue
			}
			if b == int(in.tag) {
				for _, slot := range m.nulls[in.to] {
					row[slot] = Value{}
				}
				pos++
				pc += int(in.arg) - 1
				continue
			}
		case readInt, readLong:
			if len(buf)-pos >= 8 {
				u, n := shortVarint(binary.LittleEndian.Uint64(buf[pos:]))
				if (n <= 4 || n <= 8 && in.op == readLong) && uint(m.noted) < maxGaps {
					row[in.to] = IntValue(zigzag(u))
					m.gaps[m.noted] = gap{pos, pos + n}
					m.noted++
					pos += n
					continue
				}
			}
		case readEnum:
			if symbols := m.symbols[in.arg]; b&0x81 == 0 && b>>1 < len(symbols) {
				row[in.to] = symbols[b>>1]
				pos++
				continue
			}
		}
		return pos, pc
	}
	return pos, pc
}

// step executes one instruction, whichever it is, and returns the position past it and the instruction that was last.
func (m *machine) step(r *routine, pc, pos, depth int) (int, int) {
	in := &r.code[pc]
	next := pos
	switch in.op {
	case jump:
		return pos, pc + int(in.arg) - 1
	case setNulls:
		m.setNulls(in.arg)
	case copySlot:
		m.row[in.to] = m.row[in.arg]
	case jumpIfNull:
		var isValue bool
		if isValue, next = nullable(m.buf, pos, in.tag); next >= 0 {
			m.note(pos, next)
			if !isValue {
				m.setNulls(in.to)
				return next, pc + int(in.arg) - 1
			}
		}
	case switchUnion:
		var branch int
		if branch, next = ordinal(m.buf, pos, len(m.unions[in.arg]), faultBranch); next >= 0 {
			m.note(pos, next)
			return next, pc + int(m.unions[in.arg][branch]) - 1
		}
	case call, runArray, skipEmptyArray, runMap:
		next = m.nested(r, pc, pos, depth)
	case readKnownEnum, skipKnownEnum, widen, scaleTime, assign, fail:
		if next = m.resolve(r, pc, pos); next > pos {
			m.note(pos, next)
		}
	case skipText, skipNullableText, readText, readNullableText:
		next = m.texts(in, pos)
	case skipFixed, skipBoolean, skipInt, skipLong, skipBytes, skipEnum:
		if next = m.skip(in, pos); next >= 0 {
			m.note(pos, next)
		}
	default:
		if next = m.read(in, pos); next >= 0 {
			m.note(pos, next)
		}
	}
	if next < 0 && next != faultNoted {
		m.stop(r, pc, pos, faultTexts[next])
	}
	return next, pc
}

func (m *machine) setNulls(list int32) {
	for _, slot := range m.nulls[list] {
		m.row[slot] = Value{}
	}
}

// skip executes the instructions that step over a value.
func (m *machine) skip(in *instruction, pos int) (next int) {
	switch in.op {
	case skipFixed:
		next = fixed(m.buf, pos, int(in.to))
	case skipBoolean:
		_, next = boolean(m.buf, pos)
	case skipInt:
		_, next = varint32(m.buf, pos)
	case skipLong:
		_, next = varint(m.buf, pos)
	case skipBytes:
		_, next = text(m.buf, pos)
	case skipEnum:
		_, next = ordinal(m.buf, pos, int(in.to), faultSymbol)
	}
	return next
}

// read executes the instructions that put a value into the row.
func (m *machine) read(in *instruction, pos int) (next int) {
	v := &m.row[in.to]
	switch in.op {
	case readBoolean:
		var b bool
		b, next = boolean(m.buf, pos)
		*v = BoolValue(b)
	case readInt:
		var u uint64
		u, next = varint32(m.buf, pos)
		*v = IntValue(zigzag(u))
	case readLong:
		var u uint64
		u, next = varint(m.buf, pos)
		*v = IntValue(zigzag(u))
	case readTime:
		var u uint64
		u, next = varint(m.buf, pos)
		*v = IntValue(floorDiv(zigzag(u), int64(in.arg)))
	case readFloat:
		if next = fixed(m.buf, pos, 4); next >= 0 {
			*v = FloatValue(float64(math.Float32frombits(binary.LittleEndian.Uint32(m.buf[pos:]))))
		}
	case readDouble:
		if next = fixed(m.buf, pos, 8); next >= 0 {
			*v = FloatValue(math.Float64frombits(binary.LittleEndian.Uint64(m.buf[pos:])))
		}
	case readBytes:
		var start int
		if start, next = text(m.buf, pos); next >= 0 {
			*v = StringValue(m.buf[start:next])
		}
	case readEnum:
		var symbol int
		if symbol, next = ordinal(m.buf, pos, len(m.symbols[in.arg]), faultSymbol); next >= 0 {
			*v = m.symbols[in.arg][symbol]
		}
	case readFixed:
		if next = fixed(m.buf, pos, int(in.arg)); next >= 0 {
			*v = StringValue(m.buf[pos:next])
		}
	default:
		panic(fmt.Sprintf("BUG: opcode %d", in.op))
	}
	return next
}

// texts executes the instructions that read strings or step over them.
func (m *machine) texts(in *instruction, pos int) int {
	at, v := pos, Value{}
	if in.op == skipNullableText || in.op == readNullableText {
		isValue, next := nullable(m.buf, pos, in.tag)
		if next < 0 {
			return next
		}
		if !isValue {
			m.note(pos, next)
			if in.op == readNullableText {
				m.row[in.to] = v
			}
			return next
		}
		at = next
	}
	start, next := text(m.buf, at)
	if next < 0 {
		return next
	}
	m.note(pos, start)
	if in.op == readText || in.op == readNullableText {
		m.row[in.to] = StringValue(m.buf[start:next])
	}
	return next
}

// nested executes the instructions that run other routines.
func (m *machine) nested(r *routine, pc, pos, depth int) int {
	if depth == maxDepth {
		return faultDepth
	}
	in := &r.code[pc]
	switch in.op {
	case call:
		next := m.run(m.routines[in.arg], pos, depth+1)
		if next < 0 {
			return m.inside(r, pc)
		}
		return next
	case runArray:
		return m.runBlocks(r, pc, pos, m.routines[in.arg], nil, depth+1)
	case runMap:
		return m.runBlocks(r, pc, pos, nil, &m.maps[in.arg], depth+1)
	default:
		return m.runBlocks(r, pc, pos, nil, nil, depth+1)
	}
}

// runBlocks reads the blocks of an array or a map. An item that is no map's and has no routine has no bytes: however
// many of them a block counts, there is nothing to read. The other items take a byte at least, which bounds their
// number by what is left. A block that tells its size must have it: readers that skip by it must not see another record
// than those that read.
func (m *machine) runBlocks(r *routine, pc, pos int, item *routine, entries *mapEntries, depth int) int {
	for {
		u, next := varint(m.buf, pos)
		if next < 0 {
			return m.stop(r, pc, pos, faultTexts[next])
		}
		count, end := zigzag(u), -1
		if count == 0 {
			m.note(pos, next)
			return next
		}
		if count < 0 {
			size, afterSize := varint(m.buf, next)
			if afterSize < 0 {
				return m.stop(r, pc, next, faultTexts[afterSize])
			}
			n := zigzag(size)
			if n < 0 || n > int64(len(m.buf)-afterSize) {
				return m.stop(r, pc, pos, fmt.Sprintf("a block of %d bytes, %d are left", n, len(m.buf)-afterSize))
			}
			count, next, end = -count, afterSize, afterSize+int(n)
		}
		hasBytes := item != nil || entries != nil
		if count < 0 || hasBytes && count > int64(len(m.buf)-next) {
			return m.stop(r, pc, pos, fmt.Sprintf("a block of %d items, %d bytes are left", uint64(count), len(m.buf)-next))
		}
		m.note(pos, next)
		if hasBytes {
			for ; count > 0 && next >= 0; count-- {
				next = m.runItem(item, entries, next, depth)
			}
			if next < 0 {
				return m.inside(r, pc)
			}
		}
		if end >= 0 && next != end {
			return m.stop(r, pc, pos, fmt.Sprintf("a block ends %d bytes before its end", end-next))
		}
		pos = next
	}
}

// runItem reads one item of an array, or one entry of a map.
func (m *machine) runItem(item *routine, entries *mapEntries, pos, depth int) int {
	if entries == nil {
		return m.run(item, pos, depth)
	}
	start, next := text(m.buf, pos)
	if next < 0 {
		m.fault = fault{at: pos, what: "a key: " + faultTexts[next]}
		return faultNoted
	}
	m.note(pos, start)
	value := entries.other
	for i, key := range entries.keys {
		if string(m.buf[start:next]) == key {
			value = entries.wanted[i]
		}
	}
	return m.run(value, next, depth)
}
