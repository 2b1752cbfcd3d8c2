package processing

import (
	"slices"
	"sync"
	"time"

	"github.com/tidemark/tidemark/processing/event"
)

// board holds what Status shows. The loop writes it, anybody reads it.
type board struct {
	mu        sync.Mutex
	status    Status
	durations []time.Duration // of the last commits, a ring
	at        int
	rates     map[event.PartitionID]*rate
}

// rate is a partition's speed, averaged over some seconds.
type rate struct {
	position event.Offset
	at       time.Time
	value    float64
}

// keptDurations is how many commits the percentiles look back on.
const keptDurations = 512

func (b *board) start(s *State) {
	b.rates = make(map[event.PartitionID]*rate)
	b.status = Status{Phase: Starting, Verdict: "Starting: waiting for the events topic", Watermark: s.Watermark, Counters: s.Counters}
	b.status.Commit.Seq = s.Head
}

// waiting says what keeps the cluster from answering.
func (b *board) waiting(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status.Phase == Starting {
		b.status.Verdict = "Starting: waiting for Kafka: " + reason.Error()
	}
}

func (b *board) verified() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Verified = true
}

func (b *board) stopping() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Phase, b.status.Verdict = Stopping, "Stopping: committing what was read"
}

func (b *board) committed(d commitDone) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.durations) < keptDurations {
		b.durations = append(b.durations, d.took)
	} else {
		b.durations[b.at] = d.took
		b.at = (b.at + 1) % keptDurations
	}
	b.status.Counters, b.status.OpenSessions = d.counters, d.sessions
	b.status.Commit.Seq, b.status.Commit.At = d.seq, d.at
}

// report takes what the loop knows of the partitions.
func (b *board) report(seen Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for i := range seen.Partitions {
		seen.Partitions[i].Rate = b.rate(&seen.Partitions[i], now)
	}
	if b.status.Phase != Stopping {
		b.status.Phase, b.status.Verdict = seen.Phase, seen.Verdict
	}
	b.status.Held, b.status.Watermark, b.status.Partitions = seen.Held, seen.Watermark, seen.Partitions
}

// rate measures over at least a second, and forgets in about five.
func (b *board) rate(p *PartitionStatus, now time.Time) float64 {
	r := b.rates[p.Partition]
	if r == nil || p.Position < r.position { // it reads another log
		b.rates[p.Partition] = &rate{position: p.Position, at: now}
		return 0
	}
	passed := now.Sub(r.at).Seconds()
	if passed < 1 {
		return r.value
	}
	weight := min(1, passed/5)
	if r.value == 0 {
		weight = 1
	}
	r.value += weight * (float64(p.Position-r.position)/passed - r.value)
	r.position, r.at = p.Position, now
	return r.value
}

func (b *board) picture() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.Partitions = slices.Clone(s.Partitions)
	sorted := slices.Sorted(slices.Values(b.durations))
	if n := len(sorted); n > 0 {
		s.Commit.DurationP50, s.Commit.DurationP99 = sorted[n/2], sorted[n*99/100]
	}
	return s
}
