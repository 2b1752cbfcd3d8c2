package memory

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/digest"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

// Store keeps state in maps. It checks of every commit what a disk would not: that the feed goes on where it ended, that
// nothing moves back.
type Store struct {
	mu          sync.Mutex
	watermark   event.Millis
	newest      event.Millis
	cursors     map[event.PartitionID]processing.Cursor
	floors      map[event.Coordinate]processing.Floor
	gaps        []processing.Gap
	panes       map[processing.PaneKey][]byte
	history     map[processing.PaneKey][]byte
	sessions    map[shard][]byte
	results     map[resultKey]processing.ResultBlock
	alerts      alerts
	entries     []processing.Entry
	counters    processing.Counters
	definitions map[definition.Hash]processing.Start
	schemas     map[schemas.Ref]processing.Schema
	digests     map[definition.Hash]processing.DefinitionDigest
	faults      map[event.PartitionID]processing.Fault
	heard       processing.Heard
	commits     int
	after       func() // of each commit
	fail        error
	follows     bool // a fold with a target: floors come ahead of W
	silent      bool // it makes no entries: alerts come without
}

type shard struct {
	kind  definition.Hash
	shard int
}

type resultKey struct {
	hash  definition.Hash
	start event.Millis
}

var _ processing.Store = (*Store)(nil)

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{
		watermark: event.NoTime, newest: event.NoTime,
		cursors: make(map[event.PartitionID]processing.Cursor), floors: make(map[event.Coordinate]processing.Floor),
		panes: make(map[processing.PaneKey][]byte), history: make(map[processing.PaneKey][]byte),
		sessions: make(map[shard][]byte), results: make(map[resultKey]processing.ResultBlock),
		definitions: make(map[definition.Hash]processing.Start), schemas: make(map[schemas.Ref]processing.Schema),
		alerts: newAlerts(), digests: make(map[definition.Hash]processing.DefinitionDigest), faults: make(map[event.PartitionID]processing.Fault),
	}
}

// Follow tells that the commits of a fold with a target follow, silent or not.
func (s *Store) Follow(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follows, s.silent = true, silent
}

// Resume tells that the commits of a fold without a target follow again.
func (s *Store) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follows, s.silent = false, false
}

// Clone is a store with the same state, to start another fold from: a backup.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := NewStore()
	c.watermark, c.newest, c.counters, c.commits, c.heard = s.watermark, s.newest, s.counters, s.commits, s.heard
	maps.Copy(c.cursors, s.cursors)
	maps.Copy(c.floors, s.floors)
	maps.Copy(c.panes, s.panes)
	maps.Copy(c.history, s.history)
	maps.Copy(c.sessions, s.sessions)
	maps.Copy(c.results, s.results)
	maps.Copy(c.definitions, s.definitions)
	maps.Copy(c.schemas, s.schemas)
	maps.Copy(c.digests, s.digests)
	maps.Copy(c.faults, s.faults)
	maps.Copy(c.alerts.byID, s.alerts.byID)
	maps.Copy(c.alerts.watches, s.alerts.watches)
	c.gaps, c.entries = slices.Clone(s.gaps), slices.Clone(s.entries)
	return c
}

// Fail makes all commits from now on fail.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// After has f called after every commit from now on, by whoever commits.
func (s *Store) After(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = f
}

// Commits is how many were made.
func (s *Store) Commits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

// Entries is the whole feed.
func (s *Store) Entries() []processing.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries)
}

// Windows are the last revisions of a definition, by window and group.
func (s *Store) Windows(hash definition.Hash) []window.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []window.Result
	for _, b := range s.sorted(func(k resultKey) bool { return k.hash == hash }) {
		for _, r := range b.Results {
			if r.Kind != window.Retract {
				out = append(out, r)
			}
		}
	}
	return out
}

// Digests are those of all definitions, by name; also of those that are no longer in force.
func (s *Store) Digests() []processing.DefinitionDigest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sortedDigests()
}

func (s *Store) sortedDigests() []processing.DefinitionDigest {
	return slices.SortedFunc(maps.Values(s.digests), func(a, b processing.DefinitionDigest) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.Hash[:], b.Hash[:]))
	})
}

// WindowDigests is what each window of a definition adds to its digest, if anything.
func (s *Store) WindowDigests(hash definition.Hash) map[event.Millis]digest.Sum {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[event.Millis]digest.Sum)
	for key, b := range s.results {
		if key.hash == hash && !b.Digest.IsZero() {
			out[key.start] = b.Digest
		}
	}
	return out
}

func (s *Store) sorted(which func(resultKey) bool) []processing.ResultBlock {
	var out []processing.ResultBlock
	for key, b := range s.results {
		if which(key) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b processing.ResultBlock) int {
		return cmp.Or(cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Start, b.Start))
	})
	return out
}

// Load implements processing.Store.
func (s *Store) Load(plan *definition.Plan) (*processing.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := &processing.State{
		Instance: "memory", Epoch: "memory", Watermark: s.watermark, Newest: s.newest, Head: uint64(len(s.entries)), Counters: s.counters, Heard: s.heard,
		Cursors: slices.SortedFunc(maps.Values(s.cursors), func(a, b processing.Cursor) int { return cmp.Compare(a.Partition, b.Partition) }),
		Floors: slices.SortedFunc(maps.Values(s.floors), func(a, b processing.Floor) int {
			return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
		}),
		Definitions: slices.Collect(maps.Values(s.definitions)), Schemas: slices.Collect(maps.Values(s.schemas)),
		Gaps: slices.Clone(s.gaps), Alerts: s.alerts.firing(), Watches: s.alerts.watching(), Digests: s.sortedDigests(),
		Faults: slices.SortedFunc(maps.Values(s.faults), func(a, b processing.Fault) int { return cmp.Compare(a.Partition, b.Partition) }),
	}
	for key, block := range s.panes {
		state.Panes = append(state.Panes, processing.PaneBlock{PaneKey: key, Block: slices.Clone(block)})
	}
	for key, block := range s.sessions {
		state.Sessions = append(state.Sessions, processing.SessionBlock{Kind: key.kind, Shard: key.shard, Block: slices.Clone(block)})
	}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		for _, b := range s.sorted(func(k resultKey) bool { return k.hash == m.Hash && k.start+m.Size-1+m.Lateness > s.watermark }) {
			b.Results = slices.Clone(b.Results)
			state.Results = append(state.Results, b)
		}
	}
	return state, nil
}

// Commit implements processing.Store.
func (s *Store) Commit(c *processing.Changes) error {
	if err := s.commit(c); err != nil {
		return err
	}
	s.mu.Lock()
	after := s.after
	s.mu.Unlock()
	if after != nil {
		after()
	}
	return nil
}

func (s *Store) commit(c *processing.Changes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if err := s.check(c); err != nil {
		return err
	}
	s.commits++
	s.alerts.apply(c)
	s.watermark, s.newest, s.counters = c.Watermark, c.Newest, c.Counters
	if c.Heard != nil {
		s.heard = *c.Heard
	}
	s.applyDecisions(c)
	for _, cur := range c.Cursors {
		s.cursors[cur.Partition] = cur
	}
	for _, f := range c.Floors {
		s.floors[event.Coordinate{Partition: f.Partition, Offset: f.Offset}] = f
	}
	for _, f := range c.Cut.Floors {
		delete(s.floors, event.Coordinate{Partition: f.Partition, Offset: f.Offset})
	}
	s.gaps = append(s.gaps, c.Gaps...)
	s.gaps = slices.DeleteFunc(s.gaps, func(g processing.Gap) bool { return slices.Contains(c.Cut.Gaps, g) })
	for _, d := range c.Definitions {
		s.definitions[d.Hash] = d
	}
	for _, written := range c.Schemas {
		s.schemas[written.Ref] = written
	}
	for _, d := range c.Digests {
		s.digests[d.Hash] = d
	}
	for _, e := range c.Feed {
		s.entries = append(s.entries, keep(e))
	}
	for _, b := range c.Results {
		b.Results = slices.Clone(b.Results)
		s.results[resultKey{b.Hash, b.Start}] = b
	}
	if err := s.applyPanes(c.Panes); err != nil {
		return err
	}
	return s.applySessions(c.Sessions)
}

// applyDecisions takes gaps and faults. What the journal says of a log that is not read on is dropped.
func (s *Store) applyDecisions(c *processing.Changes) {
	for _, g := range c.Gaps {
		maps.DeleteFunc(s.floors, func(at event.Coordinate, f processing.Floor) bool {
			return at.Partition == g.Partition && (f.TopicID != g.TopicID || g.To == processing.Gone || at.Offset >= g.To)
		})
		if g.To == processing.Gone {
			delete(s.cursors, g.Partition)
		}
	}
	for _, f := range c.Faults {
		s.faults[f.Partition] = f
		if f.Cleared {
			delete(s.faults, f.Partition)
		}
	}
}

// Faults are those that stand, by partition.
func (s *Store) Faults() map[event.PartitionID]processing.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.faults)
}

// Gaps are those that were accepted, in their order.
func (s *Store) Gaps() []processing.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gaps)
}

// keep copies an entry: what it points to belongs to the pipeline.
func keep(e processing.Entry) processing.Entry {
	if e.Result != nil {
		r := *e.Result
		e.Result = &r
	}
	if e.Alert != nil {
		a := e.Alert.AsOf()
		e.Alert = &a
	}
	return e
}
