package truth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/tidemark/tidemark/processing/event"
)

// Read reads what a File has written, as a server must answer it whose watermark is at w: what has not ended by then is left out.
// Empty windows have no final, which nobody publishes.
func Read(r io.Reader, w event.Millis) (*Expected, error) {
	e := &Expected{Watermark: w, windows: map[string][]Window{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if err := e.readLine(lines.Bytes()); err != nil {
			return nil, fmt.Errorf("truth: line %d: %w", n, err)
		}
	}
	return e, lines.Err()
}

func (e *Expected) readLine(line []byte) error {
	var head struct{ Type string }
	if err := json.Unmarshal(line, &head); err != nil {
		return err
	}
	switch head.Type {
	case "window":
		return e.readWindow(line)
	case "session":
		var s sessionLine
		err := json.Unmarshal(line, &s)
		if s.ClosedAt <= e.Watermark {
			e.Sessions = append(e.Sessions, Session{s.Key, s.Start, s.End, s.ClosedAt, s.Reason, s.Aggregates["page_views"], s.Events})
		}
		return err
	case "alert":
		return e.readAlert(line)
	case "dead_letter":
		var d deadLetterLine
		err := json.Unmarshal(line, &d)
		e.DeadLetters = append(e.DeadLetters, DeadLetter{event.Coordinate{Partition: d.Partition, Offset: d.Offset}, d.Reason})
		return err
	case "counters":
		var c countersLine
		err := json.Unmarshal(line, &c)
		e.Counters = Counters{c.Consumed, c.Applied, c.Filtered, c.Late, c.DeadLetters, c.LatePartly}
		return err
	default:
		return fmt.Errorf("unknown type %q", head.Type)
	}
}

func (e *Expected) readWindow(line []byte) error {
	var l struct {
		windowLine
		Final *numbers `json:"final"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	if l.End-1 > e.Watermark {
		return nil
	}
	w := Window{Start: l.Start, End: l.End, Group: l.Group, Settled: l.End-1+DefaultRules().AllowedLateness <= e.Watermark}
	last := &Result{l.Value, l.Aggregates, l.Count}
	switch {
	case l.Kind == "retract":
		last = nil
	case l.Kind == "final" && l.Count > 0:
		w.Final = last
	}
	if l.Final != nil {
		w.Final = &Result{l.Final.Value, l.Final.Aggregates, l.Final.Count}
	}
	w.Last = last
	e.windows[l.Metric] = append(e.windows[l.Metric], w)
	return nil
}

func (e *Expected) readAlert(line []byte) error {
	var l alertLine
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	if l.StartedAt-1 > e.Watermark {
		return nil
	}
	a := Alert{
		Rule: l.Definition, Metric: l.Window.Metric, StartedAt: l.StartedAt,
		Window: Window{Start: l.Window.Start, End: l.Window.End, Final: &Result{l.Value, l.Aggregates, l.Count}},
	}
	if l.EndedAt != nil && *l.EndedAt-1 <= e.Watermark {
		a.EndedAt = *l.EndedAt
	}
	e.Alerts = append(e.Alerts, a)
	return nil
}
