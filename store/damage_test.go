package store

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A store that lacks one of its tables, as it seems to where a damaged manifest ends too early, is damaged: starting again won't
// mend it.
func TestMissingTableIsDamage(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, "s", testOptions(fs))
	fillStore(t, s, newModel(), rand.New(rand.NewPCG(1, 1)), 20)
	mustDo(t, s.db.Flush())
	mustClose(t, s)
	names, err := fs.List("s")
	mustDo(t, err)
	removed := ""
	for _, name := range names {
		if removed == "" && strings.HasSuffix(name, ".sst") {
			removed = name
			mustDo(t, fs.Remove("s/"+name))
		}
	}
	for name, open := range map[string]func(string, Options) (*Store, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
		if _, err := open("s", testOptions(fs)); !IsDamaged(err) || !strings.Contains(err.Error(), strings.TrimSuffix(removed, ".sst")) {
			t.Errorf("%s without %q: %v", name, removed, err)
		}
	}
}
