package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"
	"github.com/go-chi/httprate"

	"github.com/tidemark/tidemark/server/wire"
)

// resource answers with a body to be written as JSON, or an error. It writes the answer itself, and returns nil twice,
// when it is not JSON.
type resource func(w http.ResponseWriter, r *http.Request) (any, error)

func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(s.observe, s.recoverPanics, secure, s.checkHost, s.limitBody, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { writeProblem(w, problemNotFound) })
	r.MethodNotAllowed(methodNotAllowed(r))

	r.Get("/livez", s.answer(s.live))
	r.Get("/readyz", s.answer(s.ready))
	r.With(s.loginLimit()).Get("/login", s.loginForm)
	r.With(s.loginLimit()).Post("/login", s.login)
	r.With(s.rateLimit()).Get("/api/v1/live", s.serveLive) // has its own way of refusing
	r.Group(func(r chi.Router) {
		r.Use(s.checkAccess)
		r.Get("/", s.serveAsset)
		r.Get("/*", s.serveAsset)
	})
	r.Group(func(r chi.Router) {
		if len(s.options.AllowedOrigins) > 0 {
			r.Use(cors.Handler(cors.Options{
				AllowedOrigins: s.options.AllowedOrigins, AllowedMethods: []string{"GET"}, AllowedHeaders: []string{"Authorization"},
			}))
		}
		r.Use(s.rateLimit(), s.checkAccess, s.limitTime, compress)
		r.Get("/metrics", s.metrics.serve)
		r.Get("/openapi.yaml", s.openAPI)
		r.Route("/api/v1", s.api)
	})
	return r
}

func (s *Server) api(r chi.Router) {
	r.Get("/metrics", s.answer(s.listMetrics))
	r.With(s.takePlace).Get("/metrics/{name}/windows", s.answer(s.windows))
	r.With(s.takePlace).Get("/metrics/{name}/history", s.answer(s.history))
	r.Get("/metrics/{name}/latest", s.answer(s.latest))
	r.With(s.takePlace).Get("/alerts", s.answer(s.listAlerts))
	r.Get("/alerts/{id}", s.answer(s.alert))
	r.With(s.takePlace).Get("/feed", s.answer(s.feed))
	r.With(s.takePlace).Get("/dead-letters", s.answer(s.deadLetters))
	r.Get("/pipeline", s.answer(s.pipeline))
	r.Get("/definitions", s.answer(s.definitions))
	r.Get("/definitions/plan", s.answer(s.plan))
	r.Get("/digest", s.answer(s.digest))
}

// answer turns a resource into a handler: the one place where errors become answers.
func (s *Server) answer(serve resource) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := serve(w, r)
		if err != nil {
			p := problemOf(err)
			if p == problemInternal {
				s.Logger.Error("request failed", "path", r.URL.Path, "error", err)
			}
			writeProblem(w, p)
			return
		}
		if body != nil {
			writeJSON(w, http.StatusOK, "application/json", body)
		}
	}
}

// methodNotAllowed answers with the methods that there are.
func methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		if routes.Match(chi.NewRouteContext(), http.MethodGet, r.URL.Path) {
			allowed = append(allowed, http.MethodGet, http.MethodHead) // what answers the one answers the other
		}
		if routes.Match(chi.NewRouteContext(), http.MethodPost, r.URL.Path) {
			allowed = append(allowed, http.MethodPost)
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, &wire.Problem{
			Type: "/problems/method-not-allowed", Title: "This method is not allowed here", Status: http.StatusMethodNotAllowed,
			Detail: "allowed: " + strings.Join(allowed, ", "),
		})
	}
}

// recoverPanics answers for a handler that met a bug of ours.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ww, ok := w.(middleware.WrapResponseWriter)
		if !ok {
			panic("BUG: recoverPanics stands before observe")
		}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			s.logPanic(r, cause)
			if ww.Status() == 0 {
				writeProblem(w, problemInternal)
				return
			}
			panic(http.ErrAbortHandler) // the answer has begun: cut it off rather than let it pass for whole
		}()
		next.ServeHTTP(w, r)
	})
}

// contentPolicy lets pages use what this server serves, and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, s.options.MaxBodyBytes)
		next.ServeHTTP(w, r)
	})
}

func (s *Server) limitTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.options.RequestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

var compress = middleware.Compress(5, "application/json", "application/problem+json", "application/yaml", "text/csv", "text/plain")

// takePlace lets a few heavy queries run at once; the others wait a little.
func (s *Server) takePlace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, err := s.enterHeavy(r.Context())
		if err != nil {
			writeProblem(w, problemBusy)
			return
		}
		defer leave()
		next.ServeHTTP(w, r)
	})
}

func (s *Server) enterHeavy(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.RequestTimeout/2)
	defer cancel()
	select {
	case s.heavy <- struct{}{}:
		return func() { <-s.heavy }, nil
	case <-ctx.Done():
		return nil, problemBusy
	}
}

func (s *Server) rateLimit() func(http.Handler) http.Handler { return limitRate(s.options.PerMinute) }

// loginsPerMinute is far more than people type and far less than guessing needs.
const loginsPerMinute = 20

func (s *Server) loginLimit() func(http.Handler) http.Handler { return limitRate(loginsPerMinute) }

func limitRate(perMinute int) func(http.Handler) http.Handler {
	return httprate.LimitBy(perMinute, time.Minute, peer,
		httprate.WithLimitHandler(func(w http.ResponseWriter, _ *http.Request) { writeProblem(w, problemRate) }))
}

// peer is the address that a connection comes from. What a proxy says of its clients is not believed.
func peer(r *http.Request) (string, error) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return host, err
}
