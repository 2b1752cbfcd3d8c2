package simulator

import "github.com/tidemark/tidemark/processing/event"

// dispatch decides how a record arrives. It reports true when it does so at once, and else keeps it.
func (s *Simulator) dispatch(r *event.Record) bool {
	o := &s.options
	if o.Bad > 0 && s.dice.Float64() < o.Bad {
		s.delay(s.spoil(r), 0)
	}
	wait := s.wait()
	if o.Duplicates > 0 && s.dice.Float64() < o.Duplicates {
		s.delay(*r, wait+event.Millis(s.dice.Int64N(int64(2*o.OutOfOrderness))))
	}
	if wait == 0 {
		return true
	}
	s.delay(*r, wait)
	return false
}

// wait is how long a record is under way. What is disordered stays within the out-of-orderness, what is late doesn't:
// most within the allowed lateness, a quarter beyond it.
func (s *Simulator) wait() event.Millis {
	o := &s.options
	u := s.dice.Float64()
	switch {
	case u < o.Disorder:
		return 1 + event.Millis(s.dice.Int64N(int64(o.OutOfOrderness-1)))
	case u >= o.Disorder+o.Late:
		return 0
	case s.dice.Float64() < 0.25:
		return o.OutOfOrderness + o.AllowedLateness + second + event.Millis(s.dice.Int64N(int64(4*minute)))
	default:
		return o.OutOfOrderness + second + event.Millis(s.dice.Int64N(int64(o.AllowedLateness+1)))
	}
}

// delay keeps a record until it arrives. The Kafka timestamp of a record is its event time, however late it is. What is
// under way when the site goes down arrives just before: nothing is late or disordered across an outage, so that results don't
// depend on whether the server took its partitions for idle meanwhile.
func (s *Simulator) delay(r event.Record, wait event.Millis) {
	now := s.message.time
	at := now + wait
	if from, _ := s.silence(now); at >= from {
		at = max(now, from-1)
	}
	s.delayed.push(at, s.nextSerial(), r)
}
