package live

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/server/wire"
)

func (mr *metricRows) place(r *window.Result) place {
	at := place{metric: mr.rank, start: r.Start}
	if len(r.Group) > 0 {
		at.group = strings.Join(r.Group, "\x00") + "\x00"
	}
	return at
}

func (mr *metricRows) noteFirst(start event.Millis) {
	if mr.first == event.NoTime || start < mr.first {
		mr.first = start
	}
}

// setLocked puts a result in its place. A cell that already shows it is not changed.
func (b *Board) setLocked(mr *metricRows, at place, r *window.Result) *cell {
	c := b.cells[at]
	switch {
	case c == nil:
		c = &cell{place: at, key: mr.key(at), created: b.version}
		c.inOrder = b.order.PushBack(c)
		b.cells[at] = c
	case c.tomb != nil:
		b.tombs.Remove(c.tomb)
		c.tomb = nil
	case sameRow(&c.result, r):
		c.result.Seq = r.Seq
		return c
	}
	c.result, c.row = *r, nil
	b.touchLocked(c)
	return c
}

func (b *Board) removeLocked(c *cell) {
	c.tomb = b.tombs.PushBack(c)
	c.row = nil
	b.touchLocked(c)
	for b.tombs.Len() > b.maxTombs {
		oldest := b.tombs.Remove(b.tombs.Front()).(*cell)
		b.order.Remove(oldest.inOrder)
		delete(b.cells, oldest.place)
		b.forgotten = oldest.changed
	}
}

func (b *Board) touchLocked(c *cell) {
	c.changed = b.version
	b.order.MoveToBack(c.inOrder)
}

func (b *Board) announceLocked() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

func sameRow(a, b *window.Result) bool {
	return a.Kind == b.Kind && a.Revision == b.Revision && a.Value == b.Value && a.Count == b.Count &&
		a.Truncated == b.Truncated && a.End == b.End && slices.Equal(a.Aggregates, b.Aggregates)
}

// key is the row's name on the wire. Groups can be long, and chosen by whoever sends events: a hash that can't be
// steered stands for them.
func (mr *metricRows) key(at place) string {
	key := mr.metric.Name + ":" + strconv.FormatInt(int64(at.start), 10)
	if at.group == "" {
		return key
	}
	sum := sha256.Sum256([]byte(at.group))
	return key + ":" + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// jsonLocked is the row as it is sent; every client shares the bytes.
func (b *Board) jsonLocked(c *cell) []byte {
	if c.row == nil {
		row, err := json.Marshal(struct {
			Key string `json:"key"`
			wire.Row
		}{c.key, b.metrics[c.metric].shape.Row(&c.result)})
		if err != nil {
			panic(fmt.Sprintf("BUG: encode row %s: %v", c.key, err))
		}
		c.row = row
	}
	return c.row
}
