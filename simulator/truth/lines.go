package truth

import (
	"maps"

	"github.com/tidemark/tidemark/processing/event"
)

// The lines of a file. Members are those of REST where it has the thing, without what is no function of the log.

type windowLine struct {
	Type   string            `json:"type"`
	Metric string            `json:"metric"`
	Start  event.Millis      `json:"window_start_ms"`
	End    event.Millis      `json:"window_end_ms"`
	Group  map[string]string `json:"group"`
	Kind   string            `json:"kind"`
	numbers
}

type numbers struct {
	Value      *float64            `json:"value"`
	Aggregates map[string]*float64 `json:"aggregates"`
	Count      int64               `json:"count"`
}

// correctedLine is a window whose last revision is not what its final was; null where the final did not have the group.
type correctedLine struct {
	windowLine
	Final *numbers `json:"final"`
}

type sessionLine struct {
	Type       string         `json:"type"`
	Kind       string         `json:"kind"`
	Key        string         `json:"key"`
	Start      event.Millis   `json:"start_ms"`
	End        event.Millis   `json:"end_ms"`
	ClosedAt   event.Millis   `json:"closed_at_ms"`
	Reason     string         `json:"reason"`
	Events     int            `json:"events"`
	Aggregates map[string]int `json:"aggregates"`
}

type alertLine struct {
	Type       string            `json:"type"`
	Definition string            `json:"definition"`
	Group      map[string]string `json:"group"`
	State      string            `json:"state"`
	StartedAt  event.Millis      `json:"started_at_ms"`
	EndedAt    *event.Millis     `json:"ended_at_ms"`
	numbers
	Window alertWindow `json:"window"`
}

type alertWindow struct {
	Metric string       `json:"metric"`
	Start  event.Millis `json:"window_start_ms"`
	End    event.Millis `json:"window_end_ms"`
}

type deadLetterLine struct {
	Type      string            `json:"type"`
	Partition event.PartitionID `json:"partition"`
	Offset    event.Offset      `json:"offset"`
	Reason    string            `json:"reason"`
}

type countersLine struct {
	Type        string `json:"type"`
	Consumed    int64  `json:"consumed"`
	Applied     int64  `json:"applied"`
	Filtered    int64  `json:"filtered"`
	Late        int64  `json:"late"`
	DeadLetters int64  `json:"dead_letters"`
	LatePartly  int64  `json:"late_partly"`
}

func numbersOf(r *Result) *numbers {
	if r == nil {
		return nil
	}
	return &numbers{r.Value, r.Aggregates, r.Count}
}

func alertLineOf(a *Alert) alertLine {
	line := alertLine{
		Type: "alert", Definition: a.Rule, Group: map[string]string{}, State: "firing", StartedAt: a.StartedAt, numbers: *numbersOf(a.Window.Final),
		Window: alertWindow{a.Metric, a.Window.Start, a.Window.End},
	}
	if a.EndedAt != 0 {
		line.State, line.EndedAt = "resolved", &a.EndedAt
	}
	return line
}

// gap supplies the windows of a metric without groups in which nothing happened, between those in which something did.
type gap struct {
	slide, size event.Millis
	empty       numbers
	next        event.Millis // start of the window after the last
}

// gapOf returns nil for a metric with groups.
func gapOf(name string) *gap {
	for i := range eventMetrics {
		if m := &eventMetrics[i]; m.name == name {
			return newGap(m)
		}
	}
	for i := range sessionMetrics {
		if m := &sessionMetrics[i]; m.name == name {
			return newGap(m)
		}
	}
	panic("BUG: no metric " + name)
}

func newGap[T any](m *metric[T]) *gap {
	if m.key != "" {
		return nil
	}
	return &gap{slide: m.slide, size: m.size, empty: *numbersOf(resultOf(m, nil, nil))}
}

// window writes a window's line, and before it those of empty windows that lie between the one before it and this.
func (f *File) window(metric string, w Window) {
	g, known := f.gaps[metric]
	if !known {
		g = gapOf(metric)
		f.gaps[metric] = g
	}
	if g != nil {
		for ; g.next != 0 && g.next < w.Start; g.next += g.slide {
			f.note(f.windows.encode.Encode(windowLine{"window", metric, g.next, g.next + g.size, map[string]string{}, "final", g.empty}))
		}
		g.next = w.Start + g.slide
	}
	line := windowLine{Type: "window", Metric: metric, Start: w.Start, End: w.End, Group: w.Group}
	switch {
	case w.Last == nil:
		line.Kind, line.Aggregates = "retract", map[string]*float64{}
	case w.Final != nil && sameResult(w.Final, w.Last):
		line.Kind, line.numbers = "final", *numbersOf(w.Last)
		f.note(f.windows.encode.Encode(line))
		return
	default:
		line.Kind, line.numbers = "correction", *numbersOf(w.Last)
	}
	f.note(f.windows.encode.Encode(correctedLine{line, numbersOf(w.Final)}))
}

func sameResult(a, b *Result) bool {
	same := func(x, y *float64) bool { return x == y || x != nil && y != nil && *x == *y }
	return same(a.Value, b.Value) && a.Count == b.Count && maps.EqualFunc(a.Aggregates, b.Aggregates, same)
}
