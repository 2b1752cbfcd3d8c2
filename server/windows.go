package server

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

// rowBody is a row as REST shows it.
type rowBody struct {
	ID string `json:"id"`
	wire.Row
	Seq *uint64 `json:"seq"` // of the feed entry; null for an empty window, which has none
}

func (s *Server) rowBody(r *window.Result) rowBody {
	shape := s.shapes[r.Definition]
	if shape == nil {
		shape = wire.Retired(r.Metric)
	}
	b := rowBody{ID: r.ID(), Row: shape.Row(r)}
	if r.Seq > 0 {
		b.Seq = &r.Seq
	}
	return b
}

func (s *Server) rowBodies(results []window.Result) []rowBody {
	rows := make([]rowBody, len(results))
	for i := range results {
		rows[i] = s.rowBody(&results[i])
	}
	return rows
}

type windowsBody struct {
	Windows   []rowBody `json:"windows"`
	Next      *string   `json:"next"`
	Watermark wire.Time `json:"watermark_ms"`
	Partial   bool      `json:"partial"`
}

// windows answers with the last revision of every window that starts in the range.
func (s *Server) windows(_ http.ResponseWriter, r *http.Request) (any, error) {
	m, err := s.metric(chi.URLParam(r, "name"))
	if err != nil {
		return nil, err
	}
	p := s.params(r)
	q := windowQuery{metric: m, shape: s.shapes[m.Hash]}
	q.from, q.to = p.timeRange("-1h")
	q.limit = int(p.integer("limit", 100, 1, 1000))
	q.filter = p.groups(m)
	if text, ok := p.text("cursor"); ok {
		c, err := parseCursor(text, queryID(m, q.filter))
		if err != nil {
			p.fault("cursor", "%v", err)
		} else {
			q.from, q.to, q.after = c.From, c.To, c.position()
		}
	}
	if err := p.problem(); err != nil {
		return nil, err
	}
	body := windowsBody{}
	err = s.view(func(v *store.View) error {
		body.Watermark = wire.TimeOf(v.Watermark())
		body.Partial = reachesPast(m, q.to, v.Watermark())
		rows, more, err := q.run(v)
		if err != nil {
			return err
		}
		body.Windows = s.rowBodies(rows)
		if more {
			last := &rows[len(rows)-1]
			next := encodeCursor(cursor{q.from, q.to, last.Start, last.Group, queryID(m, q.filter)})
			body.Next = &next
		}
		return nil
	})
	return body, err
}

// reachesPast reports whether a window that starts before to is not closed yet.
func reachesPast(m *definition.Metric, to, w event.Millis) bool {
	if w == event.NoTime {
		return true
	}
	last := definition.Clock{Width: m.Slide, Offset: m.Offset}.PaneStart(to - 1)
	return to-1 > w || last+m.Size-1 > w
}

// windowQuery is one page of windows.
type windowQuery struct {
	metric   *definition.Metric
	shape    *wire.Shape
	from, to event.Millis
	after    *store.WindowPos
	filter   groupFilter
	limit    int
}

// maxScanned bounds the rows that a filter may have to look at for one page.
const maxScanned = 200_000

// run returns a page and whether there may be more behind it.
func (q *windowQuery) run(v *store.View) (rows []window.Result, more bool, err error) {
	if len(q.metric.Keys) == 0 {
		return q.runUngrouped(v)
	}
	after := q.after
	for scanned := 0; ; {
		batch, err := v.Windows(q.metric.Hash, q.from, q.to, after, 1000)
		if err != nil {
			return nil, false, err
		}
		for _, r := range batch {
			if !q.filter.takes(r.Group) {
				continue
			}
			if len(rows) == q.limit {
				return rows, true, nil
			}
			rows = append(rows, r)
		}
		if len(batch) < 1000 {
			return rows, false, nil
		}
		if scanned += len(batch); scanned >= maxScanned {
			return nil, false, errScan
		}
		last := &batch[len(batch)-1]
		after = &store.WindowPos{Start: last.Start, Group: last.Group}
	}
}

var errScan = &wire.Problem{
	Type: "/problems/query-too-large", Title: "The query would read too much", Status: http.StatusUnprocessableEntity,
	Detail: fmt.Sprintf("more than %d rows do not match the filter: ask for a shorter range", maxScanned),
}

// runUngrouped also supplies the windows in which nothing happened, from the earliest window with an event to W.
func (q *windowQuery) runUngrouped(v *store.View) (rows []window.Result, more bool, err error) {
	if !q.shape.ImpliesEmpty() {
		rows, err = v.Windows(q.metric.Hash, q.from, q.to, q.after, q.limit+1)
		return rows[:min(len(rows), q.limit)], len(rows) > q.limit, err
	}
	first, ok, err := v.FirstWindow(q.metric.Hash)
	if err != nil || !ok {
		return nil, false, err
	}
	slide := definition.Clock{Width: q.metric.Slide, Offset: q.metric.Offset}
	start := max(first, slide.PaneStart(q.from+q.metric.Slide-1))
	if q.after != nil {
		start = max(start, slide.PaneStart(q.after.Start)+q.metric.Slide)
	}
	stored := storedWindows{query: q, view: v}
	for ; start < q.to && start+q.metric.Size-1 <= v.Watermark(); start += q.metric.Slide {
		if len(rows) == q.limit {
			return rows, true, nil
		}
		r, err := stored.at(start)
		switch {
		case err != nil:
			return nil, false, err
		case r == nil:
			rows = append(rows, q.shape.Empty(start))
		case r.Kind != window.Retract:
			rows = append(rows, *r)
		}
	}
	return rows, false, nil
}

// storedWindows reads the windows of a metric without groups, one after the other.
type storedWindows struct {
	query *windowQuery
	view  *store.View
	rows  []window.Result // read, not asked for yet
	last  *store.WindowPos
	ended bool
}

// at returns the window that starts then, nil when there is none. The starts that are asked for ascend.
func (s *storedWindows) at(start event.Millis) (*window.Result, error) {
	if len(s.rows) == 0 && !s.ended {
		if s.last == nil {
			s.last = s.query.after
		}
		var err error
		if s.rows, err = s.view.WindowsAndRetracts(s.query.metric.Hash, s.query.from, s.query.to, s.last, s.query.limit+1); err != nil {
			return nil, err
		}
		s.ended = len(s.rows) <= s.query.limit
		if n := len(s.rows); n > 0 {
			s.last = &store.WindowPos{Start: s.rows[n-1].Start}
		}
	}
	if len(s.rows) == 0 || s.rows[0].Start > start {
		return nil, nil
	}
	if s.rows[0].Start < start {
		return nil, errors.New("BUG: a stored window is not aligned")
	}
	r := &s.rows[0]
	s.rows = s.rows[1:]
	return r, nil
}
