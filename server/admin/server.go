package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/store"
)

// Deps is what the commands act on.
type Deps struct {
	Pipeline Pipeline
	Backup   func(ctx context.Context, to string) (*store.Manifest, error)
	Rebuild  Rebuilder
	Version  string
	Logger   *slog.Logger
}

// Pipeline is what the server is doing.
type Pipeline interface {
	Status() processing.Status
	AcceptGap(ctx context.Context, topic string, only *event.PartitionID) ([]processing.Gap, error)
}

// Rebuilder makes a new state from the log beside the one that is served.
type Rebuilder interface {
	// Start begins. It returns ErrBusy while one is being made, or waits for the next start.
	Start() error
	Progress() Rebuild
}

// ErrBusy is returned when there is a rebuilt state, or will be.
var ErrBusy = errors.New("a state is being rebuilt already")

// Server answers on the socket.
type Server struct {
	deps   Deps
	mux    *http.ServeMux
	active sync.WaitGroup // requests under way
}

// NewServer makes a server.
func NewServer(deps Deps) *Server {
	s := &Server{deps: deps, mux: http.NewServeMux()}
	s.mux.Handle("GET /status", answer(s.status))
	s.mux.Handle("POST /backup", answer(s.backup))
	s.mux.Handle("POST /resume", answer(s.resume))
	s.mux.Handle("POST /rebuild", answer(s.startRebuild))
	s.mux.Handle("GET /rebuild", answer(s.rebuild))
	return s
}

// Run answers until ctx ends. What is under way then is given up, and has come to its end when Run returns: whoever called it
// may close the store. It closes the listener.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	hs := &http.Server{
		Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.deps.Logger.Handler(), slog.LevelDebug), // faults of clients
	}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		// The requests' contexts have ended: what they do comes to its end by itself.
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		if err := hs.Shutdown(grace); err != nil {
			_ = hs.Close()
		}
	})()
	err := hs.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
		<-stopped
	} else {
		err = errors.Join(fmt.Errorf("admin socket: %w", err), hs.Close())
	}
	s.active.Wait() // no connection is left that could begin another one
	return err
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.active.Add(1)
	defer s.active.Done()
	s.mux.ServeHTTP(w, r)
}

// answer turns a function into a handler.
func answer[Q any, A any](do func(ctx context.Context, q *Q) (A, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q Q
		if r.Method == http.MethodPost {
			decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&q); err != nil {
				write(w, http.StatusBadRequest, faultBody{Detail: "the request can't be read: " + err.Error()})
				return
			}
		}
		a, err := do(r.Context(), &q)
		if err != nil {
			status, word := wordOf(err)
			write(w, status, faultBody{Word: word, Detail: err.Error()})
			return
		}
		write(w, http.StatusOK, a)
	})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever has gone needs no answer
}

type nothing struct{}

func (s *Server) status(context.Context, *nothing) (Status, error) {
	return statusOf(s.deps.Pipeline.Status(), s.deps.Version), nil
}

func (s *Server) backup(ctx context.Context, q *backupRequest) (*store.Manifest, error) {
	if q.To == "" {
		return nil, errors.New("backup: to: a directory is needed")
	}
	m, err := s.deps.Backup(ctx, q.To)
	if err != nil {
		return nil, err
	}
	s.deps.Logger.Info("backup made", "directory", q.To, "bytes", m.Bytes(), "head", m.Head)
	return m, nil
}

func (s *Server) resume(ctx context.Context, q *resumeRequest) (resumeAnswer, error) {
	gaps, err := s.deps.Pipeline.AcceptGap(ctx, q.Topic, q.Partition)
	a := resumeAnswer{Gaps: make([]string, len(gaps))}
	for i := range gaps {
		a.Gaps[i] = gaps[i].String()
	}
	return a, err
}

func (s *Server) startRebuild(context.Context, *nothing) (Rebuild, error) {
	if err := s.deps.Rebuild.Start(); err != nil {
		return Rebuild{}, err
	}
	return s.deps.Rebuild.Progress(), nil
}

func (s *Server) rebuild(context.Context, *nothing) (Rebuild, error) {
	return s.deps.Rebuild.Progress(), nil
}
