package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// sessionCookie is worth the token to whoever has it, for a week, and only to this server.
const (
	sessionCookie = "tidemark_session"
	sessionLength = 7 * 24 * time.Hour
)

// session makes the cookie's value: when it ends, and a proof that whoever made it knew the token. So no session needs
// to be remembered, and a new token ends them all.
func (a *access) session(now time.Time) string {
	ends := binary.BigEndian.AppendUint64(nil, uint64(now.Add(sessionLength).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(ends, a.proof(ends)...))
}

func (a *access) proof(ends []byte) []byte {
	mac := hmac.New(sha256.New, []byte(a.token))
	mac.Write([]byte("tidemark session\n"))
	mac.Write(ends)
	return mac.Sum(nil)
}

func (a *access) isSession(value string, now time.Time) bool {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) != 8+sha256.Size {
		return false
	}
	return hmac.Equal(b[8:], a.proof(b[:8])) && now.Unix() < int64(binary.BigEndian.Uint64(b[:8]))
}

func (s *Server) startSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: s.access.session(s.now()), Path: "/", MaxAge: int(sessionLength.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}

const loginPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Tidemark: log in</title>
</head>
<body>
<h1>Tidemark</h1>
<p>MESSAGE</p>
<form method="post" action="/login">
<label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button type="submit">Log in</button>
</form>
</body>
</html>
`

func writeLoginPage(w http.ResponseWriter, status int, message string) {
	writeBody(w, status, "text/html; charset=utf-8", []byte(strings.Replace(loginPage, "MESSAGE", message, 1)))
}

// loginForm asks for the token. Who needs none, or has a session, has no business here.
func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	if s.authorized(r) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	writeLoginPage(w, http.StatusOK, "This server asks for its token.")
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	switch {
	case !s.access.originAllowed(r):
		writeLoginPage(w, http.StatusForbidden, "That form was not ours. Log in here.")
	case s.access.token == "":
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case !s.access.isToken(r.PostFormValue("token")):
		writeLoginPage(w, http.StatusUnauthorized, "That is not the token.")
	default:
		s.startSession(w, r)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// exchangeToken turns /?token=TOKEN, as printed at the start, into a session, and takes the token out of the address.
func (s *Server) exchangeToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !s.access.isToken(query.Get("token")) {
		writeLoginPage(w, http.StatusUnauthorized, "That is not the token.")
		return
	}
	query.Del("token")
	s.startSession(w, r)
	http.Redirect(w, r, (&url.URL{Path: "/", RawQuery: query.Encode()}).String(), http.StatusSeeOther)
}
