package session

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/sequence"
)

// TestScripts runs the scripts:
//
//	sessions gap=10 max_duration=100 max_open=2   starts a table; the limit is of all sessions here
//	events w=20                                   events "t=5 a, view /home 3": key, view, end, text and number;
//	                                              then W goes to w, and what has closed is shown by time
//	open                                          the number of open sessions
//	changes                                       what is to be stored
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		var d script
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			switch c.Cmd {
			case "sessions":
				var gap, maxDuration int64
				var maxOpen int
				c.ScanArgs(t, "gap", &gap)
				c.ScanArgs(t, "max_duration", &maxDuration)
				c.ScanArgs(t, "max_open", &maxOpen)
				d.table = New(visits(event.Millis(gap), event.Millis(maxDuration), maxOpen), 1)
				d.sequencer = sequence.NewSequencer(d.table.Shape(), 1)
				return ""
			case "events":
				var w int64
				c.ScanArgs(t, "w", &w)
				return d.events(t, c, event.Millis(w))
			case "open":
				return fmt.Sprintf("%d\n", d.table.OpenSessions())
			case "changes":
				return d.changes()
			default:
				c.Fatalf(t, "unknown command %s", c.Cmd)
				return ""
			}
		})
	})
}

type script struct {
	table     *Table
	sequencer *sequence.Sequencer
	offset    event.Offset
}

// oneShard puts every key into shard 0, so that scripts can fill a shard with keys that people can read.
const oneShard = 1<<56 - 1

func (d *script) events(t *testing.T, c *datadriven.TestData, w event.Millis) string {
	b := d.sequencer.NewBatch()
	for _, line := range strings.Split(strings.TrimSpace(c.Input), "\n") {
		if line == "" {
			continue
		}
		d.offset++
		v := visit{order: event.Order{Coordinate: event.Coordinate{Offset: d.offset}}}
		for i, f := range strings.Fields(line) {
			n, err := strconv.ParseInt(strings.TrimPrefix(f, "t="), 10, 64)
			switch {
			case i == 0 && err == nil:
				v.order.Time = event.Millis(n)
			case i == 1:
				v.key = f
			case f == "view":
				v.view = true
			case f == "end":
				v.end = true
			case f[0] == '/':
				v.text = f
			case err == nil:
				v.number = n
			default:
				c.Fatalf(t, "what is %q in %q?", f, line)
			}
		}
		v.hold(b, hashOfText(v.key)&oneShard)
	}
	d.sequencer.Add(b)
	var closed []visited
	each := func(c *Closed) { closed = append(closed, visitedOf(c)) }
	d.sequencer.Release(w, 0, func(r *sequence.Row) { d.table.Apply(r, each) })
	d.table.Advance(w, 0, each)
	slices.SortFunc(closed, func(a, b visited) int { return a.at.Compare(b.at) })
	var out strings.Builder
	for _, v := range closed {
		fmt.Fprintln(&out, v)
	}
	return out.String()
}

func (d *script) changes() string {
	var out strings.Builder
	for _, c := range d.table.TakeChanges(0) {
		verb := "merge"
		if c.Rewrite {
			verb = "rewrite"
		}
		fmt.Fprintf(&out, "%s shard %d:", verb, c.Shard)
		if c.Block == nil {
			fmt.Fprintln(&out, " nothing")
			continue
		}
		var lines []string
		r, err := openBlock(c.Block)
		for ; err == nil && r.more; r.next() {
			state := fmt.Sprintf("%d bytes", len(r.state))
			if len(r.state) == 0 {
				state = "closed"
			}
			lines = append(lines, fmt.Sprintf(" %s (%s)", r.key[1:], state))
		}
		fmt.Fprintln(&out, strings.Join(lines, ","), cmp.Or(err, r.err, errNone))
	}
	return strings.ReplaceAll(out.String(), " "+errNone.Error(), "")
}

var errNone = fmt.Errorf("<none>")
