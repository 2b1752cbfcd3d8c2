package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/e2e/apachekafka"
)

// secured is a broker with every kind of listener, and files for the clients of it.
type secured struct {
	broker  *apachekafka.Broker
	options apachekafka.Options
	dir     string
	ours    *apachekafka.Authority // of the broker, and of clients that are let in
}

const readerName, readerPassword = "reader", "a pass word=1"

func startSecured(t *testing.T) *secured {
	s := &secured{dir: t.TempDir(), ours: apachekafka.NewAuthority(t, "ours")}
	here := apachekafka.Request{Name: "broker", Hosts: []string{"127.0.0.1"}}
	old, other := here, here
	old.NotAfter, other.Hosts = time.Now().Add(-time.Minute), []string{"kafka.example.org"}
	good := s.ours.Issue(t, here)
	s.options = apachekafka.Options{
		Users: map[string]string{readerName: readerPassword, "rotating": "first"},
		Listeners: []apachekafka.Listener{
			{Name: "TLS", TLS: good},
			{Name: "OLD", TLS: s.ours.Issue(t, old)},
			{Name: "OTHER", TLS: s.ours.Issue(t, other)},
			{Name: "MUTUAL", TLS: good, ClientCAs: s.ours.PEM},
			{Name: "SASL", SASL: true},
			{Name: "SASL_TLS", SASL: true, TLS: good},
			{Name: "ROTATING", SASL: true},
		},
		// Who has connected here must show his password again every two seconds.
		Properties: map[string]string{"listener.name.rotating.connections.max.reauth.ms": "2000"},
	}
	s.broker = apachekafka.Start(t, s.options)
	stranger := apachekafka.NewAuthority(t, "strangers")
	s.write(t, "ca.pem", s.ours.PEM)
	s.write(t, "strangers-ca.pem", stranger.PEM)
	s.writePair(t, "client", s.ours.Issue(t, apachekafka.Request{Name: "client"}))
	s.writePair(t, "stranger", stranger.Issue(t, apachekafka.Request{Name: "stranger"}))
	s.write(t, "password", []byte(readerPassword+"\n"))
	s.write(t, "wrong", []byte("wrong\n"))
	return s
}

func (s *secured) file(name string) string { return filepath.Join(s.dir, name) }

func (s *secured) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(s.file(name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *secured) writePair(t *testing.T, name string, c *apachekafka.Certificate) {
	t.Helper()
	s.write(t, name+".pem", c.Chain)
	s.write(t, name+"-key.pem", c.Key)
}

// flags are those of a client at a listener, written as in the test's tables: files by their names.
func (s *secured) flags(listener, spec string) []string {
	flags := []string{"--kafka-brokers", s.broker.Addr(listener)}
	for f := range strings.FieldsSeq(spec) {
		name, value, given := strings.Cut(f, "=")
		if given && slices.Contains([]string{"tls-ca", "tls-cert", "tls-key", "sasl-password-file"}, name) {
			f = name + "=" + s.file(value)
		}
		flags = append(flags, "--kafka-"+f)
	}
	return flags
}

// launchAt starts a server with topics of its own.
func launchAt(t *testing.T, topics string, args ...string) *process {
	t.Helper()
	return launch(t, freeAddress(t), append([]string{
		"serve", "--data", t.TempDir(), "--events-topic", topics + "-events", "--metrics-topic", topics + "-metrics",
		"--alerts-topic", topics + "-alerts", "--dead-letter-topic", topics + "-dead",
	}, args...)...)
}

// simulate writes the n-th thousand of a server's events, which take a hundred seconds of event time.
func simulate(t *testing.T, topics string, n int, flags ...string) {
	t.Helper()
	start := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * 100 * time.Second)
	tool(t, append([]string{
		"simulate", "--events-topic", topics + "-events", "--rate", "10", "--start", start.Format(time.RFC3339), "--count", "1000",
		"--seed", fmt.Sprint(n), "--duplicates", "0", "--log-level", "warn",
	}, flags...)...)
}

func TestTLSAndSASL(t *testing.T) {
	withoutRaceDetector(t)
	t.Parallel()
	s := startSecured(t)
	t.Run("all", func(t *testing.T) {
		t.Run("let in", s.letIn)
		t.Run("kept out", s.keptOut)
		t.Run("password changed", s.passwordChanged)
	})
	t.Run("certificates changed", s.certificatesChanged) // it stops the broker
}

const (
	tlsSpec   = "tls tls-ca=ca.pem"
	plainSpec = "sasl-mechanism=PLAIN sasl-username=reader sasl-password-file=password"
)

func (s *secured) letIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, listener, spec string }{
		{"tls", "TLS", tlsSpec},
		{"tls by another name", "OTHER", tlsSpec + " tls-server-name=kafka.example.org"},
		{"mutual tls", "MUTUAL", tlsSpec + " tls-cert=client.pem tls-key=client-key.pem"},
		{"plain", "SASL", plainSpec},
		{"scram 256", "SASL", strings.Replace(plainSpec, "PLAIN", "SCRAM-SHA-256", 1)},
		{"scram 512", "SASL", strings.Replace(plainSpec, "PLAIN", "SCRAM-SHA-512", 1)},
		{"plain over tls", "SASL_TLS", tlsSpec + " " + plainSpec},
	} {
		t.Run(c.name, func(t *testing.T) {
			topics := strings.ReplaceAll(c.name, " ", "-")
			flags := s.flags(c.listener, c.spec)
			p := launchAt(t, topics, append(flags, "--create-topics")...)
			p.ready()
			simulate(t, topics, 0, flags...)
			p.await("all records are consumed", func() bool { return p.pipeline().Counters["consumed"] == 1000 })
			p.await("results are published", func() bool { return s.size(t, topics+"-metrics") > 0 })
		})
	}
}

// size is how many records a topic holds.
func (s *secured) size(t *testing.T, topic string) int64 {
	t.Helper()
	return records(t, s.broker.Addr(apachekafka.Plaintext), topic)
}

func (s *secured) keptOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, listener, spec, reason string }{
		{"unknown authority", "TLS", "tls tls-ca=strangers-ca.pem", "certificate signed by unknown authority"},
		{"authority not of the system", "TLS", "tls", "certificate signed by unknown authority"},
		{"certificate expired", "OLD", tlsSpec, "certificate has expired"},
		{"another name", "OTHER", tlsSpec, "cannot validate certificate for 127.0.0.1"},
		{"yet another name", "OTHER", tlsSpec + " tls-server-name=kafka.example.net", "certificate is valid for kafka.example.org, not kafka.example.net"},
		{"no certificate", "MUTUAL", tlsSpec, "the broker wants a certificate of ours, or another one"},
		{"a stranger's certificate", "MUTUAL", tlsSpec + " tls-cert=stranger.pem tls-key=stranger-key.pem", "the broker wants a certificate of ours, or another one"},
		{"no tls there", apachekafka.Plaintext, tlsSpec, "does it speak TLS on this port?"},
		{"no tls here", "TLS", "", "that takes --kafka-tls"},
		{"no sasl there", apachekafka.Plaintext, plainSpec, "ILLEGAL_SASL_STATE"},
		{"no sasl here", "SASL", "", "is SASL missing?"},
		{"wrong password", "SASL", "sasl-mechanism=PLAIN sasl-username=reader sasl-password-file=wrong", "Invalid username or password"},
		{"wrong scram password", "SASL", "sasl-mechanism=SCRAM-SHA-256 sasl-username=reader sasl-password-file=wrong", "invalid credentials with SASL mechanism SCRAM-SHA-256"},
		{"unknown user", "SASL_TLS", tlsSpec + " sasl-mechanism=SCRAM-SHA-512 sasl-username=nobody sasl-password-file=password", "invalid credentials with SASL mechanism SCRAM-SHA-512"},
	} {
		t.Run(c.name, func(t *testing.T) {
			flags := s.flags(c.listener, c.spec)
			out, err := exec.Command(binary(t), append([]string{"simulate", "--count", "1"}, flags...)...).CombinedOutput()
			if err == nil || err.Error() != "exit status 1" || !strings.Contains(string(out), c.reason) {
				t.Errorf("simulate: %v, want exit status 1 and %q\n%s", err, c.reason, out)
			}
			p := launchAt(t, "kept-out", flags...)
			p.await("the reason is told", func() bool { return strings.Contains(p.unready(), c.reason) })
			if p.kill(); !strings.Contains(p.log.String(), "trying again") || !strings.Contains(p.log.String(), c.reason) {
				t.Errorf("the log does not tell %q\n%s", c.reason, p.log.String())
			}
		})
	}
}

// unready is what /readyz says as long as the server is not ready.
func (p *process) unready() string {
	err := p.fetch("/readyz", &struct{}{})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(http.StatusServiceUnavailable)) {
		return ""
	}
	return err.Error()
}

// The broker wants the password again and again. When it becomes another, the server says so, reads on once it has it,
// and has missed nothing.
func (s *secured) passwordChanged(t *testing.T) {
	t.Parallel()
	s.write(t, "rotating", []byte("first"))
	flags := s.flags("ROTATING", "sasl-mechanism=SCRAM-SHA-512 sasl-username=rotating sasl-password-file=rotating")
	p := launchAt(t, "rotating", append(flags, "--create-topics")...)
	p.ready()
	plaintext := s.broker.Addr(apachekafka.Plaintext)
	simulate(t, "rotating", 0, "--kafka-brokers", plaintext)
	p.await("the first records are consumed", func() bool { return p.pipeline().Counters["consumed"] == 1000 })
	setPassword(t, plaintext, "rotating", "second")
	p.await("the verdict tells", func() bool { return strings.Contains(p.pipeline().Verdict, "SASL_AUTHENTICATION_FAILED") })
	simulate(t, "rotating", 1, "--kafka-brokers", plaintext)
	s.write(t, "rotating", []byte("second"))
	p.await("all records are consumed", func() bool { return p.pipeline().Counters["consumed"] == 2000 })
	p.await("the verdict is good again", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "Healthy") })
	p.interrupt()
	if !strings.Contains(p.log.String(), "a file has changed; new connections use it") {
		t.Errorf("the log does not tell of the new password\n%s", p.log.String())
	}
}

// The broker comes back with a certificate of another authority, and wants clients to have one of it too.
func (s *secured) certificatesChanged(t *testing.T) {
	s.write(t, "now-ca.pem", s.ours.PEM)
	s.writePair(t, "now", s.ours.Issue(t, apachekafka.Request{Name: "client"}))
	flags := s.flags("MUTUAL", "tls tls-ca=now-ca.pem tls-cert=now.pem tls-key=now-key.pem")
	p := launchAt(t, "certificates", append(flags, "--create-topics")...)
	p.ready()
	theirs := apachekafka.NewAuthority(t, "theirs")
	i := slices.IndexFunc(s.options.Listeners, func(l apachekafka.Listener) bool { return l.Name == "MUTUAL" })
	s.options.Listeners[i].TLS = theirs.Issue(t, apachekafka.Request{Name: "broker", Hosts: []string{"127.0.0.1"}})
	s.options.Listeners[i].ClientCAs = theirs.PEM
	s.broker.Reconfigure(t, s.options)

	verdict := func(part string) {
		t.Helper()
		p.await("the verdict tells: "+part, func() bool { return strings.Contains(p.pipeline().Verdict, part) })
	}
	verdict("certificate signed by unknown authority")
	s.write(t, "now-ca.pem", []byte("nothing of use")) // what was there goes on
	s.write(t, "now-ca.pem", theirs.PEM)
	verdict("the broker wants a certificate of ours, or another one")
	fresh := theirs.Issue(t, apachekafka.Request{Name: "client"})
	s.write(t, "now.pem", fresh.Chain) // half of it: the old pair goes on
	verdict("the broker wants a certificate of ours, or another one")
	s.write(t, "now-key.pem", fresh.Key)
	simulate(t, "certificates", 0, "--kafka-brokers", s.broker.Addr(apachekafka.Plaintext))
	p.await("all records are consumed", func() bool { return p.pipeline().Counters["consumed"] == 1000 })
	p.await("the verdict is good again", func() bool { return strings.HasPrefix(p.pipeline().Verdict, "Healthy") })
}
