package simulator

import (
	"math"
	"testing"

	"github.com/tidemark/tidemark/processing/event"
)

// stay is one session as its events tell it.
type stay struct {
	first, last event.Millis
	views       int
	events      int
	purchases   int
	converted   bool
	visitor     string
}

func stays(list []*tracked) map[string]*stay {
	all := map[string]*stay{}
	for _, e := range list {
		t := event.Millis(e.Timestamp)
		s := all[e.SessionID]
		if s == nil {
			s = &stay{first: t, visitor: e.visitor()}
			all[e.SessionID] = s
		}
		s.last = t
		s.events++
		switch e.EventType {
		case "PAGE_VIEW":
			s.views++
		case "CONVERSION":
			s.converted = true
			if e.ConversionData.ConversionType == "PURCHASE" {
				s.purchases++
			}
		}
	}
	return all
}

// The dashboard is to look like a shop's. These are the figures that people know of their own.
func TestTrafficIsLikeAShop(t *testing.T) {
	long(t)
	o := undisturbed()
	o.Rate, o.Duration = 20, 3*hour
	arrivals := all(t, o)
	list := decodeAll(t, arrivals)
	var size, known, anonymous, withoutLoad, views float64
	for _, e := range list {
		if e.UserID != nil {
			known++
		} else {
			anonymous++
		}
		if v := e.PageViewData; v != nil {
			views++
			if v.PageLoadTime == nil {
				withoutLoad++
			}
		}
	}
	for _, a := range arrivals {
		size += float64(len(a.Value))
	}
	var whole, bounced, converted, seconds, count float64
	for _, s := range stays(list) {
		if s.first < o.Start+longestSession || s.first > o.Start+o.Duration-longestSession {
			continue // cut off by the start or the end
		}
		whole++
		count += float64(s.events)
		seconds += float64(s.last-s.first) / 1000
		if s.views <= 1 {
			bounced++
		}
		if s.converted {
			converted++
		}
	}
	for _, f := range []struct {
		name             string
		got, least, most float64
	}{
		{"bytes an event", size / float64(len(list)), 235, 270},
		{"bounce rate", bounced / whole, 0.36, 0.46},
		{"sessions that convert", converted / whole, 0.07, 0.11},
		{"seconds a session", seconds / whole, 150, 240},
		{"events a session", count / whole, 0.97 * recordsPerSession, 1.03 * recordsPerSession},
		{"events with a user id", known / (known + anonymous), 0.33, 0.45},
		{"page views without a load time", withoutLoad / views, 0.03, 0.05},
	} {
		if f.got < f.least || f.got > f.most {
			t.Errorf("%s: %.3f is not between %.3f and %.3f", f.name, f.got, f.least, f.most)
		}
	}
}

// Rules about one visitor must be able to rely on what an honest visitor does not do.
func TestHonestVisitors(t *testing.T) {
	long(t)
	o := undisturbed()
	o.Rate, o.Duration = 20, 5*hour
	list := events(t, o)
	checkouts := map[string][]int64{}
	for _, e := range list {
		if e.PageViewData == nil || len(e.PageViewData.URL) < 9 || e.PageViewData.URL[:9] != "/checkout" {
			continue
		}
		seen := append(checkouts[e.visitor()], e.Timestamp)
		checkouts[e.visitor()] = seen
		if n := len(seen); n >= 3 && seen[n-1]-seen[n-3] < int64(10*minute) {
			t.Errorf("visitor %s looks at the checkout three times within ten minutes", e.visitor())
		}
	}
	if len(checkouts) < 100 {
		t.Errorf("only %d visitors look at the checkout", len(checkouts))
	}
	last := map[string]*stay{}
	returned := 0
	for _, e := range list {
		if e.EventType != "SESSION_START" || e.UserID == nil {
			continue
		}
		if s := last[*e.UserID]; s != nil {
			returned++
			if event.Millis(e.Timestamp)-s.first < hour {
				t.Errorf("user %s comes back within the hour", *e.UserID)
			}
		}
		last[*e.UserID] = &stay{first: event.Millis(e.Timestamp)}
	}
	if returned < 100 {
		t.Errorf("only %d users come back in five hours", returned)
	}
	for id, s := range stays(list) {
		if s.purchases > 1 {
			t.Errorf("session %s buys %d times", id, s.purchases)
		}
		if s.last-s.first > longestSession {
			t.Errorf("session %s lasts %d ms", id, s.last-s.first)
		}
	}
}

// The traffic is in its steady state from the first minute on: as much goes on as an hour later. Only those who come to the end
// of a visit that the log does not know are left out.
func TestNoRampUp(t *testing.T) {
	long(t)
	o := undisturbed()
	o.Rate, o.Duration = 100, 70*minute
	list := events(t, o)
	curve := newDayCurve()
	early, late := sampleOf(list, o.Start), sampleOf(list, o.Start+60*minute)
	busier := curve.at(o.Start+60*minute) / curve.at(o.Start)
	for _, c := range []struct {
		name              string
		early, late, room float64
	}{
		{"events", early.events, late.events, 0.06},
		{"views", early.views, late.views, 0.06},
		{"sessions", early.sessions, late.sessions, 0.12},
	} {
		if ratio := c.late / c.early / busier; math.Abs(ratio-1) > c.room {
			t.Errorf("%s: %.0f in the first five minutes, %.0f an hour later", c.name, c.early, c.late)
		}
	}
	if want := o.Rate * curve.at(o.Start) * 300; math.Abs(early.events/want-1) > 0.06 {
		t.Errorf("%.0f events in the first five minutes, expected about %.0f", early.events, want)
	}
	if early.bounced > 0.6 || late.bounced > 0.5 {
		t.Errorf("bounce rate of marked sessions: %.2f in the first five minutes, %.2f an hour later", early.bounced, late.bounced)
	}
}

// sample is what goes on in five minutes.
type sample struct {
	events, views, sessions float64
	bounced                 float64 // the share of sessions with at most one view, of those with a SESSION_END
}

func sampleOf(list []*tracked, from event.Millis) sample {
	var s sample
	var ends, bounced float64
	seen, views := map[string]bool{}, map[string]int{}
	for _, e := range list {
		t := event.Millis(e.Timestamp)
		if e.EventType == "PAGE_VIEW" {
			views[e.SessionID]++
		}
		if t < from || t >= from+5*minute {
			continue
		}
		s.events++
		seen[e.SessionID] = true
		switch e.EventType {
		case "PAGE_VIEW":
			s.views++
		case "SESSION_END":
			ends++
			if views[e.SessionID] <= 1 {
				bounced++
			}
		}
	}
	s.sessions, s.bounced = float64(len(seen)), bounced/ends
	return s
}

func TestDayCurve(t *testing.T) {
	curve := newDayCurve()
	var sum, least, most float64
	least = math.Inf(1)
	for m := event.Millis(0); m < day; m += minute {
		x := curve.at(m)
		sum += x
		least, most = min(least, x), max(most, x)
	}
	if mean := sum / 1440; math.Abs(mean-1) > 1e-9 {
		t.Errorf("the mean of the day is %v, not 1", mean)
	}
	if least < 0.5 || most > 1.6 || most/least < 1.3 {
		t.Errorf("the day goes from %.2f to %.2f", least, most)
	}
}

func TestUsersComeBackLateAndAll(t *testing.T) {
	u := newUsers(1000)
	round := u.block * blocksInRound
	if round < 4000 {
		t.Fatalf("a round of %d visits is shorter than four hours", round)
	}
	last := map[int64]int64{}
	for visit := range 3 * round {
		user := u.returning()
		if before, seen := last[user]; seen && visit-before < round*(blocksInRound-1)/blocksInRound {
			t.Fatalf("user %d comes back after %d visits", user, visit-before)
		}
		last[user] = visit
	}
	if int64(len(last)) != round {
		t.Errorf("%d of %d users come", len(last), round)
	}
	if fresh := u.fresh(); last[fresh] != 0 || fresh < round {
		t.Errorf("new user %d is an old one", fresh)
	}
}

// long marks a test that needs hours of traffic for its statistics.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("hours of traffic")
	}
	t.Parallel()
}
