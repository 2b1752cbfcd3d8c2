package simulator

import (
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// dayCurve is how busy the site is over a UTC day, 1 on average: the visitors of every country are awake in turn.
type dayCurve struct {
	hourly  [24]float64  // at the full hour; straight lines between
	nations [24]weighted // of countries, by hour
}

func newDayCurve() *dayCurve {
	c := &dayCurve{}
	var total float64
	for h := range c.hourly {
		shares := make([]float64, len(countries))
		for i := range countries {
			local := float64(h) + countries[i].utcOffset
			shares[i] = countries[i].weight * wakefulness(local)
			c.hourly[h] += shares[i]
		}
		c.nations[h] = makeWeighted(shares)
		total += c.hourly[h]
	}
	for h := range c.hourly {
		c.hourly[h] *= 24 / total
	}
	return c
}

// wakefulness is how busy one country is at an hour of its own day: low before dawn, a plateau from noon, a peak in the evening.
func wakefulness(local float64) float64 {
	return 1 + 0.55*math.Cos(2*math.Pi*(local-15.5)/24) + 0.18*math.Cos(4*math.Pi*(local-20.5)/24)
}

func (c *dayCurve) at(t event.Millis) float64 {
	h := hourOf(t)
	part := float64(t%hour) / float64(hour)
	return c.hourly[h]*(1-part) + c.hourly[(h+1)%24]*part
}

func hourOf(t event.Millis) int { return int(t / hour % 24) }

// weighted picks indices with given weights.
type weighted []float64 // running sums, the last is 1

func makeWeighted(weights []float64) weighted {
	w := make(weighted, len(weights))
	var sum float64
	for i, x := range weights {
		sum += x
		w[i] = sum
	}
	for i := range w {
		w[i] /= sum
	}
	w[len(w)-1] = 1
	return w
}

// pick turns a random number in [0, 1) into an index.
func (w weighted) pick(u float64) int {
	lo, hi := 0, len(w)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if u < w[mid] {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
