package store

import (
	"fmt"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
)

// Load reads the state as of the last commit: all cursors, floors, gaps, faults, starts, schemas, digests, firing alerts and
// watches, and of panes, sessions and results those that the plan has. Results are those of windows that can still change:
// End - 1 + Lateness > W.
func (s *Store) Load(plan *definition.Plan) (*processing.State, error) {
	v, err := s.View()
	if err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	state, err := v.load(plan)
	if cerr := v.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("load state: %w", err)
	}
	for i := range plan.Groupings {
		s.groupings[plan.Groupings[i].Hash] = true
	}
	for i := range plan.Metrics {
		m := &plan.Metrics[i]
		s.unsettled = max(s.unsettled, time.Duration(m.Size+m.Lateness)*time.Millisecond)
	}
	state.Instance = s.identity.instance
	state.Epoch = s.identity.epoch
	return state, nil
}

func (v *View) load(plan *definition.Plan) (*processing.State, error) {
	state := &processing.State{Watermark: v.tail.watermark, Newest: v.tail.newest, Head: v.tail.head, Counters: v.tail.counters}
	var err error
	if state.Cursors, err = v.Cursors(); err != nil {
		return nil, err
	}
	if state.Floors, err = v.Floors(); err != nil {
		return nil, err
	}
	if state.Gaps, err = v.Gaps(); err != nil {
		return nil, err
	}
	if state.Faults, err = v.Faults(); err != nil {
		return nil, err
	}
	if state.Definitions, err = v.Starts(); err != nil {
		return nil, err
	}
	if state.Schemas, err = v.Schemas(); err != nil {
		return nil, err
	}
	if state.Heard, err = v.Heard(); err != nil {
		return nil, err
	}
	if state.Digests, err = v.Digests(); err != nil {
		return nil, err
	}
	if err := v.loadAlerts(state); err != nil {
		return nil, err
	}
	for i := range plan.Groupings {
		if err := v.loadPanes(state, plan.Groupings[i].Hash); err != nil {
			return nil, fmt.Errorf("panes: %w", err)
		}
	}
	for i := range plan.Sessions {
		if err := v.loadSessions(state, plan.Sessions[i].Hash); err != nil {
			return nil, fmt.Errorf("sessions: %w", err)
		}
	}
	for i := range plan.Metrics {
		if err := v.loadResults(state, &plan.Metrics[i]); err != nil {
			return nil, fmt.Errorf("results of %s: %w", plan.Metrics[i].Name, err)
		}
	}
	return state, nil
}

// Cursors returns the cursors of all partitions, by topic and partition.
func (v *View) Cursors() (cursors []processing.Cursor, err error) {
	lower, upper := spaceCursor.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		c, err := decodeCursor(key, value)
		cursors = append(cursors, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	return cursors, nil
}

// Floors returns the journal, by topic, partition and offset.
func (v *View) Floors() (floors []processing.Floor, err error) {
	lower, upper := spaceJournal.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		f, err := decodeFloor(key, value)
		floors = append(floors, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read floors: %w", err)
	}
	return floors, nil
}

// Starts returns from when on each definition's windows are whole.
func (v *View) Starts() (starts []processing.Start, err error) {
	lower, upper := spaceDefinition.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		s, err := decodeStart(key, value)
		starts = append(starts, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read starts of definitions: %w", err)
	}
	return starts, nil
}

// Schemas returns the schemas that framed events were written with.
func (v *View) Schemas() (list []processing.Schema, err error) {
	lower, upper := spaceSchema.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		s, err := decodeSchema(key, value)
		list = append(list, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read schemas: %w", err)
	}
	return list, nil
}

func (v *View) loadPanes(state *processing.State, grouping definition.Hash) error {
	prefix := append([]byte{byte(spacePane)}, grouping[:]...)
	return v.scan(prefix, prefixEnd(prefix), func(key, value []byte) error {
		k, err := parsePaneKey(key)
		state.Panes = append(state.Panes, processing.PaneBlock{PaneKey: k, Block: append([]byte(nil), value...)})
		return err
	})
}

func (v *View) loadSessions(state *processing.State, kind definition.Hash) error {
	prefix := append([]byte{byte(spaceSession)}, kind[:]...)
	return v.scan(prefix, prefixEnd(prefix), func(key, value []byte) error {
		kind, shard, err := parseSessionKey(key)
		state.Sessions = append(state.Sessions, processing.SessionBlock{Kind: kind, Shard: shard, Block: append([]byte(nil), value...)})
		return err
	})
}

func (v *View) loadResults(state *processing.State, m *definition.Metric) error {
	prefix := append([]byte{byte(spaceResult)}, m.Hash[:]...)
	lower := prefix
	if settled := v.tail.watermark - m.Lateness - m.Size + 1; settled < v.tail.watermark {
		// Start + Size - 1 + Lateness > W. Without a W yet the subtraction wraps, and nothing has settled.
		lower = appendTimeKey(nil, spaceResult, m.Hash, settled+1)
	}
	return v.scan(lower, prefixEnd(prefix), func(key, value []byte) error {
		block, err := decodeResults(key, value)
		state.Results = append(state.Results, block)
		return err
	})
}
