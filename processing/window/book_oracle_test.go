package window

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
)

// sample is one event of a random run: its time, the watermark it was judged by, its group and its amount.
type sample struct {
	t, wp  event.Millis
	url    string
	amount int
}

// sampleSpec is the metric of a random run.
type sampleSpec struct {
	size, slide, offset, lateness event.Millis
	limit                         int
	having                        bool // only groups whose sum is positive
}

func drawSpec(t *rapid.T) sampleSpec {
	s := rapid.SampledFrom([]sampleSpec{
		{size: 30_000, slide: 10_000}, {size: 25_000, slide: 10_000}, {size: 30_000, slide: 20_000, offset: 7_000}, {size: 20_000, slide: 20_000},
	}).Draw(t, "window")
	s.lateness = rapid.SampledFrom([]event.Millis{0, 3_000, 15_000}).Draw(t, "lateness")
	s.limit = rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "limit")
	s.having = rapid.Bool().Draw(t, "having")
	return s
}

func (spec sampleSpec) yaml() string {
	having := ""
	if spec.having {
		having = ", having: a > 0"
	}
	return fmt.Sprintf("- {name: m, window: {size: %dms, slide: %dms, offset: %dms}, allowed_lateness: %dms, group_by: {url: url}, limit: %d, aggregates: {a: {sum: amount}}%s}\n",
		spec.size, spec.slide, spec.offset, spec.lateness, spec.limit, having)
}

// paneEnd is the end of the pane of a time: panes are as wide as what size and slide are both multiples of.
func (spec sampleSpec) paneEnd(t event.Millis) event.Millis {
	width := spec.slide
	for spec.size%width != 0 || spec.slide%width != 0 {
		width--
	}
	start := event.Millis(-1_000_000_000) + spec.offset // a multiple of all widths there are, and the offset
	return start + (t-start)/width*width + width
}

// TestBookIsAFunctionOfTheRows folds random events with commits and restarts between them, and compares finals and last
// revisions with what the rows say. On the way, every emission is checked against what was published before.
func TestBookIsAFunctionOfTheRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec := drawSpec(rt)
		b := &bookScript{t: t}
		b.load(spec.yaml())
		b.start(event.NoTime)
		reader := newReader()
		var taken []sample
		var sum digest.Tally
		w, now := event.NoTime, time.Unix(1000, 0)
		book := func() *Book { return b.books[0] }
		commit := func(to event.Millis) {
			for _, pane := range b.touched[0] {
				book().Touch(pane, w)
			}
			b.touched[0] = nil
			for _, em := range book().Close(w, to) {
				reader.take(rt, &em, true)
			}
			for _, em := range book().Correct(to, now) {
				reader.take(rt, &em, false)
			}
			w, b.w = to, to
			sum = sum.Plus(book().TakeDigest())
			if want := spec.digest(&b.plan.Metrics[0], taken, w); sum != want {
				rt.Errorf("at %d: digest %v, want %v", w, sum, want)
			}
			b.totals[0].Purge(FirstWindow(&b.plan.Metrics[0], w+1-spec.lateness))
			b.stored = reader.stored
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(rt, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				to := max(w, event.Millis(rapid.IntRange(-30, 100).Draw(rt, "w"))*1000-1)
				if w != event.NoTime {
					to = max(w, min(to, w+20_000))
				}
				commit(to)
			case 1:
				b.start(event.NoTime) // a restart
			default:
				s := sample{
					t:   event.Millis(rapid.IntRange(-30, 100).Draw(rt, "t")) * 1000,
					url: rapid.SampledFrom([]string{"", "$", "/a", "/b", "(none)", "(other)"}).Draw(rt, "url"),
				}
				s.amount = rapid.IntRange(-2, 3).Draw(rt, "amount")
				// A floor sees to it that nobody is judged by less than W.
				s.wp = max(w, event.Millis(rapid.IntRange(-60, 100).Draw(rt, "wp"))*1000-1)
				words := []string{fmt.Sprintf("t=%dms", s.t), fmt.Sprintf("wp=%dms", s.wp), fmt.Sprintf("amount=%d", s.amount)}
				if s.url != "" {
					words = append(words, "url="+s.url)
				}
				b.event(words)
				if s.wp < spec.paneEnd(s.t)-1+spec.lateness {
					taken = append(taken, s)
				}
			}
		}
		now = now.Add(time.Hour)
		commit(max(w, 1_000_000))
		finals, last := spec.expected(taken)
		if diff := gocmp.Diff(finals, reader.finals); diff != "" {
			rt.Errorf("finals (-want +got):\n%s", diff)
		}
		if diff := gocmp.Diff(last, reader.rows()); diff != "" {
			rt.Errorf("last revisions (-want +got):\n%s", diff)
		}
	})
}

// expected computes all windows the slow way: finals are of the rows that were on time, and of those late ones whose pane
// had ended at least the lateness before the window; last revisions are of all.
func (spec sampleSpec) expected(taken []sample) (finals, last map[string]float64) {
	finals, last = make(map[string]float64), make(map[string]float64)
	for start := -100_000 + spec.offset; start < 200_000; start += spec.slide {
		end := start + spec.size
		early, all := make(map[string]float64), make(map[string]float64)
		for _, s := range taken {
			if s.t < start || s.t >= end {
				continue
			}
			all[s.url] += float64(s.amount)
			if spec.inFinal(&s, end) {
				early[s.url] += float64(s.amount)
			}
		}
		maps.Copy(finals, spec.cut(start, early))
		maps.Copy(last, spec.cut(start, all))
	}
	return finals, last
}

// inFinal reports whether a row must have been read by the end of a window that it is in.
func (spec sampleSpec) inFinal(s *sample, end event.Millis) bool {
	return s.wp < spec.paneEnd(s.t)-1 || spec.paneEnd(s.t)+spec.lateness <= end
}

// rank drops the groups that may not be published and puts those with the highest values first.
func (spec sampleSpec) rank(groups map[string]float64) []string {
	maps.DeleteFunc(groups, func(_ string, sum float64) bool { return spec.having && sum <= 0 })
	return slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(groups[b], groups[a]), cmp.Compare(a, b))
	})
}

// cut keeps the groups with the highest values and adds up the others.
func (spec sampleSpec) cut(start event.Millis, groups map[string]float64) map[string]float64 {
	out := make(map[string]float64)
	for rank, name := range spec.rank(groups) {
		text := name
		switch {
		case rank >= spec.limit:
			text = "(other)"
		case name == "":
			text = "(none)"
		case strings.HasPrefix(name, "("):
			text = `\` + name
		}
		out[fmt.Sprint(start, " ", text)] += groups[name]
	}
	return out
}

// reader keeps what somebody who reads every emission knows.
type reader struct {
	finals    map[string]float64
	current   map[string]Result
	revisions map[string]int // of groups, retracted ones too
	stored    map[storedWindow]storedResults
}

func newReader() *reader {
	return &reader{make(map[string]float64), make(map[string]Result), make(map[string]int), make(map[storedWindow]storedResults)}
}

// take checks and applies an emission. Afterwards the reader must know exactly what the window has published.
func (rd *reader) take(t *rapid.T, em *Emission, final bool) {
	for _, r := range em.Changed {
		id := fmt.Sprint(r.Start, " ", r.Group[0])
		if r.Revision <= rd.revisions[id] {
			t.Errorf("%s: revision %d after %d", id, r.Revision, rd.revisions[id])
		}
		if final != (r.Kind == Final) || r.Revision < 1 {
			t.Errorf("%s: a %s among finals (%v)", id, r.Kind, final)
		}
		rd.revisions[id] = r.Revision
		if r.Kind == Retract {
			if _, ok := rd.current[id]; !ok {
				t.Errorf("%s: retracted, but it was not published", id)
			}
			delete(rd.current, id)
			continue
		}
		if final {
			rd.finals[id] = r.Value.Float
		}
		rd.current[id] = *r
	}
	var want, got []Result
	for _, r := range rd.current {
		if r.Start == em.Start {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b Result) int { return slices.Compare(a.Group, b.Group) })
	for _, r := range em.Published() {
		if r.Kind != Retract {
			got = append(got, r)
		}
	}
	rd.stored[storedWindow{0, em.Start}] = storedResults{slices.Clone(em.Published()), em.Digest()}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("window %d: readers know something else than is published (-readers +published):\n%s", em.Start, diff)
	}
}

func (rd *reader) rows() map[string]float64 {
	out := make(map[string]float64)
	for id, r := range rd.current {
		out[id] = r.Value.Float
	}
	return out
}
