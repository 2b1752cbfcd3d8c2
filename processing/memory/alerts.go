package memory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
)

// alerts are those that were raised, and what the rules remember.
type alerts struct {
	byID    map[string]alert.Alert
	watches map[string]processing.Watch
}

func newAlerts() alerts {
	return alerts{byID: make(map[string]alert.Alert), watches: make(map[string]processing.Watch)}
}

// Alerts are all alerts, by the time at which they began to fire, name and group.
func (s *Store) Alerts() []alert.Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alerts.sorted()
}

// Watches is how many groups rules remember something of.
func (s *Store) Watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.alerts.watches)
}

func (a *alerts) sorted() []alert.Alert {
	return slices.SortedFunc(maps.Values(a.byID), func(x, y alert.Alert) int {
		return cmp.Or(cmp.Compare(x.StartedAt, y.StartedAt), cmp.Compare(x.Definition, y.Definition), slices.Compare(x.Values(), y.Values()))
	})
}

func (a *alerts) firing() []alert.Alert {
	return slices.DeleteFunc(a.sorted(), func(x alert.Alert) bool { return x.State != alert.Firing })
}

func (a *alerts) watching() []processing.Watch {
	var out []processing.Watch
	for _, id := range slices.Sorted(maps.Keys(a.watches)) {
		w := a.watches[id]
		w.Block = slices.Clone(w.Block)
		out = append(out, w)
	}
	return out
}

func watchID(w *processing.Watch) string { return fmt.Sprintf("%s %q", w.Rule, w.Group) }

// check holds the alerts of a commit to its feed: each entry is a step from what was known before, and what is staged is the
// last of them.
func (a *alerts) check(c *processing.Changes) error {
	now := maps.Clone(a.byID)
	changed := make(map[string]bool)
	for _, e := range c.Feed {
		if (e.Type == processing.AlertEntry) != (e.Alert != nil) {
			return fmt.Errorf("entry %d of type %d: alert %v", e.Seq, e.Type, e.Alert)
		}
		if e.Alert == nil {
			continue
		}
		before, known := now[e.Alert.ID]
		steps := len(e.Alert.Transitions)
		switch {
		case steps == 0 || e.Alert.Seq() != e.Seq || e.Alert.Transitions[steps-1].State != e.Alert.State:
			return fmt.Errorf("entry %d: %+v", e.Seq, e.Alert)
		case known && before.State == alert.Resolved:
			return fmt.Errorf("entry %d: alert %s was resolved", e.Seq, e.Alert.ID)
		case steps != len(before.Transitions)+1:
			return fmt.Errorf("entry %d: alert %s goes from %+v to %+v", e.Seq, e.Alert.ID, before.Transitions, e.Alert.Transitions)
		}
		now[e.Alert.ID] = *e.Alert
		changed[e.Alert.ID] = true
	}
	for i := range c.Alerts {
		x := &c.Alerts[i]
		last := now[x.ID]
		if !changed[x.ID] || x.Seq() != last.Seq() {
			return fmt.Errorf("alert %s is staged, and the feed has another", x.ID)
		}
		delete(changed, x.ID)
	}
	if len(changed) > 0 {
		return fmt.Errorf("alerts %v are in the feed and not staged", slices.Sorted(maps.Keys(changed)))
	}
	for i := range c.Watches {
		if _, ok := a.watches[watchID(&c.Watches[i])]; !ok && len(c.Watches[i].Block) == 0 {
			return fmt.Errorf("the watch %s is forgotten and was not known", watchID(&c.Watches[i]))
		}
	}
	return nil
}

func (a *alerts) apply(c *processing.Changes) {
	for i := range c.Alerts {
		a.byID[c.Alerts[i].ID] = c.Alerts[i].AsOf()
	}
	for _, w := range c.Watches {
		id := watchID(&w)
		if len(w.Block) == 0 {
			delete(a.watches, id)
			continue
		}
		w.Group, w.Block = slices.Clone(w.Group), slices.Clone(w.Block)
		a.watches[id] = w
	}
}
