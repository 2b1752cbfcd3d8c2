package window

import (
	"testing"

	"github.com/tidemark/tidemark/processing/definition"
)

func TestResultID(t *testing.T) {
	base := func() *Result {
		return &Result{Metric: "top_pages", Definition: definition.Hash{1}, Start: 60_000, End: 120_000, Group: []string{"ab", "c"}}
	}
	// Written down: consumers keep ids, so that a new version must make the same ones.
	const want = "77f58300bf2dbe4d3cd124a297324f73"
	if got := base().ID(); got != want {
		t.Errorf("id is %s, want %s", got, want)
	}
	for name, change := range map[string]func(r *Result){
		"metric":           func(r *Result) { r.Metric = "top_page" },
		"definition":       func(r *Result) { r.Definition[15] = 1 },
		"start":            func(r *Result) { r.Start++ },
		"end":              func(r *Result) { r.End++ },
		"group":            func(r *Result) { r.Group[1] = "d" },
		"split of a group": func(r *Result) { r.Group = []string{"a", "bc"} },
		"no group":         func(r *Result) { r.Group = nil },
	} {
		r := base()
		change(r)
		if r.ID() == want {
			t.Errorf("another %s has the same id", name)
		}
	}
	r := base()
	r.Kind, r.Revision, r.Count, r.Value, r.Seq = Correction, 7, 9, definition.Number{Float: 1, Valid: true}, 12
	if got := r.ID(); got != want {
		t.Errorf("a later revision has id %s, want %s", got, want)
	}
}
