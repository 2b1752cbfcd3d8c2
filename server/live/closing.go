package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// The codes with which connections are closed. A client that goes away by itself gets its own code back, such as the 1001
// of a page that is left.
const (
	CloseDraining     websocket.StatusCode = 4101
	CloseNoPong       websocket.StatusCode = 4102
	CloseTooSlow      websocket.StatusCode = 4103
	CloseBadMessage   websocket.StatusCode = 4400
	CloseUnauthorized websocket.StatusCode = 4401
	CloseForbidden    websocket.StatusCode = 4403
	CloseProtocol     websocket.StatusCode = 4409
	CloseTooMany      websocket.StatusCode = 4429
)

// closing is the end of a connection as the server wants it.
type closing struct {
	code   websocket.StatusCode
	reason string
	retry  time.Duration // if not 0, a goodbye says that the client may come again after this time or up to twice of it
}

func (c *closing) Error() string { return fmt.Sprintf("close %d: %s", c.code, c.reason) }

var (
	errDraining = &closing{CloseDraining, "the server stops", time.Second}
	errTooMany  = &closing{CloseTooMany, "too many connections", 5 * time.Second}
	errNoPong   = &closing{CloseNoPong, "no sign of life", 0}
	errTooSlow  = &closing{CloseTooSlow, "frames are not read", 0}
	errTooFast  = &closing{CloseTooMany, "too many messages", 5 * time.Second}
	errProtocol = &closing{CloseProtocol, "this server speaks " + Protocol, 0}
)

// maxReason is what fits into the frame that closes, beside the code.
const maxReason = 123

// badMessage closes with a reason. Some of it may be the client's own words, of any length.
func badMessage(reason string) *closing {
	if len(reason) > maxReason {
		const more = "…"
		reason = strings.ToValidUTF8(reason[:maxReason-len(more)], "") + more
	}
	return &closing{CloseBadMessage, reason, 0}
}

// refused is what follows from the code that Refuse returned.
func refused(code websocket.StatusCode) error {
	switch code {
	case 0:
		return nil
	case CloseDraining:
		return errDraining
	default:
		return &closing{code, http.StatusText(int(code) - 4000), 0}
	}
}

// tally counts the connections that were closed for a reason of ours, by code.
type tally struct {
	mu     sync.Mutex
	closed map[websocket.StatusCode]int // guarded by mu
}

func (t *tally) add(code websocket.StatusCode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed == nil {
		t.closed = make(map[websocket.StatusCode]int)
	}
	t.closed[code]++
}

// Closed is how many connections were closed with each code since the start, whether the client has seen it or not.
func (h *Hub) Closed() map[websocket.StatusCode]int {
	h.tally.mu.Lock()
	defer h.tally.mu.Unlock()
	closed := make(map[websocket.StatusCode]int)
	for _, code := range []websocket.StatusCode{
		CloseDraining, CloseNoPong, CloseTooSlow, CloseBadMessage, CloseUnauthorized, CloseForbidden, CloseProtocol, CloseTooMany,
	} {
		closed[code] = h.tally.closed[code]
	}
	return closed
}

// part closes a connection for a reason of ours; when it broke by itself there is nobody left to tell.
func (h *Hub) part(conn *websocket.Conn, err error) {
	var c *closing
	if !errors.As(err, &c) {
		return
	}
	h.tally.add(c.code)
	if c.retry > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), h.options.DrainTimeout)
		defer cancel()
		if conn.Write(ctx, websocket.MessageText, encode(h.goodbye(c))) != nil {
			return
		}
	}
	_ = conn.Close(c.code, c.reason) // the connection ends either way
}

// goodbye spreads the times at which clients come back: after a restart they all do.
func (h *Hub) goodbye(c *closing) goodbyeFrame {
	wait := c.retry + time.Duration(h.chance()*float64(c.retry))
	return goodbyeFrame{"goodbye", c.code, wait.Milliseconds()}
}
