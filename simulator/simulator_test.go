package simulator

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark/tidemark/processing/event"
)

// fingerprint hashes all that a reader sees of a timeline.
func fingerprint(list []arrival) uint64 {
	h := xxhash.New()
	for _, a := range list {
		h.Write([]byte{byte(a.Partition), byte(a.at), byte(a.at >> 8), byte(a.Timestamp), byte(a.Timestamp >> 8)})
		h.Write(a.Key)
		h.Write(a.Value)
	}
	return h.Sum64()
}

func TestSameOptionsSameBytes(t *testing.T) {
	o := options()
	o.Count, o.Bad = 5_000, 0.01
	first := fingerprint(all(t, o))
	if second := fingerprint(all(t, o)); second != first {
		t.Errorf("two runs differ: %x and %x", first, second)
	}
	for name, change := range map[string]func(*Options){
		"seed":  func(o *Options) { o.Seed = 2 },
		"start": func(o *Options) { o.Start++ },
		"rate":  func(o *Options) { o.Rate *= 2 },
	} {
		other := o
		change(&other)
		if fingerprint(all(t, other)) == first {
			t.Errorf("another %s makes the same bytes", name)
		}
	}
	longer := o
	longer.Count *= 2
	if fingerprint(all(t, longer)[:o.Count]) != first {
		t.Error("a longer run does not begin with the shorter one")
	}
}

// What visitors do must not depend on how their records arrive.
func TestDisorderChangesOnlyTheOrder(t *testing.T) {
	o := undisturbed()
	o.Rate, o.Duration = 100, 10*minute
	values := func(list []arrival) []string {
		var v []string
		for _, a := range list {
			v = append(v, string(a.Value))
		}
		slices.Sort(v)
		return v
	}
	ordered := values(all(t, o))
	o.Disorder, o.Late = 0.5, 0.1
	disordered := values(all(t, o))
	if missing := len(ordered) - len(disordered); missing <= 0 || missing > len(ordered)/10 {
		t.Errorf("%d of %d records arrive after the end", missing, len(ordered))
	}
	i := 0
	for _, v := range disordered {
		for i < len(ordered) && ordered[i] < v {
			i++
		}
		if i == len(ordered) || ordered[i] != v {
			t.Fatalf("only the disordered run has %q", v)
		}
		i++
	}
}

func TestRecordsArriveInOrderOfArrival(t *testing.T) {
	o := options()
	o.Count, o.Bad, o.Late = 20_000, 0.01, 0.05
	partitions := map[string]event.PartitionID{}
	last := o.Start
	for i, a := range all(t, o) {
		if a.at < last || a.at < a.Timestamp {
			t.Fatalf("record %d with time %d arrives at %d, after one at %d", i, a.Timestamp, a.at, last)
		}
		last = a.at
		p, seen := partitions[string(a.Key)]
		if seen && p != a.Partition || a.Partition < 0 || int(a.Partition) >= o.Partitions {
			t.Fatalf("session %s is in partitions %d and %d", a.Key, p, a.Partition)
		}
		partitions[string(a.Key)] = a.Partition
		if e, err := decode(a.Value); err == nil && event.Millis(e.Timestamp) == a.Timestamp && e.SessionID != string(a.Key) {
			t.Fatalf("record %d has key %s and session %s", i, a.Key, e.SessionID)
		}
	}
}

func TestFates(t *testing.T) {
	o := options()
	o.Rate, o.Duration = 60, 20*minute
	o.Disorder, o.Late, o.Duplicates, o.Bad = 0.3, 0.04, 0.02, 0.05
	var disordered, late, veryLate, whole, twice, bad float64
	var reasons [badKinds]int
	seen := map[string][]byte{}
	list := all(t, o)
	for _, a := range list {
		e, err := decode(a.Value)
		kind, isBad := badness(a, e, err)
		if isBad {
			bad++
			reasons[kind]++
			continue
		}
		if first, again := seen[e.EventID]; again {
			twice++
			if !bytes.Equal(first, a.Value) {
				t.Fatalf("event %s comes twice and is not the same", e.EventID)
			}
			continue
		}
		seen[e.EventID] = a.Value
		if a.Timestamp > o.Start+o.Duration-6*minute {
			continue // the latest of this time arrive after the end
		}
		whole++
		switch wait := a.at - a.Timestamp; {
		case wait > o.OutOfOrderness+o.AllowedLateness+second:
			veryLate++
			late++
		case wait > o.OutOfOrderness:
			late++
		case wait > 0:
			disordered++
		}
	}
	good := float64(len(seen))
	for _, share := range []struct {
		name      string
		got, want float64
	}{
		{"disordered", disordered / whole, 0.3}, {"late", late / whole, 0.04}, {"beyond lateness", veryLate / late, 0.25},
		{"twice", twice / good, 0.02}, {"bad", bad / good, 0.05},
	} {
		if math.Abs(share.got-share.want) > 0.1*share.want {
			t.Errorf("%s: a share of %.4f, not %.4f", share.name, share.got, share.want)
		}
	}
	for kind, n := range reasons {
		if n == 0 {
			t.Errorf("no bad record of kind %d", kind)
		}
	}
}

// badness tells by the eyes of a reader whether a record is bad, and in which way.
func badness(a arrival, e *tracked, err error) (badKind, bool) {
	switch {
	case err != nil && a.Value[0] == 0xff:
		return undecodable, true
	case err != nil && a.Value[0] == '{':
		return brokenJSON, true
	case err != nil:
		return truncated, true
	case event.Millis(e.Timestamp) > a.Timestamp+5*minute:
		return fromFuture, true
	case e.Timestamp < 946_684_800_000:
		return implausible, true
	default:
		return 0, false
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	o := Default()
	o.Start = 1
	if err := o.Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	bad := Options{Start: 0, Rate: math.NaN(), Count: -1, Duration: -1, Encoding: "xml", Scenario: "black-friday", Disorder: 0.7, Late: 0.7, Duplicates: -1, Bad: 2}
	const want = `start: 0 ms is not between 1970 and 2200
rate: NaN is not between 0.01 and 10,000,000 records per second
count: -1 is negative
duration: -1 ms is negative
partitions: 0 is not a positive 32-bit number
encoding: "xml" is none of "avro", "avro-single-object", "avro-confluent" and "json"
scenario: "black-friday" is none of normal, spike, outage, bots, slow-pages, broken-checkout
duplicates: -1 is not a fraction between 0 and 1
bad: 2 is not a fraction between 0 and 1
disorder and late: together 1.4, which is more than all
out-of-orderness: 0 ms is not between 2 ms and one hour`
	if _, err := New(bad); err == nil || err.Error() != "simulator options: "+want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestStartFor(t *testing.T) {
	o := undisturbed()
	o.Rate, o.Count = 50, 40_000
	now := o.Start
	for _, end := range []event.Millis{now, now + 8*hour, now + 16*hour} {
		o.Start = StartFor(o, end)
		list := all(t, o)
		span, off := float64(end-o.Start), float64(list[len(list)-1].at-end)
		if math.Abs(off) > 0.05*span {
			t.Errorf("records over %.0f s end %.0f s after what was asked for", span/1000, off/1000)
		}
	}
}
