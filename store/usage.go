package store

import (
	"fmt"
	"sync"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// SpaceUsage is what one keyspace takes on disk.
type SpaceUsage struct {
	Name  string
	Bytes uint64
}

// Usage estimates what each keyspace takes in the tables on disk, compressed, from their indexes: it reads no values. What was
// committed last is in the log and in memory, and in none of them, so that they add up to less than Size.
func (s *Store) Usage() ([]SpaceUsage, error) {
	usage := make([]SpaceUsage, len(spaceNames))
	for i, one := range spaceNames {
		lower, upper := one.space.bounds()
		bytes, err := s.db.EstimateDiskUsage(lower, upper)
		if err != nil {
			return nil, fmt.Errorf("estimate keyspace %s: %w", one.name, err)
		}
		usage[i] = SpaceUsage{one.name, bytes}
	}
	return usage, nil
}

// CourseStep is the length of what one CoursePoint tells of.
const CourseStep = 10 * time.Second

// coursePoints is how many of them are kept: ten minutes.
const coursePoints = 60

// CoursePoint is how committing went for the length of a CourseStep.
type CoursePoint struct {
	Start   event.Millis // by the clock of the commits
	Commits int64
	Bytes   int64         // of what was committed, before compression
	Longest time.Duration // of writing and syncing one
}

// course is how committing went lately.
type course struct {
	mu     sync.Mutex
	points []CoursePoint // by start; those without a commit are left out
}

func (c *course) add(at event.Millis, bytes int64, took time.Duration) {
	const step = event.Millis(CourseStep / time.Millisecond)
	start := at - at%step
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.points)
	if n == 0 || start > c.points[n-1].Start { // a clock that was set back adds to what it finds
		if n == coursePoints {
			c.points = append(c.points[:0], c.points[1:]...)
			n--
		}
		c.points = append(c.points, CoursePoint{Start: start})
		n++
	}
	p := &c.points[n-1]
	p.Commits++
	p.Bytes += bytes
	p.Longest = max(p.Longest, took)
}

// Course returns how committing went in the last ten minutes in which there were commits, the oldest first, since this
// store was opened.
func (s *Store) Course() []CoursePoint {
	s.course.mu.Lock()
	defer s.course.mu.Unlock()
	return append([]CoursePoint{}, s.course.points...)
}
