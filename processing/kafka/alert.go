package kafka

import (
	"fmt"
	"math"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/schemas"
)

// ceAlert is one value of the alerts topic, field by field as in schemas/alerts.avsc.
type ceAlert struct {
	AlertID           string             `avro:"alertId" json:"alertId"`
	Timestamp         int64              `avro:"timestamp" json:"timestamp"` // of the transition
	AlertType         string             `avro:"alertType" json:"alertType"`
	Severity          string             `avro:"severity" json:"severity"`
	Title             string             `avro:"title" json:"title"`
	Description       string             `avro:"description" json:"description"`
	PatternMatched    string             `avro:"patternMatched" json:"patternMatched"`
	AffectedUsers     []string           `avro:"affectedUsers" json:"affectedUsers"`
	Metrics           sortedMap[float64] `avro:"metrics" json:"metrics"` // those that are null are left out
	Context           sortedMap[string]  `avro:"context" json:"context"`
	RecommendedAction *string            `avro:"recommendedAction" json:"recommendedAction"`
	Source            string             `avro:"source" json:"source"`
	Definition        string             `avro:"definition" json:"definition"`
	State             string             `avro:"state" json:"state"`
	StartedAt         int64              `avro:"startedAt" json:"startedAt"`
	EndedAt           *int64             `avro:"endedAt" json:"endedAt"` // null while it fires
	Evidence          []string           `avro:"evidence" json:"evidence"`
}

// alertEncoder turns alerts into values of the alerts topic.
type alertEncoder struct{ values valueEncoder }

func newAlertEncoder(encoding Encoding) (*alertEncoder, error) {
	values, err := newValueEncoder(encoding, schemas.Alerts)
	if err != nil {
		return nil, fmt.Errorf("alerts schema: %w", err)
	}
	return &alertEncoder{values}, nil
}

// value encodes an alert as of its last transition.
func (e *alertEncoder) value(a *alert.Alert) ([]byte, error) {
	c := describeAlert(a)
	return e.values.encode(&c)
}

func describeAlert(a *alert.Alert) ceAlert {
	c := ceAlert{
		AlertID:        a.ID,
		Timestamp:      int64(a.Transitions[len(a.Transitions)-1].At),
		AlertType:      a.Type,
		Severity:       a.Severity,
		Title:          a.Title,
		Description:    a.Description,
		PatternMatched: a.PatternMatched,
		AffectedUsers:  append([]string{}, a.AffectedUsers...),
		Metrics:        sortMap(alertMetrics(a)),
		Context:        sortMap(alertContext(a)),
		Source:         "tidemark",
		Definition:     a.Definition,
		State:          a.State.String(),
		StartedAt:      int64(a.StartedAt),
		Evidence:       make([]string, 0, len(a.Records)),
	}
	if a.RecommendedAction != "" {
		c.RecommendedAction = &a.RecommendedAction
	}
	if a.State == alert.Resolved {
		ended := int64(a.EndedAt)
		c.EndedAt = &ended
	}
	for _, r := range a.Records {
		c.Evidence = append(c.Evidence, fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset))
	}
	return c
}

// alertMetrics are the numbers that an alert was judged by.
func alertMetrics(a *alert.Alert) map[string]float64 {
	m := make(map[string]float64, len(a.Metrics)+1)
	for _, r := range append([]alert.Reading{{Name: "value", Number: a.Value}}, a.Metrics...) {
		if f := r.Number.Float; r.Number.Valid && !math.IsNaN(f) && !math.IsInf(f, 0) {
			m[r.Name] = f
		}
	}
	return m
}

// alertContext is the evidence that the schema has no field for, under the names of REST, and on top of it context and group, whose names are the
// user's.
func alertContext(a *alert.Alert) map[string]string {
	c := map[string]string{"rule_hash": a.Hash.String(), "definition_hash": a.Hash.String()}
	if w := a.Window; w.Metric != "" {
		c["metric"], c["definition_hash"] = w.Metric, w.Definition.String()
		c["window_start_ms"], c["window_end_ms"] = strconv.FormatInt(int64(w.Start), 10), strconv.FormatInt(int64(w.End), 10)
	}
	for _, labels := range [][]alert.Label{a.Context, a.Group} {
		for _, l := range labels {
			c[l.Name] = l.Text
		}
	}
	return c
}

// alertKey is the same for all alerts of a rule and group, so that a compacted topic keeps the last word on it.
func alertKey(a *alert.Alert) ([]byte, error) {
	group := make([]string, len(a.Group))
	for i, l := range a.Group {
		group[i] = l.Text
	}
	return appendJSON([]any{a.Definition, group})
}

func (p *Publisher) alert(seq uint64, a *alert.Alert) *kgo.Record {
	key, err := alertKey(a)
	if err != nil {
		panic("BUG: encode key: " + err.Error())
	}
	value, err := p.alerts.value(a)
	if err != nil {
		panic("BUG: encode alert: " + err.Error()) // our own struct against our own schema
	}
	return &kgo.Record{
		Topic: p.opts.AlertsTopic,
		Key:   key,
		Value: value,
		Headers: []kgo.RecordHeader{
			numberHeader(headerSeq, seq),
			textHeader(headerEpoch, p.opts.Epoch),
			textHeader("tidemark-id", a.ID),
			textHeader("tidemark-kind", "alert"),
			numberHeader("tidemark-revision", len(a.Transitions)),
		},
	}
}
