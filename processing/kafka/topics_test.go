package kafka

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Whoever has set a limit to waiting for brokers gets an error then, and not before.
func TestPatienceWithBrokers(t *testing.T) {
	inBubble(t, func(t *testing.T, net *kfake.VirtualNetwork, cluster Cluster) {
		cluster.Patience = 20 * time.Second
		s := newSource(t, cluster)
		began := time.Now()
		_, err := s.Open(t.Context(), func(error) {})
		if took := time.Since(began); !errors.Is(err, ErrNoBroker) || took < cluster.Patience || took > cluster.Patience+time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		opened := make(chan error)
		go func() {
			_, err := s.Open(t.Context(), func(error) {})
			opened <- err
		}()
		<-time.After(15 * time.Second)
		synctest.Wait()
		c := startVirtual(t, net, 2)
		defer c.Close()
		must(t, <-opened)
	})
}
