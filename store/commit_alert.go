package store

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
)

// stageAlerts stages alerts, whole, with their indexes. When an alert began to fire never changes, so that its place in
// the indexes doesn't either.
func (s *Store) stageAlerts(alerts []alert.Alert) error {
	for i := range alerts {
		a := &alerts[i]
		if err := checkAlert(a); err != nil {
			return err
		}
		s.key = appendAlertKey(s.key[:0], a.ID)
		s.value = appendAlertValue(s.value[:0], a)
		if err := s.batch.Set(s.key, s.value, nil); err != nil {
			return err
		}
		if err := s.stageMarks(a); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) stageMarks(a *alert.Alert) error {
	mark, at := markOf(a), AlertPos{a.StartedAt, a.ID}
	s.value = appendMark(s.value[:0], &mark)
	s.key = appendMarkKey(s.key[:0], spaceAlertIndex, at)
	if err := s.batch.Set(s.key, s.value, nil); err != nil {
		return err
	}
	s.key = appendMarkKey(s.key[:0], spaceFiring, at)
	if a.State == alert.Firing {
		return s.batch.Set(s.key, s.value, nil)
	}
	return s.batch.Delete(s.key, nil)
}

func (s *Store) stageWatches(watches []processing.Watch) error {
	for i := range watches {
		w := &watches[i]
		s.key = appendWatchKey(s.key[:0], w.Rule, w.Group)
		var err error
		if len(w.Block) == 0 {
			err = s.batch.Delete(s.key, nil)
		} else {
			s.value = appendWatch(s.value[:0], w.Block)
			err = s.batch.Set(s.key, s.value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropAlert stages the end of an alert that has been resolved for long enough.
func dropAlert(batch *pebble.Batch, at AlertPos) error {
	if err := batch.Delete(appendAlertKey(nil, at.ID), nil); err != nil {
		return err
	}
	return batch.Delete(appendMarkKey(nil, spaceAlertIndex, at), nil)
}
