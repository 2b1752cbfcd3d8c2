package live

import "sync"

// bell tells any number of clients how far a log reaches.
type bell struct {
	mu   sync.Mutex
	seq  uint64
	next chan struct{} // closed at the next ring; nil while nobody waits
}

// ring says that there is something at a sequence.
func (b *bell) ring(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq <= b.seq {
		return
	}
	b.seq = seq
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// wait returns the last sequence and a channel that is closed when it is no longer the last one.
func (b *bell) wait() (uint64, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.seq, b.next
}
