package processing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/memory"
)

// digestDefinitions have all that a digest covers. One session of each shard may be open, and two of the users share one.
var digestDefinitions = []struct{ list, name, needs, rest string }{
	{"sessions", "visits", "", `key: user, gap: 8s, max_duration: 30s, max_open: 256, end_when: 'url == "/c"',
		aggregates: {pages: {uniques: url}, entry: {first: url}, exit: {last: url}, a: {count: 'url == "/a"'}}`},
	{"sessions", "pages", "", `key: url, gap: 5s, aggregates: {users: {uniques: user}}`},
	{"metrics", "closed", "visits", `from: visits, window: {size: 20s}, value: n, having: n > 1 or events > 4,
		aggregates: {n: {count: true}, events: {sum: events}, long: {quantile: duration, q: 0.5}, begun: {first: start}}`},
	{"metrics", "ends", "visits", `from: visits, window: {size: 10s, slide: 5s}, group_by: {reason: reason}, aggregates: {n: {count: true}}`},
	{"metrics", "views", "", `window: {size: 10s}, allowed_lateness: 7s, group_by: {url: url}, limit: 2, aggregates: {n: {count: true}}`},
	{"metrics", "users", "", `window: {size: 20s, slide: 5s}, allowed_lateness: 10s, aggregates: {n: {uniques: user}, first: {first: time}}, value: n`},
	{"metrics", "share", "", `window: {size: 10s, slide: 5s}, group_by: {url: url}, value: n / all, having: n > 1,
		aggregates: {n: {count: 'user != "a"'}, all: {count: true, total: true}}`},
	{"alerts", "busy", "views", `on: views, when: value >= 2, keep_firing_for: 15s`},
	{"alerts", "few", "users", `on: users, when: value <= 1, for: 12s`},
	{"alerts", "rising", "users", `on: users, when: value > previous and n > 1, keep_firing_for: 5s`},
	{"alerts", "most", "share", `on: share, when: value > 0.3, for: 5s, min_samples: {all: 2}`},
}

// definitionsWithout are all but some, and but what needs these.
func definitionsWithout(maxAhead time.Duration, without ...string) string {
	text := strings.Replace(rigSource, "source: {", fmt.Sprintf("source: {max_ahead: %s, ", maxAhead), 1)
	for _, list := range []string{"sessions", "metrics", "alerts"} {
		text += list + ":\n"
		for _, d := range digestDefinitions {
			if d.list == list && !slices.Contains(without, d.name) && !slices.Contains(without, d.needs) {
				text += fmt.Sprintf("  - {name: %s, %s}\n", d.name, strings.ReplaceAll(d.rest, "\t", " "))
			}
		}
	}
	return text
}

// digestUsers are keys of sessions. The first two are in one shard, so that they evict each other.
var digestUsers = func() []string {
	byShard := make(map[uint64]string)
	for i := 0; ; i++ {
		name := fmt.Sprint("u", i)
		v := event.StringValue([]byte(name))
		if other, ok := byShard[v.Hash()>>56]; ok {
			return []string{other, name, "a"}
		}
		byShard[v.Hash()>>56] = name
	}
}()

// moment is a state as some commit left it, and what its definitions were.
type moment struct {
	plan  *definition.Plan
	state *processing.State
}

// digestRun reads a log in steps, with everything at random that must make no difference, and keeps states of the way.
func digestRun(t *testing.T, traffic [][]event.Record, steps []digestStep) (*memory.Log, []moment) {
	log, store := memory.NewLog(len(traffic), steps[0].Round), memory.NewStore()
	left := slices.Clone(traffic)
	var moments []moment
	var r *rig
	for i := range steps {
		s := &steps[i]
		for p := range left {
			n := len(left[p]) * s.Parts[p] / 100
			if i == len(steps)-1 {
				n = len(left[p])
			}
			log.Append(left[p][:n]...)
			left[p] = left[p][n:]
		}
		if i == 0 || s.Restart {
			if r != nil {
				r.end()
			}
			definitions := definitionsWithout(s.MaxAhead, s.Without...)
			plan, commits := rigPlan(t, definitions), 0
			store.After(func() {
				if commits++; commits%s.Every == 0 {
					moments = append(moments, momentOf(t, plan, store))
				}
			})
			r = start(t, log, store, definitions, func(o *processing.Options) {
				o.Workers, o.MinCommit, o.MaxCommit = s.Workers, s.MinCommit, s.MinCommit+s.Longer
			})
		}
		pass(s.Wait)
	}
	r.end()
	return log, append(moments, momentOf(t, r.plan, store))
}

func momentOf(t *testing.T, plan *definition.Plan, store *memory.Store) moment {
	state, err := store.Load(plan)
	if err != nil {
		t.Error(err)
	}
	return moment{plan, state}
}

// digestStep is a part of a run.
type digestStep struct {
	Parts             [3]int // of a hundred of what is left, by partition
	Round             int    // records of an answer
	Wait              time.Duration
	Restart           bool
	Workers           int
	MinCommit, Longer time.Duration
	MaxAhead          time.Duration
	Every             int      // which commits are looked at
	Without           []string // definitions that are not in force
}

func randomDigestStep(t *rapid.T) digestStep {
	s := digestStep{
		Round: rapid.IntRange(1, 40).Draw(t, "round"), Wait: time.Duration(rapid.IntRange(0, 2500).Draw(t, "wait")) * time.Millisecond,
		Restart: rapid.Bool().Draw(t, "restart"), Workers: rapid.SampledFrom([]int{1, 2, 3, 8}).Draw(t, "workers"),
		MinCommit: rapid.SampledFrom([]time.Duration{1, 20, 150, 1000}).Draw(t, "commit") * time.Millisecond,
		Longer:    time.Duration(rapid.IntRange(0, 300).Draw(t, "longer")) * time.Millisecond,
		MaxAhead:  rapid.SampledFrom([]time.Duration{2, 10, 60}).Draw(t, "max_ahead") * time.Second,
		Every:     rapid.IntRange(1, 4).Draw(t, "every"),
	}
	if rapid.IntRange(0, 3).Draw(t, "idle") == 0 {
		s.Wait, s.MinCommit = 45*time.Second, max(s.MinCommit, 150*time.Millisecond) // partitions fall idle, and come back with floors
	}
	if rapid.IntRange(0, 2).Draw(t, "others") == 0 {
		s.Without = rapid.SliceOfN(rapid.SampledFrom([]string{"visits", "closed", "users", "share", "ends", "few", "most"}), 1, 3).Draw(t, "without")
	}
	for i := range s.Parts {
		s.Parts[i] = rapid.IntRange(0, 100).Draw(t, "part")
	}
	return s
}

// wantDigests compares a state with the oracle.
func (m *moment) wantDigests(t *rapid.T, test *testing.T, log *memory.Log) {
	want := oracleDigests(test, m.plan, log, m.state)
	for _, d := range m.state.Digests {
		w, inForce := want[d.Hash]
		if got := (digest.Tally{Facts: d.Facts, Sum: d.Sum}); inForce && got != w {
			t.Errorf("W %d: %s is %v, and %v by the oracle", m.state.Watermark, d.Name, got, w)
		}
		delete(want, d.Hash)
	}
	for h := range want {
		t.Errorf("W %d: no digest of %s", m.state.Watermark, h)
	}
}

// TestDigestsAreFunctionsOfTheLog reads random logs with late events, by any workers, answers, commits, arrivals and
// restarts, with W stopped anywhere: at every commit the digests are what the log, its floors and W say.
func TestDigestsAreFunctionsOfTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		traffic := digestTraffic(rt)
		steps := rapid.SliceOfN(rapid.Custom(randomDigestStep), 2, 8).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			log, moments := digestRun(t, traffic, steps)
			for i := range moments {
				moments[i].wantDigests(rt, t, log)
			}
			facts := make(map[string]int64)
			for _, d := range moments[len(moments)-1].state.Digests {
				facts[d.Name] = d.Facts
			}
			rt.Logf("%d moments, %d floors, facts %v", len(moments), len(moments[len(moments)-1].state.Floors), facts)
		})
	})
}

// digestTraffic is random events, some of them late, and now and then something that is none.
func digestTraffic(t *rapid.T) [][]event.Record {
	traffic := make([][]event.Record, rapid.IntRange(1, 3).Draw(t, "partitions"))
	for p := range traffic {
		id := event.PartitionID(p)
		at := rapid.IntRange(0, 60).Draw(t, "start")
		for range rapid.IntRange(20, 80).Draw(t, "records") {
			n := rapid.IntRange(0, 1<<16-1).Draw(t, "event")
			at += n % 3
			back := max(0, n>>3%36-10)
			fields := []string{"url=" + []string{"/a", "/b", "/c", "(none)"}[n>>8%4]}
			if user := n >> 10 % 4; user < len(digestUsers) {
				fields = append(fields, "user="+digestUsers[user])
			}
			r := rec(id, time.Duration(max(0, at-back))*time.Second, fields...)
			switch n >> 12 {
			case 0:
				r.Value = []byte("{")
			case 1:
				r.Timestamp = max(0, r.Timestamp-8000) // a clock that is behind
			}
			traffic[p] = append(traffic[p], r)
		}
	}
	return traffic
}
