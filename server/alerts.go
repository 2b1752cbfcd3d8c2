package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

type alertsBody struct {
	Alerts []struct{} `json:"alerts"`
	Next   *string    `json:"next"`
}

// The symbols of the alerts schema.
var (
	alertTypes = []string{
		"HIGH_BOUNCE_RATE", "CONVERSION_FUNNEL_BREACH", "TRAFFIC_ANOMALY", "FRAUD_DETECTED", "PERFORMANCE_DEGRADATION", "CUSTOM_PATTERN",
	}
	alertSeverities = []string{"LOW", "MEDIUM", "HIGH", "CRITICAL"}
)

// listAlerts answers with the alerts that rules have raised. Definitions of this version have no rules, so that there
// are none.
func (s *Server) listAlerts(_ http.ResponseWriter, r *http.Request) (any, error) {
	p := s.params(r)
	p.choice("state", "all", "firing", "resolved", "all")
	p.choice("type", "", alertTypes...)
	p.choice("severity", "", alertSeverities...)
	p.timeRange("-35d")
	p.integer("limit", 100, 1, 1000)
	if _, ok := p.text("cursor"); ok {
		p.fault("cursor", "%v", errCursor)
	}
	if err := p.problem(); err != nil {
		return nil, err
	}
	return alertsBody{Alerts: []struct{}{}}, nil
}

func (s *Server) alert(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	return nil, notFound("there is no alert %q", chi.URLParam(r, "id"))
}
