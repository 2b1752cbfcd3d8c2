package simulator

import "github.com/tidemark/tidemark/processing/event"

// pause is the time between two steps of some visitor, and what came before it.
type pause struct {
	journey
	age    event.Millis // of the visit when the pause began
	length event.Millis
}

// sampleSize is how many visits are lived through to learn what visitors are doing at a given moment.
const sampleSize = 4000

// populate puts the visitors on the site who are there when the timeline starts. To live through the time before would cost
// more than most timelines themselves. Instead a sample of visits is cut into its pauses: at any moment a visitor is within
// some pause with a probability that is proportional to its length, and at a place in it that is as likely as any other.
func (s *Simulator) populate() {
	pauses, perVisit := s.sample()
	byLength := makeWeighted(column(pauses, func(p pause) float64 { return float64(p.length) }))
	mean := s.perMilli * s.curve.at(s.options.Start) * perVisit
	s.rng = s.arrivals
	present := 0 // the events of a Poisson process within its mean
	for sum := s.rand.ExpFloat64(); sum < mean; sum += s.rand.ExpFloat64() {
		present++
	}
	s.arrivals = s.rng
	for range present {
		v := &visitor{}
		s.appear(v, s.options.Start)
		p := &pauses[byLength.pick(s.rand.Float64())]
		passed := event.Millis(s.rand.Int64N(int64(p.length)))
		v.journey = p.journey
		v.entered = s.options.Start - passed - p.age
		v.at = s.options.Start + p.length - passed
		if v.known {
			v.know(s.users.returning())
		}
		v.rng = s.rng
		switch s.viewsLeft(*v) {
		case 0:
			continue
		case 1:
			v.unmarked = true
		}
		s.visitors.push(v.at, s.nextSerial(), v)
	}
}

// viewsLeft is how many more pages a visitor will look at. Of those who are there at the start the log knows nothing earlier,
// and they would look as if they had bounced: who looks at none is left out, and who looks at one leaves without SESSION_END, so
// that the first minutes are not full of such sessions.
func (s *Simulator) viewsLeft(v visitor) int {
	views := 0
	for v.next != stepGone && views < 2 {
		if v.next == stepView {
			views++
		}
		s.advance(&v, &s.message)
	}
	return views
}

// sample lives through some visits and returns their pauses and how long a visit is on average.
func (s *Simulator) sample() (pauses []pause, perVisit float64) {
	var total event.Millis
	for range sampleSize {
		v := &visitor{}
		s.enter(v, s.options.Start)
		for {
			since := v.at
			s.advance(v, &s.message)
			if v.next == stepGone {
				break
			}
			pauses = append(pauses, pause{v.journey, since - v.entered, v.at - since})
			total += v.at - since
		}
	}
	return pauses, float64(total) / sampleSize
}
