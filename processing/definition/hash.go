package definition

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/tidemark/tidemark/processing/aggregate"
	"github.com/tidemark/tidemark/processing/event"
)

// semanticsVersion goes up when the same words come to mean other numbers: every definition then starts anew.
const semanticsVersion = 2

// identity collects what a hash covers. Every part is written with its length, so that no two lists of parts are one.
type identity struct {
	text []byte
}

// newIdentity starts with what kind of thing it is and with the rules that all numbers depend on. The rules of idleness
// are not among them: what they decide is journaled.
func newIdentity(what string, s *Source) *identity {
	id := &identity{}
	id.add(what, strconv.Itoa(semanticsVersion), s.TimeField)
	id.span(s.OutOfOrderness, s.MaxFutureSkew, s.MinTime)
	return id
}

func (id *identity) add(parts ...string) {
	for _, p := range parts {
		id.text = binary.AppendUvarint(id.text, uint64(len(p)))
		id.text = append(id.text, p...)
	}
}

func (id *identity) span(spans ...event.Millis) {
	for _, s := range spans {
		id.add(strconv.FormatInt(int64(s), 10))
	}
}

func (id *identity) number(numbers ...int) {
	for _, n := range numbers {
		id.add(strconv.Itoa(n))
	}
}

// term adds a term, or nothing in its place.
func (id *identity) term(terms ...*term) {
	for _, t := range terms {
		if t == nil {
			id.add("")
			continue
		}
		id.add(t.String())
	}
}

func (id *identity) hash() Hash {
	sum := sha256.Sum256(id.text)
	return Hash(sum[:16])
}

// columnHash does not cover the source: a column lives in a grouping or a session, whose hash does.
func columnHash(k aggregate.Kind, input *term, wheres ...*term) Hash {
	id := &identity{}
	id.add("column", kindName(k))
	id.term(input)
	id.term(wheres...)
	return id.hash()
}

func (c *compiler) sessionHash(s *checkedSession) Hash {
	id := newIdentity("session", &c.doc.source)
	id.add(s.spec.name)
	id.term(s.key, s.endWhen)
	id.span(s.spec.gap, s.spec.maxDuration)
	id.number(s.spec.maxOpen)
	for i, a := range s.spec.aggregates {
		id.aggregate(&a, s.aggregates[i])
	}
	return id.hash()
}

func (id *identity) aggregate(spec *aggregateSpec, a checkedAggregate) {
	id.add(spec.name, kindName(spec.kind), strconv.FormatFloat(spec.quantile, 'g', -1, 64), strconv.FormatBool(spec.total))
	id.term(a.input, a.where)
}

// from adds where rows come from.
func (c *compiler) from(id *identity, from int) {
	if from == FromEvents {
		id.add("events")
		return
	}
	id.add(c.sessionHash(c.sessions[from]).String())
}

func (c *compiler) metricHash(m *checkedMetric) Hash {
	id := newIdentity("metric", &c.doc.source)
	id.add(m.spec.name)
	c.from(id, m.from)
	id.span(m.spec.size, m.spec.slide, m.spec.offset, m.spec.lateness)
	id.number(m.spec.limit, m.spec.maxGroups, len(m.keys))
	for i, k := range m.keys {
		id.add(m.spec.keys[i].name)
		id.term(k)
	}
	for i := range m.aggregates {
		id.aggregate(&m.spec.aggregates[i], m.aggregates[i])
	}
	id.term(m.value)
	if m.having != nil {
		id.add("having")
		id.term(m.having)
	}
	return id.hash()
}

func (c *compiler) groupingHash(g *Grouping, keys []*term) Hash {
	id := newIdentity("grouping", &c.doc.source)
	c.from(id, g.From)
	id.span(g.Width, g.Offset, g.Lateness)
	id.number(g.MaxGroups)
	for i, k := range keys {
		id.add(g.Keys[i].Name)
		id.term(k)
	}
	return id.hash()
}
