package server

import (
	"net/http"

	"github.com/tidemark/tidemark/processing/definition"
)

type planBody struct {
	Metrics  []metricPlanBody  `json:"metrics"`
	Sessions []sessionPlanBody `json:"sessions"`
	Held     int64             `json:"held_bytes"`
	Total    int64             `json:"state_bytes"`
	Budget   int64             `json:"state_budget_bytes"`
}

type metricPlanBody struct {
	Name         string   `json:"name"`
	Hash         string   `json:"hash"`
	Grouping     int      `json:"grouping"`
	Panes        int64    `json:"panes"`
	OpenPanes    int64    `json:"open_panes"`
	Rows         int64    `json:"rows"`
	Accumulators []string `json:"accumulators"`
	State        int64    `json:"state_bytes"`
}

type sessionPlanBody struct {
	Name         string   `json:"name"`
	Hash         string   `json:"hash"`
	Open         int64    `json:"open"`
	Accumulators []string `json:"accumulators"`
	State        int64    `json:"state_bytes"`
}

// plan answers with what the definitions in force compile to, as `tidemark check` prints it.
func (s *Server) plan(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	return planBodyOf(s.Plan.Summary()), nil
}

func planBodyOf(p definition.Summary) planBody {
	body := planBody{Metrics: []metricPlanBody{}, Sessions: []sessionPlanBody{}, Held: p.Held, Total: p.Total, Budget: p.Budget}
	for _, m := range p.Metrics {
		body.Metrics = append(body.Metrics, metricPlanBody{
			Name: m.Name, Hash: m.Hash.String(), Grouping: m.Grouping, Panes: m.Panes, OpenPanes: m.OpenPanes, Rows: m.Groups,
			Accumulators: append([]string{}, m.Accumulators...), State: m.Bytes,
		})
	}
	for _, k := range p.Sessions {
		body.Sessions = append(body.Sessions, sessionPlanBody{k.Name, k.Hash.String(), k.Open, append([]string{}, k.Accumulators...), k.Bytes})
	}
	return body
}
