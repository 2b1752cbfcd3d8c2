package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/live"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

// Store is where answers about the past come from.
type Store interface {
	View() (*store.View, error)
	Size() (bytes, free uint64)
	Usage() ([]store.SpaceUsage, error)
	Course() []store.CoursePoint
	Reader(name string) (seq uint64, ok bool, err error)
}

// Pipeline is where answers about this moment come from.
type Pipeline interface {
	Status() processing.Status
	Open(ctx context.Context) (*processing.Open, error)
}

// Deps is what a server is made of.
type Deps struct {
	Plan     *definition.Plan
	Store    Store
	Pipeline Pipeline
	Epoch    string   // of the feed's sequence
	Readers  []string // the readers of the feed whose positions /pipeline shows
	Assets   fs.FS    // the dashboard; index.html is served at /
	Logger   *slog.Logger
}

// Server answers HTTP. Handler may be used without Run, but then nobody tells live clients of open windows.
type Server struct {
	options Options
	Deps
	access  *access
	assets  map[string]*asset // by path
	shapes  map[definition.Hash]*wire.Shape
	letters *letterReader
	board   *live.Board
	hub     *live.Hub
	metrics *instruments
	heavy   chan struct{} // a place for each heavy query
	handler http.Handler
	now     func() time.Time
	serving context.Context // ends when Drain is called
	drain   context.CancelFunc
}

// New makes a server and loads what live clients see first. The pipeline must not commit before it is told to call
// Committed: what New has read would miss it.
func New(options Options, deps Deps) (*Server, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		options: options,
		Deps:    deps,
		shapes:  make(map[definition.Hash]*wire.Shape),
		board:   live.NewBoard(deps.Plan),
		heavy:   make(chan struct{}, options.HeavyQueries),
		now:     time.Now,
	}
	s.serving, s.drain = context.WithCancel(context.Background())
	for i := range deps.Plan.Metrics {
		m := &deps.Plan.Metrics[i]
		s.shapes[m.Hash] = wire.NewShape(m)
	}
	var err error
	if s.letters, err = newLetterReader(deps.Plan); err != nil {
		return nil, err
	}
	if s.access, err = newAccess(options); err != nil {
		return nil, err
	}
	if s.assets, err = readAssets(deps.Assets); err != nil {
		return nil, err
	}
	if err := s.loadBoard(); err != nil {
		return nil, err
	}
	s.hub = live.New(options.Live, live.Deps{
		Board: s.board, Opener: deps.Pipeline, History: s, Log: s, Epoch: deps.Epoch, Version: options.Version,
		Logger: deps.Logger, Refuse: s.refuseLive,
	})
	s.metrics = newInstruments(s)
	s.handler = s.routes()
	return s, nil
}

// loadBoard reads what the board held when the last commit was made.
func (s *Server) loadBoard() error {
	return s.view(func(v *store.View) error {
		w := v.Watermark()
		if w == event.NoTime {
			s.board.Load(v.Head(), w, nil, nil)
			return nil
		}
		first := make(map[definition.Hash]event.Millis)
		var results []window.Result
		for i := range s.Plan.Metrics {
			m := &s.Plan.Metrics[i]
			start, ok, err := v.FirstWindow(m.Hash)
			if err != nil {
				return fmt.Errorf("load last results of %s: %w", m.Name, err)
			}
			if !ok {
				continue
			}
			first[m.Hash] = start
			rows, err := v.WindowsAndRetracts(m.Hash, live.HoldFrom(m, w), w+1, nil, math.MaxInt)
			if err != nil {
				return fmt.Errorf("load last results of %s: %w", m.Name, err)
			}
			results = append(results, rows...)
		}
		s.board.Load(v.Head(), w, results, first)
		return nil
	})
}

// view runs a query on the state as of the last commit.
func (s *Server) view(query func(*store.View) error) (err error) {
	v, err := s.Store.View()
	if err != nil {
		return fmt.Errorf("open view: %w", err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return query(v)
}

// Committed shows a commit to live clients; it is the pipeline's Observer.
func (s *Server) Committed(c *processing.Committed) { s.hub.Committed(c) }

// Handler answers everything.
func (s *Server) Handler() http.Handler { return s.handler }

// Drain says that the server is about to stop: /readyz answers 503 from now on, and live clients are told goodbye. Everything else is
// answered until Run ends.
func (s *Server) Drain() { s.drain() }

// Run answers on a listener until ctx ends, then lets live clients and requests under way come to an end. It closes the
// listener.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	hs := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      s.options.RequestTimeout + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug), // faults of clients
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	var served error // written before group ends
	group.Go(func() {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			served = fmt.Errorf("serve: %w", err)
			cancel()
		}
	})
	hub, leave := context.WithCancel(ctx)
	defer leave()
	defer context.AfterFunc(s.serving, leave)()
	group.Go(func() { s.hub.Run(hub) })
	<-ctx.Done()
	// ctx is over; what is under way gets time of its own.
	grace, done := context.WithTimeout(context.Background(), s.options.DrainTimeout)
	defer done()
	if err := hs.Shutdown(grace); err != nil {
		_ = hs.Close() // what did not end in time is cut off
	}
	group.Wait()
	return served
}
