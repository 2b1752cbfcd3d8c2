package simulator

import (
	"errors"
	"fmt"
	"math"

	"github.com/tidemark/tidemark/processing/event"
)

// Encoding is how the value of a record is written.
type Encoding string

// The encodings.
const (
	Avro             Encoding = "avro"               // raw binary, no framing
	AvroSingleObject Encoding = "avro-single-object" // the same after the schema's fingerprint
	AvroConfluent    Encoding = "avro-confluent"     // the same after the schema's number in a registry
	JSON             Encoding = "json"               // Avro field names, plain values
)

// Options say what traffic to make. Rates of fates are fractions of the visitors' events.
type Options struct {
	Seed       uint64       // default 1
	Start      event.Millis // event time of the beginning; no default
	Rate       float64      // records per second of event time, averaged over a day; default 1000
	Count      int64        // records in all, 0 is without end; default 0
	Duration   event.Millis // ends before the first record that arrives this long after Start, 0 is without end; default 0
	Partitions int          // default 12
	Encoding   Encoding     // default avro
	SchemaID   int32        // the events schema's number in a registry, for avro-confluent; default 0
	Scenario   string       // name of one of Scenarios; default normal

	Disorder   float64 // arrive later than younger events, within OutOfOrderness; default 0.2
	Late       float64 // arrive later than OutOfOrderness, one in four later than AllowedLateness too; default 0.005
	Duplicates float64 // arrive a second time, same bytes; default 0.002
	Bad        float64 // have a record beside them that can't be used; default 0

	OutOfOrderness  event.Millis // of the server that reads this; default 5 s
	AllowedLateness event.Millis // of the server that reads this; default 1 min
}

// Default returns the options of ordinary traffic. Start is left to the caller.
func Default() Options {
	return Options{
		Seed: 1, Rate: 1000, Partitions: 12, Encoding: Avro, Scenario: scenarios[0].Name,
		Disorder: 0.2, Late: 0.005, Duplicates: 0.002,
		OutOfOrderness: 5 * second, AllowedLateness: minute,
	}
}

// Validate reports every fault of the options at once.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Start <= 0 || o.Start > latestStart {
		fault("start: %d ms is not between 1970 and 2200", o.Start)
	}
	if !(o.Rate >= 0.01 && o.Rate <= 1e7) {
		fault("rate: %v is not between 0.01 and 10,000,000 records per second", o.Rate)
	}
	if o.Count < 0 {
		fault("count: %d is negative", o.Count)
	}
	if o.Duration < 0 {
		fault("duration: %d ms is negative", o.Duration)
	}
	if o.Partitions < 1 || o.Partitions > math.MaxInt32 {
		fault("partitions: %d is not a positive 32-bit number", o.Partitions)
	}
	switch o.Encoding {
	case Avro, AvroSingleObject, AvroConfluent, JSON:
	default:
		fault("encoding: %q is none of %q, %q, %q and %q", o.Encoding, Avro, AvroSingleObject, AvroConfluent, JSON)
	}
	if scenarioNamed(o.Scenario) == nil {
		fault("scenario: %q is none of %s", o.Scenario, scenarioNames())
	}
	fates := []struct {
		name string
		rate float64
	}{{"disorder", o.Disorder}, {"late", o.Late}, {"duplicates", o.Duplicates}, {"bad", o.Bad}}
	for _, f := range fates {
		if !(f.rate >= 0 && f.rate <= 1) {
			fault("%s: %v is not a fraction between 0 and 1", f.name, f.rate)
		}
	}
	if o.Disorder+o.Late > 1 {
		fault("disorder and late: together %v, which is more than all", o.Disorder+o.Late)
	}
	if o.OutOfOrderness < 2 || o.OutOfOrderness > hour {
		fault("out-of-orderness: %d ms is not between 2 ms and one hour", o.OutOfOrderness)
	}
	if o.AllowedLateness < 0 || o.AllowedLateness > hour {
		fault("allowed lateness: %d ms is not between 0 and one hour", o.AllowedLateness)
	}
	return errors.Join(faults...)
}

// StartFor returns the start with which o.Count records at o.Rate end at about the given time.
func StartFor(o Options, end event.Millis) event.Millis {
	curve, scenario := newDayCurve(), scenarioNamed(o.Scenario)
	start := end
	// What happens is told from the start, which depends on what happens: a few rounds settle it.
	for range 5 {
		start = max(1, end-lengthOf(&o, curve, scenario, start))
	}
	return start
}

// lengthOf is how long o.Count records at o.Rate take from a start on.
func lengthOf(o *Options, curve *dayCurve, scenario *Scenario, start event.Millis) event.Millis {
	const step = minute
	left := float64(o.Count) * 1000 / o.Rate // in milliseconds of an average day
	for length := event.Millis(0); length < start; length += step {
		c := scenario.at(length)
		passed := curve.at(start+length) * (c.visitors + c.bots) * float64(step)
		if passed >= left {
			return length + event.Millis(float64(step)*left/passed)
		}
		left -= passed
	}
	return start // it would have begun before 1970
}

const (
	second event.Millis = 1000
	minute              = 60 * second
	hour                = 60 * minute
	day                 = 24 * hour

	latestStart = 230 * 365 * day
)
