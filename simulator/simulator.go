package simulator

import (
	"fmt"
	"math/rand/v2"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark/tidemark/processing/event"
)

// Simulator yields the records of one timeline. It is not safe for concurrent use.
//
// Three things come in turn, whichever is first: a visitor enters, a visitor makes a step, a delayed record arrives.
// Entering uses the stream arrivals, a step uses the visitor's own, and what happens to a record uses fates.
type Simulator struct {
	options   Options
	scenario  *Scenario
	end       event.Millis // of arrivals
	curve     *dayCurve
	site      *site
	users     *users
	agents    weighted
	referrers weighted
	entries   []weighted // by referrer
	choices   [pageKinds]weighted

	arrivals  stream
	nextEntry float64 // event time in milliseconds of the next visitor
	perMilli  float64 // visitors a millisecond on an average day
	visitors  queue[*visitor]
	delayed   queue[event.Record]
	serial    uint64
	free      []*visitor
	left      int64 // records still to come; negative is without end

	fates stream
	rng   stream     // of the visitor whose turn it is
	rand  *rand.Rand // draws from rng
	dice  *rand.Rand // draws from fates

	message    message // the parts of the event being made
	view       view
	conversion conversion
	custom     [2]attribute
	frame      []byte // what stands before each value
	block      []byte // what is left of the memory that records are written into
}

// recordsPerSession is how many events a session has on average, a property of the journeys; a test holds it.
const recordsPerSession = 5.86

// New returns a simulator at the beginning of its timeline.
func New(o Options) (*Simulator, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("simulator options: %w", err)
	}
	s := &Simulator{options: o, scenario: &scenarios[0], end: endOfTime, curve: newDayCurve(), site: newSite(), left: -1}
	var err error
	if s.frame, err = frameOf(&o); err != nil {
		return nil, err
	}
	if o.Duration > 0 {
		s.end = o.Start + o.Duration
	}
	if o.Count > 0 {
		s.left = o.Count
	}
	seed := stream(o.Seed)
	s.arrivals, s.fates = stream(seed.Uint64()), stream(seed.Uint64())
	s.rand, s.dice = rand.New(&s.rng), rand.New(&s.fates)
	s.perMilli = o.Rate / 1000 / (recordsPerSession * (1 + o.Duplicates + o.Bad))
	s.users = newUsers(s.perMilli * float64(hour) * returningShare)
	s.weigh()
	s.populate() // on an ordinary day: nothing has happened yet
	s.scenario = scenarioNamed(o.Scenario)
	s.nextEntry = float64(o.Start)
	s.scheduleEntry()
	return s, nil
}

// weigh prepares the tables that visitors choose from.
func (s *Simulator) weigh() {
	s.agents = makeWeighted(column(agents, func(a agent) float64 { return a.weight }))
	s.referrers = makeWeighted(column(referrers, func(r referrer) float64 { return r.weight }))
	for _, r := range referrers {
		s.entries = append(s.entries, makeWeighted(r.entry[:]))
	}
	for kind := range journeys {
		s.choices[kind] = makeWeighted(column(journeys[kind], func(c choice) float64 { return c.weight }))
	}
}

func column[T any](rows []T, weight func(T) float64) []float64 {
	weights := make([]float64, len(rows))
	for i, r := range rows {
		weights[i] = weight(r)
	}
	return weights
}

// scheduleEntry draws the time of the next visitor. Those who come while the site is down find nothing: the next one is the
// first after it.
func (s *Simulator) scheduleEntry() {
	s.nextEntry += s.entryGap()
	if from, to := s.silence(event.Millis(s.nextEntry)); event.Millis(s.nextEntry) >= from {
		s.nextEntry = float64(to)
		s.nextEntry += s.entryGap()
	}
}

// entryGap draws the time to the next visitor, as things stand at the last one's time.
func (s *Simulator) entryGap() float64 {
	at := event.Millis(s.nextEntry)
	c := s.conditions(at)
	s.rng = s.arrivals
	gap := s.rand.ExpFloat64() / (s.perMilli * s.curve.at(at) * (c.visitors + c.bots))
	s.arrivals = s.rng
	return gap
}

// admit lets the next visitor in.
func (s *Simulator) admit() {
	v := &visitor{}
	if n := len(s.free); n > 0 {
		v, s.free = s.free[n-1], s.free[:n-1]
	}
	at := event.Millis(s.nextEntry)
	if s.sendsBot(s.conditions(at)) {
		s.enterBot(v, at)
	} else {
		s.enter(v, at)
	}
	s.scheduleEntry()
	s.visitors.push(v.at, s.nextSerial(), v)
}

// sendsBot decides whether the next visitor is a bot.
func (s *Simulator) sendsBot(c conditions) bool {
	if c.bots == 0 {
		return false
	}
	s.rng = s.arrivals
	u := s.rand.Float64()
	s.arrivals = s.rng
	return u*(c.visitors+c.bots) < c.bots
}

// conditions are what visitors meet with at a time.
func (s *Simulator) conditions(at event.Millis) conditions {
	return s.scenario.at(at - s.options.Start)
}

// silence is the spell without events that a time lies in, or the next one.
func (s *Simulator) silence(at event.Millis) (from, to event.Millis) {
	from, to = s.scenario.silence(at - s.options.Start)
	if from == endOfTime {
		return endOfTime, endOfTime
	}
	return s.options.Start + from, s.options.Start + to
}

func (s *Simulator) nextSerial() uint64 {
	s.serial++
	return s.serial
}

// Next fills in the next record, in the order of arrival, and says when it arrives: its event time, or later when it is delayed.
// Key and Value are the caller's to keep. It reports false after the last record.
func (s *Simulator) Next(r *event.Record) (at event.Millis, ok bool) {
	for s.left != 0 {
		entry, step, arrival := event.Millis(s.nextEntry), s.visitors.next(), s.delayed.next()
		switch {
		case entry <= step && entry <= arrival && entry < s.end:
			s.admit()
			continue
		case min(entry, step, arrival) >= s.end:
			return 0, false
		case arrival <= step:
			*r = s.delayed.pop()
			at = arrival
		default:
			if at = step; !s.step(r) {
				continue
			}
		}
		s.left = max(-1, s.left-1)
		return at, true
	}
	return 0, false
}

// step takes the first visitor's step. It reports false when the record doesn't arrive at once.
func (s *Simulator) step(r *event.Record) bool {
	v := s.visitors.items[0].item
	if s.conditions(v.at).down {
		s.interrupt(v)
		return false
	}
	s.advance(v, &s.message)
	*r = event.Record{Partition: v.partition, Timestamp: s.message.time}
	s.encode(r)
	if v.next == stepGone {
		s.free = append(s.free, s.visitors.pop())
	} else {
		s.visitors.postpone(v.at)
	}
	return s.dispatch(r)
}

// interrupt is a step that finds the site down: most visitors try again soon after it is back.
func (s *Simulator) interrupt(v *visitor) {
	_, back := s.silence(v.at)
	s.rng = v.rng
	v.at = back + s.between(0, 100_000)
	stays := s.rand.Float64() < 0.75 && v.at <= v.entered+longestSession
	v.rng = s.rng
	if stays {
		s.visitors.postpone(v.at)
	} else {
		s.free = append(s.free, s.visitors.pop())
	}
}

// encode writes key and value into memory that nobody else will use.
func (s *Simulator) encode(r *event.Record) {
	const blockSize, roomy = 256 << 10, 4 << 10 // no event comes near 4 KiB
	if cap(s.block)-len(s.block) < roomy {
		s.block = make([]byte, 0, blockSize)
	}
	start := len(s.block)
	s.block = append(s.block, s.message.session[:]...)
	middle := len(s.block)
	s.block = s.appendValue(s.block, &s.message)
	end := len(s.block)
	r.Key, r.Value = s.block[start:middle:middle], s.block[middle:end:end]
}

func (s *Simulator) partitionOf(session uuid) event.PartitionID {
	return event.PartitionID(xxhash.Sum64(session[:]) % uint64(s.options.Partitions))
}
