package event

import "slices"

// program is what a schema and a projection compile to: routines of instructions that read a binary Avro value from
// front to back. Wanted fields cost an instruction each; runs of unwanted ones are merged where the format lets them be.
// Instructions, not closures, because the position in the value can then stay in a register from one to the next.
//
// Every value that is wanted sets all of its slots, to null if need be: a row needs no clearing beforehand, and the
// last of several equal keys of a map wins by being last.
type program struct {
	routines []*routine // the first one is the event
	symbols  [][]Value
	nulls    [][]int
	unions   [][]int32 // jump distances, by branch
	maps     []mapEntries
	assigned [][]assignment
	failures []string // what is wrong with a value that gets to such an instruction
}

// routine is a straight piece of code. Others call it once an array's item, a map's value or a recursive record.
type routine struct {
	code  []instruction
	paths []string // where each instruction is, for people
}

// mapEntries says what to run for the values of a map.
type mapEntries struct {
	keys   []string
	wanted []*routine
	other  *routine
}

type instruction struct {
	op  opcode
	tag byte  // of a nullable: the byte that says null; the other branch is 2 minus it
	to  int32 // slot, or how many
	arg int32 // jump distance from this instruction, or index into a table
}

type opcode uint8

const (
	skipFixed        opcode = iota // `to` bytes
	skipBoolean                    //
	skipInt                        //
	skipLong                       //
	skipText                       // a string
	skipNullableText               // a union of null and string
	skipBytes                      //
	skipEnum                       // of `to` symbols
	readBoolean                    // this and the following read into slot `to`
	readInt                        //
	readLong                       //
	readTime                       // a long that the divisor `arg` makes milliseconds of
	readFloat                      //
	readDouble                     //
	readText                       //
	readNullableText               //
	readBytes                      //
	readEnum                       // with symbols[arg]
	readFixed                      // `arg` bytes
	setNulls                       // of nulls[arg]
	copySlot                       // from slot `arg`
	jump                           // by `arg`
	jumpIfNull                     // by `arg`, with nulls[to] set
	switchUnion                    // by unions[arg]
	runArray                       // with routines[arg]
	skipEmptyArray                 // an array of items without bytes
	runMap                         // with maps[arg]
	call                           // routines[arg]
	readKnownEnum                  // with symbols[arg], some of which are null: those have no meaning for the reader
	skipKnownEnum                  // the same
	widen                          // slot `to` from a whole number to a float of `arg` bits
	scaleTime                      // slot `to` by the divisor `arg`
	assign                         // assigned[arg]
	fail                           // with failures[arg]
)

// inlineLimit is how many instructions an unwanted record may have to be written out where it stands.
const inlineLimit = 32

// compiler fills a program. It has one routine in work at a time.
type compiler struct {
	program
	*routine
	sealed  int               // nothing merges into instructions before this one: a jump ends behind them
	records map[*avroType]int // routines of unwanted records
	inline  map[*avroType]bool
	items   map[*avroType]int // routines of unwanted items
	resolution
}

func newCompiler() *compiler {
	return &compiler{
		records: map[*avroType]int{}, inline: map[*avroType]bool{}, items: map[*avroType]int{}, resolution: newResolution(),
	}
}

func compile(t *avroType, p *projection) *program {
	c := newCompiler()
	c.newRoutine(func() { c.read(t, p, "") })
	return &c.program
}

// newRoutine compiles one routine beside the one in work and returns its index.
func (c *compiler) newRoutine(body func()) int {
	index := len(c.routines)
	caller, sealed := c.routine, c.sealed
	c.routine, c.sealed = &routine{}, 0
	c.routines = append(c.routines, c.routine)
	body()
	c.routine, c.sealed = caller, sealed
	return index
}

func (c *compiler) emit(path string, in instruction) int {
	if last := len(c.code) - 1; last >= c.sealed && last >= 0 && c.code[last].op == in.op && in.op == skipFixed {
		c.code[last].to += in.to
		return last
	}
	c.code = append(c.code, in)
	c.paths = append(c.paths, path)
	c.emitted++
	return len(c.code) - 1
}

// land makes the jump at an instruction end at the next one to be emitted.
func (c *compiler) land(from int) {
	c.code[from].arg = int32(len(c.code) - from)
	c.sealed = len(c.code)
}

func (c *compiler) setNulls(path string, slots []int) {
	if len(slots) == 0 {
		return
	}
	c.emit(path, instruction{op: setNulls, arg: c.nullList(slots)})
}

func (c *compiler) nullList(slots []int) int32 {
	c.nulls = append(c.nulls, slots)
	return int32(len(c.nulls) - 1)
}

// read compiles the reading of a value, or the skipping of one that nobody wants.
func (c *compiler) read(t *avroType, p *projection, path string) {
	if p == nil {
		c.skip(t, path)
		return
	}
	switch t.kind {
	case avroRecord:
		c.setNulls(path, without(p.all, p.fields))
		for i, f := range t.fields {
			c.read(f.typ, p.fields[i], join(path, f.name))
		}
	case avroUnion:
		c.union(t, p, path)
	case avroMap:
		c.setNulls(path, p.all)
		c.readMap(t, p, path)
	case avroArray:
		c.setNulls(path, p.all)
		c.skip(t, path)
	default:
		c.readScalar(t, p, path)
	}
}

// without returns the slots that are in none of the projections.
func without(slots []int, in []*projection) []int {
	return slices.DeleteFunc(slices.Clone(slots), func(slot int) bool {
		return slices.ContainsFunc(in, func(p *projection) bool { return p != nil && slices.Contains(p.all, slot) })
	})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (c *compiler) readScalar(t *avroType, p *projection, path string) {
	c.setNulls(path, slices.DeleteFunc(slices.Clone(p.all), func(slot int) bool {
		return t.kind != avroNull && slices.Contains(p.slots, slot)
	}))
	if len(p.slots) == 0 {
		c.skip(t, path)
		return
	}
	if t.kind == avroNull {
		return
	}
	in := instruction{to: int32(p.slots[0])}
	switch t.kind {
	case avroBoolean:
		in.op = readBoolean
	case avroInt:
		in.op = readInt
	case avroLong:
		in.op = readLong
		if p.divisor != 1 {
			in.op, in.arg = readTime, int32(p.divisor)
		}
	case avroFloat:
		in.op = readFloat
	case avroDouble:
		in.op = readDouble
	case avroString:
		in.op = readText
	case avroBytes:
		in.op = readBytes
	case avroEnum:
		c.symbols = append(c.symbols, t.symbols)
		in.op, in.arg = readEnum, int32(len(c.symbols)-1)
	case avroFixed:
		in.op, in.arg = readFixed, int32(t.size)
	}
	c.emit(path, in)
	c.copies(p.slots, path)
}

// copies puts what is in the first slot into the others.
func (c *compiler) copies(slots []int, path string) {
	for _, slot := range slots[1:] {
		c.emit(path, instruction{op: copySlot, to: int32(slot), arg: int32(slots[0])})
	}
}

// union compiles a union: nullable strings to one instruction, other nullables to a jump over the value, the rest to
// a table of jumps. A nil projection skips.
func (c *compiler) union(t *avroType, p *projection, path string) {
	null := slices.IndexFunc(t.branches, func(b *avroType) bool { return b.kind == avroNull })
	if len(t.branches) != 2 || null < 0 {
		c.unionTable(t, p, path)
		return
	}
	other := t.branches[1-null]
	tag := byte(2 * null) // zigzag
	var inOther *projection
	var nulls []int
	if p != nil {
		inOther, nulls = p.union[1-null], p.all
	}
	if other.kind == avroString && (p == nil || len(p.all) == 1 && len(inOther.slots) == 1) {
		in := instruction{op: skipNullableText, tag: tag}
		if p != nil {
			in.op, in.to = readNullableText, int32(p.all[0])
		}
		c.emit(path, in)
		return
	}
	start := c.emit(path, instruction{op: jumpIfNull, tag: tag, to: c.nullList(nulls)})
	c.read(other, inOther, path)
	c.land(start)
}

func (c *compiler) unionTable(t *avroType, p *projection, path string) {
	table := make([]int32, len(t.branches))
	c.unions = append(c.unions, table)
	start := c.emit(path, instruction{op: switchUnion, arg: int32(len(c.unions) - 1)})
	var ends []int
	for i, branch := range t.branches {
		table[i] = int32(len(c.code) - start)
		c.sealed = len(c.code)
		var in *projection
		if p != nil {
			in = p.union[i]
		}
		c.read(branch, in, path)
		ends = append(ends, c.emit(path, instruction{op: jump}))
	}
	for _, end := range ends {
		c.land(end)
	}
}

func (c *compiler) readMap(t *avroType, p *projection, path string) {
	entries := mapEntries{other: c.routines[c.skipItem(t.items)]}
	for _, e := range p.entries {
		index := c.newRoutine(func() { c.read(t.items, e.value, e.key) })
		entries.keys = append(entries.keys, e.key)
		entries.wanted = append(entries.wanted, c.routines[index])
	}
	c.maps = append(c.maps, entries)
	c.emit(path, instruction{op: runMap, arg: int32(len(c.maps) - 1)})
}

// skip compiles the stepping over a value.
func (c *compiler) skip(t *avroType, path string) {
	if t.empty {
		return
	}
	switch t.kind {
	case avroBoolean:
		c.emit(path, instruction{op: skipBoolean})
	case avroInt:
		c.emit(path, instruction{op: skipInt})
	case avroLong:
		c.emit(path, instruction{op: skipLong})
	case avroFloat:
		c.emit(path, instruction{op: skipFixed, to: 4})
	case avroDouble:
		c.emit(path, instruction{op: skipFixed, to: 8})
	case avroFixed:
		c.emit(path, instruction{op: skipFixed, to: int32(t.size)})
	case avroString:
		c.emit(path, instruction{op: skipText})
	case avroBytes:
		c.emit(path, instruction{op: skipBytes})
	case avroEnum:
		c.emit(path, instruction{op: skipEnum, to: int32(len(t.symbols))})
	case avroUnion:
		c.union(t, nil, path)
	case avroMap:
		c.maps = append(c.maps, mapEntries{other: c.routines[c.skipItem(t.items)]})
		c.emit(path, instruction{op: runMap, arg: int32(len(c.maps) - 1)})
	case avroArray:
		if t.items.empty {
			c.emit(path, instruction{op: skipEmptyArray})
			return
		}
		c.emit(path, instruction{op: runArray, arg: int32(c.skipItem(t.items))})
	case avroRecord:
		c.skipRecord(t, path)
	}
}

// skipItem returns the routine that steps over the items of an array or the values of a map.
func (c *compiler) skipItem(t *avroType) int {
	index, known := c.items[t]
	if !known {
		index = len(c.routines)
		c.items[t] = index
		c.newRoutine(func() { c.skip(t, "") })
	}
	return index
}

// skipRecord writes small records out where they stand; large ones, and those that contain themselves, it calls.
func (c *compiler) skipRecord(t *avroType, path string) {
	index, known := c.records[t]
	if !known {
		index = len(c.routines)
		c.records[t] = index
		c.newRoutine(func() { c.skipFields(t, "") })
		// A record that was met inside of itself is in the map by now.
		if _, recursive := c.inline[t]; !recursive {
			c.inline[t] = len(c.routines[index].code) <= inlineLimit
		}
	} else if _, finished := c.inline[t]; !finished {
		c.inline[t] = false
	}
	if c.inline[t] {
		c.skipFields(t, path)
		return
	}
	c.emit(path, instruction{op: call, arg: int32(index)})
}

func (c *compiler) skipFields(t *avroType, path string) {
	for _, f := range t.fields {
		c.skip(f.typ, join(path, f.name))
	}
}
