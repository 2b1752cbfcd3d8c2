package kafka

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

// RegistryOptions say how to reach a schema registry.
type RegistryOptions struct {
	URLs      []string      // of servers that are one registry, in the order to try; a name and a password may stand in them
	CAFile    string        // PEM certificates that may sign the servers' own; default: the system's
	BasicFile string        // file with NAME:PASSWORD; default: none
	TokenFile string        // file with a bearer token; default: none
	Timeout   time.Duration // of one request; default 10 s
}

// Validate reports every fault.
func (o *RegistryOptions) Validate() error {
	var faults []error
	if len(o.URLs) == 0 {
		faults = append(faults, errors.New("schema registry: an address is needed"))
	}
	named := false
	for _, text := range o.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil:
			faults = append(faults, errors.New("schema registry: an address is no URL")) // the error would show a password
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			faults = append(faults, fmt.Errorf("schema registry: %q is no http or https URL", u.Redacted()))
		case u.RawQuery != "" || u.Fragment != "":
			faults = append(faults, fmt.Errorf("schema registry: %q must end with its path", u.Redacted()))
		default:
			named = named || u.User != nil
		}
	}
	ways := 0
	for _, given := range []bool{named, o.BasicFile != "", o.TokenFile != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		faults = append(faults, errors.New("schema registry: want one of a name in the URL, a file with a name and a password, and a file with a token"))
	}
	return errors.Join(faults...)
}

// registryTransport sends requests with what proves who we are, which is read from its file each time, as such files are
// replaced now and then. Other hosts, to which a server may redirect, are not shown it.
type registryTransport struct {
	options *RegistryOptions
	urls    []string // without names and passwords
	users   map[string]*url.Userinfo
	next    *http.Transport
}

// maxRegistryAnswer bounds what a server may answer.
const maxRegistryAnswer = 16 << 20

func newRegistryTransport(o *RegistryOptions) (*registryTransport, error) {
	o.Timeout = cmp.Or(o.Timeout, registryTimeout)
	next := http.DefaultTransport.(*http.Transport).Clone()
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("schema registry: read certificates: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("schema registry: %s holds no certificate", o.CAFile)
		}
		next.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	t := &registryTransport{options: o, users: make(map[string]*url.Userinfo), next: next}
	for _, text := range o.URLs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, err // Validate has seen it
		}
		t.users[origin(u)] = u.User
		u.User = nil
		t.urls = append(t.urls, u.String())
	}
	// What can't be read now would be a fault of every request.
	if _, err := t.credentials(nil); err != nil {
		return nil, err
	}
	return t, nil
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// RoundTrip implements http.RoundTripper.
func (t *registryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if user, ours := t.users[origin(req.URL)]; ours {
		header, err := t.credentials(user)
		if err != nil {
			return nil, err
		}
		if header != "" {
			req = req.Clone(req.Context())
			req.Header.Set("Authorization", header)
		}
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = limitedBody{io.LimitReader(resp.Body, maxRegistryAnswer), resp.Body}
	return resp, nil
}

type limitedBody struct {
	io.Reader
	io.Closer
}

// credentials are the value of the header Authorization; "" for none.
func (t *registryTransport) credentials(user *url.Userinfo) (string, error) {
	var basic http.Request
	basic.Header = make(http.Header)
	switch o := t.options; {
	case o.TokenFile != "":
		token, err := readSecret(o.TokenFile)
		if err != nil {
			return "", err
		}
		return "Bearer " + string(token), nil
	case o.BasicFile != "":
		secret, err := readSecret(o.BasicFile)
		if err != nil {
			return "", err
		}
		name, password, ok := bytes.Cut(secret, []byte(":"))
		if !ok {
			return "", fmt.Errorf("schema registry: %s does not hold NAME:PASSWORD", o.BasicFile)
		}
		basic.SetBasicAuth(string(name), string(password))
	case user != nil:
		password, _ := user.Password()
		basic.SetBasicAuth(user.Username(), password)
	}
	return basic.Header.Get("Authorization"), nil
}

func readSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("schema registry: read credentials: %w", err)
	}
	if secret = bytes.TrimSpace(secret); len(secret) == 0 {
		return nil, fmt.Errorf("schema registry: %s is empty", path)
	}
	return secret, nil
}
