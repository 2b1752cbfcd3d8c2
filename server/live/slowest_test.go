package live

import (
	"testing"
	"time"
)

// The lag is that of the client that is waited for, and nothing once it has taken its frame or has gone.
func TestLagIsOfTheSlowest(t *testing.T) {
	play(t, nil, func(t *testing.T, s *stage, _ func()) {
		quick := s.dial("", nil)
		quick.hearOp("welcome")
		if lag := s.hub.Lag(); lag != 0 {
			t.Errorf("a client that reads is %s behind", lag)
		}
		slow := s.dial("?channels=metrics", nil) // does not read
		pass(3 * time.Second)
		if lag := s.hub.Lag(); lag < 2900*time.Millisecond || lag > 3100*time.Millisecond {
			t.Errorf("after three seconds the slowest is %s behind", lag)
		}
		slow.conn.CloseNow()
		pass(time.Second)
		if lag := s.hub.Lag(); lag != 0 {
			t.Errorf("once it has gone, somebody is %s behind", lag)
		}
	})
}
