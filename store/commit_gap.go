package store

import (
	"fmt"

	"github.com/tidemark/tidemark/processing"
)

// stageGaps stages what operators have decided, and takes away what no fold can need any more. It comes before cursors and
// floors: what the journal says of a log that is not read on goes, and the cursor of a partition that is gone.
func (s *Store) stageGaps(gaps, cut []processing.Gap) error {
	for i := range gaps {
		g := &gaps[i]
		if err := s.dropFloors(g); err != nil {
			return err
		}
		if g.To == processing.Gone {
			if err := s.batch.Delete(appendCursorKey(nil, g.Topic, g.Partition), nil); err != nil {
				return err
			}
		}
		s.key, s.value = appendGapKey(s.key[:0], g), appendGap(s.value[:0], g)
		if err := s.batch.Set(s.key, s.value, nil); err != nil {
			return err
		}
	}
	for i := range cut {
		s.key = appendGapKey(s.key[:0], &cut[i])
		if err := s.batch.Delete(s.key, nil); err != nil {
			return err
		}
	}
	return nil
}

// dropFloors drops the floors of another log, and those of offsets that are read once more.
func (s *Store) dropFloors(g *processing.Gap) error {
	prefix := appendTopic([]byte{byte(spaceJournal)}, g.Topic, g.Partition)
	return scan(s.db, prefix, prefixEnd(prefix), func(key, value []byte) error {
		f, err := decodeFloor(key, value)
		if err != nil {
			return fmt.Errorf("read floor: %w", err)
		}
		if f.TopicID == g.TopicID && f.Offset < g.To {
			return nil
		}
		return s.batch.Delete(key, nil)
	})
}

func (s *Store) stageFaults(faults []processing.Fault) error {
	for i := range faults {
		f := &faults[i]
		s.key = appendFaultKey(s.key[:0], f.Topic, f.Partition)
		var err error
		if f.Cleared {
			err = s.batch.Delete(s.key, nil)
		} else {
			s.value = appendFault(s.value[:0], f)
			err = s.batch.Set(s.key, s.value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Gaps returns what operators have decided to do without, by topic, partition and where reading went on.
func (v *View) Gaps() (gaps []processing.Gap, err error) {
	lower, upper := spaceGap.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		g, err := decodeGap(key, value)
		gaps = append(gaps, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	return gaps, nil
}

// Faults returns the faults that stood at the last commit, by topic and partition.
func (v *View) Faults() (faults []processing.Fault, err error) {
	lower, upper := spaceFault.bounds()
	err = v.scan(lower, upper, func(key, value []byte) error {
		f, err := decodeFault(key, value)
		faults = append(faults, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read faults: %w", err)
	}
	return faults, nil
}
