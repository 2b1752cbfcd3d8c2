package server

import (
	"fmt"
	"math"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
)

const havingDefinitions = `
version: 1
defaults: false
metrics:
  - {name: calm, window: {size: 10s}, aggregates: {n: {count: true}}, having: n < 3}
  - {name: busy, window: {size: 10s}, aggregates: {n: {count: true}}, having: n > 2}
  - {name: odd, window: {size: 25s, slide: 10s, offset: 3s}, aggregates: {n: {count: true}}, having: n % 4 != 2}
  - {name: pages, window: {size: 25s, slide: 10s}, group_by: {page: pageViewData.url}, aggregates: {n: {count: true}}, having: n > 1}
  - {name: wide, window: {size: 30s, slide: 20s}, group_by: {page: pageViewData.url, user: userId}, aggregates: {n: {count: true}}}
`

// TestHavingDecidesAboutWindows: a metric without groups has the windows that pass, empty ones too if they do, and no
// other: in /windows, in history, and live, whether told by commits or loaded after a restart.
func TestHavingDecidesAboutWindows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := newEngine(rt, havingDefinitions)
		s := e.serve(nil)
		all := drawTraffic(rt, e)
		e.commit(e.w+1_000, -100_000, nil) // corrects what the last commit was too soon for
		restarted := e.serve(nil)
		passes := map[string]func(n int) bool{
			"calm": func(n int) bool { return n < 3 }, "busy": func(n int) bool { return n > 2 }, "odd": func(n int) bool { return n%4 != 2 },
		}
		for metric, pass := range passes {
			want := expectedWindows(e, metric, all, pass)
			rows := allWindows(t, s, "/api/v1/metrics/"+metric+"/windows?from=-1000000&to=1000000&limit=2")
			var got [][2]float64
			for _, r := range rows {
				got = append(got, [2]float64{float64(r.WindowStart), *r.Value})
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s, W %d (-events +windows):\n%s", metric, e.w, diff)
			}
			points := [][2]float64{}
			for _, one := range get[historyAnswer](t, s, "/api/v1/metrics/"+metric+"/history?from=-1000000&to=1000000").Series {
				for _, p := range one.Points {
					points = append(points, [2]float64{*p[0], *p[1]})
				}
			}
			if diff := gocmp.Diff(want, points, cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%s, W %d (-events +history):\n%s", metric, e.w, diff)
			}
			final := get[latestBody](t, s, "/api/v1/metrics/"+metric+"/latest").Final
			if n := len(rows); n > 0 && rows[n-1].WindowEnd > e.w-100_000 {
				if diff := gocmp.Diff(rows[n-1:], final); diff != "" {
					rt.Fatalf("%s, W %d (-windows +latest):\n%s", metric, e.w, diff)
				}
			}
		}
		for i := range e.plan.Metrics {
			if m := &e.plan.Metrics[i]; len(m.Keys) == 0 {
				target := "/api/v1/metrics/" + m.Name + "/latest"
				if diff := gocmp.Diff(get[latestBody](t, s, target), get[latestBody](t, restarted, target)); diff != "" {
					rt.Fatalf("%s, W %d (-told by commits +loaded from the store):\n%s", m.Name, e.w, diff)
				}
			}
		}
	})
}

// expectedWindows are start and value of the closed windows that pass, from the first window with an event on.
func expectedWindows(e *engine, metric string, all []sample, pass func(n int) bool) [][2]float64 {
	var windows [][2]float64
	for i := range e.plan.Metrics {
		m := &e.plan.Metrics[i]
		if m.Name != metric {
			continue
		}
		begun := false
		for start := m.Offset - 10*m.Slide; start+m.Size-1 <= e.w; start += m.Slide {
			n := 0
			for _, s := range all {
				if s.at >= start && s.at < start+m.Size {
					n++
				}
			}
			if begun = begun || n > 0; begun && pass(n) {
				windows = append(windows, [2]float64{float64(start), float64(n)})
			}
		}
	}
	return windows
}

// Several keys: each can be asked for by itself, and all together.
func TestGroupsOfSeveralKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := newEngine(rt, havingDefinitions)
		all := drawTraffic(rt, e)
		e.commit(e.w+1_000, -100_000, nil)
		s := e.serve(nil)
		for _, c := range []struct {
			filter     string
			page, user string
		}{{"", "", ""}, {"&group.user=u2", "", "u2"}, {"&group.page=/a", "/a", ""}, {"&group.page=/b&group.user=u1", "/b", "u1"}, {"&group.page=(none)", "(none)", ""}} {
			want := map[string]float64{}
			for _, x := range all {
				page := x.page
				if page == "" {
					page = "(none)"
				}
				for start := x.at / 20_000 * 20_000; start+30_000 > x.at; start -= 20_000 {
					if start+30_000-1 <= e.w && (c.page == "" || c.page == page) && (c.user == "" || c.user == x.user) {
						want[fmt.Sprintf("%d %s %s", start, page, x.user)]++
					}
				}
			}
			got := map[string]float64{}
			for _, r := range allWindows(t, s, "/api/v1/metrics/wide/windows?from=-1000000&to=1000000&limit=5"+c.filter) {
				got[fmt.Sprintf("%d %s %s", r.WindowStart, r.Group["page"], r.Group["user"])] = *r.Value
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s, W %d (-events +windows):\n%s", c.filter, e.w, diff)
			}
			points := map[string]float64{}
			for _, one := range get[historyAnswer](t, s, "/api/v1/metrics/wide/history?from=-1000000&to=1000000"+c.filter).Series {
				for _, p := range one.Points {
					points[fmt.Sprintf("%d %s %s", int64(math.Round(*p[0])), one.Group["page"], one.Group["user"])] = *p[1]
				}
			}
			if diff := gocmp.Diff(want, points); diff != "" {
				rt.Fatalf("%s, W %d (-events +history):\n%s", c.filter, e.w, diff)
			}
		}
	})
}

// A step of history is a multiple of the pane, which may be narrower than the slide, and is judged anew.
func TestHistoryOfOddWindows(t *testing.T) {
	e := newEngine(t, havingDefinitions)
	var samples []sample
	for i := range 30 {
		samples = append(samples, sample{at: event.Millis(1000 * i), user: "u", page: "/a"})
	}
	e.commit(100_000, -100_000, samples)
	s := e.serve(nil)
	h := get[historyAnswer](t, s, "/api/v1/metrics/odd/history?from=0&to=60000&step=5s")
	want := map[string]float64{" 3000": 5, " 8000": 5, " 13000": 5, " 18000": 5, " 23000": 5} // two events in [28s, 33s): 2 % 4 is 2
	for _, empty := range []int{33_000, 38_000, 43_000, 48_000, 53_000, 58_000} {
		want[fmt.Sprint(" ", empty)] = 0
	}
	if diff := gocmp.Diff(want, h.flat("")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
