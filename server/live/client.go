package live

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/tidemark/tidemark/server/wire"
)

// client is one connection. Its loop writes everything and owns the subscriptions; one goroutine reads, one pings.
type client struct {
	hub    *Hub
	conn   *websocket.Conn
	inbox  chan message // unbuffered: a client is not read faster than it is answered
	left   chan error   // why reading has ended
	subs   []*subscription
	heard  atomic.Int64 // nanoseconds of the monotonic clock since born: the last sign of life
	born   time.Time
	tokens float64 // messages that the client may send now
	filled time.Time
	buffer []byte
}

func newClient(h *Hub, conn *websocket.Conn) *client {
	conn.SetReadLimit(-1) // read applies ours, which has a close code of its own
	now := time.Now()
	return &client{
		hub: h, conn: conn, inbox: make(chan message), left: make(chan error, 1),
		born: now, filled: now, tokens: float64(h.burst()),
	}
}

func (h *Hub) burst() int { return 10 * h.options.MessagesPerSec }

// run serves the client until it leaves or has to.
func (c *client) run(channels []string) {
	ctx, cancel := context.WithCancel(c.hub.abandon)
	var group sync.WaitGroup
	group.Go(func() { c.left <- c.read(ctx) })
	group.Go(func() { c.ping(ctx) })
	// The connection is closed while it is still read: the other side's answer must be seen. Cancelling breaks it.
	c.hub.part(c.conn, c.loop(ctx, channels))
	cancel()
	group.Wait()
}

// loop answers messages and sends deltas. It returns what ended it.
func (c *client) loop(ctx context.Context, channels []string) error {
	if err := c.greet(ctx, channels); err != nil {
		return err
	}
	ping := time.NewTicker(c.hub.options.PingEvery)
	defer ping.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		changed, wait, err := c.flush(ctx)
		if err != nil {
			return err
		}
		if wait > 0 {
			due.Reset(wait)
		} else {
			due.Stop()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.left:
			return err
		case <-c.hub.draining:
			return errDraining
		case m := <-c.inbox:
			err = c.answer(ctx, m)
		case <-ping.C:
			err = c.checkAlive(ctx)
		case <-changed:
		case <-due.C:
		}
		if err != nil {
			return err
		}
	}
}

// greet says welcome and subscribes to what the address asks for.
func (c *client) greet(ctx context.Context, channels []string) error {
	o := c.hub.options
	err := c.send(ctx, welcomeFrame{
		Op: "welcome", Protocol: Protocol, Server: c.hub.Version, Epoch: c.hub.Epoch, PingMs: o.PingEvery.Milliseconds(),
		Limits: limitsInfo{o.MaxSubscriptions, o.MaxMessageBytes, o.MessagesPerSec, o.MaxHz, o.MaxBackfill.Milliseconds()},
	})
	for _, channel := range channels {
		if err != nil {
			return err
		}
		err = c.subscribe(ctx, message{Op: "subscribe", Sub: channel, Channel: channel})
	}
	return err
}

// flush brings every subscription that is due up to the board. It returns the board's next change, nil if no subscription
// waits for one, and how long the next subscription that has news must still wait, 0 if none has.
func (c *client) flush(ctx context.Context) (<-chan struct{}, time.Duration, error) {
	version, changed := c.hub.board.wait()
	idle, wait := false, time.Duration(0)
	for _, s := range slices.Clone(c.subs) {
		if s.started && s.version >= version {
			idle = true
			continue
		}
		if left := time.Until(s.next); left > 0 {
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		if err := c.update(ctx, s); err != nil {
			return nil, 0, err
		}
		idle = true
	}
	if !idle {
		changed = nil
	}
	return changed, wait, nil
}

// update sends what a subscription lacks. One that can't be served ends with an error frame.
func (c *client) update(ctx context.Context, s *subscription) error {
	frame, err := s.frame(ctx, c.hub, c.buffer[:0])
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.drop(s.name)
		p := problemOf(err)
		if p == problemInternal {
			c.hub.Logger.Error("subscription failed", "error", err)
		}
		return c.refuse(ctx, s.name, p)
	}
	if frame == nil {
		return nil
	}
	c.keep(frame)
	if err := c.write(ctx, frame); err != nil {
		return err
	}
	if !s.started { // that was a reset
		return c.update(ctx, s)
	}
	s.next = time.Now().Add(s.every)
	return nil
}

// keep keeps a frame's memory for the next one, unless it is a rare big one.
func (c *client) keep(frame []byte) {
	if cap(frame) <= 64<<10 {
		c.buffer = frame
	}
}

// answer handles one message.
func (c *client) answer(ctx context.Context, m message) error {
	now := time.Now()
	c.tokens = min(float64(c.hub.burst()), c.tokens+now.Sub(c.filled).Seconds()*float64(c.hub.options.MessagesPerSec))
	c.filled = now
	if c.tokens < 1 {
		return errTooFast
	}
	c.tokens--
	switch m.Op {
	case "subscribe":
		return c.subscribe(ctx, m)
	case "unsubscribe":
		if !c.drop(m.Sub) {
			return c.refuse(ctx, m.Sub, wire.Invalid([]wire.Fault{{Pointer: "/sub", Detail: "there is no such subscription"}}))
		}
		return c.send(ctx, subFrame{Op: "ack", Sub: m.Sub})
	default: // pong: read has taken note
		return nil
	}
}

// subscribe acknowledges; the snapshot follows with the next flush.
func (c *client) subscribe(ctx context.Context, m message) error {
	s, problem := c.hub.newSubscription(m)
	switch {
	case problem != nil:
	case slices.ContainsFunc(c.subs, func(o *subscription) bool { return o.name == m.Sub }):
		problem = wire.Invalid([]wire.Fault{{Pointer: "/sub", Detail: "there is a subscription of that name already"}})
	case len(c.subs) >= c.hub.options.MaxSubscriptions:
		problem = &wire.Problem{
			Type: "/problems/too-many-subscriptions", Title: "Too many subscriptions", Status: http.StatusTooManyRequests,
			Detail: fmt.Sprintf("one connection has at most %d", c.hub.options.MaxSubscriptions),
		}
	}
	if problem != nil {
		return c.refuse(ctx, m.Sub, problem)
	}
	c.subs = append(c.subs, s)
	return c.send(ctx, subFrame{Op: "ack", Sub: m.Sub})
}

func (c *client) drop(name string) bool {
	n := len(c.subs)
	c.subs = slices.DeleteFunc(c.subs, func(s *subscription) bool { return s.name == name })
	return len(c.subs) < n
}

func (c *client) refuse(ctx context.Context, sub string, problem *wire.Problem) error {
	return c.send(ctx, errorFrame{"error", sub, problem})
}

// read hands messages to the loop until the connection ends. It returns why.
func (c *client) read(ctx context.Context) error {
	for {
		kind, r, err := c.conn.Reader(ctx)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(r, c.hub.options.MaxMessageBytes+1))
		switch {
		case err != nil:
			return err
		case int64(len(body)) > c.hub.options.MaxMessageBytes:
			return badMessage(fmt.Sprintf("a message has at most %d bytes", c.hub.options.MaxMessageBytes))
		case kind != websocket.MessageText:
			return badMessage("messages are text")
		}
		m, err := parseMessage(body)
		if err != nil {
			return badMessage(err.Error())
		}
		c.alive()
		select {
		case c.inbox <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ping asks for a sign of life in the way that libraries answer by themselves. Browsers answer it too, but can't see it:
// for them, and for what looks at frames only, checkAlive sends one that can be seen.
func (c *client) ping(ctx context.Context) {
	tick := time.NewTicker(c.hub.options.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		wait, cancel := context.WithTimeout(ctx, c.hub.options.PingEvery)
		if c.conn.Ping(wait) == nil {
			c.alive()
		}
		cancel()
	}
}

func (c *client) alive() { c.heard.Store(int64(time.Since(c.born))) }

func (c *client) checkAlive(ctx context.Context) error {
	if time.Since(c.born)-time.Duration(c.heard.Load()) > 2*c.hub.options.PingEvery {
		return errNoPong
	}
	return c.send(ctx, pingFrame{"ping", time.Now().UnixMilli()})
}

func (c *client) send(ctx context.Context, frame any) error {
	return c.write(ctx, encode(frame))
}

// write waits for as long as the client takes to take the frame, within twice the time it has: one that comes back in the
// second half is told that it was too slow, one that doesn't can't be told.
func (c *client) write(ctx context.Context, frame []byte) error {
	began := time.Now()
	wait, cancel := context.WithTimeout(ctx, 2*c.hub.options.WriteTimeout)
	defer cancel()
	if err := c.conn.Write(wait, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	if time.Since(began) > c.hub.options.WriteTimeout {
		return errTooSlow
	}
	return nil
}

func encode(frame any) []byte {
	b, err := json.Marshal(frame)
	if err != nil {
		panic(fmt.Sprintf("BUG: encode frame: %v", err))
	}
	return b
}
