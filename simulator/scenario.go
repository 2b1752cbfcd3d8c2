package simulator

import (
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing/event"
)

// Scenario is something that happens to the shop on an otherwise ordinary day: it begins five minutes after the start,
// so that there is something to compare it with, is over within a quarter of an hour, and comes again every half hour.
type Scenario struct {
	Name    string
	Summary string // what happens, in a sentence

	begins, ends event.Millis                         // within the half hour
	during       func(passed event.Millis) conditions // since it began; nil: nothing happens
}

const scenarioPeriod = 30 * minute

// conditions are what visitors meet with at a moment.
type conditions struct {
	visitors float64 // that enter, against an ordinary day
	bots     float64 // that enter, for each visitor of an ordinary day
	slowness float64 // of page loads, against an ordinary day
	broken   bool    // forms fail: nobody pays, signs up, downloads or writes
	down     bool    // nothing answers: nobody enters, and who is there waits or goes
}

var ordinary = conditions{visitors: 1, slowness: 1}

var scenarios = []Scenario{
	{Name: "normal", Summary: "An ordinary day."},
	{
		Name: "spike", begins: 5 * minute, ends: 15 * minute,
		Summary: "The shop is in the news: from 5:00 on visitors grow to five times as many within three minutes, stay that many until 11:00, and are the usual number again at 15:00.",
		during: func(passed event.Millis) conditions {
			up, down := part(passed, 0, 3*minute), part(passed, 6*minute, 10*minute)
			return conditions{visitors: 1 + 4*(up-down), slowness: 1}
		},
	},
	{
		Name: "outage", begins: 5 * minute, ends: 8 * minute,
		Summary: "The site is down from 5:00 to 8:00: no event at all. Of the visitors who were there three in four go on within a hundred seconds after it.",
		during:  func(event.Millis) conditions { return conditions{slowness: 1, down: true} },
	},
	{
		Name: "bots", begins: 5 * minute, ends: 15 * minute,
		Summary: "From 5:00 to 15:00 three bots come for each visitor, each with a session of its own that looks at one page.",
		during:  func(event.Millis) conditions { return conditions{visitors: 1, bots: 3, slowness: 1} },
	},
	{
		Name: "slow-pages", begins: 5 * minute, ends: 9 * minute,
		Summary: "Pages take six times as long to load from 5:00 to 9:00.",
		during:  func(event.Millis) conditions { return conditions{visitors: 1, slowness: 6} },
	},
	{
		Name: "broken-checkout", begins: 5 * minute, ends: 12 * minute,
		Summary: "No form can be sent from 5:00 to 12:00: visitors try again and leave without having paid, signed up, downloaded or written.",
		during:  func(event.Millis) conditions { return conditions{visitors: 1, slowness: 1, broken: true} },
	},
}

// part is how much of a stretch of time has passed, from 0 to 1.
func part(passed, from, to event.Millis) float64 {
	return min(1, max(0, float64(passed-from)/float64(to-from)))
}

// Scenarios lists all scenarios; the first is the default.
func Scenarios() []Scenario { return slices.Clone(scenarios) }

// scenarioNamed returns nil for an unknown name.
func scenarioNamed(name string) *Scenario {
	for i := range scenarios {
		if scenarios[i].Name == name {
			return &scenarios[i]
		}
	}
	return nil
}

func scenarioNames() string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// at returns the conditions at a time since the start.
func (s *Scenario) at(passed event.Millis) conditions {
	if s.during == nil || passed < 0 {
		return ordinary
	}
	if passed %= scenarioPeriod; passed < s.begins || passed >= s.ends {
		return ordinary
	}
	return s.during(passed - s.begins)
}

// silence is the spell without events that a time since the start lies in, or the next one. The end of time is its start
// when there is none.
func (s *Scenario) silence(passed event.Millis) (from, to event.Millis) {
	if s.during == nil || !s.during(0).down {
		return endOfTime, endOfTime
	}
	round := passed / scenarioPeriod * scenarioPeriod
	if passed >= round+s.ends {
		round += scenarioPeriod
	}
	return round + s.begins, round + s.ends
}
