package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
)

// ErrTooMuch is returned by Alerts when more alerts than it may look at do not match.
var ErrTooMuch = errors.New("too many alerts that are not asked for lie between")

// maxLooked bounds the alerts that a query may have to look at for one page.
const maxLooked = 200_000

// AlertQuery asks for alerts that began to fire in [From, To).
type AlertQuery struct {
	From, To   event.Millis
	State      alert.State // Firing or Resolved; zero: both
	Types      []string    // empty: any
	Severities []string    // empty: any
	Before     *AlertPos   // only those that began earlier than this place; nil: all
	Limit      int         // at most so many
}

func (q *AlertQuery) takes(m *alertMark) bool {
	return (q.State == alert.Inactive || m.state == q.State) &&
		(len(q.Types) == 0 || slices.Contains(q.Types, m.typ)) &&
		(len(q.Severities) == 0 || slices.Contains(q.Severities, m.severity))
}

// bounds is the range of index keys that the query has to look at.
func (q *AlertQuery) bounds() (lower, upper []byte) {
	s := spaceAlertIndex
	if q.State == alert.Firing {
		s = spaceFiring // few, however many there have been
	}
	lower, upper = appendMarkKey(nil, s, AlertPos{StartedAt: q.From}), appendMarkKey(nil, s, AlertPos{StartedAt: q.To})
	if q.Before != nil {
		if before := appendMarkKey(nil, s, *q.Before); bytes.Compare(before, upper) < 0 {
			upper = before
		}
	}
	return lower, upper
}

// Alerts returns the alerts that a query asks for, those that began to fire last first, and whether there are more behind
// them. It returns ErrTooMuch when it would have to look at too many others.
func (v *View) Alerts(q *AlertQuery) (alerts []alert.Alert, more bool, err error) {
	lower, upper := q.bounds()
	if bytes.Compare(lower, upper) >= 0 {
		return nil, false, nil
	}
	it, err := v.iterate(lower, upper)
	if err != nil {
		return nil, false, fmt.Errorf("list alerts: %w", err)
	}
	alerts, more, err = v.listAlerts(it, q)
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, false, fmt.Errorf("list alerts: %w", err)
	}
	return alerts, more, nil
}

func (v *View) listAlerts(it *pebble.Iterator, q *AlertQuery) (alerts []alert.Alert, more bool, err error) {
	for ok, looked := it.Last(), 0; ok; ok = it.Prev() {
		at, mark, err := currentMark(it)
		if err != nil {
			return nil, false, err
		}
		if looked++; looked > maxLooked {
			return nil, false, ErrTooMuch
		}
		if !q.takes(&mark) {
			continue
		}
		if len(alerts) >= q.Limit {
			return alerts, true, nil
		}
		a, err := v.indexedAlert(at)
		if err != nil {
			return nil, false, err
		}
		alerts = append(alerts, a)
	}
	return alerts, false, nil // what went wrong, if anything did, comes out of Close
}

func currentMark(it *pebble.Iterator) (AlertPos, alertMark, error) {
	at, err := parseMarkKey(it.Key())
	if err != nil {
		return at, alertMark{}, err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return at, alertMark{}, err
	}
	mark, err := decodeMark(value)
	return at, mark, err
}

// indexedAlert reads an alert that an index names.
func (v *View) indexedAlert(at AlertPos) (alert.Alert, error) {
	a, ok, err := v.Alert(at.ID)
	if err == nil && !ok {
		err = fmt.Errorf("%w: no alert %s", errDamaged, at.ID)
	}
	return a, err
}

// Alert returns one alert as of its last transition; ok is false when there is none of that id.
func (v *View) Alert(id string) (a alert.Alert, ok bool, err error) {
	value, ok, err := read(v.snapshot, appendAlertKey(nil, id))
	if err == nil && ok {
		a, err = decodeAlertValue(value)
	}
	if err != nil {
		return alert.Alert{}, false, fmt.Errorf("read alert %s: %w", id, err)
	}
	return a, ok, nil
}

// FiringAlerts counts the alerts that fire, by severity.
func (v *View) FiringAlerts() (map[string]int, error) {
	counts := make(map[string]int)
	lower, upper := spaceFiring.bounds()
	err := v.scan(lower, upper, func(_, value []byte) error {
		mark, err := decodeMark(value)
		counts[mark.severity]++
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count firing alerts: %w", err)
	}
	return counts, nil
}

// loadAlerts reads the alerts that fire, by the time at which they began to, and what rules remember.
func (v *View) loadAlerts(state *processing.State) error {
	lower, upper := spaceFiring.bounds()
	err := v.scan(lower, upper, func(key, _ []byte) error {
		at, err := parseMarkKey(key)
		if err != nil {
			return err
		}
		a, err := v.indexedAlert(at)
		state.Alerts = append(state.Alerts, a)
		return err
	})
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	lower, upper = spaceWatch.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		rule, group, err := parseWatchKey(key)
		if err != nil {
			return err
		}
		block, err := decodeWatch(value)
		state.Watches = append(state.Watches, processing.Watch{Rule: rule, Group: group, Block: block})
		return err
	})
	if err != nil {
		return fmt.Errorf("watches: %w", err)
	}
	return nil
}

// Result returns the last revision of one window's group. kept is false when the metric has no window that old any more,
// so that nothing can be said; a group that is missing although its window's time is kept was never published, or has
// been retracted since.
func (v *View) Result(hash definition.Hash, start event.Millis, group []string) (r window.Result, found, kept bool, err error) {
	value, ok, err := read(v.snapshot, appendTimeKey(nil, spaceResult, hash, start))
	if err != nil {
		return r, false, false, fmt.Errorf("read result: %w", err)
	}
	if !ok {
		first, exists, err := v.FirstWindow(hash)
		return r, false, exists && first <= start, err
	}
	block, err := decodeResults(appendTimeKey(nil, spaceResult, hash, start), value)
	if err != nil {
		return r, false, false, fmt.Errorf("read result: %w", err)
	}
	rows := block.Results
	i, found := slices.BinarySearchFunc(rows, group, func(r window.Result, g []string) int { return compareGroups(r.Group, g) })
	if found {
		r = rows[i]
	}
	return r, found, true, nil
}
