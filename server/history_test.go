package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/wire"
)

// historyAnswer is the answer as a client reads it.
type historyAnswer struct {
	Step     event.Millis `json:"step_ms"`
	Partial  bool         `json:"partial"`
	Warnings []string     `json:"warnings"`
	Series   []struct {
		Group  map[string]string `json:"group"`
		Points [][2]*float64     `json:"points"`
	} `json:"series"`
}

// flat is every point as "group t", a value, NaN for null.
func (h historyAnswer) flat(key string) map[string]float64 {
	points := map[string]float64{}
	for _, s := range h.Series {
		for _, p := range s.Points {
			v := math.NaN()
			if p[1] != nil {
				v = *p[1]
			}
			points[fmt.Sprintf("%s %d", s.Group[key], int64(*p[0]))] = v
		}
	}
	return points
}

var approximately = gocmp.Options{cmpopts.EquateApprox(0, 1e-9), cmpopts.EquateNaNs()}

// drawTraffic commits random events, a part of them late, with some panes settled. It returns all events.
func drawTraffic(t *rapid.T, e *engine) []sample {
	var all []sample
	w := event.Millis(0)
	for range rapid.IntRange(1, 6).Draw(t, "commits") {
		var samples []sample
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			s := sample{user: rapid.SampledFrom([]string{"u1", "u2", "u3", "u4"}).Draw(t, "user")}
			s.at = w + event.Millis(rapid.IntRange(-20_000, 40_000).Draw(t, "at"))
			s.late = s.at <= w
			if rapid.Bool().Draw(t, "view") {
				s.page, s.load = rapid.SampledFrom([]string{"/", "/a", "/b", "/c", "/d"}).Draw(t, "page"), 1
			} else {
				s.money = float64(rapid.IntRange(0, 100).Draw(t, "money"))
			}
			if s.at >= 0 {
				samples = append(samples, s)
			}
		}
		w += event.Millis(rapid.IntRange(1, 60_000).Draw(t, "advance"))
		e.commit(w, (w-80_000)/10_000*10_000-10_000, samples)
		all = append(all, samples...)
	}
	return all
}

// TestHistoryIsWhatTheEventsSay compares with a computation from the events themselves, for any step.
func TestHistoryIsWhatTheEventsSay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := newEngine(rt, testDefinitions)
		all := drawTraffic(rt, e)
		s := e.serve(nil)
		step := event.Millis(rapid.SampledFrom([]int{10, 20, 30, 60}).Draw(rt, "step")) * 1000
		from := event.Millis(rapid.IntRange(0, 100_000).Draw(rt, "from"))
		to := from + event.Millis(rapid.IntRange(0, 300_000).Draw(rt, "length"))
		query := fmt.Sprintf("?from=%d&to=%d&step=%dms", from, to, step)

		pages, users, revenue := map[string]float64{}, map[string]float64{}, map[string]float64{}
		for start := (from + step - 1) / step * step; start < to && start+step-1 <= e.w; start += step {
			views, who, money := map[string]float64{}, map[string]bool{}, -1.0
			for _, x := range all {
				if x.at < start || x.at >= start+step {
					continue
				}
				who[x.user] = true
				if x.page != "" {
					views[x.page]++
				} else {
					money = max(money, 0) + x.money
				}
			}
			for page, n := range views {
				pages[fmt.Sprintf("%s %d", page, start)] = n
			}
			if len(who) > 0 {
				users[fmt.Sprintf(" %d", start)] = float64(len(who))
			}
			if money >= 0 {
				revenue[fmt.Sprintf("EUR %d", start)] = money / float64(len(who))
			}
		}
		for _, c := range []struct {
			metric, key string
			want        map[string]float64
		}{{"pages", "url", pages}, {"revenue", "currency", revenue}, {"users", "", users}} {
			h := get[historyAnswer](t, s, "/api/v1/metrics/"+c.metric+"/history"+query)
			got := h.flat(c.key)
			if c.metric == "users" { // empty ranges are supplied; here only what happened is compared
				for point, v := range got {
					if v == 0 {
						delete(got, point)
					}
				}
			}
			if diff := gocmp.Diff(c.want, got, approximately); diff != "" {
				rt.Fatalf("%s%s, W %d (-events +history):\n%s", c.metric, query, e.w, diff)
			}
		}
	})
}

// TestHistoryEqualsWindows: without a step, history is the values of the windows, once everything late has been corrected.
func TestHistoryEqualsWindows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := newEngine(rt, testDefinitions)
		drawTraffic(rt, e)
		e.commit(e.w+1_000, 0, nil) // corrects what the last commit was too soon for
		s := e.serve(nil)
		for metric, key := range map[string]string{"views": "", "users": "", "load": "", "revenue": "currency"} {
			want := map[string]float64{}
			for _, r := range allWindows(t, s, "/api/v1/metrics/"+metric+"/windows?from=-1000000&to=1000000&limit=7") {
				v := math.NaN()
				if r.Value != nil {
					v = *r.Value
				}
				want[fmt.Sprintf("%s %d", r.Group[key], r.WindowStart)] = v
			}
			h := get[historyAnswer](t, s, "/api/v1/metrics/"+metric+"/history?from=-1000000&to=1000000")
			if diff := gocmp.Diff(want, h.flat(key), approximately); diff != "" {
				rt.Fatalf("%s, W %d (-windows +history):\n%s", metric, e.w, diff)
			}
		}
	})
}

// allWindows follows the cursors.
func allWindows(t testing.TB, s *Server, target string) []rowBody {
	var all []rowBody
	for next := target; ; {
		page := get[windowsBody](t, s, next)
		all = append(all, page.Windows...)
		if page.Next == nil {
			return all
		}
		next = target + "&cursor=" + url.QueryEscape(*page.Next)
	}
}

// TestCursorsStayGood reads pages while data arrive: what was there at the start is seen once, in order.
func TestCursorsStayGood(t *testing.T) {
	for metric, filter := range map[string]string{"views": "", "pages": "", "users": "", "pages ": "&group.url=/a"} {
		metric := metric[:min(len(metric), 5)]
		e := newEngine(t, testDefinitions)
		someTraffic(e)
		s := e.serve(nil)
		target := "/api/v1/metrics/" + metric + "/windows?from=-95s&to=now" + filter
		before := get[windowsBody](t, s, target).Windows
		var ids []string
		page := get[windowsBody](t, s, target+"&limit=1")
		for {
			for _, r := range page.Windows {
				ids = append(ids, r.ID)
			}
			if page.Next == nil {
				break
			}
			e.commit(e.w+3_000, 20_000, []sample{{at: e.w + 3_000, user: "x", page: "/a"}})
			page = get[windowsBody](t, s, target+"&limit=1&cursor="+*page.Next)
		}
		for i, r := range before {
			if i >= len(ids) || ids[i] != r.ID {
				t.Errorf("%s%s: row %d was lost or moved", metric, filter, i)
			}
		}
		sorted := slices.Clone(ids)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(ids) {
			t.Errorf("%s%s: a row came twice", metric, filter)
		}
	}
}

// TestWindowsCloseToTheMillisecond: a window is shown when W >= end - 1, with events in it or without, everywhere at once.
func TestWindowsCloseToTheMillisecond(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(nil)
	e.commit(0, 0, []sample{{at: 5_000, user: "u", page: "/"}})
	for _, c := range []struct {
		w    event.Millis
		want int // windows
	}{{9_998, 0}, {9_999, 1}, {19_998, 1}, {19_999, 2}} {
		e.commit(c.w, 0, nil)
		windows := get[windowsBody](t, s, "/api/v1/metrics/views/windows?from=0").Windows
		history := get[historyAnswer](t, s, "/api/v1/metrics/views/history?from=0").flat("")
		stepped := get[historyAnswer](t, s, "/api/v1/metrics/views/history?from=0&step=10s").flat("")
		if len(windows) != c.want || len(history) != c.want || len(stepped) != c.want {
			t.Errorf("W %d: %d windows, %d points, %d with a step; want %d", c.w, len(windows), len(history), len(stepped), c.want)
		}
		final := get[latestBody](t, s, "/api/v1/metrics/views/latest").Final
		if len(final) != min(c.want, 1) || c.want > 0 && final[0].WindowStart != windows[c.want-1].WindowStart {
			t.Errorf("W %d: latest %+v", c.w, final)
		}
	}
}

func TestCursorsOfOtherQueries(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	s := e.serve(nil)
	cursor := *get[windowsBody](t, s, "/api/v1/metrics/pages/windows?from=0&limit=1").Next
	for _, target := range []string{
		"/api/v1/metrics/views/windows?cursor=" + cursor,
		"/api/v1/metrics/pages/windows?group.url=/a&cursor=" + cursor,
		"/api/v1/metrics/pages/windows?cursor=" + cursor[:len(cursor)-4],
		"/api/v1/metrics/pages/windows?cursor=AAAA",
	} {
		if w := s.ask(t, http.MethodGet, target, nil); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor(cursor{0, 10, 5, []string{"a"}, []byte("q")}))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text, []byte("q"))
		if err != nil {
			return
		}
		again, err := parseCursor(encodeCursor(c), []byte("q"))
		if err != nil || gocmp.Diff(c, again) != "" {
			t.Errorf("%q: %+v becomes %+v, %v", text, c, again, err)
		}
	})
}

func TestFittingStep(t *testing.T) {
	for _, c := range []struct{ unit, length, want event.Millis }{
		{10_000, 3_600_000, 10_000},
		{10_000, 110_000_000, 10_000},              // exactly 11,000
		{10_000, 110_010_000, 30_000},              // 15 s is no multiple
		{5_000, 400_000_000, 60_000},               //
		{7_000, 700_000_000, 70_000},               // no round step is a multiple
		{1_000, maxTime - minTime, 28_688_139_000}, // longer than all round steps
	} {
		if got := fittingStep(c.unit, c.length); got != c.want || c.length/got > maxPoints || got%c.unit != 0 {
			t.Errorf("fittingStep(%d, %d) = %d, want %d", c.unit, c.length, got, c.want)
		}
	}
}

// TestLiveAndRESTAgree: the rows of /latest are those of the last windows of /windows.
func TestLiveAndRESTAgree(t *testing.T) {
	e := newEngine(t, testDefinitions)
	s := e.serve(nil)
	someTraffic(e)
	restarted := e.serve(nil)
	for i := range e.plan.Metrics {
		name := e.plan.Metrics[i].Name
		told, loaded := get[latestBody](t, s, "/api/v1/metrics/"+name+"/latest"), get[latestBody](t, restarted, "/api/v1/metrics/"+name+"/latest")
		if diff := gocmp.Diff(told, loaded); diff != "" {
			t.Errorf("%s (-told by commits +loaded from the store):\n%s", name, diff)
		}
		if len(told.Final) == 0 {
			t.Errorf("%s: no finals", name)
			continue
		}
		start := told.Final[0].WindowStart
		windows := get[windowsBody](t, s, fmt.Sprintf("/api/v1/metrics/%s/windows?from=%d", name, start)).Windows
		if diff := gocmp.Diff(windows, told.Final); diff != "" {
			t.Errorf("%s (-windows +latest):\n%s", name, diff)
		}
	}
}

func TestCells(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "": "", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx",
		"a,b": `"a,b"`, `say "hi"`: `"say ""hi"""`, "=a,b": `"'=a,b"`, "a\nb": "\"a\nb\"",
	} {
		if got := string(appendCell(nil, text)); got != want {
			t.Errorf("%q becomes %s, want %s", text, got, want)
		}
	}
}

func TestPointsAreJSON(t *testing.T) {
	tiny := 1e-300
	b, err := json.Marshal([]wire.Point{{At: -5, Value: &tiny}, {At: 7}})
	if err != nil || string(b) != `[[-5,1e-300],[7,null]]` {
		t.Errorf("%s, %v", b, err)
	}
}

// BenchmarkHistory asks for a day of a sliding metric of uniques: 8,640 points, each of 30 panes in the plain way.
func BenchmarkHistory(b *testing.B) {
	e := newEngine(b, `
version: 1
defaults: false
metrics:
  - {name: users, title: Users, window: {size: 5m, slide: 10s}, unit: visitors, aggregates: {u: {uniques: userId}}}
`)
	const day = 86_400_000
	for w := event.Millis(0); w < day; w += 600_000 {
		var samples []sample
		for i := range 600 {
			samples = append(samples, sample{at: w + event.Millis(i)*1000, user: fmt.Sprint("u", i*7919%977), page: "/"})
		}
		e.commit(w+600_000, w, samples)
	}
	s := e.serve(nil)
	q := historyQuery{metric: &e.plan.Metrics[0], from: 0, to: day, step: 10_000, length: 300_000, filter: groupFilter{}, limit: 1}
	b.ReportAllocs()
	for b.Loop() {
		body, err := s.runHistory(b.Context(), &q)
		if err != nil || len(body.Series[0].Points) < 8_600 {
			b.Fatal(err, len(body.Series))
		}
	}
}
