package refold

import (
	"errors"
	"log/slog"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/store"
)

// Original is a store that is folded again.
type Original struct {
	*store.Store
	State *processing.State
}

// OpenOriginal opens a store to read it.
func OpenOriginal(path string, plan *definition.Plan) (*Original, error) {
	options := store.Default()
	options.Logger = slog.New(slog.DiscardHandler)
	s, err := store.OpenReadOnly(path, options)
	if err != nil {
		return nil, err
	}
	state, err := s.Load(plan)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Original{s, state}, nil
}
