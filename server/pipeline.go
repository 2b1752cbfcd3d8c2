package server

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

type pipelineBody struct {
	State        processing.Phase    `json:"state"`
	Verdict      string              `json:"verdict"`
	Held         *string             `json:"held"` // why no records are taken for a while
	Watermark    wire.Time           `json:"watermark_ms"`
	Outputs      outputsBody         `json:"outputs"`
	Partitions   []partitionBody     `json:"partitions"`
	Counters     processing.Counters `json:"counters"`
	OpenSessions int64               `json:"open_sessions"`
	Commit       commitBody          `json:"commit"`
	Store        storeBody           `json:"store"`
	Readers      []readerBody        `json:"readers"`
	LiveClients  int                 `json:"live_clients"`
	LiveLag      int64               `json:"live_lag_ms"` // of the slowest of them
}

type outputsBody struct {
	Fault   *string `json:"fault"`   // why nothing is published any more, until somebody decides
	Trouble *string `json:"trouble"` // why nothing is published just now
}

type partitionBody struct {
	Topic     string            `json:"topic"`
	Partition event.PartitionID `json:"partition"`
	Position  event.Offset      `json:"position"`
	End       event.Offset      `json:"end"`
	Lag       int64             `json:"lag"`
	Rate      float64           `json:"rate"` // records a second
	Watermark wire.Time         `json:"watermark_ms"`
	Idle      bool              `json:"idle"`
	HoldsBack bool              `json:"holds_back"`
	Fault     *string           `json:"fault"`
	FaultKind *string           `json:"fault_kind"`
	Advice    *string           `json:"fault_advice"` // what an operator can do about it
	Waiting   *string           `json:"waiting"`      // for what, when the next records can't be judged yet
}

type commitBody struct {
	Seq uint64   `json:"seq"`
	Age *int64   `json:"age_ms"` // null before the first
	P50 *float64 `json:"duration_ms_p50"`
	P99 *float64 `json:"duration_ms_p99"`

	Course courseBody `json:"course"`
}

type storeBody struct {
	Bytes     uint64         `json:"bytes"`
	Free      uint64         `json:"free_bytes"`
	Keyspaces []keyspaceBody `json:"keyspaces"`
}

type keyspaceBody struct {
	Name  string `json:"name"`
	Bytes uint64 `json:"bytes"` // in tables on disk, about
}

// courseBody is how committing went lately: points of [start in ms, commits, bytes, longest in ms].
type courseBody struct {
	Step   int64        `json:"step_ms"`
	Points [][4]float64 `json:"points"`
}

type readerBody struct {
	Name     string `json:"name"`
	Position uint64 `json:"position"`
	Lag      uint64 `json:"lag"` // entries
}

// pipeline answers with what the pipeline is doing.
func (s *Server) pipeline(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.params(r).problem(); err != nil {
		return nil, err
	}
	st := s.Pipeline.Status()
	readers, err := s.readers(st.Commit.Seq)
	if err != nil {
		return nil, err
	}
	body := pipelineBody{
		State: st.Phase, Verdict: st.Verdict, Watermark: wire.TimeOf(st.Watermark),
		Partitions: make([]partitionBody, len(st.Partitions)), Counters: st.Counters, OpenSessions: st.OpenSessions,
		Commit: s.commitBody(st.Commit), Readers: readers, LiveClients: s.hub.Clients(), LiveLag: s.hub.Lag().Milliseconds(),
	}
	if body.Store, err = s.storeBody(); err != nil {
		return nil, err
	}
	if st.Held != "" {
		body.Held = &st.Held
	}
	if st.Outputs.Fault != "" {
		body.Outputs.Fault = &st.Outputs.Fault
	}
	if st.Outputs.Trouble != "" {
		body.Outputs.Trouble = &st.Outputs.Trouble
	}
	for i, p := range st.Partitions {
		b := partitionBody{
			Topic: p.Topic, Partition: p.Partition, Position: p.Position, End: p.End, Lag: p.Lag, Rate: p.Rate,
			Watermark: wire.TimeOf(p.Watermark), Idle: p.Idle, HoldsBack: p.HoldsBack,
		}
		if p.Fault != "" {
			kind := string(p.FaultKind)
			b.Fault, b.FaultKind, b.Advice = &p.Fault, &kind, &p.Advice
		}
		if p.Waiting != "" {
			b.Waiting = &p.Waiting
		}
		body.Partitions[i] = b
	}
	return body, nil
}

func (s *Server) storeBody() (storeBody, error) {
	usage, err := s.Store.Usage()
	if err != nil {
		return storeBody{}, fmt.Errorf("read the size of the store: %w", err)
	}
	b := storeBody{Keyspaces: make([]keyspaceBody, len(usage))}
	b.Bytes, b.Free = s.Store.Size()
	for i, one := range usage {
		b.Keyspaces[i] = keyspaceBody(one)
	}
	return b, nil
}

func (s *Server) commitBody(c processing.CommitStatus) commitBody {
	b := commitBody{Seq: c.Seq, Course: courseBody{Step: store.CourseStep.Milliseconds(), Points: [][4]float64{}}}
	for _, p := range s.Store.Course() {
		b.Course.Points = append(b.Course.Points, [4]float64{float64(p.Start), float64(p.Commits), float64(p.Bytes), milliseconds(p.Longest)})
	}
	if !c.At.IsZero() {
		age := s.now().Sub(c.At).Milliseconds()
		p50, p99 := milliseconds(c.DurationP50), milliseconds(c.DurationP99)
		b.Age, b.P50, b.P99 = &age, &p50, &p99
	}
	return b
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (s *Server) readers(head uint64) ([]readerBody, error) {
	readers := make([]readerBody, 0, len(s.Readers))
	for _, name := range s.Readers {
		position, _, err := s.Store.Reader(name) // one that has not begun stands before everything
		if err != nil {
			return nil, fmt.Errorf("read reader: %w", err)
		}
		b := readerBody{Name: name, Position: position}
		if position < head {
			b.Lag = head - position
		}
		readers = append(readers, b)
	}
	return readers, nil
}
