package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/store"
)

// cursor is where a page of windows ended. It names a row, not a count of rows, so that it stays good while data arrive,
// and it carries its range, so that a relative one does not move from page to page.
type cursor struct {
	From  event.Millis `json:"f"`
	To    event.Millis `json:"t"`
	Start event.Millis `json:"s"`
	Group []string     `json:"g,omitempty"`
	Query []byte       `json:"q"` // of what it is a page, see queryID
}

var errCursor = errors.New("not a cursor of this query: begin without one")

// queryID tells queries apart whose cursors can't be exchanged.
func queryID(m *definition.Metric, f groupFilter) []byte {
	b, _ := json.Marshal(f) // strings and nulls
	sum := sha256.Sum256(append(append([]byte(nil), m.Hash[:]...), b...))
	return sum[:8]
}

func encodeCursor(c any) string {
	b, _ := json.Marshal(c) // numbers and strings
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(text string, c any) error {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, c) != nil {
		return errCursor
	}
	return nil
}

func parseCursor(text string, query []byte) (*cursor, error) {
	var c cursor
	if err := decodeCursor(text, &c); err != nil || string(c.Query) != string(query) {
		return nil, errCursor
	}
	if c.From < minTime || c.To > maxTime || c.Start < c.From || c.Start >= c.To {
		return nil, errCursor
	}
	return &c, nil
}

func (c *cursor) position() *store.WindowPos { return &store.WindowPos{Start: c.Start, Group: c.Group} }

// alertCursor is where a page of alerts ended. It names an alert, for the reasons that a cursor names a row.
type alertCursor struct {
	From    event.Millis `json:"f"`
	To      event.Millis `json:"t"`
	Started event.Millis `json:"s"`
	ID      string       `json:"i"`
	Query   []byte       `json:"q"` // see alertQueryID
}

func alertQueryID(q *store.AlertQuery) []byte {
	b, _ := json.Marshal([]any{"alerts", q.State, q.Types, q.Severities}) // numbers and strings
	sum := sha256.Sum256(b)
	return sum[:8]
}

func parseAlertCursor(text string, query []byte) (*alertCursor, error) {
	var c alertCursor
	if err := decodeCursor(text, &c); err != nil || string(c.Query) != string(query) {
		return nil, errCursor
	}
	if c.From < minTime || c.To > maxTime+1 || c.Started < c.From || c.Started >= c.To || c.ID == "" {
		return nil, errCursor
	}
	return &c, nil
}
