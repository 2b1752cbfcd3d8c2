package bench

import (
	"cmp"
	"slices"
	"strings"
)

// Held is an event on its way to the sessions.
type Held struct {
	Time      int64
	Offset    int64
	Partition int32
	View      bool
	End       bool
	Session   []byte
}

// Order brings events into total order with a general sort: everything held is sorted at every release.
type Order struct{ held []Held }

// Hold keeps an event, with a copy of its key.
func (o *Order) Hold(e Held) {
	e.Session = append([]byte(nil), e.Session...)
	o.held = append(o.held, e)
}

// Release hands on what has a time <= w.
func (o *Order) Release(w int64, each func(*Held)) {
	slices.SortFunc(o.held, func(a, b Held) int {
		if c := cmp.Compare(a.Time, b.Time); c != 0 {
			return c
		}
		if c := cmp.Compare(a.Partition, b.Partition); c != 0 {
			return c
		}
		return cmp.Compare(a.Offset, b.Offset)
	})
	n := 0
	for ; n < len(o.held) && o.held[n].Time <= w; n++ {
		each(&o.held[n])
	}
	o.held = slices.Delete(o.held, 0, n)
}

// Visit is an open session.
type Visit struct {
	First, Last int64
	Views       int64
}

// Visits are the open sessions by key.
type Visits struct {
	Gap    int64
	Closed int
	open   map[string]*Visit
	swept  int64
}

// Apply takes the next event in order.
func (v *Visits) Apply(e *Held) {
	if v.open == nil {
		v.open = make(map[string]*Visit)
	}
	s := v.open[string(e.Session)]
	if s != nil && e.Time > s.Last+v.Gap {
		v.Closed++
		*s = Visit{First: e.Time}
	}
	if s == nil {
		s = &Visit{First: e.Time}
		v.open[strings.Clone(string(e.Session))] = s
	}
	s.Last = e.Time
	if e.View {
		s.Views++
	}
	if e.End {
		v.Closed++
		delete(v.open, string(e.Session))
	}
}

// Advance closes the sessions whose gap has passed. It walks over all of them, and so does it only once a minute.
func (v *Visits) Advance(w int64) {
	if w < v.swept+60_000 {
		return
	}
	v.swept = w
	for key, s := range v.open {
		if s.Last+v.Gap <= w {
			v.Closed++
			delete(v.open, key)
		}
	}
}

// Partitions is how many partitions Visitors writes to.
const Partitions = 12

// Visitors makes a stretch of traffic: so many sessions at a time, each event from any of them, one in eight the last
// of its session; a millisecond of event time for every so many events; out of order by up to two seconds. Offsets
// ascend, and events come in runs of one partition, as they do from fetch answers.
func Visitors(events, sessions, perMilli int) []Held {
	const run = 500
	random := uint64(1)
	next := func(n int) int {
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		return int(random % uint64(n))
	}
	keys := make([][]byte, sessions)
	text := make([]byte, 0, events*sessionIDLen) // each event has its own copy, as a record has
	out := make([]Held, events)
	for i := range out {
		n := next(sessions)
		if keys[n] == nil {
			keys[n] = sessionID(next)
		}
		text = append(text, keys[n]...)
		out[i] = Held{
			Time: int64(i/perMilli) + 2000 - int64(next(2000)), Offset: int64(i), Partition: int32(i / run % Partitions),
			Session: text[len(text)-sessionIDLen:], View: next(3) > 0, End: next(8) == 0,
		}
		if out[i].End {
			keys[n] = nil
		}
	}
	return out
}

// sessionIDLen is the length of a UUID.
const sessionIDLen = 36

func sessionID(next func(int) int) []byte {
	id := make([]byte, sessionIDLen)
	for i := range id {
		id[i] = "0123456789abcdef"[next(16)]
	}
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return id
}
