package processing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/memory"
)

// A definition that is no longer in force keeps its digest until it comes back, which begins with nothing. Those that stay go
// on.
func TestDigestsOfDefinitionsThatComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const rule = `
alerts:
  - {name: many, on: some, when: value > 5}`
		log, store := memory.NewLog(1, 100), memory.NewStore()
		facts := func(definitions string, from, to int) string {
			r := start(t, log, store, definitions)
			feed(log, from, to)
			pass(time.Second)
			r.end()
			var out []string
			for name, text := range byName(store) {
				n, _, _ := strings.Cut(text, " ")
				out = append(out, name+"="+n)
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		}
		for _, step := range []struct {
			what, definitions string
			from, to          int
			want              string
		}{
			{"new", plain + alsoA + rule, 0, 45, "all=3 many=1 some=3"},
			{"the rule has gone", plain + alsoA, 45, 65, "all=5 many=1 some=5"},
			{"both have gone", plain, 65, 85, "all=7 many=1 some=5"},
			{"both are back, and have made nothing", plain + alsoA + rule, 85, 86, "all=8 many=0 some=0"},
			{"from 90s on", plain + alsoA + rule, 86, 126, "all=12 many=1 some=3"},
		} {
			if got := facts(step.definitions, step.from, step.to); got != step.want {
				t.Errorf("%s: %s, want %s", step.what, got, step.want)
			}
		}
	})
}

// The sessions that were open when a kind went out of force never close: what came since is not in them.
func TestSessionsLeftOpenAreDropped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const carts = `
sessions:
  - {name: carts, key: user, gap: 60s}
  - {name: visits, key: user, gap: 60s}`
		log, store := memory.NewLog(1, 100), memory.NewStore()
		run := func(definitions string, from, to int) (carts string, open int) {
			r := start(t, log, store, definitions)
			feed(log, from, to)
			pass(time.Second)
			open = int(r.Status().OpenSessions)
			r.end()
			return byName(store)["carts"], open
		}
		if _, open := run(plain+carts, 0, 30); open != 2 {
			t.Errorf("%d sessions are open", open)
		}
		gone := strings.Replace(carts, "\n  - {name: carts, key: user, gap: 60s}", "", 1)
		run(plain+gone, 30, 40)
		digest, open := run(plain+carts, 0, 0)
		if open != 1 || !strings.HasPrefix(digest, "0 ") {
			t.Errorf("%d sessions are open and carts is %s when it is back", open, digest)
		}
		if open := len(storedSessions(t, store)); open != 1 {
			t.Errorf("%d shards are stored", open)
		}
		if digest, _ = run(plain+carts, 40, 200); !strings.HasPrefix(digest, "0 ") {
			t.Errorf("carts is %s before its first session can close", digest)
		}
		if digest, _ = run(plain+carts, 300, 320); !strings.HasPrefix(digest, "1 ") {
			t.Errorf("carts is %s after its first session", digest)
		}
	})
}

func storedSessions(t *testing.T, store *memory.Store) (shards []int) {
	state, err := store.Load(rigPlan(t, plain))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range state.Sessions {
		shards = append(shards, s.Shard)
	}
	return shards
}
