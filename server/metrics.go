package server

import (
	"net/http"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

type metricsBody struct {
	Metrics []metricBody `json:"metrics"`
}

type metricBody struct {
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Description   string       `json:"description"`
	Unit          string       `json:"unit"`
	Kind          string       `json:"kind"`
	Size          event.Millis `json:"size_ms"`
	Slide         event.Millis `json:"slide_ms"`
	Pane          event.Millis `json:"pane_ms"` // steps of history are multiples of it
	GroupBy       []string     `json:"group_by"`
	Aggregates    []string     `json:"aggregates"`
	Funnel        []string     `json:"funnel"` // aggregates that can be shown as steps; mostly none
	Formula       string       `json:"formula"`
	Estimate      bool         `json:"estimate"`
	RelativeError float64      `json:"relative_error"`
	Hash          string       `json:"hash"`
	From          wire.Time    `json:"from_ms"` // windows that start earlier are not whole and not shown
	Watermark     wire.Time    `json:"watermark_ms"`
}

// listMetrics answers with the metrics in force.
func (s *Server) listMetrics(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	body := metricsBody{Metrics: []metricBody{}}
	err := s.view(func(v *store.View) error {
		from, err := startsOf(v)
		if err != nil {
			return err
		}
		for i := range s.Plan.Metrics {
			m := &s.Plan.Metrics[i]
			b := s.metricBody(m)
			if start, ok := from[m.Hash]; ok {
				b.From = wire.TimeOf(start)
			}
			b.Watermark = wire.TimeOf(v.Watermark())
			body.Metrics = append(body.Metrics, b)
		}
		return nil
	})
	return body, err
}

// startsOf says from when on the windows of each definition are whole.
func startsOf(v *store.View) (map[definition.Hash]event.Millis, error) {
	starts, err := v.Starts()
	from := make(map[definition.Hash]event.Millis, len(starts))
	for _, start := range starts {
		from[start.Hash] = start.From
	}
	return from, err
}

func (s *Server) metricBody(m *definition.Metric) metricBody {
	shape := s.shapes[m.Hash]
	names := make([]string, len(m.Aggregates))
	for i, a := range m.Aggregates {
		names[i] = a.Name
	}
	return metricBody{
		Name: m.Name, Type: m.Type, Title: m.Title, Description: m.Description, Unit: m.Unit, Kind: m.Kind(),
		Size: m.Size, Slide: m.Slide, Pane: s.Plan.Groupings[m.Grouping].Width,
		GroupBy: append([]string{}, m.Keys...), Aggregates: names, Funnel: append([]string{}, s.Plan.Funnel(m)...), Formula: m.FormulaText,
		Estimate: shape.Estimate, RelativeError: shape.RelativeError, Hash: m.Hash.String(),
	}
}
