package store

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark/tidemark/processing"
	"github.com/tidemark/tidemark/processing/alert"
	"github.com/tidemark/tidemark/processing/event"
)

// alertChange makes an alert fire ("fire ID TIME TYPE SEVERITY"), resolves it ("resolve ID TIME"), or keeps what a rule
// remembers ("watch RULE GROUP [BLOCK]").
func (s *script) alertChange(c *processing.Changes, what string, args []string, at func(int) event.Millis, head *uint64) {
	switch what {
	case "watch":
		w := processing.Watch{Rule: hash(args[0]), Group: strings.Split(args[1], ",")}
		if len(args) > 2 {
			w.Block = []byte(args[2])
		}
		c.Watches = append(c.Watches, w)
		return
	case "fire":
		s.alerts[args[0]] = alert.Alert{
			ID: args[0], Definition: "rule", State: alert.Firing, Type: args[2], Severity: args[3], StartedAt: at(1), EndedAt: event.NoTime,
		}
	case "resolve":
		a := s.alerts[args[0]]
		a.State, a.EndedAt = alert.Resolved, at(1)
		s.alerts[args[0]] = a
	}
	*head++
	a := s.alerts[args[0]]
	a.Transitions = append(a.Transitions[:len(a.Transitions):len(a.Transitions)], alert.Transition{State: a.State, At: at(1), Seq: *head})
	s.alerts[args[0]] = a
	c.Alerts = append(c.Alerts, a)
	c.Feed = append(c.Feed, processing.Entry{Seq: *head, Type: processing.AlertEntry, AtMs: c.AtMs, Alert: &a})
}

func alertText(a *alert.Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s", a.ID, a.Type, a.Severity, a.State)
	for _, t := range a.Transitions {
		fmt.Fprintf(&b, ", %s at %d seq %d", t.State, t.At, t.Seq)
	}
	return b.String() + "\n"
}

// listAlerts reads state=, type=, severity=, from=, to=, limit= and before=TIME/ID.
func listAlerts(d *datadriven.TestData, v *View) (string, error) {
	q := &AlertQuery{From: event.Millis(num(d, "from", -1<<60)), To: event.Millis(num(d, "to", 1<<60)), Limit: int(num(d, "limit", 100))}
	q.State = map[string]alert.State{"": 0, "firing": alert.Firing, "resolved": alert.Resolved}[str(d, "state", "")]
	for key, list := range map[string]*[]string{"type": &q.Types, "severity": &q.Severities} {
		if d.HasArg(key) {
			*list = strings.Split(str(d, key, ""), "+")
		}
	}
	if d.HasArg("before") {
		var p AlertPos
		if _, err := fmt.Sscanf(strings.Replace(str(d, "before", ""), "/", " ", 1), "%d %s", &p.StartedAt, &p.ID); err != nil {
			return "", err
		}
		q.Before = &p
	}
	alerts, more, err := v.Alerts(q)
	var b strings.Builder
	for i := range alerts {
		b.WriteString(alertText(&alerts[i]))
	}
	if more {
		b.WriteString("more\n")
	}
	return b.String(), err
}
