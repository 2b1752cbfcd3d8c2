package wire

import (
	"math"
	"strconv"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

// Number is a float64 or null.
type Number = *float64

// NumberOf turns null and what JSON has no word for into null.
func NumberOf(n definition.Number) Number {
	if !n.Valid || math.IsNaN(n.Float) || math.IsInf(n.Float, 0) {
		return nil
	}
	return &n.Float
}

// Time is a point in event time, or null while there is none.
type Time = *event.Millis

// TimeOf turns event.NoTime into null.
func TimeOf(t event.Millis) Time {
	if t == event.NoTime {
		return nil
	}
	return &t
}

// Row is one metric, window and group, as REST and the live channel both show it.
type Row struct {
	Metric        string            `json:"metric"`
	Group         map[string]string `json:"group"`
	WindowStart   event.Millis      `json:"window_start_ms"`
	WindowEnd     event.Millis      `json:"window_end_ms"`
	Kind          string            `json:"kind"`
	Revision      int               `json:"revision"`
	Value         Number            `json:"value"`
	Aggregates    map[string]Number `json:"aggregates"`
	Count         int64             `json:"count"`
	Estimate      bool              `json:"estimate,omitempty"`
	RelativeError float64           `json:"relative_error,omitempty"`
	Truncated     bool              `json:"truncated,omitempty"`
}

// Series is the points of one group of a metric; REST history and the live channel's backfill are made of them.
type Series struct {
	Group  map[string]string `json:"group"`
	Points []Point           `json:"points"`
}

// Point is the start of a bucket and its value, written as [t_ms, value].
type Point struct {
	At    event.Millis
	Value Number
}

// MarshalJSON writes [t_ms, value].
func (p Point) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 40), '[')
	b = strconv.AppendInt(b, int64(p.At), 10)
	if p.Value == nil {
		return append(b, ",null]"...), nil
	}
	b = strconv.AppendFloat(append(b, ','), *p.Value, 'g', -1, 64)
	return append(b, ']'), nil
}
