package processing_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// digestsOf reads a whole log and returns the digests by name. A last record in each partition lets everything before it
// close and settle.
func digestsOf(t *testing.T, definitions string, partitions, workers, round int, records []event.Record) map[string]string {
	const end = 10 * time.Minute
	log, store := memory.NewLog(partitions, round), memory.NewStore()
	log.Append(records...)
	for p := range partitions {
		log.Append(rec(event.PartitionID(p), end))
	}
	r := start(t, log, store, definitions, func(o *processing.Options) { o.Workers, o.MinCommit = workers, 100*time.Millisecond })
	pass(20 * time.Second)
	r.want("W", r.watermark(), clock(event.Millis((end-5*time.Second).Milliseconds()-1)))
	r.end()
	return byName(store)
}

func byName(store *memory.Store) map[string]string {
	digests := make(map[string]string)
	for _, d := range store.Digests() {
		digests[d.Name] = fmt.Sprint(d.Facts, " ", d.Sum)
	}
	return digests
}

// The same events give the same digests, however they are spread over partitions, if none is late and those of a key that have
// equal times keep their order.
func TestPartitioningMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type happening struct {
			at     time.Duration
			fields []string
		}
		var events []happening
		at := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			n := rapid.IntRange(0, 1<<14-1).Draw(rt, "event")
			if len(events) > 0 && n%8 == 0 {
				events = append(events, events[len(events)-1])
				continue
			}
			// No two keys have an event at one time, and with steps of seven no two sessions close at one.
			at += 7 * time.Millisecond * time.Duration(1+n>>3%500)
			h := happening{at, []string{"url=" + []string{"/a", "/b", "/c", "(none)"}[n%4]}}
			if user := n >> 12; user < len(digestUsers) {
				h.fields = append(h.fields, "user="+digestUsers[user])
			}
			events = append(events, h)
		}
		definitions := definitionsWithout(time.Minute)
		run := func(name string) (digests map[string]string) {
			partitions := rapid.IntRange(1, 4).Draw(rt, name+" partitions")
			workers, round := rapid.SampledFrom([]int{1, 8}).Draw(rt, name+" workers"), rapid.IntRange(1, 100).Draw(rt, name+" round")
			homes := make(map[string]int)
			var records []event.Record
			for _, e := range events {
				key := strings.Join(e.fields, " ")
				if _, ok := homes[key]; !ok {
					homes[key] = rapid.IntRange(0, partitions-1).Draw(rt, name+" home")
				}
				records = append(records, rec(event.PartitionID(homes[key]), e.at, e.fields...))
			}
			synctest.Test(t, func(t *testing.T) { digests = digestsOf(t, definitions, partitions, workers, round, records) })
			return digests
		}
		if diff := gocmp.Diff(run("one"), run("other")); diff != "" {
			rt.Errorf("(-one +other):\n%s", diff)
		}
	})
}

// Whatever is different in what was made shows in the digests that it concerns, and in no other.
func TestDigestsTellDifferences(t *testing.T) {
	base := func() []event.Record {
		var records []event.Record
		for s := range 120 {
			fields := []string{"url=/" + string(rune('a'+s%2))}
			if s%3 > 0 {
				fields = append(fields, "user="+[]string{"", "a", "b"}[s%3])
			}
			records = append(records, rec(0, time.Duration(s)*time.Second, fields...))
		}
		return records
	}
	const definitions = `sessions:
  - {name: visits, key: user, gap: 20s, aggregates: {entry: {first: url}}}
metrics:
  - {name: closed, from: visits, window: {size: 20s}, aggregates: {n: {count: true}}}
  - {name: views, window: {size: 10s}, group_by: {url: url}, aggregates: {n: {count: true}}}
  - {name: users, window: {size: 10s}, aggregates: {n: {uniques: user}}, value: n}
  - {name: late, window: {size: 10s}, allowed_lateness: 0s, aggregates: {n: {count: 'url == "/b"'}}}
  - {name: last, window: {size: 10s}, aggregates: {t: {max: time}}, value: t}
alerts:
  - {name: many, on: views, when: value > 5}`
	run := func(records []event.Record) (digests map[string]string) {
		synctest.Test(t, func(t *testing.T) { digests = digestsOf(t, definitions, 1, 2, 1000, records) })
		return digests
	}
	want := run(base())
	for name, facts := range map[string]int64{"visits": 2, "closed": 1, "views": 12, "users": 12, "late": 12, "last": 12} {
		if !strings.HasPrefix(want[name], fmt.Sprint(facts, " ")) {
			t.Errorf("%s: %s, want %d facts", name, want[name], facts)
		}
	}
	for _, c := range []struct {
		name    string
		change  func(records []event.Record) []event.Record
		changes string
	}{
		{"nothing", func(rs []event.Record) []event.Record { return rs }, ""},
		{"a page", func(rs []event.Record) []event.Record {
			rs[45] = rec(0, 45*time.Second, "url=/a") // was /b
			return rs
		}, "late many views"},
		{"the first page of a session", func(rs []event.Record) []event.Record {
			rs[1] = rec(0, time.Second, "url=/c", "user=a") // was /b
			return rs
		}, "late views visits"},
		{"a user", func(rs []event.Record) []event.Record {
			rs[45] = rec(0, 45*time.Second, "url=/b", "user=c") // was nobody
			return rs
		}, "closed users visits"},
		{"a user who is there anyway", func(rs []event.Record) []event.Record {
			rs[45] = rec(0, 45*time.Second, "url=/b", "user=a")
			return rs
		}, "visits"},
		{"a record less", func(rs []event.Record) []event.Record { return slices.Delete(rs, 45, 46) }, "last late users views"},
		{"the last record of a window less", func(rs []event.Record) []event.Record { return slices.Delete(rs, 59, 60) }, "last late users views visits"},
		{"a late record", func(rs []event.Record) []event.Record {
			return append(rs, rec(0, 105*time.Second, "url=/a"))
		}, "last users views"},
		{"a record too late", func(rs []event.Record) []event.Record {
			return append(rs, rec(0, 5*time.Second, "url=/a", "user=new"))
		}, ""},
	} {
		got := run(c.change(base()))
		var changed []string
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if got[name] != want[name] {
				changed = append(changed, name)
			}
		}
		if text := strings.Join(changed, " "); text != c.changes {
			t.Errorf("%s changes %q, want %q", c.name, text, c.changes)
		}
	}
}
