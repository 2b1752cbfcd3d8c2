package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// script is a store that testdata/scripts talks to. Hashes are letters; blocks are those of testMergers.
type script struct {
	t     *testing.T
	fs    vfs.FS
	opts  Options
	store *Store
	head  uint64
	w     event.Millis
	plan  definition.Plan

	alerts map[string]alert.Alert
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		fs := vfs.NewMem()
		s := &script{t: t, fs: fs, opts: testOptions(fs), w: event.NoTime, alerts: map[string]alert.Alert{}}
		s.plan = definition.Plan{
			Groupings: []definition.Grouping{{Hash: hash("g")}, {Hash: hash("h")}},
			Sessions:  []definition.SessionKind{{Hash: hash("k")}},
			Metrics:   []definition.Metric{{Name: "m", Hash: hash("m"), Size: 1000, Lateness: 5000}, {Name: "n", Hash: hash("n"), Size: 1000}},
		}
		s.store = mustOpen(t, "store", s.opts)
		defer func() { mustClose(t, s.store) }()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := s.run(d)
			if err != nil {
				out += fmt.Sprintf("error: %v\n", err)
			}
			return out
		})
	})
}

func hash(letter string) (h definition.Hash) {
	copy(h[:], letter)
	return h
}

// run carries out one command.
func (s *script) run(d *datadriven.TestData) (string, error) {
	switch d.Cmd {
	case "commit":
		return s.commit(d)
	case "reopen":
		return s.reopen(d)
	case "flush":
		return "", s.store.db.Flush()
	case "compact":
		return "", s.store.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false)
	case "load":
		return s.load()
	case "reader":
		return "", s.store.SaveReader(str(d, "name", ""), uint64(num(d, "seq", 0)))
	case "feed":
		return s.feed(d)
	case "backlog":
		n, err := s.store.Backlog(str(d, "name", ""))
		all, err2 := s.store.FeedBytes()
		return fmt.Sprintf("%d of %d bytes\n", n, all), first(err, err2)
	}
	v := mustView(s.t, s.store)
	defer v.Close()
	switch d.Cmd {
	case "windows":
		return windows(d, v)
	case "latest":
		rows, ok, err := v.Latest(hash(str(d, "m", "m")))
		return fmt.Sprintf("%v\n", ok) + rowsText(rows), err
	case "first":
		return firsts(d, v)
	case "panes":
		return panes(d, v)
	case "keyspaces":
		return keyspaces(v)
	case "alerts":
		return listAlerts(d, v)
	case "alert":
		a, ok, err := v.Alert(str(d, "id", ""))
		if !ok {
			return "none\n", err
		}
		return alertText(&a), err
	case "firing":
		counts, err := v.FiringAlerts()
		return fmt.Sprintln(counts), err
	case "digests":
		return digests(d, v)
	case "revision":
		r, found, kept, err := v.Result(hash(str(d, "m", "m")), event.Millis(num(d, "start", 0)), strings.Split(str(d, "group", ""), "+"))
		return fmt.Sprintf("found %v, kept %v: ", found, kept) + rowsText([]window.Result{r}), err
	}
	return "", fmt.Errorf("unknown command %s", d.Cmd)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func str(d *datadriven.TestData, key, otherwise string) string {
	if arg, ok := d.Arg(key); ok && len(arg.Vals) == 1 {
		return arg.Vals[0]
	}
	return otherwise
}

func num(d *datadriven.TestData, key string, otherwise int64) int64 {
	n, err := strconv.ParseInt(str(d, key, fmt.Sprint(otherwise)), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// commit reads one change a line.
func (s *script) commit(d *datadriven.TestData) (string, error) {
	s.w = event.Millis(num(d, "w", int64(s.w)))
	c := &processing.Changes{Watermark: s.w, AtMs: num(d, "at", 0)}
	head := s.head
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		if err := s.change(c, words[0], words[1:], &head); err != nil {
			return "", fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
	}
	if err := s.store.Commit(c); err != nil {
		return "", err
	}
	s.head = head
	return fmt.Sprintf("head %d\n", head), nil
}

func (s *script) change(c *processing.Changes, what string, args []string, head *uint64) error {
	at := func(i int) event.Millis {
		n, err := strconv.ParseInt(args[i], 10, 64)
		noFault(s.t, err)
		return event.Millis(n)
	}
	switch what {
	case "cursor":
		c.Cursors = append(c.Cursors, processing.Cursor{Topic: "events", Partition: event.PartitionID(at(0)), Next: event.Offset(at(1))})
	case "floor":
		c.Floors = append(c.Floors, processing.Floor{Topic: "events", Partition: event.PartitionID(at(0)), Offset: event.Offset(at(1)), Floor: at(2)})
	case "start":
		c.Definitions = append(c.Definitions, processing.Start{Hash: hash(args[0]), Name: args[0], From: at(1)})
	case "pane", "late-pane", "settle":
		p := processing.PaneChange{PaneKey: processing.PaneKey{Grouping: hash(args[0]), Start: at(1), Late: what == "late-pane"}, Op: processing.PaneMerge, Block: []byte(args[2])}
		if what == "settle" {
			p.Op, p.Width = processing.PaneSettle, 1000
		}
		c.Panes = append(c.Panes, p)
	case "session", "shard":
		ch := processing.SessionChange{Kind: hash(args[0]), Shard: int(at(1)), Rewrite: what == "shard"}
		if len(args) > 2 {
			ch.Block = []byte(args[2])
		}
		c.Sessions = append(c.Sessions, ch)
	case "result":
		block := processing.ResultBlock{Metric: args[0], Hash: hash(args[0]), Start: at(1)}
		for _, row := range args[2:] {
			if sum, ok := strings.CutPrefix(row, "digest:"); ok {
				block.Digest = smallSum(s.t, sum)
				continue
			}
			block.Results = append(block.Results, parseRow(args[0], at(1), row))
		}
		c.Results = append(c.Results, block)
	case "digest":
		c.Digests = append(c.Digests, processing.DefinitionDigest{Hash: hash(args[0]), Name: args[0], Facts: int64(at(1)), Sum: smallSum(s.t, args[2])})
	case "entry":
		*head++
		c.Feed = append(c.Feed, parseEntry(*head, c.AtMs, args))
	case "fire", "resolve", "watch":
		s.alertChange(c, what, args, at, head)
	case "seq":
		*head = uint64(at(0))
	default:
		return fmt.Errorf("unknown change")
	}
	return nil
}

// parseRow reads group=value.
func parseRow(metric string, start event.Millis, text string) window.Result {
	group, value, _ := strings.Cut(text, "=")
	r := window.Result{Metric: metric, Definition: hash(metric), Start: start, End: start + 1000, Kind: window.Final, Revision: 1}
	if group != "" {
		r.Group = strings.Split(group, ",")
	}
	if f, err := strconv.ParseFloat(value, 64); err == nil {
		r.Value = definition.Number{Float: f, Valid: true}
	}
	return r
}

func parseEntry(seq uint64, atMs int64, args []string) processing.Entry {
	e := processing.Entry{Seq: seq, AtMs: atMs}
	switch args[0] {
	case "result":
		r := parseRow(args[1], 0, args[2])
		e.Type, e.Result = processing.ResultEntry, &r
	case "dead":
		e.Type, e.DeadLetter = processing.DeadLetterEntry, &processing.DeadLetter{Reason: args[1]}
	case "late":
		e.Type, e.Late = processing.LateEntry, &processing.Late{Topic: args[1]}
	}
	return e
}

func (s *script) reopen(d *datadriven.TestData) (string, error) {
	mustClose(s.t, s.store)
	r := &s.opts.Retention
	r.FeedBytes = num(d, "feed-bytes", r.FeedBytes)
	if d.HasArg("holding") {
		r.Holding = []string{str(d, "holding", "")}
	}
	s.store = mustOpen(s.t, "store", s.opts)
	return "", nil
}

func (s *script) load() (string, error) {
	st, err := s.store.Load(&s.plan)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "w %s head %d\n", timeText(st.Watermark), st.Head)
	for _, c := range st.Cursors {
		fmt.Fprintf(&b, "cursor %s/%d next %d\n", c.Topic, c.Partition, c.Next)
	}
	for _, f := range st.Floors {
		fmt.Fprintf(&b, "floor %s/%d from %d: %d\n", f.Topic, f.Partition, f.Offset, f.Floor)
	}
	for _, d := range st.Definitions {
		fmt.Fprintf(&b, "start %s %d\n", d.Name, d.From)
	}
	for _, p := range st.Panes {
		fmt.Fprintf(&b, "pane %c %d late=%v %s\n", p.Grouping[0], p.Start, p.Late, p.Block)
	}
	for _, k := range st.Sessions {
		fmt.Fprintf(&b, "session %c shard %d %s\n", k.Kind[0], k.Shard, k.Block)
	}
	for _, r := range st.Results {
		fmt.Fprintf(&b, "result %s %d: %d rows", r.Metric, r.Start, len(r.Results))
		if !r.Digest.IsZero() {
			fmt.Fprintf(&b, " digest:%d", r.Digest.Lo)
		}
		b.WriteByte('\n')
	}
	for _, d := range st.Digests {
		b.WriteString(digestText(&d))
	}
	for i := range st.Alerts {
		b.WriteString("alert " + alertText(&st.Alerts[i]))
	}
	for _, w := range st.Watches {
		fmt.Fprintf(&b, "watch %c %s %s\n", w.Rule[0], strings.Join(w.Group, ","), w.Block)
	}
	return b.String(), nil
}

func timeText(t event.Millis) string {
	if t == event.NoTime {
		return "none"
	}
	return fmt.Sprint(int64(t))
}

func (s *script) feed(d *datadriven.TestData) (string, error) {
	types := AllTypes
	if d.HasArg("types") {
		types = 0
		for _, name := range strings.Split(str(d, "types", ""), "+") {
			types |= Types(map[string]processing.EntryType{"result": processing.ResultEntry, "alert": processing.AlertEntry, "dead": processing.DeadLetterEntry, "late": processing.LateEntry}[name])
		}
	}
	page, err := s.store.Feed(uint64(num(d, "after", 0)), int(num(d, "limit", 100)), types)
	var b strings.Builder
	fmt.Fprintf(&b, "%d to %d\n", page.First, page.Head)
	for _, e := range page.Entries {
		switch {
		case e.Result != nil:
			fmt.Fprintf(&b, "%d at %d: result %s %s", e.Seq, e.AtMs, e.Result.Metric, rowsText([]window.Result{*e.Result}))
		case e.DeadLetter != nil:
			fmt.Fprintf(&b, "%d at %d: dead letter, %s\n", e.Seq, e.AtMs, e.DeadLetter.Reason)
		case e.Alert != nil:
			fmt.Fprintf(&b, "%d at %d: alert %s", e.Seq, e.AtMs, alertText(e.Alert))
		case e.Late != nil:
			fmt.Fprintf(&b, "%d at %d: late, %s\n", e.Seq, e.AtMs, e.Late.Topic)
		}
	}
	return b.String(), err
}

func rowsText(rows []window.Result) string {
	var b strings.Builder
	for _, r := range rows {
		value := "null"
		if r.Value.Valid {
			value = fmt.Sprint(r.Value.Float)
		}
		fmt.Fprintf(&b, "[%d, %d) %s=%s\n", r.Start, r.End, strings.Join(r.Group, ","), value)
	}
	return b.String()
}

func windows(d *datadriven.TestData, v *View) (string, error) {
	var after *WindowPos
	if d.HasArg("after") {
		start, group, _ := strings.Cut(str(d, "after", ""), "/")
		n, err := strconv.ParseInt(start, 10, 64)
		if err != nil {
			return "", err
		}
		after = &WindowPos{Start: event.Millis(n)}
		if group != "" {
			after.Group = strings.Split(group, "+")
		}
	}
	rows, err := v.Windows(hash(str(d, "m", "m")), event.Millis(num(d, "from", 0)), event.Millis(num(d, "to", 1<<40)), after, int(num(d, "limit", 100)))
	return rowsText(rows), err
}

func firsts(d *datadriven.TestData, v *View) (string, error) {
	window, ok, err := v.FirstWindow(hash(str(d, "m", "m")))
	return fmt.Sprintf("window %d %v\n", window, ok), err
}

func panes(d *datadriven.TestData, v *View) (string, error) {
	var b strings.Builder
	err := v.Panes(hash(str(d, "g", "g")), event.Millis(num(d, "from", -1<<40)), event.Millis(num(d, "to", 1<<40)), func(start event.Millis, late bool, block []byte) error {
		fmt.Fprintf(&b, "%d late=%v %s\n", start, late, block)
		return nil
	})
	return b.String(), err
}

func keyspaces(v *View) (string, error) {
	stats, err := v.Keyspaces()
	var b strings.Builder
	for _, s := range stats {
		fmt.Fprintf(&b, "%s %d\n", s.Name, s.Keys)
	}
	return b.String(), err
}
