package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/server/live"
	"github.com/tidemark/tidemark/server/wire"
)

// TestAlertsOverTheWire follows the channel of alerts over the restart of a server: what was raised before the client came,
// while it was there, while no server ran, and after that comes once, in order, as REST shows it.
func TestAlertsOverTheWire(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []wire.Alert
	after := uint64(0)
	for round := range 3 {
		s := e.serve(nil)
		address, stop := running(t, s)
		e.manyAlerts(100*(round+1), 5)
		conn := follow(ctx, t, address, after)
		e.manyAlerts(100*(round+1)+5, 5)
		for after < e.seq {
			a := hearAlert(ctx, t, conn)
			got, after = append(got, a), a.Seq
		}
		conn.CloseNow()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		e.server = nil
		e.manyAlerts(100*(round+1)+50, 3)
	}
	var want []wire.Alert
	for _, entry := range get[feedBody](t, e.serve(nil), fmt.Sprint("/api/v1/feed?types=alert&limit=", len(got))).Entries {
		want = append(want, *entry.Alert)
	}
	if diff := gocmp.Diff(want, got); diff != "" || len(got) != 6+3*10+2*3 {
		t.Errorf("%d alerts (-want +got)\n%s", len(got), diff)
	}
}

// follow subscribes to the alerts after a sequence.
func follow(ctx context.Context, t *testing.T, address string, after uint64) *websocket.Conn {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/api/v1/live", &websocket.DialOptions{
		Subprotocols: []string{live.Protocol}, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	subscribe := fmt.Sprintf(`{"op":"subscribe","sub":"a1","channel":"alerts","after":%d,"epoch":"epoch-1"}`, after)
	if err := conn.Write(ctx, websocket.MessageText, []byte(subscribe)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func hearAlert(ctx context.Context, t *testing.T, conn *websocket.Conn) wire.Alert {
	t.Helper()
	for {
		_, body, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Op    string     `json:"op"`
			Seq   uint64     `json:"seq"`
			Alert wire.Alert `json:"alert"`
		}
		if err := json.Unmarshal(body, &f); err != nil {
			t.Fatal(err)
		}
		switch f.Op {
		case "entry":
			if f.Alert.Seq != f.Seq {
				t.Errorf("entry %d is of alert %d", f.Seq, f.Alert.Seq)
			}
			return f.Alert
		case "reset", "error":
			t.Fatalf("heard %s", body)
		}
	}
}

// TestAlertsThatAreNoLongerKept: a client that comes too late is told, and goes on with what there is.
func TestAlertsThatAreNoLongerKept(t *testing.T) {
	e := newEngine(t, testDefinitions)
	someTraffic(e)
	s := e.serve(nil)
	page, err := s.Alerts(0, 100)
	if err != nil || page.Truncated || len(page.Entries) != 6 || page.First != 1 || page.Head != e.seq {
		t.Fatalf("%+v, %v", page, err)
	}
	week := e.w + 8*24*3_600_000
	e.commit(week, e.w, nil)
	e.manyAlerts(500, 1)
	e.commit(week+61_000, e.w, nil)
	page, err = s.Alerts(3, 100)
	if err != nil || !page.Truncated || len(page.Entries) > 0 || page.First <= 38 {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = s.Alerts(page.First-1, 100)
	if err != nil || page.Truncated || len(page.Entries) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
}
