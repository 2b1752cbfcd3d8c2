package live

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// randomScript makes up a long story for both sides: two subscriptions, commits, windows that fill, resets, lost connections
// and restarts, in no order. What the page sends is known from here: it lasts for ten seconds before it is cut off, so that
// it comes back after half a second, and everything reaches it before.
func randomScript(seed uint64, steps int) string {
	r := &randomStory{rng: rand.New(rand.NewPCG(seed, 3))}
	r.line("# A long story by chance: -rewrite makes it up, always the same one.")
	r.line("")
	r.line(`@ watch a {"metrics":["pages","views"],"max_hz":10}`)
	r.line(`@ watch log {"channel":"alerts"}`)
	r.line("@ start")
	r.connect()
	r.line("! tombs 3")
	for range steps {
		switch n := r.rng.IntN(20); {
		case n < 10:
			r.commit()
		case n < 14:
			r.fill()
		case n < 17:
			r.alerts()
		case n < 19:
			r.line("~ 10s")
			r.line("@ lost")
			r.commit()
			r.alertsAfter()
			r.line("~ 500ms")
			r.connect()
		default:
			r.line("! stop")
			r.line("! start epoch-1")
			r.alertsAfter()
			r.line("~ 1500ms")
			r.connect()
			r.line("! tombs 3")
		}
		if r.rng.IntN(4) > 0 {
			r.line("~ 100ms")
		}
	}
	r.line("~ 1s")
	return r.text.String()
}

type randomStory struct {
	rng       *rand.Rand
	text      strings.Builder
	seq       int
	watermark int
	asked     int
	held      int // of the log: what the page has seen
	missed    int // what it will see when it is back
	resumes   bool
}

func (r *randomStory) line(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }

func (r *randomStory) connect() {
	r.line("> connect")
	r.line(`> {"op":"subscribe","sub":"a.%d","channel":"metrics","metrics":["pages","views"],"max_hz":10}`, r.asked+1)
	resume := ""
	if r.resumes {
		resume = fmt.Sprintf(`,"after":%d,"epoch":"epoch-1"`, r.held)
	}
	r.line(`> {"op":"subscribe","sub":"log.%d","channel":"alerts"%s}`, r.asked+2, resume)
	r.asked += 2
	r.resumes = true
	r.held = max(r.held, r.missed)
}

func (r *randomStory) commit() {
	r.watermark += r.rng.IntN(9000)
	last := (r.watermark+1)/10_000*10_000 - 10_000
	var rows []string
	for _, page := range []string{"/a", "/b", "/c", "/d"} {
		if kind := []string{"", "final", "correction", "retract"}[r.rng.IntN(4)]; kind != "" && last >= 0 {
			rows = append(rows, fmt.Sprintf("pages %d %s %d %s", last, kind, r.rng.IntN(5), page))
		}
	}
	if last >= 0 && r.rng.IntN(2) == 0 {
		rows = append(rows, fmt.Sprintf("views %d correction %d", last, r.rng.IntN(9)-1))
	}
	r.seq += len(rows)
	r.line("! commit %d %d: %s", r.seq, r.watermark, strings.Join(rows, "; "))
}

func (r *randomStory) fill() {
	start := (r.watermark + 1) / 10_000 * 10_000
	r.line("! open %d: views %d provisional %d; pages %d provisional %d /%c",
		r.watermark+5_000, start, r.rng.IntN(9), start, r.rng.IntN(9), 'a'+rune(r.rng.IntN(4)))
}

func (r *randomStory) alerts() {
	r.alertsAfter()
	r.held = r.missed
}

// alertsAfter are alerts that the page learns of when it is back.
func (r *randomStory) alertsAfter() {
	n := 1 + r.rng.IntN(3)
	r.seq += 3 * n
	r.missed = r.seq
	r.line("! alerts %d", n)
}
