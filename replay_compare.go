package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/store"
)

// difference is what two stores don't have in common.
type difference struct {
	window *differingWindow // the first that differs, if one is kept
	lines  []string         // all that differs
}

// differingWindow is the first window of a metric of which two stores say different things.
type differingWindow struct {
	metric *definition.Metric
	start  event.Millis
	group  string // the first that differs; what the rows don't show may differ alone
	was    string
	is     string
}

// tell prints the verdict. It returns errDiffers if there is a difference.
func (d *difference) tell(out io.Writer) error {
	if len(d.lines) == 0 {
		_, err := fmt.Fprintln(out, "match")
		return err
	}
	if w := d.window; w != nil {
		fmt.Fprintf(out, "the first window that differs: %s, %s to %s%s: was %s, is %s\n",
			w.metric.Name, timeText(w.start), timeText(w.start+w.metric.Size), w.group, w.was, w.is)
	}
	for _, line := range d.lines {
		fmt.Fprintln(out, line)
	}
	return errDiffers
}

// errDiffers ends a command whose verdict has been printed.
var errDiffers = fmt.Errorf("folded again the state is not the same")

// compareStores compares what the definitions have made, and the counters. began is the state that the replay started from.
func compareStores(plan *definition.Plan, from *original, into *store.Store, began *processing.State) (_ *difference, err error) {
	was, err := from.View()
	if err != nil {
		return nil, err
	}
	defer was.Close()
	is, err := into.View()
	if err != nil {
		return nil, err
	}
	defer is.Close()
	d := &difference{}
	if w, v := was.Watermark(), is.Watermark(); w != v {
		d.lines = append(d.lines, fmt.Sprintf("watermark: was %s, is %s", timeText(w), timeText(v)))
	}
	d.compareCounters(was.Counters(), is.Counters(), sameSince(began, from.state))
	differing, err := d.compareDigests(was, is)
	if err != nil {
		return nil, err
	}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		if !differing[m.Hash] {
			continue
		}
		if err := d.findWindow(m, startOf(m, from.state), was, is); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// sameSince reports whether the same definitions have been in force since a state: only then records count alike.
func sameSince(began, now *processing.State) bool {
	if len(began.Definitions) == 0 { // a new store: all of them from the beginning
		return !slices.ContainsFunc(now.Definitions, func(s processing.Start) bool { return s.From != event.NoTime })
	}
	order := func(list []processing.Start) []processing.Start {
		return slices.SortedFunc(slices.Values(list), func(a, b processing.Start) int { return slices.Compare(a.Hash[:], b.Hash[:]) })
	}
	return slices.Equal(order(began.Definitions), order(now.Definitions))
}

// compareCounters compares how many records there were and, if the definitions were the same all the time, what became of
// them.
func (d *difference) compareCounters(was, is processing.Counters, same bool) {
	if !same {
		was = processing.Counters{Consumed: was.Consumed, DeadLetters: was.DeadLetters}
		is = processing.Counters{Consumed: is.Consumed, DeadLetters: is.DeadLetters}
	}
	if was != is {
		d.lines = append(d.lines, fmt.Sprintf("counters: was %+v, is %+v", was, is))
	}
}

// compareDigests compares what the definitions in force have made, and returns those that differ.
func (d *difference) compareDigests(was, is *store.View) (differing map[definition.Hash]bool, err error) {
	before, err := was.DigestsInForce()
	if err != nil {
		return nil, err
	}
	after, err := is.DigestsInForce()
	if err != nil {
		return nil, err
	}
	made := make(map[definition.Hash]processing.DefinitionDigest, len(after))
	for _, x := range after {
		made[x.Hash] = x
	}
	differing = make(map[definition.Hash]bool)
	for _, x := range before {
		y := made[x.Hash]
		delete(made, x.Hash)
		if x.Facts != y.Facts || x.Sum != y.Sum {
			differing[x.Hash] = true
			d.lines = append(d.lines, fmt.Sprintf("%s: was %d facts, digest %s, is %d facts, digest %s", x.Name, x.Facts, x.Sum, y.Facts, y.Sum))
		}
	}
	for _, y := range after {
		if _, only := made[y.Hash]; only {
			differing[y.Hash] = true
			d.lines = append(d.lines, fmt.Sprintf("%s: was not there, is %d facts, digest %s", y.Name, y.Facts, y.Sum))
		}
	}
	return differing, nil
}

// startOf is from when on a metric is in force. What it has made in a life before that is not compared.
func startOf(m *definition.Metric, s *processing.State) event.Millis {
	for i := range s.Definitions {
		if s.Definitions[i].Hash == m.Hash {
			return s.Definitions[i].From
		}
	}
	return event.NoTime
}

// findWindow looks for the first window of a metric that differs, and keeps it if it is the first of all.
func (d *difference) findWindow(m *definition.Metric, from event.Millis, was, is *store.View) error {
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
