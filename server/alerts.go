package server

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

type alertsBody struct {
	Alerts []alertBody `json:"alerts"`
	Next   *string     `json:"next"`
}

// alertBody is an alert with what became of the value that it fired on.
type alertBody struct {
	wire.Alert
	Corrected *correctedBody `json:"corrected"` // null: nothing did
}

// correctedBody is what the window's group holds now. An alert itself never changes by it.
type correctedBody struct {
	Value    wire.Number `json:"value"`
	Revision *int        `json:"revision"` // null: retracted, and nothing is kept of it
	Kind     string      `json:"kind"`
}

// The symbols of the alerts schema.
var (
	alertTypes = []string{
		"HIGH_BOUNCE_RATE", "CONVERSION_FUNNEL_BREACH", "TRAFFIC_ANOMALY", "FRAUD_DETECTED", "PERFORMANCE_DEGRADATION", "CUSTOM_PATTERN",
	}
	alertSeverities = []string{"LOW", "MEDIUM", "HIGH", "CRITICAL"}
	alertStates     = map[string]alert.State{"firing": alert.Firing, "resolved": alert.Resolved, "all": 0}
)

// listAlerts answers with the alerts that rules have raised, those that began to fire last first.
func (s *Server) listAlerts(_ http.ResponseWriter, r *http.Request) (any, error) {
	p := s.params(r)
	q := store.AlertQuery{
		State: alertStates[p.choice("state", "all", "firing", "resolved", "all")],
		Types: p.choices("type", alertTypes...), Severities: p.choices("severity", alertSeverities...),
	}
	q.From, q.To = p.openRange()
	q.Limit = int(p.integer("limit", 100, 1, 1000))
	if text, ok := p.text("cursor"); ok {
		c, err := parseAlertCursor(text, alertQueryID(&q))
		if err != nil {
			p.fault("cursor", "%v", err)
		} else {
			q.From, q.To, q.Before = c.From, c.To, &store.AlertPos{StartedAt: c.Started, ID: c.ID}
		}
	}
	if err := p.problem(); err != nil {
		return nil, err
	}
	body := alertsBody{}
	err := s.view(func(v *store.View) error {
		alerts, more, err := v.Alerts(&q)
		if err != nil {
			return err
		}
		body.Alerts = make([]alertBody, len(alerts))
		for i := range alerts {
			if body.Alerts[i], err = alertBodyOf(v, &alerts[i]); err != nil {
				return err
			}
		}
		if more {
			last := &alerts[len(alerts)-1]
			next := encodeCursor(alertCursor{q.From, q.To, last.StartedAt, last.ID, alertQueryID(&q)})
			body.Next = &next
		}
		return nil
	})
	return body, err
}

// alert answers with one alert.
func (s *Server) alert(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	id := chi.URLParam(r, "id")
	var body alertBody
	err := s.view(func(v *store.View) error {
		a, ok, err := v.Alert(id)
		if err != nil {
			return err
		}
		if !ok {
			return notFound("there is no alert %q", id)
		}
		body, err = alertBodyOf(v, &a)
		return err
	})
	return body, err
}

func alertBodyOf(v *store.View, a *alert.Alert) (alertBody, error) {
	corrected, err := correctedOf(v, a)
	return alertBody{wire.AlertOf(a), corrected}, err
}

// correctedOf looks up what late events have made of the window that an alert rests on. Once that window is no longer
// kept nothing is known.
func correctedOf(v *store.View, a *alert.Alert) (*correctedBody, error) {
	if a.Window.Metric == "" {
		return nil, nil
	}
	group := make([]string, len(a.Group))
	for i, l := range a.Group {
		group[i] = l.Text
	}
	r, found, kept, err := v.Result(a.Window.Definition, a.Window.Start, group)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read evidence of alert %s: %w", a.ID, err)
	case found && r.Kind == window.Correction:
		return &correctedBody{wire.NumberOf(r.Value), &r.Revision, r.Kind.String()}, nil
	case found && r.Kind == window.Retract: // kept where the metric has a `having`
		c := &correctedBody{Kind: r.Kind.String()}
		if !r.Withheld() {
			c.Revision = &r.Revision
		}
		return c, nil
	case !found && kept && len(group) > 0: // an ungrouped window without a row is one without events
		return &correctedBody{Kind: window.Retract.String()}, nil
	default:
		return nil, nil
	}
}
