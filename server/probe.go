package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Probe asks the server that listens on an address of this machine how it is, on /livez or /readyz. What it has to say comes
// back as an error, unless it is well. Neither path needs a token.
func Probe(ctx context.Context, listen, path string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	url := "http://" + net.JoinHostPort(reachable(host), port) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	// It is this machine that is asked: no proxy stands between.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var body healthBody
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 64<<10)).Decode(&body); err != nil || len(body.Reasons) == 0 {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return fmt.Errorf("%s: %s", url, strings.Join(body.Reasons, "; "))
}

// reachable is the loopback address where a server listens on all.
func reachable(host string) string {
	if host == "" {
		return "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil || !addr.IsUnspecified():
		return host
	case addr.Is4():
		return "127.0.0.1"
	default:
		return "::1"
	}
}
