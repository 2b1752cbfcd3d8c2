package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// accessError is a fault of the way to a broker, not of what a broker holds: a certificate, a name, a password. Somebody
// may mend it while we run, here or there.
type accessError struct{ err error }

func (e *accessError) Error() string { return e.err.Error() }
func (e *accessError) Unwrap() error { return e.err }

// isAccess reports whether err says that brokers don't let us in, or are not those that we want.
func isAccess(err error) bool {
	var (
		access *accessError
		closed *kgo.ErrFirstReadEOF // what a broker does that expects SASL, and gets none
	)
	switch {
	case errors.As(err, &access), errors.As(err, &closed):
		return true
	default:
		return errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err, kerr.UnsupportedSaslMechanism) || errors.Is(err, kerr.IllegalSaslState)
	}
}

// telling makes of a connection's odd ends errors that say what is wrong.
type telling struct {
	net.Conn
	read bool // something has been; owned by the goroutine that reads
}

// Read implements net.Conn.
func (c *telling) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	var remote *net.OpError
	switch {
	case err != nil && errors.As(err, &remote) && remote.Op == "remote error":
		// With TLS 1.3 this comes when the handshake is over.
		return n, &accessError{fmt.Errorf("the broker wants a certificate of ours, or another one: %w", err)}
	case !c.read && n >= 2 && p[0] == tlsAlert && p[1] == tlsMajor:
		return 0, &accessError{errors.New("the broker speaks TLS on this port; that takes --kafka-tls")}
	}
	c.read = c.read || n > 0
	return n, err
}

// What a TLS server says to who doesn't speak TLS begins with these bytes. As the length of an answer they would be 336 MiB.
const tlsAlert, tlsMajor = 21, 3

// dialer connects to one address.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// connectLimit is for a connection and its TLS handshake.
const connectLimit = 10 * time.Second

// tell has connections tell what is wrong.
func (dial dialer) tell() dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &telling{Conn: conn}, nil
	}
}

// secure makes of connections those that security asks for.
func (s *Security) secure(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectLimit)
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := s.checkPlaintext(conn, address); err != nil {
			_ = conn.Close()
			return nil, err
		}
		if !s.options.TLS {
			return conn, nil
		}
		return s.handshake(ctx, conn, address)
	}
}

// checkPlaintext refuses what Validate refuses, now that the address is known: brokers name others, and names are looked up.
func (s *Security) checkPlaintext(conn net.Conn, address string) error {
	o := &s.options
	if o.Mechanism != Plain || o.TLS || o.AllowPlaintext {
		return nil
	}
	if host, _, err := net.SplitHostPort(conn.RemoteAddr().String()); err == nil && isLoopback(host) {
		return nil
	}
	return &accessError{fmt.Errorf("PLAIN would send the password to %s in the clear: that needs TLS, or has to be allowed", address)}
}

func (s *Security) handshake(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	encrypted := tls.Client(conn, s.tlsConfig(host))
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, handshakeFault(address, err)
	}
	return encrypted, nil
}

// handshakeFault tells what the network does from what a broker doesn't want, or isn't.
func handshakeFault(address string, err error) error {
	var network *net.OpError
	switch {
	case errors.Is(err, io.EOF):
		return &accessError{fmt.Errorf("TLS with %s: the broker ended the connection: does it speak TLS on this port?", address)}
	case errors.As(err, &network) && network.Op != "remote error", errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("TLS with %s: %w", address, err)
	default:
		return &accessError{fmt.Errorf("TLS with %s: %w", address, err)}
	}
}

// mechanism is how connections authenticate; nil: they don't.
func (s *Security) mechanism() sasl.Mechanism {
	o := &s.options
	switch o.Mechanism {
	case Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: o.Username, Pass: s.currentPassword()}, nil
		})
	case ScramSHA256:
		return marked{scram.Sha256(s.scramAuth)}
	case ScramSHA512:
		return marked{scram.Sha512(s.scramAuth)}
	default:
		return nil
	}
}

func (s *Security) scramAuth(context.Context) (scram.Auth, error) {
	return scram.Auth{User: s.options.Username, Pass: s.currentPassword()}, nil
}

// marked makes access errors of what SCRAM doesn't like about a broker's answers.
type marked struct{ sasl.Mechanism }

// Authenticate implements sasl.Mechanism.
func (m marked) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := m.Mechanism.Authenticate(ctx, host)
	if err != nil {
		return nil, nil, &accessError{fmt.Errorf("%s: %w", m.Name(), err)}
	}
	return markedSession{session, m.Name()}, first, nil
}

type markedSession struct {
	sasl.Session
	name string
}

// Challenge implements sasl.Session.
func (s markedSession) Challenge(answer []byte) (bool, []byte, error) {
	done, next, err := s.Session.Challenge(answer)
	if err != nil {
		return done, next, &accessError{fmt.Errorf("%s: %w", s.name, err)}
	}
	return done, next, nil
}
