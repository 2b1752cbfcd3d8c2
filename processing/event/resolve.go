package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// resolution is what the compiler keeps while it compiles a program for values that one schema wrote and another reads,
// by the rules of Avro's schema resolution:
//
//   - Fields are matched by name, then by the reader's aliases. What the reader does not have is stepped over; what the
//     writer does not have is the reader's default, or null where the field is nullable.
//   - Numbers widen: int to long, float and double; long to float and double; float to double. Strings and bytes are alike.
//   - Records, enums and fixed match by their names without namespaces, or by the reader's aliases.
//   - A symbol that the reader does not know is the reader's default symbol.
//   - Of a reader's union, a value goes to the branch of its own type, else to the first that it widens to. That is how
//     Avro's own implementations read the rule of "the first that matches".
//
// What can never be read is a fault of the schema. What can't be read of only one branch of a writer's union is a fault
// of the values that have it: all others are good.
type resolution struct {
	emitted   int            // instructions, of all routines
	faults    []string       // what can't be resolved, with its path
	partly    []string       // the same, of branches of the writer's unions
	base      string         // where the routine in work is first called from
	branching int            // > 0 inside of a branch of a writer's union
	equal     map[pair]bool  // whether two types are the same throughout
	assumed   []pair         // what equal holds since the comparison in work began
	pairs     map[duty]*unit // of unwanted records
	pairItems map[duty]int   // routines of unwanted items
}

// pair is a type of the writer's schema that is read as one of the reader's.
type pair struct{ w, r *avroType }

// duty is a pair, and whether it stands in a branch of a writer's union: what can't be resolved means something else there.
type duty struct {
	pair
	branch bool
}

// unit is the routine of an unwanted record.
type unit struct {
	index    int
	finished bool
	inline   bool
}

// maxInstructions bounds what a foreign schema compiles to. The events schema takes some hundred.
const maxInstructions = 1 << 16

func newResolution() resolution {
	return resolution{equal: map[pair]bool{}, pairs: map[duty]*unit{}, pairItems: map[duty]int{}}
}

// compileResolved compiles a program for values that schema w wrote, and a projection on schema r. The second result is
// what can't be read of branches. The error holds every fault.
func compileResolved(w, r *avroType, p *projection) (*program, []string, error) {
	c := newCompiler()
	c.newRoutine(func() { c.resolve(w, r, p, "") })
	if c.full() {
		return nil, nil, fmt.Errorf("it is too large: it takes more than %d instructions to read", maxInstructions)
	}
	if len(c.faults) > 0 {
		return nil, nil, errors.New(strings.Join(c.faults, "; "))
	}
	return &c.program, c.partly, nil
}

// full reports whether the schema is too large. What is compiled then is of no use.
func (c *compiler) full() bool { return c.emitted > maxInstructions }

// resolve compiles the reading of a value that a type wrote as another one; a nil projection wants nothing of it, and
// has it checked all the same.
func (c *compiler) resolve(w, r *avroType, p *projection, path string) {
	switch {
	case c.full():
	case c.same(w, r):
		c.read(r, p, path)
	case w.kind == avroUnion:
		c.resolveBranches(w, r, p, path)
	case r.kind == avroUnion:
		i := r.branchFor(w)
		if i < 0 {
			c.mismatch(path, "%s is none of %s", w.spoken(), r.branchNames())
			return
		}
		c.resolve(w, r.branches[i], p.branch(i), path)
	case !w.matches(r):
		c.mismatch(path, "%s can't be read as %s", w.spoken(), r.spoken())
	default:
		c.resolveMatching(w, r, p, path)
	}
}

// mismatch notes what can't be resolved, and has values that get there fail.
func (c *compiler) mismatch(path, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	c.failures = append(c.failures, what)
	c.emit(path, instruction{op: fail, arg: int32(len(c.failures) - 1)})
	if at := c.place(path); at != "" {
		what = at + ": " + what
	}
	if c.branching > 0 {
		c.partly = append(c.partly, what)
	} else {
		c.faults = append(c.faults, what)
	}
}

// place is the whole path of a place in the routine in work.
func (c *compiler) place(path string) string {
	if path == "" {
		return c.base
	}
	return join(c.base, path)
}

// inRoutine compiles a routine that is called at a path, and returns its index.
func (c *compiler) inRoutine(path string, body func()) int {
	base := c.base
	c.base = c.place(path)
	index := c.newRoutine(body)
	c.base = base
	return index
}

// resolveMatching compiles for types that match, neither of them a union.
func (c *compiler) resolveMatching(w, r *avroType, p *projection, path string) {
	switch w.kind {
	case avroRecord:
		if p == nil {
			c.checkRecord(w, r, path)
			return
		}
		c.setNulls(path, without(p.all, p.fields))
		c.resolveFields(w, r, p, path)
	case avroMap, avroArray:
		if p != nil {
			c.setNulls(path, p.all)
		}
		c.resolveItems(w, r, p, path)
	default:
		c.resolveScalar(w, r, p, path)
	}
}

// resolveFields compiles a record, in the writer's order.
func (c *compiler) resolveFields(w, r *avroType, p *projection, path string) {
	writers := make([]string, len(r.fields)) // which field of the writer is read as this one
	for i := range w.fields {
		f := &w.fields[i]
		to := r.fieldFor(f.name)
		if to < 0 {
			c.skip(f.typ, join(path, f.name))
			continue
		}
		if writers[to] != "" {
			c.mismatch(path, "its fields %q and %q are both the field %q, one of them by an alias", writers[to], f.name, r.fields[to].name)
			return
		}
		writers[to] = f.name
		c.resolve(f.typ, r.fields[to].typ, p.field(to), join(path, r.fields[to].name))
	}
	for i := range r.fields {
		if f := &r.fields[i]; writers[i] == "" {
			c.missing(f, p.field(i), join(path, f.name))
		}
	}
}

// missing compiles a field that the writer does not have.
func (c *compiler) missing(f *avroField, p *projection, path string) {
	switch {
	case !f.hasFallback && !f.typ.nullable():
		c.mismatch(path, "the field is missing, and has no default")
	case p != nil:
		c.setNulls(path, p.all)
		if len(p.missing) > 0 {
			c.assigned = append(c.assigned, p.missing)
			c.emit(path, instruction{op: assign, arg: int32(len(c.assigned) - 1)})
		}
	}
}

// field is the projection on a field of a record.
func (p *projection) field(i int) *projection {
	if p == nil {
		return nil
	}
	return p.fields[i]
}

// checkRecord compiles a record that nobody wants: small ones where they stand, others as a call.
func (c *compiler) checkRecord(w, r *avroType, path string) {
	d := c.dutyOf(w, r)
	u := c.pairs[d]
	if u == nil {
		u = &unit{index: len(c.routines)}
		c.pairs[d] = u
		c.inRoutine(path, func() { c.resolveFields(w, r, nil, "") })
		u.finished = true
		u.inline = u.inline || len(c.routines[u.index].code) <= inlineLimit && !c.calls(u.index)
	}
	if u.finished && u.inline {
		faults, partly := len(c.faults), len(c.partly)
		c.resolveFields(w, r, nil, path)
		c.faults, c.partly = c.faults[:faults], c.partly[:partly] // they are known from the routine
		return
	}
	c.emit(path, instruction{op: call, arg: int32(u.index)})
}

// calls reports whether a routine calls others: one that might call itself is not to be written out.
func (c *compiler) calls(index int) bool {
	return slices.ContainsFunc(c.routines[index].code, func(in instruction) bool { return in.op == call })
}

func (c *compiler) dutyOf(w, r *avroType) duty { return duty{pair{w, r}, c.branching > 0} }

// resolveItems compiles an array or a map.
func (c *compiler) resolveItems(w, r *avroType, p *projection, path string) {
	other := c.checkItem(w, r, path)
	if w.kind == avroArray {
		if w.items.empty && len(c.routines[other].code) == 0 {
			c.emit(path, instruction{op: skipEmptyArray})
			return
		}
		c.emit(path, instruction{op: runArray, arg: int32(other)})
		return
	}
	entries := mapEntries{other: c.routines[other]}
	if p != nil {
		for _, e := range p.entries {
			index := c.inRoutine(path, func() { c.resolve(w.items, r.items, e.value, e.key) })
			entries.keys = append(entries.keys, e.key)
			entries.wanted = append(entries.wanted, c.routines[index])
		}
	}
	c.maps = append(c.maps, entries)
	c.emit(path, instruction{op: runMap, arg: int32(len(c.maps) - 1)})
}

// checkItem returns the routine that steps over an item of an array or a value of a map and checks it.
func (c *compiler) checkItem(w, r *avroType, path string) int {
	d := c.dutyOf(w.items, r.items)
	index, known := c.pairItems[d]
	if !known {
		index = len(c.routines)
		c.pairItems[d] = index
		c.inRoutine(path, func() { c.resolve(w.items, r.items, nil, "") })
	}
	return index
}

// resolveBranches compiles a writer's union: nullables as for one schema, the rest to a table of jumps.
func (c *compiler) resolveBranches(w, r *avroType, p *projection, path string) {
	c.branching++
	defer func() { c.branching-- }()
	null := slices.IndexFunc(w.branches, func(b *avroType) bool { return b.kind == avroNull })
	if len(w.branches) != 2 || null < 0 || !r.nullable() {
		c.resolveTable(w, r, p, path)
		return
	}
	other, tag := w.branches[1-null], byte(2*null)
	if slot, ok := c.plainText(other, r, p); ok {
		in := instruction{op: skipNullableText, tag: tag}
		if slot >= 0 {
			in.op, in.to = readNullableText, int32(slot)
		}
		c.emit(path, in)
		return
	}
	var nulls []int
	if p != nil {
		nulls = p.all
	}
	start := c.emit(path, instruction{op: jumpIfNull, tag: tag, to: c.nullList(nulls)})
	c.resolve(other, r, p, path)
	c.land(start)
}

// plainText reports whether a nullable is a text for writer and reader, wanted in one slot at most: the slot, or -1.
func (c *compiler) plainText(w, r *avroType, p *projection) (slot int, ok bool) {
	if w.kind != avroString && w.kind != avroBytes || r.kind != avroUnion {
		return 0, false
	}
	i := r.branchFor(w)
	if i < 0 {
		return 0, false
	}
	if r.branches[i].kind != avroString {
		return 0, false
	}
	if p == nil {
		return -1, true
	}
	if len(p.all) != 1 || len(p.union[i].slots) != 1 {
		return 0, false
	}
	return p.all[0], true
}

func (c *compiler) resolveTable(w, r *avroType, p *projection, path string) {
	table := make([]int32, len(w.branches))
	c.unions = append(c.unions, table)
	start := c.emit(path, instruction{op: switchUnion, arg: int32(len(c.unions) - 1)})
	var ends []int
	for i, branch := range w.branches {
		table[i] = int32(len(c.code) - start)
		c.sealed = len(c.code)
		c.resolve(branch, r, p, path)
		ends = append(ends, c.emit(path, instruction{op: jump}))
	}
	for _, end := range ends {
		c.land(end)
	}
}
