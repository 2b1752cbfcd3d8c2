package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/tidemark/tidemark/server/live"
)

// Options are the settings of a Server.
type Options struct {
	Listen         string        // host:port; default 127.0.0.1:8080
	AuthTokenFile  string        // holds the token that requests must show; default none
	Insecure       bool          // answer everybody although the address is not a loopback one; default false
	AllowedHosts   []string      // names that requests may call this server by, see hostCheck; default by Listen
	AllowedOrigins []string      // further origins ("https://example.org") whose pages may read; default none
	RequestTimeout time.Duration // of one answer; default 15 s
	HeavyQueries   int           // history, windows, alerts and feed queries at once; default 4
	PerMinute      int           // requests of one address; default 6000
	MaxBodyBytes   int64         // of one request; default 64 KiB
	DrainTimeout   time.Duration // how long requests under way may take when the server stops; default 1 s
	Version        string        // of the program
	Live           live.Options
}

// Default returns the options of a server for this machine alone.
func Default() Options {
	return Options{
		Listen:         "127.0.0.1:8080",
		RequestTimeout: 15 * time.Second,
		HeavyQueries:   4,
		PerMinute:      6000,
		MaxBodyBytes:   64 << 10,
		DrainTimeout:   time.Second,
		Version:        "dev",
		Live:           live.Default(),
	}
}

// Validate reports every option that makes no sense.
func (o Options) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	if _, port, err := net.SplitHostPort(o.Listen); err != nil || port == "" {
		check(false, "listen: %q is not an address like 127.0.0.1:8080", o.Listen)
	} else {
		check(o.loopback() || o.AuthTokenFile != "" || o.Insecure,
			"listen: %s can be reached from other machines: give --auth-token-file, or --insecure to answer everybody", o.Listen)
	}
	check(o.AuthTokenFile == "" || !o.Insecure, "insecure: contradicts --auth-token-file")
	for _, origin := range o.AllowedOrigins {
		u, err := url.Parse(origin)
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Scheme+"://"+u.Host == origin,
			"allowed origins: %q is not an origin like https://example.org", origin)
	}
	for _, host := range o.AllowedHosts {
		check(host != "" && !strings.ContainsAny(host, "/: "), "allowed hosts: %q is not a host name", host)
	}
	check(o.RequestTimeout > 0, "request timeout must be positive")
	check(o.HeavyQueries > 0, "heavy queries must be positive")
	check(o.PerMinute > 0, "requests per minute must be positive")
	check(o.MaxBodyBytes > 0, "body limit must be positive")
	check(o.DrainTimeout > 0, "drain timeout must be positive")
	return errors.Join(append(faults, o.Live.Validate())...)
}

// loopback reports whether only this machine can reach the address.
func (o Options) loopback() bool {
	host, _, err := net.SplitHostPort(o.Listen)
	return err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
