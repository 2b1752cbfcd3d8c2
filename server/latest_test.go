package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/live"
	"github.com/tidemark/tidemark/server/wire"
)

// oneNumberDefinitions have groups past the limit, with and without `(other)`, estimates, totals, windows that `having`
// withholds, and empty windows with a value and without.
const oneNumberDefinitions = `
version: 1
defaults: false
metrics:
  - {name: views, window: {size: 10s}, value: n / size, aggregates: {n: {count: 'eventType == "PAGE_VIEW"'}}}
  - {name: pages, window: {size: 20s, slide: 10s}, group_by: {url: pageViewData.url}, limit: 2, aggregates: {n: {count: true}}}
  - {name: readers, window: {size: 10s}, group_by: {url: pageViewData.url}, limit: 2, aggregates: {u: {uniques: userId}}}
  - {name: crowd, window: {size: 10s}, group_by: {user: userId}, max_groups: 2, aggregates: {n: {count: true}}}
  - {name: users, window: {size: 30s, slide: 10s}, aggregates: {u: {uniques: userId}}}
  - {name: load, window: {size: 10s}, aggregates: {p95: {quantile: pageViewData.pageLoadTime, q: 0.95}}}
  - {name: busy, window: {size: 10s}, aggregates: {n: {count: true}}, having: n > 2}
  - {name: revenue, window: {size: 20s, slide: 10s}, group_by: {currency: conversionData.currency}, value: money / everybody,
     aggregates: {money: {sum: conversionData.value, where: 'eventType == "CONVERSION"'}, everybody: {uniques: userId, total: true}}}
`

// snapshotFrame is a snapshot of the live channel.
type snapshotFrame struct {
	Op   string     `json:"op"`
	Seq  uint64     `json:"seq"`
	Rows []wire.Row `json:"rows"`
}

// snapshotOf subscribes to all metrics and returns the first picture.
func snapshotOf(t *testing.T, address string) snapshotFrame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/api/v1/live", &websocket.DialOptions{
		Subprotocols: []string{live.Protocol}, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"op":"subscribe","sub":"s","channel":"metrics"}`)); err != nil {
		t.Fatal(err)
	}
	for {
		_, body, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var f snapshotFrame
		if err := json.Unmarshal(body, &f); err != nil {
			t.Fatal(err)
		}
		if f.Op == "snapshot" {
			return f
		}
	}
}

// TestANumberIsOneNumber: at one sequence, a window has one value, whether /latest, /windows, /history or the live channel says
// it, and whether the server has seen the commits or loaded what they left.
func TestANumberIsOneNumber(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := newEngine(rt, oneNumberDefinitions)
		s := e.serve(nil)
		drawTraffic(rt, e)
		e.commit(e.w+1_000, -100_000, nil) // corrects what the last commit was too soon for
		for _, s := range []*Server{s, e.serve(nil)} {
			address, stop := running(t, s)
			get[latestBody](t, s, "/api/v1/metrics/views/latest") // evaluates the open windows: the channel does by itself, a moment later
			snapshot := snapshotOf(t, address)
			for i := range e.plan.Metrics {
				compareSurfaces(rt, t, s, e.plan.Metrics[i].Name, e.plan.Metrics[i].Keys, &snapshot)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func compareSurfaces(rt *rapid.T, t *testing.T, s *Server, metric string, keys []string, snapshot *snapshotFrame) {
	target := "/api/v1/metrics/" + metric
	latest := get[latestBody](t, s, target+"/latest")
	if latest.Seq != snapshot.Seq {
		rt.Fatalf("%s: /latest is of %d, the snapshot of %d", metric, latest.Seq, snapshot.Seq)
	}
	var newest event.Millis
	var final, open []wire.Row
	for _, r := range snapshot.Rows {
		switch {
		case r.Metric != metric:
		case r.Kind == "provisional":
			open = append(open, r)
		case len(final) > 0 && r.WindowStart < newest:
		case len(final) > 0 && r.WindowStart == newest:
			final = append(final, r)
		default:
			final, newest = []wire.Row{r}, r.WindowStart
		}
	}
	compare := func(what string, want, got []wire.Row) {
		for _, rows := range [][]wire.Row{want, got} {
			slices.SortFunc(rows, func(a, b wire.Row) int {
				return cmp.Or(cmp.Compare(a.WindowStart, b.WindowStart), cmp.Compare(fmt.Sprint(a.Group), fmt.Sprint(b.Group)))
			})
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("%s (%s):\n%s", metric, what, diff)
		}
	}
	compare("-snapshot +latest, final", final, rowsOf(latest.Final))
	compare("-snapshot +latest, open", open, rowsOf(latest.Open))
	if len(final) == 0 {
		return
	}
	windows := get[windowsBody](t, s, fmt.Sprintf("%s/windows?from=%d&to=%d&limit=1000", target, newest, newest+1)).Windows
	compare("-windows +latest", rowsOf(windows), final)

	past := get[historyAnswer](t, s, fmt.Sprintf("%s/history?from=%d&to=%d", target, newest, newest+1)).flat("")
	for _, r := range final {
		if len(keys) == 0 && r.Value != nil && past[fmt.Sprintf(" %d", newest)] != *r.Value {
			rt.Fatalf("%s at %d is %g, in history %v", metric, newest, *r.Value, past)
		}
	}
}

func rowsOf(bodies []rowBody) (rows []wire.Row) {
	for _, b := range bodies {
		rows = append(rows, b.Row)
	}
	return rows
}
