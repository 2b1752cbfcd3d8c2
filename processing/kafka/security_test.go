package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/tidemark/tidemark/e2e/apachekafka"
)

// folder is where a test keeps files, and a log.
type folder struct {
	t   *testing.T
	dir string
	log bytes.Buffer
}

func newFolder(t *testing.T) *folder { return &folder{t: t, dir: t.TempDir()} }

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) write(name string, content []byte) string {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

func (f *folder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(&f.log, nil)) }

// logged returns how often the log says something, and empties it.
func (f *folder) logged(what string) int {
	defer f.log.Reset()
	return strings.Count(f.log.String(), what)
}

func (f *folder) open(o SecurityOptions) *Security {
	f.t.Helper()
	s, err := OpenSecurity(o, nil, f.logger())
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func TestNoSecurityIsNone(t *testing.T) {
	if s, err := OpenSecurity(SecurityOptions{}, []string{"kafka:9092"}, nil); s != nil || err != nil {
		t.Errorf("got %v, %v", s, err)
	}
}

// A password that becomes another is used from then on; one that can't be used is told once, and the old stays.
func TestPasswordFileIsReadAgain(t *testing.T) {
	f := newFolder(t)
	s := f.open(SecurityOptions{Mechanism: ScramSHA256, Username: "u", PasswordFile: f.write("password", []byte("one\r\n"))})
	want := func(password string) {
		t.Helper()
		for range 2 {
			if got := s.currentPassword(); got != password {
				t.Errorf("password %q, want %q", got, password)
			}
		}
	}
	want("one")
	if f.log.Len() > 0 {
		t.Errorf("logged %s", f.log.String())
	}
	f.write("password", []byte("two"))
	want("two")
	if n := f.logged("a file has changed; new connections use it"); n != 1 {
		t.Errorf("a change was told %d times", n)
	}
	f.write("password", nil)
	want("two")
	if n := f.logged("can't be used"); n != 1 {
		t.Errorf("an empty file was told %d times", n)
	}
	if err := os.Remove(f.path("password")); err != nil {
		t.Fatal(err)
	}
	want("two")
	if n := f.logged("can't be read"); n != 1 {
		t.Errorf("a missing file was told %d times", n)
	}
	f.write("password", []byte("one"))
	want("one")
	f.write("password", []byte("two")) // as long as the one before, and maybe as old
	want("two")
}

// Certificate and key are two files, which nobody can write at once.
func TestCertificateAndKeyChangeTogether(t *testing.T) {
	f := newFolder(t)
	a := apachekafka.NewAuthority(t, "authority")
	first, second := a.Issue(t, apachekafka.Request{Name: "first"}), a.Issue(t, apachekafka.Request{Name: "second"})
	s := f.open(SecurityOptions{TLS: true, CertFile: f.write("cert", first.Chain), KeyFile: f.write("key", first.Key)})
	want := func(name string) {
		t.Helper()
		c, err := s.tlsConfig("kafka").GetClientCertificate(nil)
		if err != nil || c.Leaf.Subject.CommonName != name {
			t.Errorf("got %v, %v, want %s", c.Leaf.Subject, err, name)
		}
	}
	want("first")
	f.write("cert", second.Chain)
	want("first")
	want("first")
	if n := f.logged("private key does not match public key"); n != 1 {
		t.Errorf("half a change was told %d times", n)
	}
	f.write("key", second.Key)
	want("second")
	expired := a.Issue(t, apachekafka.Request{Name: "expired", NotAfter: time.Now().Add(-time.Second)})
	f.write("cert", expired.Chain)
	f.write("key", expired.Key)
	want("second")
	if n := f.logged("the certificate has expired at"); n != 1 {
		t.Errorf("an expired certificate was told %d times", n)
	}
}

func TestFilesThatCannotBeUsedAreRefused(t *testing.T) {
	f := newFolder(t)
	a := apachekafka.NewAuthority(t, "authority")
	past := a.Issue(t, apachekafka.Request{Name: "past", NotAfter: time.Now().Add(-time.Minute)})
	future := a.Issue(t, apachekafka.Request{Name: "future", NotAfter: time.Now().Add(24 * time.Hour)})
	_, err := OpenSecurity(SecurityOptions{
		TLS: true, CAFile: f.write("ca", past.Chain), CertFile: f.write("cert", future.Chain), KeyFile: f.write("key", future.Key),
		Mechanism: Plain, Username: "u", PasswordFile: f.write("password", bytes.Repeat([]byte("x"), maxFile+1)),
	}, nil, f.logger())
	for _, want := range []string{"all of its certificates are out of date", "is not valid before", "larger than 4 MiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// One that is out of date beside one that isn't: authorities are replaced like this.
	if _, err := OpenSecurity(SecurityOptions{TLS: true, CAFile: f.write("ca", append(past.Chain, a.PEM...))}, nil, f.logger()); err != nil {
		t.Error(err)
	}
}

func TestSharedSecretsAreWarnedOf(t *testing.T) {
	f := newFolder(t)
	path := f.write("password", []byte("secret"))
	o := SecurityOptions{Mechanism: ScramSHA512, Username: "u", PasswordFile: path}
	f.open(o)
	if n := f.logged("which holds a secret"); n != 0 {
		t.Errorf("a private file was warned of")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	f.open(o)
	if n := f.logged("which holds a secret"); n != 1 {
		t.Errorf("a shared file was warned of %d times", n)
	}
}

// A pipe can be read once: --kafka-sasl-password-file <(command).
func TestPipesAreReadOnce(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.WriteString(w, "secret\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	path := filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd())))
	if _, err := os.Stat(path); err != nil {
		t.Skip("this system has no /dev/fd")
	}
	f := newFolder(t)
	s := f.open(SecurityOptions{Mechanism: Plain, Username: "u", PasswordFile: path})
	for range 2 {
		if got := s.currentPassword(); got != "secret" {
			t.Errorf("password %q", got)
		}
	}
	if f.log.Len() > 0 {
		t.Errorf("logged %s", f.log.String())
	}
}

// Brokers name other brokers: what the command line could not know is held at the connection.
func TestPasswordsDoNotLeaveTheMachineInTheClear(t *testing.T) {
	f := newFolder(t)
	options := SecurityOptions{Mechanism: Plain, Username: "u", PasswordFile: f.write("password", []byte("secret"))}
	for _, c := range []struct {
		remote string
		allow  bool
		sent   bool
	}{
		{"127.0.0.1", false, true}, {"::1", false, true}, {"192.0.2.1", false, false}, {"192.0.2.1", true, true}, {"2001:db8::1", false, false},
	} {
		options.AllowPlaintext = c.allow
		here, there := net.Pipe()
		defer there.Close()
		dial := f.open(options).secure(func(context.Context, string, string) (net.Conn, error) {
			return at{here, &net.TCPAddr{IP: net.ParseIP(c.remote), Port: 9092}}, nil
		})
		conn, err := dial(t.Context(), "tcp", "kafka:9092")
		if sent := err == nil; sent != c.sent {
			t.Errorf("%+v: %v", c, err)
		}
		if err == nil {
			conn.Close()
		} else if !isAccess(err) {
			t.Errorf("%v is not told as a matter of access", err)
		}
	}
}

// at is a connection with another remote address.
type at struct {
	net.Conn
	remote net.Addr
}

func (c at) RemoteAddr() net.Addr { return c.remote }

func TestAccessIsToldFromTheNetwork(t *testing.T) {
	for _, c := range []struct {
		err    error
		access bool
	}{
		{handshakeFault("kafka:9092", io.EOF), true},
		{handshakeFault("kafka:9092", &tls.CertificateVerificationError{Err: errors.New("unknown")}), true},
		{handshakeFault("kafka:9092", &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}), true},
		{handshakeFault("kafka:9092", &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}), false},
		{handshakeFault("kafka:9092", context.DeadlineExceeded), false},
		{kerr.SaslAuthenticationFailed, true},
		{kerr.TopicAuthorizationFailed, false},
		{io.EOF, false},
	} {
		if got := isAccess(c.err); got != c.access {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
