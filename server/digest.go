package server

import (
	"net/http"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/store"
)

type digestBody struct {
	Definitions []definitionDigestBody `json:"definitions"`
	Digest      string                 `json:"digest"` // the sum of them
}

type definitionDigestBody struct {
	Name    string `json:"name"`
	Hash    string `json:"hash"`
	Windows int64  `json:"windows"` // of session kinds closed sessions, of rules transitions
	Digest  string `json:"digest"`
}

// digest answers with the digests of the definitions in force, all as of one commit.
func (s *Server) digest(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	var digests []processing.DefinitionDigest
	err := s.view(func(v *store.View) (err error) {
		digests, err = v.DigestsInForce()
		return err
	})
	if err != nil {
		return nil, err
	}
	known := make(map[definition.Hash]processing.DefinitionDigest, len(digests))
	for _, d := range digests {
		known[d.Hash] = d
	}
	digests = digests[:0]
	body := digestBody{Definitions: []definitionDigestBody{}}
	add := func(name string, h definition.Hash) {
		d := known[h] // one that starts with the next commit has made nothing yet
		digests = append(digests, d)
		body.Definitions = append(body.Definitions, definitionDigestBody{Name: name, Hash: h.String(), Windows: d.Facts, Digest: d.Sum.String()})
	}
	for i := range s.Plan.Metrics {
		add(s.Plan.Metrics[i].Name, s.Plan.Metrics[i].Hash)
	}
	for i := range s.Plan.Sessions {
		add(s.Plan.Sessions[i].Name, s.Plan.Sessions[i].Hash)
	}
	for i := range s.Plan.Rules {
		add(s.Plan.Rules[i].Name, s.Plan.Rules[i].Hash)
	}
	body.Digest = processing.TotalDigest(digests).String()
	return body, nil
}
