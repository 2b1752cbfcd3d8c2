package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tidemark/tidemark/server/wire"
)

// subscription is what a client follows. It is owned by the client's loop.
type subscription interface {
	title() string
	// news says that there is something to tell, and for how long it has to wait still; or there is nothing, and ring is
	// closed when that may have changed.
	news(n *news) (wait time.Duration, ring <-chan struct{})
	// frame makes the next frame, nil when the client holds everything. With more, another one belongs to it. dst is
	// reused.
	frame(ctx context.Context, h *Hub, dst []byte) (frame []byte, more bool, err error)
	// sent is told when the client has taken the frame.
	sent(now time.Time)
	// acknowledge makes the frame that says yes.
	acknowledge() subFrame
}

// newSubscription reads a subscribe message; the problem lists every fault.
func (h *Hub) newSubscription(m message) (s subscription, problem *wire.Problem) {
	f := &faults{}
	if m.Sub == "" || len(m.Sub) > 64 {
		f.add("/sub", "a subscription needs a name of 1 to 64 bytes")
	}
	switch m.Channel {
	case channelMetrics:
		s = h.newView(m, f)
	case channelAlerts:
		var err error
		if s, err = h.newTail(m, f); err != nil {
			h.Logger.Error("subscription failed", "error", err)
			return nil, problemInternal
		}
	default:
		f.add("/channel", "there is no channel %q: this server has %q and %q", m.Channel, channelMetrics, channelAlerts)
	}
	return s, f.problem()
}

// faults gathers what is wrong with a message.
type faults []wire.Fault

func (f *faults) add(pointer, format string, args ...any) {
	*f = append(*f, wire.Fault{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

func (f *faults) problem() *wire.Problem {
	if len(*f) == 0 {
		return nil
	}
	return wire.Invalid(*f)
}

var problemInternal = &wire.Problem{
	Type: "/problems/internal", Title: "The server could not answer", Status: http.StatusInternalServerError,
	Detail: "the log says why",
}

// problemOf is the outside of an error: a problem as it is, anything else without its inside.
func problemOf(err error) *wire.Problem {
	var p *wire.Problem
	if errors.As(err, &p) {
		return p
	}
	return problemInternal
}
