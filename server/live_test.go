package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidemark/tidemark/server/live"
)

// TestLiveCodes: whoever is not served learns why, over a real connection and in a way that a browser sees.
func TestLiveCodes(t *testing.T) {
	s := newEngine(t, testDefinitions).serve(func(o *Options) {
		o.AuthTokenFile, o.Live.MaxClients = tokenFile(t, testToken), 1
	})
	address, _ := running(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	dial := func(bearer string, protocols ...string) *websocket.Conn {
		header := http.Header{}
		if bearer != "" {
			header.Set("Authorization", "Bearer "+bearer)
		}
		conn, _, err := websocket.Dial(ctx, "ws://"+address+"/api/v1/live?channels=metrics", &websocket.DialOptions{
			HTTPHeader: header, HTTPClient: &http.Client{Transport: transport}, Subprotocols: protocols,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.CloseNow() })
		return conn
	}
	closed := func(conn *websocket.Conn) (code websocket.StatusCode, last string) {
		for {
			_, body, err := conn.Read(ctx)
			if err != nil {
				return websocket.CloseStatus(err), last
			}
			last = string(body)
		}
	}
	served := dial(testToken, live.Protocol)
	if _, body, err := served.Read(ctx); err != nil || !strings.Contains(string(body), `"op":"welcome"`) {
		t.Fatalf("%s, %v", body, err)
	}
	for _, c := range []struct {
		name      string
		bearer    string
		protocols []string
		want      websocket.StatusCode
		goodbye   bool
	}{
		{"no token", "", nil, live.CloseUnauthorized, false},
		{"another token", testToken + "x", []string{live.Protocol}, live.CloseUnauthorized, false},
		{"another protocol", testToken, []string{"tidemark.v2", "mqtt"}, live.CloseProtocol, false},
		{"one too many, without a protocol", testToken, nil, live.CloseTooMany, true},
		{"one too many, of two protocols", testToken, []string{"mqtt", live.Protocol}, live.CloseTooMany, true},
	} {
		code, last := closed(dial(c.bearer, c.protocols...))
		if code != c.want || strings.Contains(last, `"op":"goodbye"`) != c.goodbye || !c.goodbye && last != "" {
			t.Errorf("%s: closed with %d after %q, want %d", c.name, code, last, c.want)
		}
	}
	if err := served.Write(ctx, websocket.MessageText, []byte(`{"op":"dance"}`)); err != nil {
		t.Fatal(err)
	}
	if code, _ := closed(served); code != live.CloseBadMessage {
		t.Errorf("a bad message: closed with %d", code)
	}
	metrics := s.ask(t, http.MethodGet, "/metrics", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+testToken) }).Body.String()
	for _, want := range []string{`{code="4401"} 2`, `{code="4409"} 1`, `{code="4429"} 2`, `{code="4400"} 1`, `{code="4103"} 0`} {
		if !strings.Contains(metrics, "tidemark_live_closed_total"+want) {
			t.Errorf("/metrics does not show %s", want)
		}
	}
}
