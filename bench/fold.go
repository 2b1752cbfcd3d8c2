package bench

import (
	"bytes"
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// The event types, in the order of the schema's enum.
const (
	pageView = iota
	sessionStart
	sessionEnd
	conversion
	custom
	eventTypes
)

const (
	fiveSeconds = 5_000
	tenSeconds  = 10_000
	minute      = 60_000
	lateness    = 60_000
	disorder    = 5_000
)

// Fold folds events into the panes of the default metrics that are fed by events. It keeps what was added since the
// last Take, as a worker does between two commits.
type Fold struct {
	newest  int64
	counts  Counts
	fives   panes[fivePane]
	tens    panes[tenPane]
	minutes panes[minutePane]
}

// Counts tell what became of the events.
type Counts struct {
	Applied   int64 // at least in part
	LatePart  int64 // applied, but too late for some panes
	Late      int64 // too late for all
	BadValues int64 // that a sum can't hold
}

// fivePane is five seconds of events by type and page views.
type fivePane struct {
	byType [eventTypes]int64
	views  int64
}

// tenPane is ten seconds of visitors, sessions, load times and revenue.
type tenPane struct {
	events, loads                 int64
	visitors, sessions, converted [1 << 14]uint8
	byBucket                      [1100]uint64 // of load times; a bucket's bounds are 2 % apart
	instant                       uint64       // loads of 0 ms
	revenue                       counter[money]
}

// minutePane is a minute of page views and session starts.
type minutePane struct {
	pages, countries counter[int64]
	devices          [8]int64 // the first: no device
}

// money is a sum in units of 10^-9.
type money struct {
	hi, lo uint64
	count  int64
}

// Add folds one event.
func (f *Fold) Add(e *Event) {
	t := e.Timestamp
	watermark := f.newest - disorder - 1
	f.newest = max(f.newest, t)
	took, refused := 0, 0
	if p, ok := f.fives.at(t, fiveSeconds, watermark); ok {
		took++
		p.byType[e.EventType]++
		if e.EventType == pageView {
			p.views++
		}
	} else {
		refused++
	}
	if p, ok := f.tens.at(t, tenSeconds, watermark); ok {
		took++
		f.counts.BadValues += p.add(e)
	} else {
		refused++
	}
	if e.EventType == pageView || e.EventType == sessionStart {
		if p, ok := f.minutes.at(t, minute, watermark); ok {
			took++
			p.add(e)
		} else {
			refused++
		}
	}
	f.count(took, refused)
}

func (f *Fold) count(took, refused int) {
	switch {
	case refused == 0:
		f.counts.Applied++
	case took == 0:
		f.counts.Late++
	default:
		f.counts.Applied++
		f.counts.LatePart++
	}
}

func (p *minutePane) add(e *Event) {
	if e.EventType == pageView {
		*p.pages.at(e.URL)++
		return
	}
	*p.countries.at(e.Country)++
	p.devices[e.DeviceType+1]++
}

func (p *tenPane) add(e *Event) (bad int64) {
	p.events++
	session := xxhash.Sum64(e.SessionID)
	visitor := session
	if e.UserID != nil {
		visitor = xxhash.Sum64(e.UserID)
	}
	raise(&p.visitors, visitor)
	raise(&p.sessions, session)
	if e.EventType == conversion {
		raise(&p.converted, session)
		m := p.revenue.at(e.Currency)
		m.count++
		if e.HasValue && !m.add(e.Value) {
			bad++
		}
	}
	if e.HasPageLoadTime {
		p.loads++
		if e.PageLoadTime <= 0 {
			p.instant++ // the schema's load times are not negative
		} else {
			p.byBucket[int(math.Log(float64(e.PageLoadTime))*perBucket)]++
		}
	}
	return bad
}

// perBucket is 1 / ln(1.01 / 0.99).
var perBucket = 1 / math.Log(1.01/0.99)

func raise(registers *[1 << 14]uint8, hash uint64) {
	register := hash >> 50
	if rank := uint8(bits.LeadingZeros64(hash<<14|1<<13)) + 1; registers[register] < rank {
		registers[register] = rank
	}
}

// add adds a number by its exact binary value, ties to even. It reports false if the number can't be held.
func (m *money) add(value float64) bool {
	if !(math.Abs(value) <= 1e18) {
		return false
	}
	fraction, exponent := math.Frexp(math.Abs(value)) // 2^53 * fraction is whole
	hi, lo := bits.Mul64(uint64(fraction*(1<<53)), 1e9)
	switch shift := 53 - exponent; {
	case shift > 84:
		hi, lo = 0, 0 // below half a unit
	case shift > 0:
		hi, lo = halfEven(hi, lo, shift)
	default:
		hi, lo = hi<<-shift|lo>>(64+shift), lo<<-shift
	}
	var carry uint64
	if value < 0 {
		m.lo, carry = bits.Sub64(m.lo, lo, 0)
		m.hi, _ = bits.Sub64(m.hi, hi, carry)
		return true
	}
	m.lo, carry = bits.Add64(m.lo, lo, 0)
	m.hi, _ = bits.Add64(m.hi, hi, carry)
	return true
}

// halfEven shifts right by at least one and at most 84 bits and rounds to nearest, ties to even.
func halfEven(hi, lo uint64, shift int) (qhi, qlo uint64) {
	sticky := false
	if shift > 64 {
		sticky, hi, lo, shift = lo != 0, 0, hi, shift-64
	}
	half := lo >> (shift - 1) & 1
	sticky = sticky || lo<<(65-shift) != 0
	qhi, qlo = hi>>shift, hi<<(64-shift)|lo>>shift
	if half == 1 && (sticky || qlo&1 == 1) {
		var carry uint64
		qlo, carry = bits.Add64(qlo, 1, 0)
		qhi += carry
	}
	return qhi, qlo
}

// Take drops what was added and keeps the memory. It returns how many panes there were.
func (f *Fold) Take() int {
	n := len(f.fives.live) + len(f.tens.live) + len(f.minutes.live)
	f.fives.reset(func(p *fivePane) { *p = fivePane{} })
	f.tens.reset(func(p *tenPane) {
		p.events, p.loads, p.instant = 0, 0, 0
		clear(p.visitors[:])
		clear(p.sessions[:])
		clear(p.converted[:])
		clear(p.byBucket[:])
		p.revenue.reset()
	})
	f.minutes.reset(func(p *minutePane) {
		p.pages.reset()
		p.countries.reset()
		clear(p.devices[:])
	})
	return n
}

// panes are the live panes of one width. Late ones are told apart.
type panes[P any] struct {
	live []livePane[P]
	last int
	free []*P
}

type livePane[P any] struct {
	start int64
	late  bool
	pane  *P
}

// at returns the pane of a time; ok is false when it is too late.
func (ps *panes[P]) at(t, width, watermark int64) (pane *P, ok bool) {
	start := t - t%width
	late := watermark >= start+width-1
	if late && watermark >= start+width-1+lateness {
		return nil, false
	}
	if ps.last < len(ps.live) {
		if p := &ps.live[ps.last]; p.start == start && p.late == late {
			return p.pane, true
		}
	}
	for i := range ps.live {
		if p := &ps.live[i]; p.start == start && p.late == late {
			ps.last = i
			return p.pane, true
		}
	}
	if n := len(ps.free); n > 0 {
		pane, ps.free = ps.free[n-1], ps.free[:n-1]
	} else {
		pane = new(P)
	}
	ps.last = len(ps.live)
	ps.live = append(ps.live, livePane[P]{start, late, pane})
	return pane, true
}

func (ps *panes[P]) reset(empty func(*P)) {
	for _, p := range ps.live {
		empty(p.pane)
		ps.free = append(ps.free, p.pane)
	}
	ps.live = ps.live[:0]
}

// counter is a hash table from texts to values: open addressing, at most half full.
type counter[V any] struct {
	slots []counted[V]
	used  int
	null  V // of no text
	other V // of the texts beyond maxTexts
}

// maxTexts bounds a counter, as max_groups does.
const maxTexts = 100_000

type counted[V any] struct {
	hash  uint64
	taken bool
	text  []byte
	value V
}

func (c *counter[V]) at(text []byte) *V {
	if text == nil {
		return &c.null
	}
	hash := xxhash.Sum64(text)
	if len(c.slots) > 0 {
		if s := c.find(text, hash); s.taken {
			return &s.value
		}
	}
	if c.used == maxTexts {
		return &c.other
	}
	if 2*(c.used+1) > len(c.slots) {
		c.grow()
	}
	s := c.find(text, hash)
	*s = counted[V]{hash: hash, taken: true, text: append(s.text[:0], text...)}
	c.used++
	return &s.value
}

// find returns the slot of a text, or the free one where it belongs.
func (c *counter[V]) find(text []byte, hash uint64) *counted[V] {
	mask := uint64(len(c.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &c.slots[i]
		if !s.taken || s.hash == hash && bytes.Equal(s.text, text) {
			return s
		}
	}
}

func (c *counter[V]) grow() {
	old := c.slots
	c.slots = make([]counted[V], max(16, 2*len(old)))
	for _, s := range old {
		if s.taken {
			*c.find(s.text, s.hash) = s
		}
	}
}

func (c *counter[V]) reset() {
	for i := range c.slots {
		c.slots[i].taken = false
	}
	var none V
	c.used, c.null, c.other = 0, none, none
}
