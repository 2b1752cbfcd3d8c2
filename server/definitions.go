package server

import (
	"fmt"
	"net/http"

	"go.yaml.in/yaml/v3"
)

// definitions answers with the definitions in force, as YAML unless JSON is asked for.
func (s *Server) definitions(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	w.Header().Set("Vary", "Accept")
	if negotiate(r, "application/yaml", "application/json") == "application/yaml" {
		writeBody(w, http.StatusOK, "application/yaml", s.Plan.YAML)
		return nil, nil
	}
	var tree map[string]any
	if err := yaml.Unmarshal(s.Plan.YAML, &tree); err != nil {
		return nil, fmt.Errorf("read definitions in force: %w", err)
	}
	return tree, nil
}
