package wire

import (
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/event"
)

// Alert is an alert as of one of its transitions, as REST and the live channel both show it. Its lists and objects are never null.
type Alert struct {
	ID                string            `json:"id"`
	Definition        string            `json:"definition"` // name of the rule
	Hash              string            `json:"hash"`       // of the rule
	Type              string            `json:"type"`
	Severity          string            `json:"severity"`
	State             string            `json:"state"`
	Title             string            `json:"title"`
	Description       string            `json:"description"`
	Group             map[string]string `json:"group"`
	StartedAt         event.Millis      `json:"started_at_ms"`
	EndedAt           Time              `json:"ended_at_ms"` // null while it fires
	Value             Number            `json:"value"`
	Metrics           map[string]Number `json:"metrics"`
	Context           map[string]string `json:"context"`
	AffectedUsers     []string          `json:"affected_users"`
	PatternMatched    string            `json:"pattern_matched"`
	RecommendedAction *string           `json:"recommended_action"`
	Evidence          Evidence          `json:"evidence"`
	Transitions       []Transition      `json:"transitions"`
	Seq               uint64            `json:"seq"` // of the last transition
}

// Evidence is what an alert rests on: a window, or records.
type Evidence struct {
	Definition string           `json:"definition_hash"` // of the window's metric; of the rule where there is no window
	Window     *EvidenceWindow  `json:"window"`
	Records    []EvidenceRecord `json:"records"`
}

// EvidenceWindow is a window whose final made the alert.
type EvidenceWindow struct {
	Metric string       `json:"metric"`
	Start  event.Millis `json:"window_start_ms"`
	End    event.Millis `json:"window_end_ms"`
}

// EvidenceRecord is where a record stands that a pattern matched.
type EvidenceRecord struct {
	Topic     string            `json:"topic"`
	Partition event.PartitionID `json:"partition"`
	Offset    event.Offset      `json:"offset"`
}

// Transition is a change of an alert's state.
type Transition struct {
	State string       `json:"state"`
	At    event.Millis `json:"at_ms"`
	Seq   uint64       `json:"seq"`
}

// AlertOf is the outside of an alert.
func AlertOf(a *alert.Alert) Alert {
	w := Alert{
		ID: a.ID, Definition: a.Definition, Hash: a.Hash.String(), Type: a.Type, Severity: a.Severity, State: a.State.String(),
		Title: a.Title, Description: a.Description, Group: labels(a.Group), StartedAt: a.StartedAt, EndedAt: TimeOf(a.EndedAt),
		Value: NumberOf(a.Value), Metrics: make(map[string]Number, len(a.Metrics)), Context: labels(a.Context),
		AffectedUsers: append([]string{}, a.AffectedUsers...), PatternMatched: a.PatternMatched,
		Evidence: evidence(a), Transitions: make([]Transition, len(a.Transitions)), Seq: a.Seq(),
	}
	if a.RecommendedAction != "" {
		w.RecommendedAction = &a.RecommendedAction
	}
	for _, r := range a.Metrics {
		w.Metrics[r.Name] = NumberOf(r.Number)
	}
	for i, t := range a.Transitions {
		w.Transitions[i] = Transition{t.State.String(), t.At, t.Seq}
	}
	return w
}

func evidence(a *alert.Alert) Evidence {
	e := Evidence{Definition: a.Hash.String(), Records: make([]EvidenceRecord, len(a.Records))}
	if a.Window.Metric != "" {
		e.Definition = a.Window.Definition.String()
		e.Window = &EvidenceWindow{a.Window.Metric, a.Window.Start, a.Window.End}
	}
	for i, r := range a.Records {
		e.Records[i] = EvidenceRecord{r.Topic, r.Partition, r.Offset}
	}
	return e
}

func labels(list []alert.Label) map[string]string {
	m := make(map[string]string, len(list))
	for _, l := range list {
		m[l.Name] = l.Text
	}
	return m
}
