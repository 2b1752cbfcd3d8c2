package truth

import (
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// Silence watches for partitions that get no record for so long that a server takes them for idle, while others do. When the
// topic falls silent as a whole it is another matter: as it wakes, every partition counts as active again.
type Silence struct {
	last  []time.Time // record of each partition, or since when that counts
	woken time.Time   // the last record of any
}

// takenForIdle is a little less than the default idle_timeout.
const takenForIdle = 28 * time.Second

// NewSilence begins a watch.
func NewSilence(partitions int) Silence { return Silence{last: make([]time.Time, partitions)} }

// Broken takes a record and returns how long its partition had been silent, or 0 if no server minds.
func (s *Silence) Broken(p event.PartitionID, now time.Time) (length time.Duration) {
	if now.Sub(s.woken) >= takenForIdle {
		for i := range s.last {
			s.last[i] = now
		}
	}
	s.woken = now
	length = now.Sub(s.last[p])
	s.last[p] = now
	if length < takenForIdle {
		return 0
	}
	return length
}
