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
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/tidemark/tidemark/server/wire"
)

// client is one connection. Its loop writes everything and owns the subscriptions; one goroutine reads, one pings.
type client struct {
	hub    *Hub
	conn   *websocket.Conn
	inbox  chan message // unbuffered: a client is not read faster than it is answered
	left   chan error   // why reading has ended
	subs   []subscription
	heard  atomic.Int64 // nanoseconds of the monotonic clock since born: the last sign of life
	began  atomic.Int64 // the same: when the frame that is being written was begun; 0 while none is
	born   time.Time
	tokens float64 // messages that the client may send now
	filled time.Time
	buffer []byte
}

func newClient(h *Hub, conn *websocket.Conn) *client {
	conn.SetReadLimit(-1) // read applies ours, which has a close code of its own
	now := time.Now()
	c := &client{
		hub: h, conn: conn, inbox: make(chan message), left: make(chan error, 1),
		born: now, filled: now, tokens: float64(h.burst()),
	}
	c.alive()
	return c
}

func (h *Hub) burst() int { return 10 * h.options.MessagesPerSec }

// run serves the client until it leaves or has to.
func (c *client) run(channels []string) {
	defer c.hub.crowd.enter(c)()
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
	silent := time.NewTimer(c.patience())
	defer silent.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		next, err := c.flush(ctx)
		if err != nil {
			return err
		}
		if next.wait > 0 {
			due.Reset(next.wait)
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
			err = c.send(ctx, pingFrame{"ping", time.Now().UnixMilli()})
		case <-silent.C:
			left := c.patience()
			if left <= 0 {
				return errNoPong
			}
			silent.Reset(left)
		case <-next.board:
		case <-next.alerts:
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

// pause is what a client waits for once everything is told that can be: changes, nil where no subscription waits for one,
// and the time at which the next subscription that has news may tell them, 0 if none has.
type pause struct {
	board, alerts <-chan struct{}
	wait          time.Duration
}

// flush tells every subscription what is due.
func (c *client) flush(ctx context.Context) (pause, error) {
	n := c.hub.news()
	var p pause
	for _, s := range slices.Clone(c.subs) {
		wait, ring := s.news(&n)
		if ring == nil && wait <= 0 {
			if err := c.update(ctx, s); err != nil {
				return pause{}, err
			}
			wait, ring = s.news(&n)
		}
		switch ring {
		case nil:
			wait = max(wait, time.Nanosecond) // more at once; but what the client says is heard in between
			if p.wait == 0 || wait < p.wait {
				p.wait = wait
			}
		case n.board:
			p.board = ring
		case n.alerts:
			p.alerts = ring
		}
	}
	return p, nil
}

// update sends what a subscription lacks. One that can't be served ends with an error frame.
func (c *client) update(ctx context.Context, s subscription) error {
	for more := true; more; {
		var frame []byte
		var err error
		frame, more, err = s.frame(ctx, c.hub, c.buffer[:0])
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.drop(s.title())
			p := problemOf(err)
			if p == problemInternal {
				c.hub.Logger.Error("subscription failed", "error", err)
			}
			return c.refuse(ctx, s.title(), p)
		}
		if frame == nil {
			return nil
		}
		c.keep(frame)
		if err := c.write(ctx, frame); err != nil {
			return err
		}
		s.sent(time.Now())
	}
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

// subscribe acknowledges; what the subscription tells follows with the next flush. One of a name that is taken takes the
// place of the one before, so that what follows the acknowledgement is of the new one alone. A refusal changes nothing.
func (c *client) subscribe(ctx context.Context, m message) error {
	s, problem := c.hub.newSubscription(m)
	before := slices.IndexFunc(c.subs, func(o subscription) bool { return o.title() == m.Sub })
	if problem == nil && before < 0 && len(c.subs) >= c.hub.options.MaxSubscriptions {
		problem = &wire.Problem{
			Type: "/problems/too-many-subscriptions", Title: "Too many subscriptions", Status: http.StatusTooManyRequests,
			Detail: fmt.Sprintf("one connection has at most %d", c.hub.options.MaxSubscriptions),
		}
	}
	switch {
	case problem != nil:
		return c.refuse(ctx, m.Sub, problem)
	case before >= 0:
		c.subs[before] = s
	default:
		c.subs = append(c.subs, s)
	}
	return c.send(ctx, s.acknowledge())
}

func (c *client) drop(name string) bool {
	n := len(c.subs)
	c.subs = slices.DeleteFunc(c.subs, func(s subscription) bool { return s.title() == name })
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
		case !utf8.Valid(body):
			return badMessage("messages are UTF-8")
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
// for them, and for what looks at frames only, the loop sends one that can be seen.
//
// A client that takes its time over a frame is not asked: the library gives a ping five seconds to leave and then breaks
// the connection, while a frame has longer. That it takes the frame in the end is a sign of life too.
func (c *client) ping(ctx context.Context) {
	tick := time.NewTicker(c.hub.options.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if began := c.began.Load(); began > 0 && c.age()-time.Duration(began) > blockedAfter {
			continue
		}
		wait, cancel := context.WithTimeout(ctx, c.hub.options.PingEvery)
		if c.conn.Ping(wait) == nil {
			c.alive()
		}
		cancel()
	}
}

// blockedAfter is when a frame waits for the client, and not for a turn of the processor.
const blockedAfter = 100 * time.Millisecond

// age is the time since born, above zero.
func (c *client) age() time.Duration { return time.Since(c.born) + 1 }

func (c *client) alive() { c.heard.Store(int64(c.age())) }

// patience is for how long the client may be silent still.
func (c *client) patience() time.Duration {
	return 2*c.hub.options.PingEvery - (c.age() - time.Duration(c.heard.Load()))
}

func (c *client) send(ctx context.Context, frame any) error {
	return c.write(ctx, encode(frame))
}

// write waits for as long as the client takes to take the frame, and for some time after it had to: a frame that has begun
// must end before a code can follow, so that only a client that comes back can be told that it was too slow. Until it does
// this frame is all that it costs.
func (c *client) write(ctx context.Context, frame []byte) error {
	began := c.age()
	c.began.Store(int64(began))
	defer c.began.Store(0)
	wait, cancel := context.WithTimeout(ctx, c.hub.options.WriteTimeout+c.hub.options.LingerTimeout)
	defer cancel()
	if err := c.conn.Write(wait, websocket.MessageText, frame); err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			return errTooSlow // which nobody hears any more
		}
		return fmt.Errorf("write frame: %w", err)
	}
	switch took := c.age() - began; {
	case took > c.hub.options.WriteTimeout:
		return errTooSlow
	case took > blockedAfter:
		c.alive()
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
