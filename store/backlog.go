package store

import "fmt"

// ParseSize reads bytes, or a whole number of KiB, MiB, GiB or TiB.
func ParseSize(text string) (uint64, error) {
	n, err := parseBytes(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: want bytes, or a whole number of KiB, MiB, GiB or TiB", text)
	}
	return n, nil
}

// LongBacklog returns a brake for the pipeline: it gives a reason while a reader of the feed has more than limit bytes still to read,
// and from then on until that is a tenth less. It must be asked by one goroutine.
func (s *Store) LongBacklog(reader string, limit uint64) func() (reason string) {
	held := false
	return func() string {
		n, err := s.Backlog(reader)
		if err != nil {
			return fmt.Sprintf("how much %s has still to read can't be told: %v", reader, err)
		}
		again := limit - limit/10
		held = n > limit || held && n > again
		if !held {
			return ""
		}
		return fmt.Sprintf("%s wait in the feed for the %s, and %s may; it goes on below %s", showBytes(n), reader, showBytes(limit), showBytes(again))
	}
}
