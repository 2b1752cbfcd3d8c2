package processing_test

import (
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/memory"
)

const (
	plain = `metrics:
  - {name: all, window: {size: 10s}, aggregates: {n: {count: true}}}`
	alsoA = `
  - {name: some, window: {size: 10s}, aggregates: {n: {count: 'url == "/a"'}}}`
	alsoB = `
  - {name: some, window: {size: 10s}, aggregates: {n: {count: 'url == "/b"'}}}`
)

// feed appends a record of each page for every second.
func feed(log *memory.Log, from, to int) {
	for s := from; s < to; s++ {
		at := time.Duration(s) * time.Second
		log.Append(rec(0, at, "url=/a", "user=u"), rec(0, at, "url=/b"))
	}
}

// A definition starts with the first window that no record read before can belong to, and an edited one is another
// definition. Those that stay go on as if nothing had happened, though they share rows with what changes.
func TestDefinitionsChangeOverRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		run := func(definitions string, from, to int) *rig {
			r := start(t, log, store, definitions)
			feed(log, from, to)
			pass(time.Second)
			r.end()
			return r
		}
		r := run(plain, 0, 15)
		r.want("all", r.windows("all"), "[]")
		r = run(plain+alsoA, 15, 35)
		r.want("all", r.windows("all"), "[0s =20 10s =20]")
		r.want("added", r.windows("some"), "[]")
		r = run(plain+alsoA, 35, 55)
		r.want("all", r.windows("all"), "[0s =20 10s =20 20s =20 30s =20]")
		r.want("added at 14s", r.windows("some"), "[20s =10 30s =10]")

		r = run(plain+alsoB, 55, 85)
		r.want("all", r.windows("all"), "[0s =20 10s =20 20s =20 30s =20 40s =20 50s =20 60s =20]")
		r.want("edited at 54s", r.windows("some"), "[60s =10]")

		run(plain, 85, 90)
		r = run(plain+alsoB, 90, 125) // out of force from 84s to 89s
		r.want("all", len(r.windows("all")), 11)
		r.want("back at 89s", r.windows("some"), "[60s =10 90s =10 100s =10]")
		r = run(plain+alsoA, 125, 155) // what was edited away comes back
		r.want("edited back at 124s", r.windows("some"), "[20s =10 30s =10 130s =10]")
	})
}

// A session that began before its kind was in force lacks the events from then. All that a metric counts began after it:
// it starts with the first window in which no other can close.
func TestSessionsFromBeforeTheirKindAreInNoMetric(t *testing.T) {
	const carts = `
  - {name: lasted, from: carts, window: {size: 10s}, aggregates: {n: {count: true}, events: {sum: events}}, value: events / n}
sessions:
  - {name: carts, key: user, gap: 5s, max_duration: 20s}`
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		run := func(definitions string, from, to int) *rig {
			r := start(t, log, store, definitions)
			feed(log, from, to)
			pass(time.Second)
			r.end()
			return r
		}
		run(plain, 0, 15)
		run(plain+carts, 15, 30)
		r := run(plain+carts, 30, 100)
		// The last record before was of 14s: a session that closes by 34s may have begun before it.
		r.want("sessions", r.windows("lasted"), "[50s =20 70s =20]")
		run(plain, 100, 105)
		r = run(plain+carts, 105, 180) // out of force from 99s to 104s
		r.want("back at 104s", r.windows("lasted"), "[50s =20 70s =20 140s =20 160s =20]")
	})
}

// Late rows come while a definition is out of force: what it published before is left alone when it is back.
func TestWindowsFromBeforeADefinitionWasOutOfForceStay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		r := start(t, log, store, plain+alsoA)
		feed(log, 0, 30)
		pass(time.Second)
		r.want("some", r.windows("some"), "[0s =10 10s =10]")
		r.end()
		r = start(t, log, store, plain)
		log.Append(rec(0, 5*time.Second, "url=/a"))
		pass(time.Second)
		r.want("all", r.windows("all"), "[0s =21 10s =20]")
		r.end()
		r = start(t, log, store, plain+alsoA)
		log.Append(rec(0, 6*time.Second, "url=/a"))
		pass(10 * time.Second)
		r.want("all", r.windows("all"), "[0s =22 10s =20]")
		r.want("some", r.windows("some"), "[0s =10 10s =10]")
		for _, e := range store.Entries() {
			if e.Result != nil && e.Result.Metric == "some" && e.Result.Revision > 1 {
				t.Errorf("corrected: %+v", e.Result)
			}
		}
		r.end()
	})
}

// A restart as such publishes nothing: no correction, whatever ranks, ties and (other) a window has.
func TestRestartPublishesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		r := start(t, log, store, rigMetrics)
		for _, url := range []string{"/a", "/b", "/c", "/c", "(other)", "$"} {
			log.Append(rec(0, time.Second, "url="+url))
		}
		log.Append(rec(0, time.Second), rec(0, 30*time.Second, "user=u"))
		pass(5 * time.Second)
		r.end()
		entries := len(store.Entries())
		if entries == 0 {
			t.Error("nothing was published before")
		}
		for range 3 {
			r = start(t, log, store, rigMetrics)
			pass(10 * time.Second)
			r.end()
		}
		r.want("entries of the feed", len(store.Entries()), entries)
	})
}

// The rows of open windows are there at once, and after a restart again.
func TestOpenRows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := memory.NewLog(1, 100), memory.NewStore()
		feed(log, 0, 17)
		for range 2 {
			r := start(t, log, store, plain)
			pass(time.Second)
			open, err := r.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.want("W", clock(open.Watermark), "10.999s")
			r.want("newest", clock(open.Newest), "16s")
			r.want("rows", len(open.Rows), 1)
			r.want("window", open.Rows[0].Start, 10_000)
			r.want("value", open.Rows[0].Value.Float, 14)
			r.end()
		}
	})
}

// Options that make no sense are all named at once.
func TestOptions(t *testing.T) {
	o := processing.Options{Workers: -1, MinCommit: time.Second, MaxCommit: time.Millisecond}
	const want = "workers: -1 is negative\ncommit interval: want 0 < 1s <= 1ms\nlook interval: 0s is not positive" +
		"\nregistry: 0 tries, 0s between them and 0s of memory are not all positive"
	if err := o.Validate(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	o = processing.DefaultOptions()
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}
