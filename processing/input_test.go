package processing_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// One entry a commit and partition tells of all late records, by definition, with a few samples.
func TestLateEntries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		log.Append(rec(0, 1000*time.Second, "user=u"), rec(1, 1000*time.Second))
		const total = `
  - {name: share, window: {size: 10s}, group_by: {url: url}, aggregates: {n: {count: 'url == "/a"'}, all: {count: true, total: true}}, value: n / all}`
		r := start(t, log, store, rigMetrics+total)
		pass(time.Second)
		for s := range 15 {
			log.Append(rec(0, time.Duration(s)*time.Second, "user=u", "url=/a"))
		}
		log.Append(rec(0, 950*time.Second, "user=u"), rec(0, 951*time.Second)) // late for the sessions, allowed by the panes
		log.Append(rec(1, time.Second))
		pass(time.Second)
		var lates []*processing.Late
		for _, e := range store.Entries() {
			if e.Type == processing.LateEntry {
				lates = append(lates, e.Late)
			}
		}
		r.want("entries", len(lates), 2)
		r.want("late in partition 0", fmt.Sprint(lates[0].Partition, lates[0].Count, lates[0].ByDefinition), "0 16 map[share:15 views:15 visits:16]")
		r.want("samples", len(lates[0].Samples), 10)
		r.want("the first", lates[0].Samples[0], processing.LateSample{Offset: 1, EventTimeMs: 0})
		r.want("late in partition 1", fmt.Sprint(lates[1].Partition, lates[1].Count, lates[1].ByDefinition), "1 1 map[share:1 views:1]")
		c := r.Status().Counters
		r.want("counters", fmt.Sprint(c.Consumed, c.Applied, c.Late, c.LatePartly), "20 4 16 1")
		r.end()
	})
}

// A dead letter is a copy of the record, capped; a tombstone is not an empty value.
func TestDeadLetters(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 100), memory.NewStore()
		long := bytes.Repeat([]byte("x"), 64<<10+1)
		log.Append(
			event.Record{Partition: 1, Timestamp: 1, Value: []byte("no JSON")},
			event.Record{Partition: 0, Timestamp: 1, Key: nil, Value: nil},
			event.Record{Partition: 0, Timestamp: 1, Key: []byte{}, Value: []byte{}},
			event.Record{Partition: 0, Timestamp: 1, Key: []byte("k"), Value: long},
			event.Record{Partition: 0, Timestamp: 1, Key: long, Value: long[:64<<10]},
			rec(0, -time.Second),
		)
		late := rec(0, 400*time.Second)
		late.Timestamp = 1000
		log.Append(late)
		r := start(t, log, store, rigMetrics)
		pass(time.Second)
		var got []string
		for _, e := range store.Entries() {
			d := e.DeadLetter
			got = append(got, fmt.Sprintf("%d/%d %s key %v %d value %v %d truncated %v", d.Partition, d.Offset, d.Reason,
				d.Key == nil, len(d.Key), d.Value == nil, len(d.Value), d.Truncated))
		}
		want := []string{
			"0/0 undecodable key true 0 value true 0 truncated false",
			"0/1 undecodable key false 0 value false 0 truncated false",
			"0/2 undecodable key false 1 value false 65536 truncated true",
			"0/3 undecodable key false 65536 value false 65536 truncated true",
			"0/4 implausible_timestamp key true 0 value false 23 truncated false",
			"0/5 future_timestamp key true 0 value false 24 truncated false",
			"1/0 undecodable key true 0 value false 7 truncated false",
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("dead letters %q,\nwant %q", got, want)
			}
		}
		r.want("W", r.watermark(), "never")
		c := r.Status().Counters
		r.want("counters", fmt.Sprint(c.Consumed, c.DeadLetters), "7 7")
		if d := store.Entries()[6].DeadLetter; string(d.Value) != "no JSON" { // the reader spoils what it gets back
			t.Errorf("the value is %q", d.Value)
		}
		r.end()
	})
}

// Counters go on after a restart, and records that are only judged again are not counted twice.
func TestCountersSurviveRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 10), memory.NewStore()
		total := int64(0)
		for run := range 4 {
			for s := range 25 {
				log.Append(rec(event.PartitionID(s%2), time.Duration(25*run+s)*time.Second, "user=u"))
			}
			log.Append(event.Record{Partition: 0})
			total += 26
			r := start(t, log, store, rigMetrics)
			pass(time.Second)
			c := r.Status().Counters
			r.want("counters", fmt.Sprint(c.Consumed, c.Applied, c.DeadLetters), fmt.Sprint(total, total-int64(run)-1, run+1))
			r.end()
		}
	})
}

// Observers hear of every commit once, in order, with sequences that follow each other.
func TestObserversSeeEverything(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(2, 50), memory.NewStore()
		next := uint64(1)
		for run := range 3 {
			r := start(t, log, store, rigMetrics)
			for s := range 300 {
				log.Append(rec(event.PartitionID(s%2), time.Duration(300*run+s)*time.Second, "user=u", fmt.Sprintf("url=/%d", s%3)))
				if s%50 == 0 {
					pass(100 * time.Millisecond)
				}
			}
			pass(time.Second)
			r.end()
			results := 0
			for _, c := range r.seen.all() {
				for _, e := range c.Entries {
					r.want("sequence", e.Seq, next)
					next++
				}
				r.want("head", c.Seq, next-1)
				results += len(c.Results)
			}
			if results == 0 {
				t.Error("no results were announced")
			}
		}
		if got := uint64(len(store.Entries())) + 1; got != next {
			t.Errorf("observers saw %d entries, the feed has %d", next-1, got-1)
		}
	})
}
