package live

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

var stories = flag.Uint64("stories", 30, "how many random stories are told")

// TestClientsHoldWhatTheServerHeld tells random stories: commits, windows that fill, alerts, a feed that forgets, servers that
// are started again on the same store or on another one, and clients who subscribe, change their minds, read slowly, stop
// reading, and lose their connections. After every frame a client holds what the server held at that sequence, and in
// that order; of the alerts each comes once, or a reset says that some will not. See visitor_test.go for what clients check.
func TestClientsHoldWhatTheServerHeld(t *testing.T) {
	told := map[string]int{}
	count := *stories
	if testing.Short() {
		count = min(count, 10)
	}
	for seed := range count {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 6))
			adjust := func(o *Options) { o.LingerTimeout = 15 * time.Second }
			play(t, adjust, func(t *testing.T, s *stage, _ func()) {
				w := &world{stage: s, rng: rng, epoch: "epoch-1", stores: 1, closed: make(map[place]window.Result), filled: make(map[place]bool)}
				w.begin()
				for range 5 {
					w.crowd = append(w.crowd, newVisitor(w))
				}
				for range 150 {
					w.step()
				}
				w.settle()
				for _, v := range w.crowd {
					for what, n := range v.told {
						told[what] += n
					}
					v.leave()
				}
			})
		})
	}
	t.Logf("told: %v", told)
	for _, what := range []string{"snapshot", "delta", "removed", "entry", "slow", "gap", "epoch_changed", "close 4101", "close 4103", "broken", "error", "conflated"} {
		if told[what] == 0 && count >= 30 && !t.Failed() {
			t.Errorf("no story had %q: the stories have become tame", what)
		}
	}
}

// world is the server's side of a story, and what is remembered of it.
type world struct {
	*stage
	rng    *rand.Rand
	epoch  string
	stores int // before this one
	crowd  []*visitor

	history []moment // of the server that runs: one for each version
	closed  map[place]window.Result
	filled  map[place]bool // windows that had something while they were open
}

// moment is what the board held at one version.
type moment struct {
	version   uint64
	seq       uint64
	watermark event.Millis
	rows      map[string]shown
}

// begin makes a new history.
func (w *world) begin() {
	w.history = nil
	w.board.maxTombs = []int{2, 10, maxTombs}[w.rng.IntN(3)]
	w.remember()
}

// remember takes down the board's newest version. None must be missed, or clients could not be judged.
func (w *world) remember() {
	synctest.Wait()
	p := w.board.snapshot(nil)
	if n := len(w.history); n > 0 {
		switch last := w.history[n-1].version; {
		case p.version == last:
			return
		case p.version != last+1:
			w.t.Fatalf("the test has missed versions between %d and %d", last, p.version)
		}
	}
	w.history = append(w.history, moment{p.version, p.seq, p.watermark, read(w.t, p.rows)})
}

// live lets time go by, in steps that are shorter than what is between two looks at open windows.
func (w *world) live(d time.Duration) {
	for ; d > 0; d -= 50 * time.Millisecond {
		pass(min(d, 50*time.Millisecond))
		w.remember()
		for _, v := range w.crowd {
			v.judge()
		}
	}
}

func (w *world) step() {
	switch n := w.rng.IntN(100); {
	case n < 40:
		w.commitSome()
	case n < 55:
		w.fill()
	case n < 63:
		for range w.rng.IntN(20) {
			w.raise(1)
			w.remember()
		}
	case n < 65:
		w.feed.drop(w.feed.head - min(w.feed.head, uint64(w.rng.IntN(30))))
	case n < 66:
		w.restart()
	case n < 67:
		w.anotherStore()
	default:
		w.crowd[w.rng.IntN(len(w.crowd))].act()
	}
	w.remember()
	pause := time.Duration(w.rng.IntN(400)) * time.Millisecond
	if w.rng.IntN(20) == 0 {
		pause *= 30
	}
	w.live(pause)
}

// settle lets everybody read to the end, and looks whether they all hold the same then.
func (w *world) settle() {
	for range 3 { // who stalled learns only then that it was cut off, and comes back
		for _, v := range w.crowd {
			v.calm()
		}
		w.live(3 * time.Second)
	}
	w.live(60 * time.Second) // a frame every 50 s is the slowest pace that is asked for
	for _, v := range w.crowd {
		v.assertUpToDate()
	}
}

// commitSome commits what closes when the watermark moves, and corrections of what has closed.
func (w *world) commitSome() {
	to := max(w.store.watermark, 0) + event.Millis(w.rng.IntN(15_000))
	if w.rng.IntN(30) == 0 {
		to += 6 * 60_000
	}
	var results []window.Result
	for i := range w.plan.Metrics {
		m := &w.plan.Metrics[i]
		for start := window.FirstWindow(m, max(w.store.watermark, -1)+1); start+m.Size-1 <= to; start += m.Slide {
			groups := w.somePages(len(m.Keys))
			if len(m.Keys) == 0 && w.filled[place{metric: i, start: start}] {
				groups = [][]string{nil} // what had events when it was open has them when it closes
			}
			for _, group := range groups {
				results = append(results, result(m, start, window.Final, float64(w.rng.IntN(4)), group...))
			}
		}
	}
	results = append(results, w.corrections()...)
	for _, r := range results {
		w.closed[w.board.byHash[r.Definition].place(&r)] = r
	}
	w.feed.mu.Lock()
	w.feed.head += uint64(len(results))
	seq := w.feed.head
	w.feed.mu.Unlock()
	w.commit(seq, to, results...)
	w.remember()
}

// corrections change or retract a few of the rows that were published, and publish groups that were not.
func (w *world) corrections() (results []window.Result) {
	places := slices.SortedFunc(maps.Keys(w.closed), func(x, y place) int {
		if x.start != y.start {
			return int(y.start - x.start) // the newest first
		}
		return slices.Compare([]byte(fmt.Sprint(x.metric, x.group)), []byte(fmt.Sprint(y.metric, y.group)))
	})
	places = places[:min(len(places), 12)]
	for _, i := range w.rng.Perm(len(places))[:w.rng.IntN(len(places)/3+1)] {
		r := w.closed[places[i]]
		r.Kind, r.Revision = window.Correction, r.Revision+1
		r.Value.Float++
		if len(r.Group) > 0 && w.rng.IntN(2) == 0 {
			r.Kind = window.Retract
		}
		results = append(results, r)
	}
	return results
}

// somePages are the groups of a window that have something; of a metric without groups all or none.
func (w *world) somePages(keys int) (groups [][]string) {
	if keys == 0 {
		if w.rng.IntN(3) > 0 {
			groups = append(groups, nil)
		}
		return groups
	}
	for _, page := range []string{"/a", "/b", "/c", "<d>"} {
		if w.rng.IntN(2) == 0 {
			groups = append(groups, []string{page})
		}
	}
	return groups
}

// fill changes the windows that are open.
func (w *world) fill() {
	if w.store.watermark == event.NoTime {
		return
	}
	var rows []window.Result
	for i := range w.plan.Metrics {
		m := &w.plan.Metrics[i]
		for _, group := range w.somePages(len(m.Keys)) {
			rows = append(rows, result(m, window.FirstWindow(m, w.store.watermark+1), window.Provisional, float64(w.rng.IntN(9)), group...))
		}
	}
	for _, r := range rows {
		w.filled[w.board.byHash[r.Definition].place(&r)] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = processing.Open{Seq: w.store.seq, Watermark: w.store.watermark, Newest: w.store.watermark + 12_000, Rows: rows}
}

// restart stops the server and starts another one, which holds of what has closed what the one before did.
func (w *world) restart() {
	before := w.finals()
	w.stop()
	w.start(w.epoch)
	w.begin()
	if diff := gocmp.Diff(before, w.finals()); diff != "" {
		w.t.Errorf("a server that was started again at %d (-before +after):\n%s", w.store.seq, diff)
	}
}

func (w *world) stop() {
	w.end()
	synctest.Wait()
	for _, v := range w.crowd {
		v.judge()
	}
}

func (w *world) finals() map[string]shown {
	rows := read(w.t, w.board.snapshot(nil).rows)
	maps.DeleteFunc(rows, func(_ string, r shown) bool { return r.Kind == "provisional" })
	return rows
}

// anotherStore is a server on a store of its own.
func (w *world) anotherStore() {
	w.stop()
	w.stores++
	w.epoch = fmt.Sprint("epoch-", w.stores)
	w.feed, w.store, w.closed = &memoryLog{}, newMemoryStore(0), make(map[place]window.Result)
	clear(w.filled)
	w.start(w.epoch)
	w.begin()
}
