package server

import (
	"net/http"
	"strings"

	"github.com/tidemark/tidemark/server/wire"
)

// serveLive hands the connection to the hub.
func (s *Server) serveLive(w http.ResponseWriter, r *http.Request) {
	p := s.params(r)
	var channels []string
	if text, ok := p.text("channels"); ok {
		channels = strings.Split(text, ",")
	}
	if err := p.problem(); err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		writeProblem(w, &wire.Problem{
			Type: "/problems/upgrade-required", Title: "This address speaks WebSocket", Status: http.StatusUpgradeRequired,
			Detail: "ask for an upgrade, with the subprotocol tidemark.v1",
		})
		return
	}
	s.hub.Serve(w, r, channels)
}
