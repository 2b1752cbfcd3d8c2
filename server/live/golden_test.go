package live

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
)

var rewrite = flag.Bool("rewrite", false, "write what came out into the scripts")

// TestGoldenFrames plays the scripts in testdata/frames. The server must say what stands there, byte for byte; the page's
// module is tested with the same files, by web/test/frames.test.mjs, and must send what stands there and hold what it says.
// The first of them, testdata/frames/metrics.txt, tells how to read them.
func TestGoldenFrames(t *testing.T) {
	files, err := filepath.Glob("testdata/frames/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *rewrite && filepath.Base(file) == "random.txt" {
				text = []byte(randomScript(1, 120))
			}
			var got string
			play(t, nil, func(t *testing.T, s *stage, _ func()) { got = (&golden{stage: s}).run(string(text)) })
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := gocmp.Diff(string(text), got); diff != "" {
				t.Errorf("-script +server; -rewrite accepts it\n%s", diff)
			}
		})
	}
}

// golden plays one script: what the page sends goes to the server, and what comes back is written down.
type golden struct {
	*stage
	conn    *websocket.Conn
	holders map[string]*holder // by the page's name
	subs    map[string]string  // the page's name by that on the wire
	said    map[string]string  // by the page's name: the state that was written last
	out     strings.Builder

	heardMu sync.Mutex
	heard   []string
}

func (g *golden) run(text string) string {
	g.holders, g.subs, g.said = map[string]*holder{}, map[string]string{}, map[string]string{}
	four := 4.5
	g.history = func(m *definition.Metric, _ time.Duration) ([]Backfill, error) {
		points := []wire.Point{{At: 0, Value: &four}, {At: 10_000}}
		return []Backfill{{m.Name, m.Slide, wire.Series{Group: map[string]string{}, Points: points}}}, nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "<", "=":
			continue // ours to write
		}
		fmt.Fprintln(&g.out, line)
		switch mark {
		case ">":
			g.send(rest)
		case "!":
			g.direct(rest)
		case "~":
			d, err := time.ParseDuration(rest)
			if err != nil {
				g.t.Fatalf("%s: %v", line, err)
			}
			pass(d)
		case "@":
			if rest == "lost" {
				g.lose()
			}
		case "", "#":
			continue
		default:
			g.t.Fatalf("what is %q?", line)
		}
		synctest.Wait()
		g.write()
	}
	if g.conn != nil {
		g.lose()
	}
	return g.out.String()
}

// send sends what the page does.
func (g *golden) send(text string) {
	if text == "connect" {
		p := g.dial("", nil)
		g.conn = p.conn
		go g.listen(p.conn)
		return
	}
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		g.t.Fatalf("%s: %v", text, err)
	}
	name, _, _ := strings.Cut(m.Sub, ".")
	switch m.Op {
	case "subscribe":
		h := g.holders[name]
		if h == nil {
			h = &holder{channel: m.Channel}
			g.holders[name] = h
		}
		h.detach()
		g.subs[m.Sub] = name
	case "unsubscribe":
		g.holders[name].detach()
		delete(g.subs, m.Sub)
	}
	if err := g.conn.Write(g.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		g.t.Fatalf("write %s: %v", text, err)
	}
}

func (g *golden) listen(conn *websocket.Conn) {
	for {
		_, body, err := conn.Read(context.Background())
		var closed websocket.CloseError
		switch {
		case err == nil:
			g.hearLine(string(body))
		case errors.As(err, &closed):
			g.hearLine(fmt.Sprint("close ", int(closed.Code)))
			return
		default:
			return
		}
	}
}

func (g *golden) hearLine(line string) {
	g.heardMu.Lock()
	defer g.heardMu.Unlock()
	g.heard = append(g.heard, line)
}

func (g *golden) lose() {
	g.conn.CloseNow()
	g.conn = nil
	g.detach()
}

func (g *golden) detach() {
	clear(g.subs)
	for _, h := range g.holders {
		h.detach()
	}
}

// write writes down what was heard, and the state after each frame that changes it.
func (g *golden) write() {
	g.heardMu.Lock()
	lines := g.heard
	g.heard = nil
	g.heardMu.Unlock()
	for _, line := range lines {
		fmt.Fprintln(&g.out, "<", line)
		if strings.HasPrefix(line, "close ") {
			g.detach()
			continue
		}
		var f frame
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			g.t.Fatalf("%s: %v", line, err)
		}
		if f.Op == "error" {
			delete(g.subs, f.Sub)
		}
		name, ok := g.subs[f.Sub]
		if !ok {
			continue
		}
		h := g.holders[name]
		if err := h.apply(&f); err != nil {
			g.t.Errorf("%s: %v", line, err)
		}
		if text := fmt.Sprintf("= %s %s", name, h); g.said[name] != text {
			g.said[name] = text
			fmt.Fprintln(&g.out, text)
		}
	}
}

// direct does what happens on the server's side.
func (g *golden) direct(text string) {
	head, rows, _ := strings.Cut(text, ":")
	words := strings.Fields(head)
	number := func(i int) int64 {
		n, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			g.t.Fatalf("%s: %v", text, err)
		}
		return n
	}
	switch words[0] {
	case "commit":
		seq := uint64(number(1))
		g.feed.reach(seq)
		g.commit(seq, event.Millis(number(2)), g.results(rows)...)
	case "open":
		g.mu.Lock()
		g.open = processing.Open{Seq: g.store.seq, Watermark: g.store.watermark, Newest: event.Millis(number(1)), Rows: g.results(rows)}
		g.mu.Unlock()
	case "alerts":
		for range number(1) { // a frame goes out as soon as it may: how much it has must not depend on who is quicker
			g.raise(1)
			synctest.Wait()
		}
	case "forget":
		g.feed.drop(uint64(number(1)))
	case "tombs":
		g.board.maxTombs = int(number(1))
	case "stop":
		g.end()
	case "start":
		g.start(words[1])
	default:
		g.t.Fatalf("what is %q?", text)
	}
}

var kinds = map[string]window.Kind{
	"final": window.Final, "correction": window.Correction, "provisional": window.Provisional, "retract": window.Retract,
}

// results reads rows such as `views 0 final 3; pages 0 final 2 /a`.
func (g *golden) results(text string) (results []window.Result) {
	for row := range strings.SplitSeq(text, ";") {
		words := strings.Fields(row)
		if len(words) == 0 {
			continue
		}
		start, err1 := strconv.ParseInt(words[1], 10, 64)
		value, err2 := strconv.ParseFloat(words[3], 64)
		metric, kind := g.board.byName[words[0]], kinds[words[2]]
		if err := errors.Join(err1, err2); err != nil || metric == nil || kind == 0 {
			g.t.Fatalf("what is %q? %v", row, err)
		}
		r := result(metric.metric, event.Millis(start), kind, value, words[4:]...)
		if value < 0 { // no data
			r.Value, r.Aggregates, r.Count = definition.Number{}, []definition.Number{{}}, 0
		}
		results = append(results, r)
	}
	return results
}
