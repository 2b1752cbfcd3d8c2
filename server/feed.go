package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/live"
	"github.com/tidemark/tidemark/server/wire"
	"github.com/tidemark/tidemark/store"
)

type feedBody struct {
	Entries []entryBody `json:"entries"`
	Head    uint64      `json:"head"`
	First   uint64      `json:"first"`
}

type entryBody struct {
	Seq        uint64          `json:"seq"`
	Type       string          `json:"type"`
	At         int64           `json:"at_ms"`
	Result     *rowBody        `json:"result,omitempty"`
	Alert      *wire.Alert     `json:"alert,omitempty"`
	DeadLetter *deadLetterBody `json:"dead_letter,omitempty"`
	Late       *lateBody       `json:"late,omitempty"`
}

type deadLetterBody struct {
	Reason    string            `json:"reason"`
	Detail    string            `json:"detail"`
	Topic     string            `json:"topic"`
	Partition event.PartitionID `json:"partition"`
	Offset    event.Offset      `json:"offset"`
	Key       []byte            `json:"key_base64"`
	Value     []byte            `json:"value_base64"`
	Truncated bool              `json:"truncated"`
	SchemaID  int32             `json:"schema_id,omitempty"` // of a value in Confluent framing
	Decoded   map[string]any    `json:"decoded,omitempty"`   // the fields that definitions use, of a value that is an event
}

type lateBody struct {
	Topic        string            `json:"topic"`
	Partition    event.PartitionID `json:"partition"`
	Count        int64             `json:"count"`
	ByDefinition map[string]int64  `json:"by_definition"`
	Samples      []lateSampleBody  `json:"samples"`
}

type lateSampleBody struct {
	Offset    event.Offset `json:"offset"`
	EventTime event.Millis `json:"event_time_ms"`
}

// entryTypes are the words for the types of entries.
var entryTypes = map[string]processing.EntryType{
	"result":      processing.ResultEntry,
	"alert":       processing.AlertEntry,
	"dead_letter": processing.DeadLetterEntry,
	"late":        processing.LateEntry,
}

// feed answers with the entries after a sequence, or from the first that is kept.
func (s *Server) feed(_ http.ResponseWriter, r *http.Request) (any, error) {
	p := s.params(r)
	types := store.Types(processing.ResultEntry, processing.AlertEntry, processing.DeadLetterEntry, processing.LateEntry)
	if text, ok := p.text("types"); ok {
		types = p.entryTypes(text)
	}
	return s.readFeed(p, types)
}

// deadLetters answers with the dead letters of the feed.
func (s *Server) deadLetters(_ http.ResponseWriter, r *http.Request) (any, error) {
	return s.readFeed(s.params(r), store.Types(processing.DeadLetterEntry))
}

func (p *params) entryTypes(text string) store.TypeSet {
	var set []processing.EntryType
	for word := range strings.SplitSeq(text, ",") {
		t, ok := entryTypes[word]
		if !ok {
			p.fault("types", "%q is not one of result, alert, dead_letter, late", word)
		}
		set = append(set, t)
	}
	return store.Types(set...)
}

// maxSeq is the last sequence that every JSON reader holds exactly.
const maxSeq = 1<<53 - 1

func (s *Server) readFeed(p *params, types store.TypeSet) (any, error) {
	after := p.integer("after", -1, 0, maxSeq)
	limit := p.integer("limit", 100, 1, 1000)
	if err := p.problem(); err != nil {
		return nil, err
	}
	body := feedBody{}
	err := s.view(func(v *store.View) error {
		if after < 0 {
			first, err := v.First()
			if err != nil {
				return err
			}
			after = int64(max(first, 1)) - 1
		}
		page, err := v.Feed(uint64(after), int(limit), types)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(page.Entries, func(e processing.Entry) bool { return e.Type == processing.DeadLetterEntry }) {
			known, err := v.Schemas()
			if err != nil {
				return err
			}
			s.letters.learn(known)
		}
		body.Head, body.First = page.Head, page.First
		body.Entries = make([]entryBody, len(page.Entries))
		for i := range page.Entries {
			body.Entries[i] = s.entryBody(&page.Entries[i])
		}
		return nil
	})
	return body, err
}

func (s *Server) entryBody(e *processing.Entry) entryBody {
	b := entryBody{Seq: e.Seq, At: e.AtMs}
	switch e.Type {
	case processing.ResultEntry:
		row := s.rowBody(e.Result)
		b.Type, b.Result = "result", &row
	case processing.AlertEntry:
		a := wire.AlertOf(e.Alert)
		b.Type, b.Alert = "alert", &a
	case processing.DeadLetterEntry:
		d := e.DeadLetter
		b.Type = "dead_letter"
		b.DeadLetter = &deadLetterBody{d.Reason, d.Detail, d.Topic, d.Partition, d.Offset, d.Key, d.Value, d.Truncated, d.SchemaID, s.letters.read(d.Value)}
	case processing.LateEntry:
		l := e.Late
		late := lateBody{l.Topic, l.Partition, l.Count, l.ByDefinition, make([]lateSampleBody, len(l.Samples))}
		if late.ByDefinition == nil {
			late.ByDefinition = map[string]int64{}
		}
		for i, sample := range l.Samples {
			late.Samples[i] = lateSampleBody{sample.Offset, sample.EventTimeMs}
		}
		b.Type, b.Late = "late", &late
	default:
		panic(fmt.Sprintf("BUG: feed entry %d has type %d", e.Seq, e.Type))
	}
	return b
}

// Alerts is the feed as the live channel of alerts reads it.
func (s *Server) Alerts(after uint64, limit int) (page live.LogPage, err error) {
	err = s.view(func(v *store.View) error {
		p, err := v.Feed(after, limit, store.Types(processing.AlertEntry))
		if errors.Is(err, store.ErrTruncated) {
			page.Truncated, err = true, nil
		}
		page.Entries, page.Head, page.First = p.Entries, p.Head, p.First
		return err
	})
	return page, err
}
