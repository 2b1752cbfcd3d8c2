package server

import (
	"net/http"

	"github.com/tidemark/tidemark/processing"
)

type healthBody struct {
	OK      bool     `json:"ok"`
	Reasons []string `json:"reasons"` // why not, or what somebody should know
}

// live answers as long as the process can.
func (s *Server) live(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	return healthBody{OK: true, Reasons: []string{}}, nil
}

// ready answers 200 once the cursors are verified, also while the pipeline catches up or waits for a decision on a
// partition: answers are good then, if late. It is 503 before that, while no records are taken, once
// nothing is published any more, and while the server stops.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	st := s.Pipeline.Status()
	body := healthBody{OK: true, Reasons: []string{}}
	if !st.Verified {
		body.OK = false
		body.Reasons = append(body.Reasons, "the cursors are not verified yet")
	}
	if st.Phase == processing.Stopping || s.serving.Err() != nil {
		body.OK = false
		body.Reasons = append(body.Reasons, "the server stops")
	}
	if st.Outputs.Fault != "" {
		body.OK = false
		body.Reasons = append(body.Reasons, "nothing is published: "+st.Outputs.Fault)
	}
	switch {
	case st.Held != "":
		body.OK = false
		body.Reasons = append(body.Reasons, "no records are taken: "+st.Held)
	case st.Phase != processing.Running && st.Verdict != "":
		body.Reasons = append(body.Reasons, st.Verdict)
	}
	if !body.OK {
		writeJSON(w, http.StatusServiceUnavailable, "application/json", body)
		return nil, nil
	}
	return body, nil
}
