package refold

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/store"
)

// differingWindow is the first window of a metric of which two stores say different things.
type differingWindow struct {
	metric *definition.Metric
	start  event.Millis
	group  string // the first that differs; what the rows don't show may differ alone
	was    string
	is     string
}

// findWindow looks for the first window of a metric that differs, and keeps it if it is the first of all.
func (d *Difference) findWindow(m *definition.Metric, from event.Millis, was, is *store.View) error {
	var sums [2]map[event.Millis]digest.Sum
	kept := from // both have dropped nothing from here on
	for i, v := range []*store.View{was, is} {
		sums[i] = make(map[event.Millis]digest.Sum)
		whole, err := v.KeptFrom(0)
		if err != nil {
			return err
		}
		kept = max(kept, whole)
		err = v.WindowDigests(m.Hash, event.NoTime, func(start event.Millis, sum digest.Sum) error {
			sums[i][start] = sum
			return nil
		})
		if err != nil {
			return err
		}
	}
	start, found := event.Millis(0), false
	for i := range sums {
		for s, sum := range sums[i] {
			if s >= kept && sums[1-i][s] != sum && (!found || s < start) {
				start, found = s, true
			}
		}
	}
	if !found || d.window != nil && cmp.Or(cmp.Compare(d.window.start, start), strings.Compare(d.window.metric.Name, m.Name)) <= 0 {
		return nil
	}
	d.window = &differingWindow{metric: m, start: start, was: "digest " + sums[0][start].String(), is: "digest " + sums[1][start].String()}
	return d.window.findGroup(was, is)
}

// findGroup looks for the first group whose row differs.
func (w *differingWindow) findGroup(was, is *store.View) error {
	rows, err := was.Windows(w.metric.Hash, w.start, w.start+1, nil, math.MaxInt)
	if err != nil {
		return err
	}
	others, err := is.Windows(w.metric.Hash, w.start, w.start+1, nil, math.MaxInt)
	if err != nil {
		return err
	}
	texts, groups := [2]map[string]string{{}, {}}, map[string][]string{}
	for i, list := range [][]window.Result{rows, others} {
		for j := range list {
			id := fmt.Sprintf("%q", list[j].Group)
			texts[i][id], groups[id] = rowText(w.metric, &list[j]), list[j].Group
		}
	}
	var differ [][]string
	for id, group := range groups {
		if texts[0][id] != texts[1][id] {
			differ = append(differ, group)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	first := slices.MinFunc(differ, slices.Compare[[]string])
	id := fmt.Sprintf("%q", first)
	if len(first) > 0 {
		w.group = ", group " + strings.Join(first, ", ")
	}
	w.was, w.is = cmp.Or(texts[0][id], "not there"), cmp.Or(texts[1][id], "not there")
	return nil
}

func rowText(m *definition.Metric, r *window.Result) string {
	text := numberText(r.Value)
	for i, n := range r.Aggregates {
		text += fmt.Sprintf(" %s=%s", m.Aggregates[i].Name, numberText(n))
	}
	return text + fmt.Sprintf(" count=%d", r.Count)
}

func numberText(n definition.Number) string {
	if !n.Valid {
		return "null"
	}
	return fmt.Sprint(n.Float)
}
