package live

import (
	"sync"
	"time"
)

// crowd is who is connected.
type crowd struct {
	mu  sync.Mutex
	all map[*client]struct{} // guarded by mu
}

// enter adds a client until the returned function is called.
func (w *crowd) enter(c *client) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[*client]struct{})
	}
	w.all[c] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
	}
}

// Lag is for how long the slowest client has been waited for to take a frame; 0 when nobody is waited for. Clients are
// never behind by more than what is conflated for them meanwhile, so that it is their whole lag.
func (h *Hub) Lag() time.Duration {
	h.crowd.mu.Lock()
	defer h.crowd.mu.Unlock()
	longest := time.Duration(0)
	for c := range h.crowd.all {
		if began := time.Duration(c.began.Load()); began > 0 {
			longest = max(longest, c.age()-began)
		}
	}
	return longest
}
