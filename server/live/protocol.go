package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/coder/websocket"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/server/wire"
)

// Protocol is the WebSocket subprotocol.
const Protocol = "tidemark.v1"

// The channels: a state, and a log.
const (
	channelMetrics = "metrics"
	channelAlerts  = "alerts"
)

// message is what clients send. Unknown fields are ignored.
type message struct {
	Op       string   `json:"op"`
	Sub      string   `json:"sub"`
	Channel  string   `json:"channel"`
	Metrics  []string `json:"metrics"`
	Backfill *string  `json:"backfill"`
	MaxHz    *float64 `json:"max_hz"`
	After    *int64   `json:"after"`
	Epoch    *string  `json:"epoch"`
}

var errNoOp = errors.New(`"op" is missing or unknown: it is subscribe, unsubscribe or pong`)

func parseMessage(b []byte) (message, error) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) && mistyped.Field != "" {
			return m, fmt.Errorf("%q can't be a %s", mistyped.Field, mistyped.Value)
		}
		return m, errors.New("a message is one JSON object")
	}
	switch m.Op {
	case "subscribe", "unsubscribe", "pong":
		return m, nil
	default:
		return m, errNoOp
	}
}

type welcomeFrame struct {
	Op       string     `json:"op"`
	Protocol string     `json:"protocol"`
	Server   string     `json:"server"`
	Epoch    string     `json:"epoch"`
	PingMs   int64      `json:"ping_ms"`
	Limits   limitsInfo `json:"limits"`
}

type limitsInfo struct {
	Subscriptions  int     `json:"subscriptions"`
	MessageBytes   int64   `json:"message_bytes"`
	MessagesPerSec int     `json:"messages_per_second"`
	MaxHz          float64 `json:"max_hz"`
	BackfillMs     int64   `json:"backfill_ms"`
}

type subFrame struct {
	Op     string  `json:"op"`
	Sub    string  `json:"sub"`
	Reason string  `json:"reason,omitempty"`
	Seq    *uint64 `json:"seq,omitempty"` // of a log: what follows has higher sequences
}

type entryFrame struct {
	Op    string     `json:"op"`
	Sub   string     `json:"sub"`
	Seq   uint64     `json:"seq"`
	Alert wire.Alert `json:"alert"`
}

type errorFrame struct {
	Op      string        `json:"op"`
	Sub     string        `json:"sub"`
	Problem *wire.Problem `json:"problem"`
}

type pingFrame struct {
	Op string `json:"op"`
	At int64  `json:"t_ms"`
}

type goodbyeFrame struct {
	Op           string               `json:"op"`
	Code         websocket.StatusCode `json:"code"`
	RetryAfterMs int64                `json:"retry_after_ms"`
}

// Backfill is the history of one series: what REST's history answers for the metric and the range.
type Backfill struct {
	Metric string       `json:"metric"`
	StepMs event.Millis `json:"step_ms"`
	wire.Series
}

// appendSnapshot writes the frame that a subscription starts from. body is what snapshotBody made.
func appendSnapshot(dst, sub, body, history []byte) []byte {
	dst = append(append(dst, `{"op":"snapshot","sub":`...), sub...)
	dst = append(dst, body...)
	if history != nil {
		dst = append(append(dst, `,"history":`...), history...)
	}
	return append(dst, '}')
}

func snapshotBody(p picture) []byte { return appendRows(appendPlace(roomFor(p), p), p.rows) }

// roomFor is empty, and has room for what is told of a picture.
func roomFor(p picture) []byte {
	n := 128
	for _, row := range p.rows {
		n += len(row) + 1
	}
	for _, key := range p.removed {
		n += len(key) + 3
	}
	return make([]byte, 0, n)
}

// appendDelta writes what changed since the frame before, which was at sequence from. body is what deltaBody made.
func appendDelta(dst, sub []byte, from uint64, body []byte) []byte {
	dst = append(append(dst, `{"op":"delta","sub":`...), sub...)
	dst = strconv.AppendUint(append(dst, `,"from":`...), from, 10)
	return append(append(dst, body...), '}')
}

func deltaBody(p picture) []byte {
	dst := append(appendRows(appendPlace(roomFor(p), p), p.rows), `,"removed":[`...)
	for i, key := range p.removed {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, key) // metric names, digits and base64: nothing that JSON writes otherwise
	}
	return append(dst, ']')
}

func appendPlace(dst []byte, p picture) []byte {
	dst = strconv.AppendUint(append(dst, `,"seq":`...), p.seq, 10)
	dst = append(dst, `,"watermark_ms":`...)
	if p.watermark == event.NoTime {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, int64(p.watermark), 10)
}

func appendRows(dst []byte, rows [][]byte) []byte {
	dst = append(dst, `,"rows":[`...)
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, row...)
	}
	return append(dst, ']')
}
