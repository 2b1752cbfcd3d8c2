package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
)

// Mechanism is how a user is made known to brokers.
type Mechanism string

// The mechanisms.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
)

// SecurityOptions say how to know brokers and how to be let in by them. The zero value is neither: connections are not
// encrypted, and nobody is asked who he is.
type SecurityOptions struct {
	TLS        bool
	CAFile     string // PEM; one of these must have signed a broker's certificate. Empty: the system's authorities
	CertFile   string // PEM; the certificate that brokers are shown, with those between it and its authority
	KeyFile    string // PEM; of CertFile
	ServerName string // what a broker's certificate must say. Empty: the host that is connected to

	Mechanism      Mechanism // empty: no SASL
	Username       string
	PasswordFile   string // a line end at its end is left out
	Password       string // instead of PasswordFile
	AllowPlaintext bool   // let PLAIN send the password over connections that are not encrypted
}

// Used reports whether anything is set.
func (o *SecurityOptions) Used() bool { return *o != SecurityOptions{} }

// Validate reports every fault, under the names of the flags. It reads no file.
func (o *SecurityOptions) Validate(brokers []string) error {
	return errors.Join(o.tlsFaults(), o.saslFaults(brokers))
}

func (o *SecurityOptions) tlsFaults() error {
	var faults []error
	if !o.TLS {
		for _, f := range []struct{ name, value string }{
			{"--kafka-tls-ca", o.CAFile}, {"--kafka-tls-cert", o.CertFile}, {"--kafka-tls-key", o.KeyFile}, {"--kafka-tls-server-name", o.ServerName},
		} {
			if f.value != "" {
				faults = append(faults, fmt.Errorf("%s: connections are not encrypted; that takes --kafka-tls", f.name))
			}
		}
	}
	switch {
	case o.CertFile != "" && o.KeyFile == "":
		faults = append(faults, errors.New("--kafka-tls-cert: its private key is needed too, in --kafka-tls-key"))
	case o.CertFile == "" && o.KeyFile != "":
		faults = append(faults, errors.New("--kafka-tls-key: its certificate is needed too, in --kafka-tls-cert"))
	}
	return errors.Join(faults...)
}

func (o *SecurityOptions) saslFaults(brokers []string) error {
	if o.Mechanism == "" {
		var faults []error
		for _, f := range []struct {
			name string
			set  bool
		}{
			{"--kafka-sasl-username", o.Username != ""}, {"--kafka-sasl-password-file", o.PasswordFile != ""},
			{"TIDEMARK_KAFKA_SASL_PASSWORD", o.Password != ""}, {"--kafka-sasl-allow-plaintext", o.AllowPlaintext},
		} {
			if f.set {
				faults = append(faults, fmt.Errorf("%s: of no use without --kafka-sasl-mechanism", f.name))
			}
		}
		return errors.Join(faults...)
	}
	var faults []error
	if !slices.Contains([]Mechanism{Plain, ScramSHA256, ScramSHA512}, o.Mechanism) {
		faults = append(faults, fmt.Errorf("--kafka-sasl-mechanism: %q is none of %s, %s, %s", o.Mechanism, Plain, ScramSHA256, ScramSHA512))
	}
	if o.Username == "" {
		faults = append(faults, errors.New("--kafka-sasl-username: missing"))
	}
	switch {
	case o.PasswordFile == "" && o.Password == "":
		faults = append(faults, errors.New("--kafka-sasl-password-file: missing"))
	case o.PasswordFile != "" && o.Password != "":
		faults = append(faults, errors.New("--kafka-sasl-password-file: there is also TIDEMARK_KAFKA_SASL_PASSWORD; give one of them"))
	}
	switch {
	case o.AllowPlaintext && (o.Mechanism != Plain || o.TLS):
		faults = append(faults, errors.New("--kafka-sasl-allow-plaintext: nothing would be sent in the clear; it is for PLAIN without --kafka-tls"))
	case o.Mechanism == Plain && !o.TLS && !o.AllowPlaintext:
		for _, b := range brokers {
			if host, _, err := net.SplitHostPort(b); err == nil && !isLoopback(host) {
				faults = append(faults, fmt.Errorf("--kafka-sasl-mechanism: PLAIN would send the password to %s in the clear; give --kafka-tls, or --kafka-sasl-allow-plaintext if the network is to be trusted", b))
			}
		}
	}
	return errors.Join(faults...)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Security is how connections are made, with what its files hold. They are read again for every new connection, so that
// certificates and passwords can be changed while we run; what can't be used is logged once, and the old goes on.
type Security struct {
	options     SecurityOptions
	authorities *watched[*x509.CertPool]   // nil: the system's
	pair        *watched[*tls.Certificate] // nil: none is shown
	password    *watched[string]           // nil: no SASL, or a fixed one
}

// OpenSecurity reads the files. It returns nil if nothing is set, and every fault of options and files at once, in the
// way of Validate.
func OpenSecurity(o SecurityOptions, brokers []string, logger *slog.Logger) (*Security, error) {
	if !o.Used() {
		return nil, nil
	}
	s := &Security{options: o}
	faults := []error{o.Validate(brokers)}
	if o.CAFile != "" {
		s.authorities = &watched[*x509.CertPool]{files: []string{o.CAFile}, parse: parseAuthorities, logger: logger}
		faults = append(faults, about("--kafka-tls-ca", s.authorities.load()))
	}
	if o.CertFile != "" && o.KeyFile != "" {
		s.pair = &watched[*tls.Certificate]{files: []string{o.CertFile, o.KeyFile}, parse: parsePair, logger: logger}
		faults = append(faults, about("--kafka-tls-cert", s.pair.load()))
		warnIfShared(o.KeyFile, logger)
	}
	if o.PasswordFile != "" {
		s.password = &watched[string]{files: []string{o.PasswordFile}, parse: parsePassword, logger: logger}
		faults = append(faults, about("--kafka-sasl-password-file", s.password.load()))
		warnIfShared(o.PasswordFile, logger)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return s, nil
}

func about(option string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", option, err)
}

// tlsConfig is for one connection to a host.
func (s *Security) tlsConfig(host string) *tls.Config {
	c := &tls.Config{ServerName: s.options.ServerName, MinVersion: tls.VersionTLS12}
	if c.ServerName == "" {
		c.ServerName = host
	}
	if s.authorities != nil {
		c.RootCAs = s.authorities.current()
	}
	if s.pair != nil {
		// Shown whatever authorities a broker names: it then says what is wrong with it, not just that there is none.
		pair := s.pair.current()
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	return c
}

// currentPassword is for one authentication.
func (s *Security) currentPassword() string {
	if s.password == nil {
		return s.options.Password
	}
	return s.password.current()
}

// parsePassword leaves out the line end that editors and echo put behind it.
func parsePassword(files [][]byte) (string, error) {
	password := strings.TrimSuffix(strings.TrimSuffix(string(files[0]), "\n"), "\r")
	switch {
	case password == "":
		return "", errors.New("there is no password in it")
	case strings.ContainsAny(password, "\r\n\x00"):
		return "", errors.New("want a password on one line, and nothing else")
	}
	return password, nil
}
