package alert

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Final is what a window with events has published when it closed; it may be nothing.
type Final struct {
	Start, End event.Millis
	Rows       []Row
}

// Row is what it says of one group.
type Row struct {
	Group      []string // in the order of Metric.Keys
	Value      definition.Number
	Aggregates []definition.Number // in the order of Metric.Aggregates
	Count      int64
}

// Turn is a transition that is to be made: the alert's Move, with a sequence.
type Turn struct {
	Alert *Alert
	State State // Firing or Resolved
	At    event.Millis
}

// Change is what is to be stored of a group from now on; an empty block: nothing.
type Change struct {
	Group []string
	Block []byte
}

// maxEmpty is how many windows without events are supplied in a row: then there is no data.
const maxEmpty = 720

// Watcher judges the finals of a metric by one rule. What it has seen as of W, the blocks of TakeChanges and the alerts that
// fire, is a function of the finals and of W alone: not of the steps in which W came there, nor of restarts.
//
// Only groups of which there is something to remember have a watch: those that are pending or firing, those whose last value
// `previous` will be, and, where a window without events says something to the rule, the metric's only group.
type Watcher struct {
	rule   *definition.Rule
	metric *definition.Metric
	timing timing
	empty  *Row // what a window without events shows; nil if it shows nothing, or nothing that makes a difference
	groups map[string]*watch
	gone   map[string][]string // groups whose stored block is to be forgotten
	turns  []Turn
	moved  bool // since TakeChanges
}

// watch is what is remembered of one group.
type watch struct {
	group []string
	machine
	seen     event.Millis      // the end of the last window that had events; NoTime where that makes no difference
	previous definition.Number // the value at the last window end judged, for rules that use it
	judged   event.Millis      // the last window end at which there was a row
	alert    *Alert            // nil if it does not fire
	stored   []byte            // the block as it was handed out last
}

// New makes the watcher of a rule. empty is what the metric shows of a window without events, nil if it publishes none.
func New(rule *definition.Rule, metric *definition.Metric, empty *Row) *Watcher {
	w := &Watcher{
		rule: rule, metric: metric, timing: timing{hold: rule.For, keep: rule.KeepFiringFor},
		groups: make(map[string]*watch), gone: make(map[string][]string),
	}
	if empty != nil && (rule.UsesPrevious || w.holds(w.sample(0, empty, definition.Number{}))) {
		w.empty = empty
	}
	return w
}

// Resume takes up what was remembered of a group. open is the alert that fires for it, nil for none.
func (w *Watcher) Resume(group []string, block []byte, open *Alert) error {
	g := &watch{group: group, judged: event.NoTime, stored: block, alert: open}
	if err := g.decode(block); err != nil {
		return err
	}
	switch {
	case len(group) != len(w.metric.Keys):
		return fmt.Errorf("%w: a group of %d values where the metric has %d keys", ErrBadBlock, len(group), len(w.metric.Keys))
	case g.state == Firing && open == nil:
		return fmt.Errorf("%w: it fires, but there is no alert", ErrBadBlock)
	case g.state != Firing && open != nil:
		return fmt.Errorf("%w: it does not fire, but there is the alert %s", ErrBadBlock, open.ID)
	}
	if !w.rule.UsesPrevious {
		g.previous = definition.Number{} // the texts of the rule used it, and were edited
	}
	if w.empty == nil {
		g.seen = event.NoTime
	}
	w.groups[groupID(group)] = g
	return nil
}

// Judge judges the window ends that W passes on its way from was to now, with the finals published at them, in the order of
// their ends. It returns the transitions by window end, then group.
func (w *Watcher) Judge(was, now event.Millis, finals []Final) []Turn {
	slide, limit := w.metric.Slide, w.lastEnd(now)
	at := limit
	switch {
	case was != event.NoTime:
		at = w.lastEnd(was)
	case len(finals) > 0:
		at = finals[0].End - slide
	}
	if at == limit {
		return nil
	}
	w.moved = true
	for i := range finals {
		f := &finals[i]
		w.skip(at+slide, f.End-slide)
		w.take(f)
		at = f.End
	}
	w.skip(at+slide, limit)
	slices.SortFunc(w.turns, func(a, b Turn) int {
		return cmp.Or(cmp.Compare(a.At, b.At), slices.Compare(a.Alert.Values(), b.Alert.Values()))
	})
	turns := w.turns
	w.turns = nil
	return turns
}

// lastEnd is the last window end that W has passed.
func (w *Watcher) lastEnd(now event.Millis) event.Millis {
	c := definition.Clock{Width: w.metric.Slide, Offset: w.metric.Offset}
	return c.PaneStart(now+1-w.metric.Size) + w.metric.Size
}

// take judges a window end with a final.
func (w *Watcher) take(f *Final) {
	for i := range f.Rows {
		row := &f.Rows[i]
		if !w.watches(row.Group) {
			continue
		}
		id := groupID(row.Group)
		g := w.groups[id]
		if g == nil {
			g = &watch{group: row.Group, machine: idle, seen: event.NoTime}
			w.groups[id] = g
		}
		if g.judged = f.End; w.empty != nil {
			g.seen = f.End
		}
		w.step(g, f.End, row)
	}
	for id, g := range w.groups {
		if g.judged != f.End {
			w.lapse(g, f.End, f.End)
			if g.seen != event.NoTime {
				g.seen = f.End // the window has events, but shows nothing of them
			}
		}
		w.tidy(id, g, f.End)
	}
}

// skip judges the window ends from first to last, at which nothing was published.
func (w *Watcher) skip(first, last event.Millis) {
	if first > last {
		return
	}
	for id, g := range w.groups {
		end := first
		if w.empty != nil {
			for until := min(last, g.seen+maxEmpty*w.metric.Slide); end <= until; end += w.metric.Slide {
				w.step(g, end, w.empty)
			}
		}
		if end <= last {
			w.lapse(g, end, last)
		}
		w.tidy(id, g, last)
	}
}

// watches reports whether the rule is about a group.
func (w *Watcher) watches(group []string) bool {
	for i, values := range w.rule.Groups {
		if values != nil && !slices.Contains(values, group[i]) {
			return false
		}
	}
	return true
}

// step judges one window end with a row.
func (w *Watcher) step(g *watch, end event.Millis, row *Row) {
	s := w.sample(end, row, g.previous)
	began := end
	if g.state == Pending {
		began = g.since
	}
	m, turn := g.next(w.timing, end, w.holds(s))
	g.machine = m
	switch turn {
	case Firing:
		g.alert = w.raise(s, began)
		w.turns = append(w.turns, Turn{Alert: g.alert, State: Firing, At: end})
	case Resolved:
		w.resolve(g, end)
	}
	if w.rule.UsesPrevious {
		g.previous = row.Value
	}
}

// lapse judges window ends without data.
func (w *Watcher) lapse(g *watch, first, last event.Millis) {
	m, at, ends := g.lapse(w.timing, w.metric.Slide, first, last)
	g.machine, g.previous = m, definition.Number{}
	if ends {
		w.resolve(g, at)
	}
}

func (w *Watcher) resolve(g *watch, at event.Millis) {
	w.turns = append(w.turns, Turn{Alert: g.alert, State: Resolved, At: at})
	g.alert = nil
}

func (w *Watcher) sample(end event.Millis, row *Row, previous definition.Number) *definition.Sample {
	return &definition.Sample{
		Start: end - w.metric.Size, End: end, Group: row.Group,
		Value: row.Value, Aggregates: row.Aggregates, Count: row.Count, Previous: previous,
	}
}

func (w *Watcher) holds(s *definition.Sample) bool { return w.rule.Enough(s) && w.rule.Holds(s) }

// tidy forgets a group of which nothing is left to remember once all window ends up to last are judged.
func (w *Watcher) tidy(id string, g *watch, last event.Millis) {
	if g.seen != event.NoTime && last >= g.seen+maxEmpty*w.metric.Slide {
		g.seen = event.NoTime
	}
	if g.state != Inactive || g.previous.Valid || g.seen != event.NoTime {
		return
	}
	delete(w.groups, id)
	if g.stored != nil {
		w.gone[id] = g.group
	}
}

// TakeChanges returns what is to be stored of the groups that changed since it was called last, by group.
func (w *Watcher) TakeChanges() []Change {
	if !w.moved {
		return nil
	}
	w.moved = false
	var out []Change
	for id, g := range w.groups {
		delete(w.gone, id) // it went and came back
		block := g.appendBlock(nil)
		if string(block) != string(g.stored) {
			g.stored = block
			out = append(out, Change{Group: g.group, Block: block})
		}
	}
	for _, group := range w.gone {
		out = append(out, Change{Group: group})
	}
	clear(w.gone)
	slices.SortFunc(out, func(a, b Change) int { return slices.Compare(a.Group, b.Group) })
	return out
}

// groupID makes one comparable string of a group.
func groupID(group []string) string { return string(appendGroup(nil, group)) }
