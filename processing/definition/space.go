package definition

import (
	"maps"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing/event"
)

// spaceBuilder lays out the rows of a space: first the slots that whoever makes the row fills, then one for every
// distinct term that is more than a field.
type spaceBuilder struct {
	space   Space
	slots   slotOf
	filters map[string]int
	hashed  map[int]bool
}

func newSpace(names []string) *spaceBuilder {
	b := &spaceBuilder{slots: slotOf{}, filters: map[string]int{}, hashed: map[int]bool{}}
	for i, name := range names {
		b.slots[name] = i
	}
	b.space.Names = slices.Clone(names)
	return b
}

// slot returns the slot of a term; equal terms share it.
func (b *spaceBuilder) slot(t *term) int {
	text := t.String()
	if slot, ok := b.slots[text]; ok {
		return slot
	}
	eval := b.slots.value(t)
	slot := len(b.space.Names)
	b.slots[text] = slot
	b.space.Names = append(b.space.Names, text)
	b.space.Derived = append(b.space.Derived, Derived{Slot: slot, Eval: eval, Either: b.slots.either(t)})
	return slot
}

// hashedSlot returns the slot of a term whose hash is wanted.
func (b *spaceBuilder) hashedSlot(t *term) int {
	slot := b.slot(t)
	b.hashed[slot] = true
	return slot
}

// filter returns the filter of a condition; equal conditions share it, and no condition is NoFilter.
func (b *spaceBuilder) filter(t *term) int {
	if t == nil {
		return NoFilter
	}
	text := t.String()
	if i, ok := b.filters[text]; ok {
		return i
	}
	i := len(b.space.Filters)
	b.filters[text] = i
	b.space.Filters = append(b.space.Filters, Filter{
		Text: text, Reads: b.slots.reads(t), Eval: b.slots.predicate(t), OfNil: isNilTest(t),
	})
	return i
}

// reads are the slots of a term's fields.
func (s slotOf) reads(t *term) []int {
	var slots []int
	t.walk(func(t *term) {
		if t.op == opField {
			slots = append(slots, s[t.String()])
		}
	})
	slices.Sort(slots)
	return slices.Compact(slots)
}

func (b *spaceBuilder) build() Space {
	b.space.Slots = len(b.space.Names)
	b.space.HashSlots = slices.Sorted(maps.Keys(b.hashed))
	return b.space
}

// eventPaths are the paths that the decoder fills: the event time, then all others that any term uses.
func (c *compiler) eventPaths() []event.Path {
	found := map[string]event.Path{}
	add := func(terms ...*term) {
		for _, t := range terms {
			if t != nil {
				t.walk(func(t *term) {
					if t.op == opField {
						found[t.String()] = t.path
					}
				})
			}
		}
	}
	for _, s := range c.sessions {
		add(s.key, s.endWhen)
		for _, a := range s.aggregates {
			add(a.input, a.where)
		}
	}
	for _, m := range c.metrics {
		if m.from != FromEvents {
			continue
		}
		add(m.keys...)
		for _, a := range m.aggregates {
			add(a.input, a.where)
		}
	}
	time := event.Path(strings.Split(c.doc.source.TimeField, "."))
	delete(found, pathText(time))
	paths := []event.Path{time}
	for _, text := range slices.Sorted(maps.Keys(found)) {
		paths = append(paths, found[text])
	}
	return paths
}
