package processing

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// rulebook judges the finals of every commit by the alert rules. It is owned by the committer.
type rulebook struct {
	plan     *definition.Plan
	watchers []*alert.Watcher // by rule
	from     []event.Millis   // by rule: windows that end no later are not judged
	orphans  []alert.Alert    // fire, but their rules are no longer in force: the next commit with a W resolves them
	forget   []Watch          // of rules no longer in force, for the next commit
}

// reasonRetired is why an alert without a rule is resolved.
const reasonRetired = "rule no longer in force"

// newRulebook takes up what the state holds of rules that are in force, and of others.
func newRulebook(plan *definition.Plan, s *State, begins *beginnings) (*rulebook, error) {
	b := &rulebook{plan: plan}
	byHash := make(map[definition.Hash]*alert.Watcher, len(plan.Rules))
	for i := range plan.Rules {
		r := &plan.Rules[i]
		m := &plan.Metrics[r.Metric]
		w := alert.New(r, m, emptyRow(m))
		b.watchers = append(b.watchers, w)
		b.from = append(b.from, begins.from[r.Hash])
		if !begins.anew[r.Hash] {
			byHash[r.Hash] = w
		}
	}
	open := make(map[string]*alert.Alert, len(s.Alerts))
	for i := range s.Alerts {
		a := s.Alerts[i].AsOf()
		if byHash[a.Hash] == nil {
			b.orphans = append(b.orphans, a)
			continue
		}
		open[watchID(a.Hash, a.Values())] = &a
	}
	for _, watch := range s.Watches {
		w := byHash[watch.Rule]
		if w == nil {
			b.forget = append(b.forget, Watch{Rule: watch.Rule, Group: watch.Group})
			continue
		}
		id := watchID(watch.Rule, watch.Group)
		if err := w.Resume(watch.Group, watch.Block, open[id]); err != nil {
			return nil, fmt.Errorf("rule %s, group %q: %w", watch.Rule, watch.Group, err)
		}
		delete(open, id)
	}
	for _, a := range open {
		return nil, fmt.Errorf("alert %s of rule %s fires, but the rule does not know of it", a.ID, a.Definition)
	}
	return b, nil
}

// watchID makes one comparable string of a rule and a group.
func watchID(rule definition.Hash, group []string) string { return fmt.Sprintf("%s %q", rule, group) }

// emptyRow is what a metric shows of a window without events; nil if it shows none.
func emptyRow(m *definition.Metric) *alert.Row {
	if len(m.Keys) > 0 {
		return nil
	}
	empty, published := window.Empty(m, m.Size)
	if !published {
		return nil
	}
	return &alert.Row{Value: empty.Value, Aggregates: empty.Aggregates, Count: empty.Count}
}

// judge returns the transitions that the finals of a commit bring about, as W goes from was to now: by time, then by the
// name of the rule, then by group.
func (b *rulebook) judge(was, now event.Millis, finals []window.Emission) []alert.Turn {
	var turns []alert.Turn
	for i := range b.orphans {
		a := &b.orphans[i]
		a.Explain("reason", reasonRetired)
		// W may be one short of the window end at which it began to fire.
		turns = append(turns, alert.Turn{Alert: a, State: alert.Resolved, At: max(now, a.StartedAt)})
	}
	b.orphans = nil
	published := make(map[int][]alert.Final)
	for i, w := range b.watchers {
		metric := b.plan.Rules[i].Metric
		list, ok := published[metric]
		if !ok {
			list = finalsOf(&b.plan.Metrics[metric], finals)
			published[metric] = list
		}
		if since := max(was, b.from[i]); since < now {
			late := slices.IndexFunc(list, func(f alert.Final) bool { return f.End-1 > since })
			if late < 0 {
				late = len(list)
			}
			turns = append(turns, w.Judge(since, now, list[late:])...)
		}
	}
	slices.SortStableFunc(turns, func(x, y alert.Turn) int {
		return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Alert.Definition, y.Alert.Definition), slices.Compare(x.Alert.Values(), y.Alert.Values()))
	})
	return turns
}

// finalsOf are the finals of one metric, by window end.
func finalsOf(m *definition.Metric, emissions []window.Emission) []alert.Final {
	var finals []alert.Final
	for i := range emissions {
		em := &emissions[i]
		if em.Metric != m {
			continue
		}
		f := alert.Final{Start: em.Start, End: em.Start + m.Size, Rows: make([]alert.Row, 0, len(em.Changed))}
		for _, r := range em.Changed {
			f.Rows = append(f.Rows, alert.Row{Group: r.Group, Value: r.Value, Aggregates: r.Aggregates, Count: r.Count})
		}
		finals = append(finals, f)
	}
	return finals
}

// changes are what is to be stored of the watches.
func (b *rulebook) changes() []Watch {
	out := b.forget
	b.forget = nil
	for i, w := range b.watchers {
		for _, c := range w.TakeChanges() {
			out = append(out, Watch{Rule: b.plan.Rules[i].Hash, Group: c.Group, Block: c.Block})
		}
	}
	return out
}

// judge evaluates the rules and puts the transitions into the feed, behind everything that they were judged by.
func (c *committer) judge(ch *Changes, w event.Millis, finals []window.Emission) {
	turns := c.rules.judge(c.watermark, w, finals)
	changed := make(map[string]int, len(turns)) // by id, the place in ch.Alerts
	for _, turn := range turns {
		a := turn.Alert
		a.Move(alert.Transition{State: turn.State, At: turn.At, Seq: c.next()})
		if c.ledger.inForce(a.Hash) { // when an alert without a rule ends is no function of the log
			c.ledger.add(a.Hash, digest.Tally{Facts: 1, Sum: turn.Digest()})
		}
		now := a.AsOf()
		c.append(ch, Entry{Type: AlertEntry, Alert: &now})
		at, ok := changed[a.ID]
		if !ok {
			at = len(ch.Alerts)
			changed[a.ID] = at
			ch.Alerts = append(ch.Alerts, alert.Alert{})
		}
		ch.Alerts[at] = now
	}
	ch.Watches = c.rules.changes()
}
