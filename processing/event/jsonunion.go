package event

import (
	"math/bits"
	"strings"
)

// union reads a value of one of a union's branches.
func (r *jsonReader) union(t *avroType, p *projection) bool {
	c := r.peek()
	if c == '{' {
		return r.object(t, p)
	}
	var candidates uint64
	for i, branch := range t.branches {
		if branch.kind.starts(c) && i < 64 {
			candidates |= 1 << i
		}
	}
	at, scratch := r.pos, len(r.scratch)
	for left := candidates; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		if r.value(t.branches[i], p.branch(i)) {
			return true
		}
		if left == candidates && left&(left-1) == 0 {
			return false // the only one that could have been meant: its fault says more
		}
		r.pos, r.scratch = at, r.scratch[:scratch]
	}
	return r.stop("wanted one of " + t.branchNames() + ", found " + r.token())
}

// branch is the projection on one branch of a union.
func (p *projection) branch(i int) *projection {
	if p == nil {
		return nil
	}
	return p.union[i]
}

func (t *avroType) branchNames() string {
	var names []string
	for _, branch := range t.branches {
		names = append(names, branch.name)
	}
	return strings.Join(names, ", ")
}

// starts reports whether the JSON of a value of the kind can start with a byte.
func (k avroKind) starts(c byte) bool {
	switch k {
	case avroNull:
		return c == 'n'
	case avroBoolean:
		return c == 't' || c == 'f'
	case avroInt, avroLong:
		return c == '-' || c-'0' < 10
	case avroFloat, avroDouble:
		return c == '-' || c-'0' < 10 || c == '"'
	case avroArray:
		return c == '['
	case avroMap, avroRecord:
		return c == '{'
	case avroUnion:
		return false // unions hold no unions
	default:
		return c == '"'
	}
}

// object reads an object that is a union's value: one that names its branch, or a plain record or map.
func (r *jsonReader) object(t *avroType, p *projection) bool {
	if i := r.named(t); i >= 0 {
		r.open('{')
		r.key()
		if !r.value(t.branches[i], p.branch(i)) {
			return false
		}
		more, ok := r.next('{')
		if more {
			return r.stop("a value that names its branch has one key only")
		}
		return ok
	}
	plain := -1
	for i, branch := range t.branches {
		if branch.kind != avroMap && branch.kind != avroRecord {
			continue
		}
		if plain >= 0 {
			return r.stop("the object must name its branch, one of " + t.branchNames())
		}
		plain = i
	}
	if plain < 0 {
		return r.stop("wanted one of " + t.branchNames() + ", found an object")
	}
	return r.value(t.branches[plain], p.branch(plain))
}

// named returns the branch that the object ahead names, or -1. It reads ahead, and leaves everything as it was.
func (r *jsonReader) named(t *avroType) int {
	before := r.jsonScanner
	branch := -1
	if more, _ := r.open('{'); more {
		if key, ok := r.key(); ok {
			branch = t.branchNamed(key, r.peek())
			if branch >= 0 && t.takesKey(key) {
				// A plain map or record may have that key as well, but hardly as its only one.
				end := false
				if r.skip() {
					more, ok := r.next('{')
					end = ok && !more
				}
				if !end {
					branch = -1
				}
			}
		}
	}
	r.jsonScanner = before
	return branch
}

// branchNamed returns the branch of a name whose values can start with a byte, or -1.
func (t *avroType) branchNamed(name []byte, c byte) int {
	for i, branch := range t.branches {
		if branch.name == string(name) && branch.kind.starts(c) && branch.kind != avroNull {
			return i
		}
	}
	return -1
}

// takesKey reports whether a plain value of some branch may have a key.
func (t *avroType) takesKey(key []byte) bool {
	for _, branch := range t.branches {
		if _, ok := branch.index[string(key)]; ok || branch.kind == avroMap {
			return true
		}
	}
	return false
}
