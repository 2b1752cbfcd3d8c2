package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"github.com/tidemark/tidemark/server/live"
	"github.com/tidemark/tidemark/server/wire"
)

// minTokenLength makes guessing hopeless.
const minTokenLength = 16

// access knows who may ask.
type access struct {
	token   string   // "": everybody may
	anyHost bool     // see hostCheck
	hosts   []string // lower case
	origins []string
}

func newAccess(o Options) (*access, error) {
	a := &access{origins: o.AllowedOrigins}
	if o.AuthTokenFile != "" {
		content, err := os.ReadFile(o.AuthTokenFile)
		if err != nil {
			return nil, fmt.Errorf("read auth token: %w", err)
		}
		a.token = strings.TrimSpace(string(content))
		if len(a.token) < minTokenLength {
			return nil, fmt.Errorf("auth token in %s: shorter than %d characters", o.AuthTokenFile, minTokenLength)
		}
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	a.hosts = append(a.hosts, "localhost", strings.ToLower(host))
	for _, name := range o.AllowedHosts {
		a.hosts = append(a.hosts, strings.ToLower(name))
	}
	a.anyHost = !o.loopback() && a.token != "" && len(o.AllowedHosts) == 0
	return a, nil
}

// CheckAccess reports what New would find wrong with the token: a file that can't be read, or one that is too short.
func (o Options) CheckAccess() error {
	_, err := newAccess(o)
	return err
}

// hostAllowed guards against names that somebody else lets point here so that a page of theirs counts as ours (DNS
// rebinding): such a page could read whatever its visitor can. On a loopback address requests must call the server
// localhost or by a loopback address; elsewhere by an address, by the name in --listen, or by an allowed name. With a
// token any name will do if none was given: cookies belong to a name, and that page's name has none.
func (a *access) hostAllowed(hostport string, loopback bool) bool {
	if a.anyHost {
		return true
	}
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if slices.Contains(a.hosts, host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (!loopback || addr.Unmap().IsLoopback())
}

func (s *Server) checkHost(next http.Handler) http.Handler {
	loopback := s.options.loopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.access.hostAllowed(r.Host, loopback) {
			writeProblem(w, &wire.Problem{
				Type: "/problems/host-not-allowed", Title: "This server is not known by that name", Status: http.StatusForbidden,
				Detail: "start it with --allowed-hosts to allow the name",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// originAllowed guards the live channel, which browsers let any page open: the page must be ours, or of an allowed
// origin. Programs send no Origin.
func (a *access) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(a.origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

var errNoToken = errors.New("this server needs its token: as `Authorization: Bearer TOKEN`, or by logging in")

// authorized reports whether a request shows the token, or a cookie that was given for it.
func (s *Server) authorized(r *http.Request) bool {
	if s.access.token == "" {
		return true
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return s.access.isToken(token)
	}
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && s.access.isSession(cookie.Value, s.now())
}

// isToken takes as long for a token that is nearly right as for one that is not.
func (a *access) isToken(token string) bool {
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(a.token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// checkAccess lets authorized requests through. A person without a session is sent to the login page.
func (s *Server) checkAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.authorized(r):
			next.ServeHTTP(w, r)
		case r.URL.Path == "/" && r.URL.Query().Has("token"):
			s.exchangeToken(w, r)
		case r.URL.Path == "/":
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="tidemark"`)
			writeProblem(w, &wire.Problem{
				Type: "/problems/unauthorized", Title: "Not logged in", Status: http.StatusUnauthorized, Detail: errNoToken.Error(),
			})
		}
	})
}

// refuseLive says why a live connection is refused, 0 if it is not.
func (s *Server) refuseLive(r *http.Request) websocket.StatusCode {
	switch {
	case !s.access.originAllowed(r):
		return live.CloseForbidden
	case !s.authorized(r):
		return live.CloseUnauthorized
	case s.serving.Err() != nil:
		return live.CloseDraining
	default:
		return 0
	}
}
