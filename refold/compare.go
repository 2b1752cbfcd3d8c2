package refold

import (
	"fmt"
	"io"
	"slices"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/store"
)

// Difference is what two stores don't have in common.
type Difference struct {
	window *differingWindow // the first that differs, if one is kept
	lines  []string         // all that differs
}

// Print writes the verdict. It returns ErrDiffers if there is a difference.
func (d *Difference) Print(out io.Writer) error {
	if len(d.lines) == 0 {
		_, err := fmt.Fprintln(out, "match")
		return err
	}
	if w := d.window; w != nil {
		fmt.Fprintf(out, "the first window that differs: %s, %s to %s%s: was %s, is %s\n",
			w.metric.Name, w.start.RFC3339(), (w.start + w.metric.Size).RFC3339(), w.group, w.was, w.is)
	}
	for _, line := range d.lines {
		fmt.Fprintln(out, line)
	}
	return ErrDiffers
}

// ErrDiffers ends a command whose verdict has been printed.
var ErrDiffers = fmt.Errorf("folded again the state is not the same")

// Compare compares what the definitions of two stores have made, and the counters. began is the state that the second was folded
// on from.
func Compare(plan *definition.Plan, from *Original, into *store.Store, began *processing.State) (_ *Difference, err error) {
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
	d := &Difference{}
	if w, v := was.Watermark(), is.Watermark(); w != v {
		d.lines = append(d.lines, fmt.Sprintf("watermark: was %s, is %s", w.RFC3339(), v.RFC3339()))
	}
	d.compareCounters(was.Counters(), is.Counters(), sameSince(began, from.State))
	differing, err := d.compareDigests(was, is)
	if err != nil {
		return nil, err
	}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		if !differing[m.Hash] {
			continue
		}
		if err := d.findWindow(m, startOf(m, from.State), was, is); err != nil {
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
func (d *Difference) compareCounters(was, is processing.Counters, same bool) {
	if !same {
		was = processing.Counters{Consumed: was.Consumed, DeadLetters: was.DeadLetters}
		is = processing.Counters{Consumed: is.Consumed, DeadLetters: is.DeadLetters}
	}
	if was != is {
		d.lines = append(d.lines, fmt.Sprintf("counters: was %+v, is %+v", was, is))
	}
}

// compareDigests compares what the definitions in force have made, and returns those that differ.
func (d *Difference) compareDigests(was, is *store.View) (differing map[definition.Hash]bool, err error) {
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
