package server

import (
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/store"
)

// skipDropped moves the start of the first range behind what retention has dropped, and says so where that leaves
// something out.
func (q *historyQuery) skipDropped(plan *definition.Plan, v *store.View, first event.Millis) (event.Millis, []string, error) {
	groupings := []int{q.metric.Grouping}
	if q.metric.Total >= 0 {
		groupings = append(groupings, q.metric.Total)
	}
	asked, whole := first, event.NoTime
	for _, i := range groupings {
		width := plan.Groupings[i].Width
		res := store.CellResolution(width, asked, q.step, q.length)
		from, err := v.KeptFrom(max(res, width))
		if err != nil {
			return 0, nil, err
		}
		if shift := shiftOf(asked, res); from != event.NoTime && first-shift < from {
			first, whole = q.clock().PaneStart(from+shift+q.step-1), max(whole, from)
		}
	}
	if first == asked {
		return first, nil, nil
	}
	g := &plan.Groupings[q.metric.Grouping]
	for _, res := range longResolutions(g) {
		any := func([]byte) (bool, error) { return true, nil }
		switch start, ok, err := v.FirstCell(g.Hash, res, event.NoTime, any); {
		case err != nil:
			return 0, nil, err
		case ok && start < whole:
			return first, []string{fmt.Sprintf("before %s history is kept by the %s only: ask for a `step` of whole %ss",
				time.UnixMilli(int64(whole)).UTC().Format(time.RFC3339), unitOf(res), unitOf(res))}, nil
		}
	}
	return first, nil, nil
}

// longResolutions are the resolutions of a grouping that are kept for long, ascending.
func longResolutions(g *definition.Grouping) (long []event.Millis) {
	for _, res := range store.Resolutions {
		if res >= oneHour && res > g.Width {
			long = append(long, res)
		}
	}
	return long
}

const oneHour event.Millis = 3_600_000

func unitOf(res event.Millis) string {
	if res == oneHour {
		return "hour"
	}
	return "day"
}

// firstEvent is from when on a metric without groups has a value for every range: the start of its earliest window with
// an event or, if windows of that time have been dropped, of the earliest long cell with one.
func firstEvent(m *definition.Metric, plan *definition.Plan, v *store.View) (start event.Millis, ok bool, err error) {
	start, ok, err = v.FirstWindow(m.Hash)
	if err != nil {
		return 0, false, err
	}
	dropped, err := v.KeptFrom(0)
	if err != nil || dropped == event.NoTime {
		return start, ok, err
	}
	g := &plan.Groupings[m.Grouping]
	selection := window.NewSelection(g, []int{m.Count}, nil)
	pane := window.NewPane(g)
	took := func(block []byte) (bool, error) {
		pane.Reset()
		err := selection.MergeBlock(pane, block)
		count := pane.Column(m.Count).Result(0, 0)
		return err == nil && count.Int() > 0, err
	}
	for _, res := range longResolutions(g) {
		long, found, err := v.FirstCell(g.Hash, res, event.NoTime, took)
		if err != nil || found && long < dropped && (!ok || long < start) {
			return long, found, err
		}
	}
	return start, ok, nil
}
