package server

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrAddrInUse is returned by Listen when something else listens on the address.
var ErrAddrInUse = errors.New("address in use")

// Listener is an address that servers answer on, perhaps several, one after the other. Its Close gives the address up.
type Listener struct{ *net.TCPListener }

// Listen takes an address. It returns ErrAddrInUse when the address is taken.
func Listen(address string) (*Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w", address, ErrAddrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &Listener{l.(*net.TCPListener)}, nil
}

// AnyPort is the address with a port that the system picks.
func AnyPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address // Listen will say what is wrong with it
	}
	return net.JoinHostPort(host, "0")
}

// Turn returns the listener for one server, whose end leaves the address taken: until the next turn, connections wait to be
// accepted instead of being refused. A turn must be closed before the next one begins.
func (l *Listener) Turn() (net.Listener, error) {
	if err := l.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &turn{TCPListener: l.TCPListener}, nil
}

type turn struct {
	*net.TCPListener
	over atomic.Bool
}

func (t *turn) Accept() (net.Conn, error) {
	conn, err := t.TCPListener.Accept()
	if err != nil && t.over.Load() {
		return nil, net.ErrClosed // it is the deadline of Close
	}
	return conn, err
}

// Close ends the turn: whoever accepts returns.
func (t *turn) Close() error {
	t.over.Store(true)
	return t.SetDeadline(time.Now())
}
