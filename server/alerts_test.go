package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing/event"
)

func ids(body alertsBody) (ids []string) {
	for _, a := range body.Alerts {
		ids = append(ids, a.ID)
	}
	return ids
}

// TestAlertPages walks through pages while others begin to fire and some on the pages to come are resolved.
func TestAlertPages(t *testing.T) {
	e := newEngine(t, testDefinitions)
	e.commit(90_000, 0, nil)
	s := e.serve(nil)
	e.manyAlerts(10, 25)
	var got []string
	target := "/api/v1/alerts?from=0&limit=10"
	for page, next := 0, ""; ; page++ {
		body := get[alertsBody](t, s, target+next)
		got = append(got, ids(body)...)
		if body.Next == nil {
			break
		}
		next = "&cursor=" + *body.Next
		e.manyAlerts(40+page, 1)
		e.raise(resolved(e.firing("m0012", "views", 12_000, "LOW"), 80_000))
	}
	var want []string
	for i := 34; i >= 10; i-- {
		want = append(want, fmt.Sprintf("m%04d", i))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := ids(get[alertsBody](t, s, "/api/v1/alerts?state=resolved")); gocmp.Diff([]string{"m0012"}, got) != "" {
		t.Errorf("resolved: %v", got)
	}
	if got := get[alertsBody](t, s, "/api/v1/alerts?state=firing&limit=1000"); len(got.Alerts) != 26 {
		t.Errorf("%d fire", len(got.Alerts))
	}
}

func TestAlertCursorsAreOfOneQuery(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	s := e.serve(nil)
	cursor := *get[alertsBody](t, s, "/api/v1/alerts?limit=1").Next
	windows := *get[windowsBody](t, s, "/api/v1/metrics/pages/windows?from=0&limit=1").Next
	for _, target := range []string{
		"/api/v1/alerts?state=firing&cursor=" + cursor,
		"/api/v1/alerts?severity=LOW&cursor=" + cursor,
		"/api/v1/alerts?cursor=" + cursor[:len(cursor)-4],
		"/api/v1/alerts?cursor=" + windows,
		"/api/v1/metrics/pages/windows?cursor=" + cursor,
	} {
		if w := s.ask(t, http.MethodGet, target, nil); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func FuzzAlertCursor(f *testing.F) {
	f.Add(encodeCursor(alertCursor{0, 10, 5, "a", []byte("q")}))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseAlertCursor(text, []byte("q"))
		if err != nil {
			return
		}
		again, err := parseAlertCursor(encodeCursor(c), []byte("q"))
		if err != nil || gocmp.Diff(c, again) != "" {
			t.Errorf("%q: %+v becomes %+v, %v", text, c, again, err)
		}
	})
}

func TestFiringAlertsAreCounted(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	text := e.serve(nil).ask(t, http.MethodGet, "/metrics", nil).Body.String()
	for _, line := range []string{
		`tidemark_alerts_firing{severity="LOW"} 0`, `tidemark_alerts_firing{severity="MEDIUM"} 2`,
		`tidemark_alerts_firing{severity="HIGH"} 1`, `tidemark_alerts_firing{severity="CRITICAL"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

// TestCorrectedByHaving: late events can take the window that an alert rests on from those that are published, be it one
// in which nothing had happened.
func TestCorrectedByHaving(t *testing.T) {
	e := newEngine(t, havingDefinitions)
	e.commit(31_000, 0, []sample{{at: 11_000, user: "u", page: "/"}, {at: 12_000, user: "u", page: "/"}, {at: 30_000, user: "u", page: "/"}})
	e.raise(e.firing("shown", "calm", 10_000, "LOW"), e.firing("empty", "calm", 20_000, "LOW"))
	s := e.serve(nil)
	for _, a := range get[alertsBody](t, s, "/api/v1/alerts").Alerts {
		if a.Corrected != nil {
			t.Errorf("%s is corrected before anything happened: %+v", a.ID, a.Corrected)
		}
	}
	var late []sample
	for _, at := range []event.Millis{13_000, 21_000, 22_000, 23_000} {
		late = append(late, sample{at: at, user: "u", page: "/", late: true})
	}
	e.commit(32_000, 0, late)
	e.commit(34_000, 0, nil)
	two := 2
	for id, want := range map[string]correctedBody{"shown": {Revision: &two, Kind: "retract"}, "empty": {Kind: "retract"}} {
		if diff := gocmp.Diff(&want, get[alertBody](t, s, "/api/v1/alerts/"+id).Corrected); diff != "" {
			t.Errorf("%s (-want +got)\n%s", id, diff)
		}
	}
}
