package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// visitor is a client of a random story: it follows a few subscriptions, each with a holder, and checks
//
//   - on the way, that a delta continues what it holds and that no frame comes sooner than max_hz allows,
//   - against the history, that it holds what the server held at that sequence, never going back,
//   - against the feed, that each alert comes in its turn, and that a reset has a reason.
type visitor struct {
	world *world
	name  string
	link  *link // nil: not connected

	mu   sync.Mutex
	told map[string]int // how often what was told
	log  resumption
	seen []sighting // of which the history has not been asked yet
}

// link is a visitor's connection.
type link struct {
	conn  *websocket.Conn
	out   chan string // frames to be sent
	epoch string
	feed  *memoryLog

	// under the visitor's lock
	delay   time.Duration // before each frame is read
	stalled chan struct{} // closed when reading goes on; nil: it goes on
	asked   []request     // and not answered yet, in order
	subs    map[string]*follow
	lost    bool // the connection has ended
}

// resumption is how far a log has come.
type resumption struct {
	known bool
	after uint64
	epoch string
}

type request struct {
	op  string
	sub string
	new *follow // what the subscription is from the acknowledgement on
}

// follow is one subscription.
type follow struct {
	holder
	metrics []string // nil: all
	every   time.Duration
	last    time.Time // the last state was told
	at      int       // where in the history the client is, at least
	epoch   string    // of a log: what its sequence is of
}

// sighting is what a client held after a frame.
type sighting struct {
	follow *follow
	frame  string
	seq    uint64
	w      any // watermark, or nil
	rows   map[string]shown
}

func newVisitor(w *world) *visitor {
	return &visitor{world: w, name: fmt.Sprint("v", len(w.crowd)), told: map[string]int{}}
}

// act does one of the things that clients do.
func (v *visitor) act() {
	rng := v.world.rng
	v.noticeLoss()
	if v.link == nil {
		v.connect()
		return
	}
	switch n := rng.IntN(20); {
	case n < 8:
		v.subscribe(fmt.Sprint("m", rng.IntN(2)))
	case n < 11:
		v.subscribeAlerts()
	case n < 13:
		v.unsubscribe()
	case n < 15:
		v.pace(time.Duration(rng.IntN(1500)) * time.Millisecond)
	case n < 17:
		v.stall()
	case n < 19:
		v.calm()
	default:
		v.leave()
	}
}

func (v *visitor) connect() {
	p := v.world.dial("", nil)
	v.link = &link{
		conn: p.conn, out: make(chan string, 1000), epoch: v.world.epoch, feed: v.world.feed, subs: map[string]*follow{},
	}
	go v.listen(v.link)
	go speak(p.conn, v.link.out)
	if v.log.known {
		v.subscribeAlerts()
	}
	v.subscribe("m0")
}

func speak(conn *websocket.Conn, out <-chan string) {
	for text := range out {
		if conn.Write(context.Background(), websocket.MessageText, []byte(text)) != nil {
			return // listen learns why
		}
	}
}

func (v *visitor) ask(r request, message map[string]any) {
	v.mu.Lock()
	v.link.asked = append(v.link.asked, r)
	v.mu.Unlock()
	message["op"], message["sub"] = r.op, r.sub
	v.link.out <- string(encode(message))
}

func (v *visitor) subscribe(sub string) {
	rng := v.world.rng
	f := &follow{holder: holder{channel: channelMetrics}}
	m := map[string]any{"channel": "metrics"}
	if rng.IntN(2) == 0 {
		f.metrics = [][]string{{}, {"pages"}, {"views", "sliding"}, {"views", "pages"}}[rng.IntN(4)]
		m["metrics"] = f.metrics
	}
	hz := []float64{0.02, 0.5, 1, 3, 10, 99}[rng.IntN(6)]
	m["max_hz"] = hz
	f.every = time.Duration(float64(time.Second) / hz)
	v.ask(request{"subscribe", sub, f}, m)
}

// subscribeAlerts goes on where the log was, or begins now.
func (v *visitor) subscribeAlerts() {
	f := &follow{holder: holder{channel: channelAlerts}}
	m := map[string]any{"channel": "alerts"}
	v.mu.Lock()
	if v.log.known {
		f.started, f.seq, f.epoch = true, v.log.after, v.log.epoch
		m["after"], m["epoch"] = v.log.after, v.log.epoch
	}
	busy := v.link.subs["a"] != nil || len(v.link.asked) > 0
	v.mu.Unlock()
	if !busy { // else entries may be on their way, and where it goes on is not known
		v.ask(request{"subscribe", "a", f}, m)
	}
}

func (v *visitor) unsubscribe() {
	v.mu.Lock()
	busy := v.link.subs["m1"] == nil || len(v.link.asked) > 0
	v.mu.Unlock()
	if !busy {
		v.ask(request{"unsubscribe", "m1", nil}, map[string]any{})
	}
}

func (v *visitor) pace(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.link.delay = d
}

// stall stops reading, until calm.
func (v *visitor) stall() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.link.stalled == nil {
		v.link.stalled = make(chan struct{})
	}
}

// readOn ends a stall.
func (v *visitor) readOn() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.link.stalled != nil {
		close(v.link.stalled)
		v.link.stalled = nil
	}
}

// calm reads without delay, and comes back if it was cut off.
func (v *visitor) calm() {
	v.noticeLoss()
	if v.link == nil {
		v.connect()
	}
	v.pace(0)
	v.readOn()
}

// leave breaks the connection, if there is one.
func (v *visitor) leave() {
	if v.link == nil {
		return
	}
	v.link.conn.CloseNow()
	v.readOn()
	close(v.link.out)
	v.link = nil
}

func (v *visitor) noticeLoss() {
	if v.link == nil {
		return
	}
	v.mu.Lock()
	lost := v.link.lost
	v.mu.Unlock()
	if lost {
		v.leave()
	}
}

func (v *visitor) listen(l *link) {
	for {
		v.mu.Lock()
		stalled, delay := l.stalled, l.delay
		v.mu.Unlock()
		if stalled != nil {
			<-stalled
		}
		pass(delay)
		_, body, err := l.conn.Read(context.Background())
		v.mu.Lock()
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				v.told[fmt.Sprint("close ", int(closed.Code))]++
			} else {
				v.told["broken"]++
			}
			l.lost = true
			v.mu.Unlock()
			return
		}
		v.hear(l, body)
		v.mu.Unlock()
	}
}

// hear takes one frame.
func (v *visitor) hear(l *link, body []byte) {
	var f frame
	if err := json.Unmarshal(body, &f); err != nil {
		v.world.t.Errorf("%s: %v in %s", v.name, err, body)
		return
	}
	v.told[f.Op]++
	if f.Reason != "" {
		v.told[f.Reason]++
	}
	switch f.Op {
	case "welcome", "ping", "goodbye":
		return
	case "ack", "error":
		r := l.asked[0]
		l.asked = l.asked[1:]
		if r.sub != f.Sub {
			v.world.t.Errorf("%s: %s was answered, asked was %+v", v.name, body, r)
		}
		if f.Op == "error" {
			return
		}
		delete(l.subs, r.sub)
		if r.new == nil {
			return
		}
		l.subs[r.sub] = r.new
	}
	s := l.subs[f.Sub]
	if s == nil {
		v.world.t.Errorf("%s: %s of no subscription", v.name, body)
		return
	}
	if s.channel == channelAlerts {
		v.checkLog(l, s, &f)
	}
	if err := s.apply(&f); err != nil {
		v.world.t.Errorf("%s: %v", v.name, err)
	}
	if s.channel == channelAlerts {
		v.log = resumption{true, s.seq, s.epoch}
		return
	}
	v.sight(s, &f, body)
}

// sight takes down what is held, to be judged when the history knows of it.
func (v *visitor) sight(s *follow, f *frame, body []byte) {
	if f.Op != "snapshot" && f.Op != "delta" {
		return
	}
	now := time.Now()
	if f.Op == "delta" && now.Sub(s.last) < s.every {
		v.world.t.Errorf("%s: %s came %s after the one before, wanted is one every %s", v.name, body, now.Sub(s.last), s.every)
	}
	s.last = now
	if len(f.Removed) > 0 {
		v.told["removed"]++
	}
	if f.From != nil && f.Seq > *f.From+1 {
		v.told["conflated"]++
	}
	w := any(nil)
	if f.W != nil {
		w = *f.W
	}
	v.seen = append(v.seen, sighting{s, string(body), f.Seq, w, maps.Clone(s.rows)})
}
