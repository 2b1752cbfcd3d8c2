package simulator

import (
	"math"
	"strconv"

	"github.com/tidemark/tidemark/processing/event"
)

// visitor is one session under way.
//
//	enter -> SESSION_START -> view -> (pastime) -> view ... -> leave, with or without SESSION_END
//	                           |-> put into the cart -> view of the cart
//	                           '-> convert -> view
//
// Between two steps it holds what comes next and when.
type visitor struct {
	journey
	rng       stream
	at        event.Millis // of the next step
	session   uuid
	partition event.PartitionID
	unmarked  bool  // leaves without SESSION_END
	bot       bool  // looks at one page
	abroad    uint8 // index of the country; noCountry when it is not known
	agent     uint8
	city      string
	user      []byte
	ip        []byte
	text      [32]byte // backs user and ip
}

// journey is what a visitor has been through, as far as it bears on what comes.
type journey struct {
	entered  event.Millis
	next     step
	goal     conversionType // of a conversion that comes next
	known    bool           // there is a user id
	bought   bool           // the cart was filled: a second time is left out
	failures uint8          // of forms
	page     int32          // looked at, or to be looked at next
	cart     *product
	referrer string // of the next page view
}

const noCountry = 255

// step is what a visitor's next event is.
type step uint8

const (
	stepEnter step = iota
	stepView
	stepPastime
	stepCart
	stepConvert
	stepMark // SESSION_END
	stepGone
)

// longestSession is the most that a visitor stays.
const longestSession = 40 * minute

// enter makes a visitor who arrives at a time.
func (s *Simulator) enter(v *visitor, at event.Millis) {
	s.appear(v, at)
	v.entered = at
	if s.rand.Float64() < returningShare {
		v.know(s.users.returning())
	}
	from := s.referrers.pick(s.rand.Float64())
	v.referrer = referrers[from].url
	v.page = s.pick(entryKinds[s.entries[from].pick(s.rand.Float64())])
	v.rng = s.rng
}

// enterBot makes a bot that arrives at a time, and looks at a product.
func (s *Simulator) enterBot(v *visitor, at event.Millis) {
	s.appear(v, at)
	v.bot, v.unmarked, v.entered = true, false, at
	v.agent = uint8(len(agents) - 1)
	v.page = s.pick(productPage)
	v.rng = s.rng
}

// returningShare is the share of visitors who come with a user id.
const returningShare = 0.38

// appear gives a visitor who does something at a time all that does not change on the way.
func (s *Simulator) appear(v *visitor, at event.Millis) {
	*v = visitor{at: at}
	s.rng = stream(s.arrivals.Uint64())
	v.session = makeUUID(s.rand.Uint64(), s.rand.Uint64())
	v.partition = s.partitionOf(v.session)
	v.agent = uint8(s.agents.pick(s.rand.Float64()))
	v.abroad = uint8(s.curve.nations[hourOf(at)].pick(s.rand.Float64()))
	home := &countries[v.abroad]
	if s.rand.Float64() > 0.06 { // else the city is not known
		n := len(home.cities)
		v.city = home.cities[min(s.rand.IntN(n), s.rand.IntN(n))]
	}
	if s.rand.Float64() < 0.015 {
		v.abroad, v.city = noCountry, ""
	}
	v.unmarked = s.rand.Float64() < 0.35
	s.address(v)
}

// address gives the visitor an address out of the blocks that are reserved for documentation.
func (s *Simulator) address(v *visitor) {
	blocks := [...]string{"192.0.2.", "198.51.100.", "203.0.113."}
	ip := append(v.text[:0:16], blocks[s.rand.IntN(len(blocks))]...)
	v.ip = strconv.AppendInt(ip, int64(1+s.rand.IntN(254)), 10)
}

// know gives the visitor a user id.
func (v *visitor) know(user int64) {
	v.known = true
	v.user = strconv.AppendInt(append(v.text[16:16], 'u'), 1_000_000+user, 10)
}

func (s *Simulator) pick(kind pageKind) int32 {
	return s.site.byKind[kind][s.site.popular[kind].pick(s.rand.Float64())]
}

// advance makes the visitor's next event and decides what follows it. The visitor's step is stepGone when it was the last.
func (s *Simulator) advance(v *visitor, m *message) {
	s.rng = v.rng
	s.describe(v, m)
	switch v.next {
	case stepEnter:
		m.kind = sessionStart
		v.next = stepView
		v.at += s.between(4, 60)
	case stepView:
		s.look(v, m)
		s.decide(v)
	case stepPastime:
		m.kind = custom
		s.pass(v, m)
		s.choose(v)
	case stepCart:
		m.kind = custom
		v.cart, v.bought = s.site.pages[v.page].product, true
		m.custom = append(s.custom[:0], attribute{"action", "add_to_cart"}, attribute{"product", v.cart.id})
		s.goTo(v, cartPage, s.between(150, 900))
	case stepConvert:
		if s.conditions(v.at).broken {
			s.failForm(v, m)
		} else {
			s.convert(v, m)
		}
	case stepMark:
		m.kind = sessionEnd
		v.next = stepGone
	default:
		panic("BUG: a visitor who is gone makes a step")
	}
	if v.at > v.entered+longestSession {
		v.next = stepGone
	}
	v.rng = s.rng
}

// describe fills in what every event of a visitor says.
func (s *Simulator) describe(v *visitor, m *message) {
	*m = message{id: makeUUID(s.rand.Uint64(), s.rand.Uint64()), session: v.session, time: v.at, user: v.user}
	m.audience = audience{agent: &agents[v.agent], ip: v.ip, city: v.city}
	if v.abroad != noCountry {
		m.audience.country = countries[v.abroad].name
	}
}

// look is a page view.
func (s *Simulator) look(v *visitor, m *message) {
	p := &s.site.pages[v.page]
	m.kind = pageView
	m.view = &s.view
	s.view = view{page: p, referrer: v.referrer}
	if s.rand.Float64() > 0.04 { // some browsers don't measure
		load := 560 * heaviness[p.kind] * agents[v.agent].slowness * s.conditions(v.at).slowness * math.Exp(0.55*s.rand.NormFloat64())
		s.view.loadTime = int32(min(max(load, 20), 60_000))
	}
	v.referrer = p.absolute
}

// decide is what a visitor does after a page view: some take the first page for the last.
func (s *Simulator) decide(v *visitor) {
	p := &s.site.pages[v.page]
	if v.bot {
		v.next = stepMark
		v.at += s.between(200, 3000)
		return
	}
	if v.at-v.entered < second && s.rand.Float64() < 0.27 {
		s.leave(v)
		return
	}
	if len(pastimes[p.kind]) > 0 && s.rand.Float64() < 0.12 {
		v.next = stepPastime
		v.at += s.think(p.kind) / 2
		return
	}
	s.choose(v)
}

// choose picks one of the page's choices.
func (s *Simulator) choose(v *visitor) {
	p := &s.site.pages[v.page]
	c := journeys[p.kind][s.choices[p.kind].pick(s.rand.Float64())]
	think := s.think(p.kind)
	switch {
	case c.move == moveLeave:
		s.leave(v)
	case c.move == moveBuyNow && !v.bought:
		v.next = stepCart
		v.at += think
	case c.move == moveBuyNow:
		s.goTo(v, productPage, think)
	case c.move == moveConvert && goals[p.kind] == signup && v.known:
		s.leave(v)
	case c.move == moveConvert:
		v.next, v.goal = stepConvert, goals[p.kind]
		v.at += think
	default:
		s.goTo(v, c.to, think)
	}
}

// pass is something done beside looking at pages.
func (s *Simulator) pass(v *visitor, m *message) {
	names := pastimes[s.site.pages[v.page].kind]
	m.custom = append(s.custom[:0], attribute{"action", names[s.rand.IntN(len(names))]})
}

// convert is a conversion, and the page that thanks for it.
func (s *Simulator) convert(v *visitor, m *message) {
	m.kind = converted
	m.conversion = &s.conversion
	s.conversion = conversion{kind: v.goal}
	switch v.goal {
	case purchase:
		s.pay(v, &s.conversion)
		s.goTo(v, confirmedPage, s.between(200, 1200))
	case signup:
		v.know(s.users.fresh())
		s.goTo(v, homePage, s.between(200, 1200))
	case download, contact:
		s.leave(v)
	}
}

// failForm is a form that can't be sent: the page is loaded again, and after three failures the visitor leaves.
func (s *Simulator) failForm(v *visitor, m *message) {
	m.kind = custom
	m.custom = append(s.custom[:0], attribute{"action", "form_failed"})
	if v.failures++; v.failures == 3 {
		s.leave(v)
		return
	}
	v.next = stepView
	v.at += s.between(1500, 9000)
}

// pay prices the cart in the visitor's currency. Some shops forget to send the currency, few the value.
func (s *Simulator) pay(v *visitor, c *conversion) {
	c.product, c.category = v.cart.id, v.cart.category
	c.currency = "EUR"
	if v.abroad != noCountry {
		c.currency = countries[v.abroad].currency
	}
	price := v.cart.price * perEuro[c.currency]
	if s.rand.Float64() < 0.12 {
		price *= 2
	}
	if withoutCents[c.currency] {
		c.value = math.Round(price)
	} else {
		c.value = math.Round(price*100) / 100
	}
	switch u := s.rand.Float64(); {
	case u < 0.02:
		c.currency = ""
	case u < 0.025:
		c.value = 0
	}
}

func (s *Simulator) goTo(v *visitor, kind pageKind, after event.Millis) {
	v.next = stepView
	v.at += after
	v.page = s.pick(kind)
}

func (s *Simulator) leave(v *visitor) {
	if v.unmarked {
		v.next = stepGone
		return
	}
	v.next = stepMark
	v.at += s.think(s.site.pages[v.page].kind)
}

// think is how long a page is looked at: log-normal, and never so long that the session would fall asunder.
func (s *Simulator) think(kind pageKind) event.Millis {
	t := patience[kind] * math.Exp(0.8*s.rand.NormFloat64())
	return event.Millis(min(max(t, 800), 12*60e3))
}

// between is a time in [least, most).
func (s *Simulator) between(least, most int) event.Millis {
	return event.Millis(least + s.rand.IntN(most-least))
}
