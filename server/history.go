package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/live"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

// maxPoints is how many points a series may have.
const maxPoints = 11_000

// defaultSeries is how many series are answered where the request does not say.
const defaultSeries = 100

type historyBody struct {
	Metric        string        `json:"metric"`
	Unit          string        `json:"unit"`
	Step          event.Millis  `json:"step_ms"`
	From          event.Millis  `json:"from_ms"`
	To            event.Millis  `json:"to_ms"`
	Watermark     wire.Time     `json:"watermark_ms"`
	Partial       bool          `json:"partial"`
	Estimate      bool          `json:"estimate"`
	RelativeError float64       `json:"relative_error"`
	Series        []wire.Series `json:"series"`
	Warnings      []string      `json:"warnings"`
}

// history answers with a metric over time.
func (s *Server) history(w http.ResponseWriter, r *http.Request) (any, error) {
	m, err := s.metric(chi.URLParam(r, "name"))
	if err != nil {
		return nil, err
	}
	p := s.params(r)
	q := historyQuery{metric: m}
	q.from, q.to = p.timeRange("-1h")
	q.filter = p.groups(m)
	q.limit = int(p.integer("limit", defaultSeries, 1, 1000))
	s.readStep(p, &q)
	if err := p.problem(); err != nil {
		return nil, err
	}
	body, err := s.runHistory(r.Context(), &q)
	if err != nil {
		return nil, err
	}
	w.Header().Set("Vary", "Accept")
	if negotiate(r, "application/json", "text/csv") == "text/csv" {
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", m.Name+".csv"))
		writeBody(w, http.StatusOK, "text/csv; charset=utf-8", historyCSV(m, body))
		return nil, nil
	}
	return body, nil
}

// readStep reads the step, or chooses one that fits.
func (s *Server) readStep(p *params, q *historyQuery) {
	text, ok := p.text("step")
	if !ok {
		q.step = fittingStep(q.metric.Slide, q.to-q.from)
		q.length = max(q.metric.Size, q.step)
		return
	}
	pane := s.Plan.Groupings[q.metric.Grouping].Width
	d, err := wire.ParseSpan(text)
	q.step = event.Millis(d.Milliseconds())
	q.length = q.step
	switch {
	case err != nil || q.step <= 0:
		p.fault("step", "%q is not a step: a span such as `10s`, `5m` or `1d`", text)
	case q.step%pane != 0 || d%time.Millisecond != 0:
		p.fault("step", "%s is kept in panes of %s: a step is a multiple of that", q.metric.Name, span(pane))
	case (q.to-q.from)/q.step > maxPoints:
		p.fault("step", "that makes more than %d points: ask for a shorter range or a step of at least %s",
			maxPoints, span(fittingStep(pane, q.to-q.from)))
	}
}

func span(d event.Millis) string { return (time.Duration(d) * time.Millisecond).String() }

// roundSteps are the steps that people expect on a time axis.
var roundSteps = []event.Millis{
	1_000, 2_000, 5_000, 10_000, 15_000, 30_000,
	60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
	3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
}

// fittingStep is unit, or the smallest step that is a multiple of it and makes few enough points: a round one if there
// is one, else the smallest multiple that fits.
func fittingStep(unit, length event.Millis) event.Millis {
	fits := func(step event.Millis) bool { return length/step <= maxPoints }
	if fits(unit) {
		return unit
	}
	for _, step := range roundSteps {
		if step%unit == 0 && fits(step) {
			return step
		}
	}
	return (length/maxPoints/unit + 1) * unit
}

// runHistory answers a query from one view.
func (s *Server) runHistory(ctx context.Context, q *historyQuery) (*historyBody, error) {
	shape := s.shapes[q.metric.Hash]
	body := &historyBody{
		Metric: q.metric.Name, Unit: q.metric.Unit, Step: q.step, From: q.from, To: q.to,
		Estimate: shape.Estimate, RelativeError: shape.RelativeError, Series: []wire.Series{}, Warnings: []string{},
	}
	err := s.view(func(v *store.View) error {
		body.Watermark = wire.TimeOf(v.Watermark())
		last := q.clock().PaneStart(q.to - 1)
		body.Partial = v.Watermark() == event.NoTime || q.to-1 > v.Watermark() || last+q.length-1 > v.Watermark()
		found, err := q.run(ctx, s.Plan, v)
		if err != nil {
			return err
		}
		body.Warnings = append(body.Warnings, found.warnings...)
		for _, one := range found.series {
			body.Series = append(body.Series, wire.Series{Group: shape.Group(one.group), Points: one.points})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", q.metric.Name, err)
	}
	return body, nil
}

// Backfill is history for a live subscription: up to now, by the default step.
func (s *Server) Backfill(ctx context.Context, m *definition.Metric, length time.Duration) ([]live.Backfill, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	leave, err := s.enterHeavy(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	now := event.Millis(s.now().UnixMilli())
	q := historyQuery{
		metric: m, from: now - event.Millis(length.Milliseconds()), to: now,
		filter: make(groupFilter, len(m.Keys)), limit: defaultSeries,
	}
	q.step = fittingStep(m.Slide, q.to-q.from)
	q.length = max(m.Size, q.step)
	body, err := s.runHistory(ctx, &q)
	if err != nil {
		s.Logger.Error("backfill failed", "error", err)
		return nil, problemOf(err)
	}
	series := make([]live.Backfill, len(body.Series))
	for i, one := range body.Series {
		series[i] = live.Backfill{Metric: m.Name, StepMs: q.step, Series: one}
	}
	return series, nil
}

// historyCSV has one line for each point: time, the group's values, value.
func historyCSV(m *definition.Metric, body *historyBody) []byte {
	b := []byte("time_ms,time")
	for _, key := range m.Keys {
		b = appendCell(append(b, ','), key)
	}
	b = append(b, ",value\r\n"...)
	for _, one := range body.Series {
		for _, point := range one.Points {
			b = fmt.Appendf(b, "%d,%s", point.At, time.UnixMilli(int64(point.At)).UTC().Format("2006-01-02T15:04:05.000Z"))
			for _, key := range m.Keys {
				b = appendCell(append(b, ','), one.Group[key])
			}
			b = append(b, ',')
			if point.Value != nil {
				b = fmt.Append(b, *point.Value)
			}
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// appendCell writes text that may be hostile: spreadsheets run what begins like a formula, so it gets a quote before it.
func appendCell(b []byte, text string) []byte {
	if text != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(text[0])) {
		text = "'" + text
	}
	if !strings.ContainsAny(text, "\",\r\n") && !slices.Contains([]byte(text), 0) {
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(text, `"`, `""`)...)
	return append(b, '"')
}
