package kafka

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
	"github.com/tidemark/tidemark/processing/window"
	"github.com/tidemark/tidemark/schemas"
)

// Encoding is how values of the topics of metrics and alerts are written.
type Encoding string

// The encodings.
const (
	Avro          Encoding = "avro"           // raw binary Avro: no schema, no framing
	AvroConfluent Encoding = "avro-confluent" // the same after the number that a schema registry gave the schema
	JSON          Encoding = "json"           // the same fields in plain JSON, NaN as null
)

// processedMetric is one value of the metrics topic, field by field as in schemas/metrics.avsc.
type processedMetric struct {
	MetricID    string             `avro:"metricId" json:"metricId"`
	Timestamp   int64              `avro:"timestamp" json:"timestamp"` // the window's end: the moment that the value is of
	WindowStart int64              `avro:"windowStart" json:"windowStart"`
	WindowEnd   int64              `avro:"windowEnd" json:"windowEnd"`
	MetricType  string             `avro:"metricType" json:"metricType"`
	Value       number             `avro:"value" json:"value"` // NaN: no data
	Count       *int64             `avro:"count" json:"count"` // null when retracted
	Dimensions  sortedMap[string]  `avro:"dimensions" json:"dimensions"`
	Tags        []string           `avro:"tags" json:"tags"`
	Source      string             `avro:"source" json:"source"`
	Metric      string             `avro:"metric" json:"metric"`
	Kind        string             `avro:"kind" json:"kind"`
	Revision    int                `avro:"revision" json:"revision"`
	Unit        string             `avro:"unit" json:"unit"`
	Aggregates  sortedMap[float64] `avro:"aggregates" json:"aggregates"` // those that are null are left out
}

// number is a double whose NaN is null in JSON.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// The tags of a ProcessedMetric.
const (
	tagTruncated         = "truncated"          // groups beyond max_groups were folded into (other)
	tagUnknownDefinition = "unknown_definition" // see metricEncoder.describe
)

// metricEncoder turns results into records of the metrics topic.
type metricEncoder struct {
	values  valueEncoder
	metrics map[definition.Hash]*definition.Metric
}

func newMetricEncoder(encoding Encoding, plan *definition.Plan) (*metricEncoder, error) {
	values, err := newValueEncoder(encoding, schemas.Metrics)
	if err != nil {
		return nil, fmt.Errorf("metrics schema: %w", err)
	}
	e := &metricEncoder{values: values, metrics: make(map[definition.Hash]*definition.Metric)}
	for i := range plan.Metrics {
		e.metrics[plan.Metrics[i].Hash] = &plan.Metrics[i]
	}
	return e, nil
}

// value encodes a result.
func (e *metricEncoder) value(r *window.Result) ([]byte, error) {
	m := e.describe(r)
	return e.values.encode(&m)
}

// describe adds to a result what its definition says. A result that was computed before the definitions were changed may
// still wait in the feed; it goes out with its groups numbered and tagged as such.
func (e *metricEncoder) describe(r *window.Result) processedMetric {
	m := processedMetric{
		MetricID:    r.ID(),
		Timestamp:   int64(r.End),
		WindowStart: int64(r.Start),
		WindowEnd:   int64(r.End),
		MetricType:  "CUSTOM_METRIC",
		Value:       number(math.NaN()),
		Tags:        []string{},
		Source:      "tidemark",
		Metric:      r.Metric,
		Kind:        r.Kind.String(),
		Revision:    r.Revision,
	}
	if r.Truncated {
		m.Tags = append(m.Tags, tagTruncated)
	}
	if r.Kind != window.Retract {
		m.Count = &r.Count
		if r.Value.Valid {
			m.Value = number(r.Value.Float)
		}
	}
	of := e.metrics[r.Definition]
	if of == nil {
		m.Tags = append(m.Tags, tagUnknownDefinition)
		m.Dimensions = sortMap(name(r.Group, func(i int) string { return "group_" + strconv.Itoa(i+1) }))
		return m
	}
	m.MetricType, m.Unit = of.Type, of.Unit
	m.Dimensions = sortMap(name(r.Group, func(i int) string { return of.Keys[i] }))
	aggregates := make(map[string]float64, len(r.Aggregates))
	for i, a := range r.Aggregates {
		if a.Valid && r.Kind != window.Retract {
			aggregates[of.Aggregates[i].Name] = a.Float
		}
	}
	m.Aggregates = sortMap(aggregates)
	return m
}

func name(values []string, of func(int) string) map[string]string {
	m := make(map[string]string, len(values))
	for i, v := range values {
		m[of(i)] = v
	}
	return m
}

// metricKey is the same for all revisions of a result, so that a compacted topic keeps the last word on it: the JSON array
// of metric, group values and window start.
func metricKey(r *window.Result) ([]byte, error) {
	group := r.Group
	if group == nil {
		group = []string{}
	}
	return appendJSON([]any{r.Metric, group, int64(r.Start)})
}

// appendJSON is json.Marshal without the escapes for HTML: what it makes is read by people with kcat, not by browsers.
func appendJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func textHeader(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

func numberHeader[N int | int32 | int64 | uint64 | event.Offset | event.PartitionID](key string, n N) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: fmt.Append(nil, n)}
}
