package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/tidemark/tidemark/server/wire"
)

type latestBody struct {
	Final     []rowBody `json:"final"`
	Open      []rowBody `json:"open"`
	Seq       uint64    `json:"seq"`
	Watermark wire.Time `json:"watermark_ms"`
}

// latest answers with the newest closed window of a metric that has rows, and its open windows. It reads what live
// clients see.
func (s *Server) latest(_ http.ResponseWriter, r *http.Request) (any, error) {
	m, err := s.metric(chi.URLParam(r, "name"))
	if err != nil {
		return nil, err
	}
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	l, err := s.hub.Latest(r.Context(), m)
	if err != nil {
		return nil, err
	}
	return latestBody{s.rowBodies(l.Final), s.rowBodies(l.Open), l.Seq, wire.TimeOf(l.Watermark)}, nil
}
