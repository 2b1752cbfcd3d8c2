package alert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/processing/definition"
	"github.com/tidemark/tidemark/processing/event"
)

const testSchema = `{"type": "record", "name": "E", "fields": [
	{"name": "id", "type": "string"}, {"name": "time", "type": "long"}, {"name": "k", "type": "string"}, {"name": "x", "type": "double"}]}`

// ruleText is a definitions file with one metric, m, and one rule on it. The metric's value is x; n is another aggregate.
func ruleText(size, slide time.Duration, grouped bool, rule string) string {
	by := ""
	if grouped {
		by = "group_by: {k: k}, "
	}
	rule = "    " + strings.ReplaceAll(strings.TrimSpace(rule), "\n", "\n    ")
	return fmt.Sprintf(`version: 1
defaults: false
source: {time: time, id: id}
metrics:
  - {name: m, window: {size: %s, slide: %s}, %saggregates: {n: {count: true}, x: {sum: x}}, value: x}
alerts:
  - name: r
    on: m
%s
`, size, slide, by, rule)
}

func loadRule(t testing.TB, text string) (*definition.Rule, *definition.Metric) {
	t.Helper()
	plan, err := definition.Load("rule.yaml", []byte(text), testSchema)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Rules[0], &plan.Metrics[0]
}

// row is what a window shows of a group.
func row(group string, value, n definition.Number, count int64) Row {
	r := Row{Value: value, Aggregates: []definition.Number{n, value}, Count: count}
	if group != "" {
		r.Group = []string{group}
	}
	return r
}

func number(x float64) definition.Number { return definition.Number{Float: x, Valid: true} }

// server is a watcher with the state that a store keeps for it, so that it can be started anew.
type server struct {
	t      testing.TB
	rule   *definition.Rule
	metric *definition.Metric
	empty  *Row
	w      *Watcher
	was    event.Millis
	seq    uint64
	blocks map[string][]byte
	open   map[string]*Alert
}

func serve(t testing.TB, text string, empty *Row) *server {
	s := &server{t: t, empty: empty, was: event.NoTime, blocks: make(map[string][]byte), open: make(map[string]*Alert)}
	s.rule, s.metric = loadRule(t, text)
	if len(s.metric.Keys) > 0 {
		s.empty = nil
	}
	s.w = New(s.rule, s.metric, s.empty)
	return s
}

// judge brings the watcher to W, makes the transitions and stores what changed.
func (s *server) judge(w event.Millis, finals []Final) []Alert {
	var out []Alert
	for _, turn := range s.w.Judge(s.was, w, finals) {
		s.seq++
		turn.Alert.Move(Transition{State: turn.State, At: turn.At, Seq: s.seq})
		a := turn.Alert.AsOf()
		out = append(out, a)
		delete(s.open, strings.Join(a.Values(), ","))
		if a.State == Firing {
			s.open[strings.Join(a.Values(), ",")] = &a
		}
	}
	s.was = w
	for _, c := range s.w.TakeChanges() {
		group := strings.Join(c.Group, ",")
		if len(c.Block) == 0 {
			if s.blocks[group] == nil {
				s.t.Errorf("the state of %q is forgotten, but there is none", group)
			}
			delete(s.blocks, group)
			continue
		}
		s.blocks[group] = c.Block
	}
	return out
}

// restart makes a new watcher of what is stored.
func (s *server) restart() {
	s.w = New(s.rule, s.metric, s.empty)
	for group, block := range s.blocks {
		var values []string
		if len(s.metric.Keys) > 0 {
			values = []string{group}
		}
		var open *Alert
		if a := s.open[group]; a != nil {
			kept := a.AsOf()
			open = &kept
		}
		if err := s.w.Resume(values, block, open); err != nil {
			s.t.Fatalf("group %q: %v", group, err)
		}
	}
}
