package definition

import (
	"bytes"
	"cmp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/processing/aggregate"
)

// The shapes in which definitions are written back. Every default is spelled out.
type (
	yamlDocument struct {
		Version  int               `yaml:"version"`
		Source   yamlSource        `yaml:"source"`
		Budget   string            `yaml:"state_budget"`
		Defaults bool              `yaml:"defaults"`
		Let      map[string]string `yaml:"let,omitempty"`
		Sessions []yamlSession     `yaml:"sessions,omitempty"`
		Metrics  []yamlMetric      `yaml:"metrics,omitempty"`
		Alerts   []yamlAlert       `yaml:"alerts,omitempty"`
	}
	yamlSource struct {
		Time           string `yaml:"time"`
		ID             string `yaml:"id"`
		OutOfOrderness string `yaml:"out_of_orderness"`
		IdleTimeout    string `yaml:"idle_timeout"`
		CloseWhenIdle  string `yaml:"close_when_idle"`
		MaxFutureSkew  string `yaml:"max_future_skew"`
		MaxAhead       string `yaml:"max_ahead"`
		MinTime        string `yaml:"min_time"`
	}
	yamlSession struct {
		Name        string         `yaml:"name"`
		Key         string         `yaml:"key"`
		Gap         string         `yaml:"gap"`
		MaxDuration string         `yaml:"max_duration"`
		EndWhen     string         `yaml:"end_when,omitempty"`
		MaxOpen     int            `yaml:"max_open"`
		Aggregates  map[string]any `yaml:"aggregates,omitempty"`
	}
	yamlMetric struct {
		Name        string            `yaml:"name"`
		Type        string            `yaml:"type"`
		Title       string            `yaml:"title,omitempty"`
		Description string            `yaml:"description,omitempty"`
		From        string            `yaml:"from,omitempty"`
		Window      yamlWindow        `yaml:"window,flow"`
		Lateness    string            `yaml:"allowed_lateness,omitempty"`
		GroupBy     map[string]string `yaml:"group_by,omitempty"`
		Limit       int               `yaml:"limit,omitempty"`
		MaxGroups   int               `yaml:"max_groups,omitempty"`
		Aggregates  map[string]any    `yaml:"aggregates"`
		Value       string            `yaml:"value,omitempty"`
		Having      string            `yaml:"having,omitempty"`
		Unit        string            `yaml:"unit,omitempty"`
	}
	yamlWindow struct {
		Size   string `yaml:"size"`
		Slide  string `yaml:"slide"`
		Offset string `yaml:"offset,omitempty"`
	}
)

// yaml writes the document so that it reads back as the same definitions, whatever the defaults of the reader are.
func (d *document) yaml() []byte {
	s := &d.source
	out := yamlDocument{
		Version: 1,
		Source: yamlSource{
			Time: d.time.text, ID: d.id.text,
			OutOfOrderness: spanText(s.OutOfOrderness), IdleTimeout: spanText(s.IdleTimeout), CloseWhenIdle: spanText(s.CloseWhenIdle),
			MaxFutureSkew: spanText(s.MaxFutureSkew), MaxAhead: spanText(s.MaxAhead),
			MinTime: time.UnixMilli(int64(s.MinTime)).UTC().Format(time.RFC3339Nano),
		},
		Budget: bytesText(d.budget),
		Let:    map[string]string{},
	}
	for _, l := range d.lets {
		out.Let[l.name] = l.value.text
	}
	for _, s := range d.sessions {
		out.Sessions = append(out.Sessions, yamlSession{
			Name: s.name, Key: s.key.text, Gap: spanText(s.gap), MaxDuration: spanText(s.maxDuration),
			EndWhen: s.endWhen.String(), MaxOpen: s.maxOpen, Aggregates: yamlAggregates(s.aggregates),
		})
	}
	for _, m := range d.metrics {
		out.Metrics = append(out.Metrics, m.yaml())
	}
	for _, a := range d.alerts {
		out.Alerts = append(out.Alerts, a.yaml())
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := cmp.Or(e.Encode(out), e.Close()); err != nil {
		panic("BUG: write definitions: " + err.Error())
	}
	return b.Bytes()
}

func (m *metricSpec) yaml() yamlMetric {
	out := yamlMetric{
		Name: m.name, Type: m.typ, Title: m.title, Description: m.description, From: m.from,
		Window:     yamlWindow{Size: spanText(m.size), Slide: spanText(m.slide)},
		Aggregates: yamlAggregates(m.aggregates),
		Value:      m.value.String(), Having: m.having.String(), Unit: m.unit,
	}
	if m.offset != 0 {
		out.Window.Offset = spanText(m.offset)
	}
	if m.from == "" {
		out.Lateness = spanText(m.lateness)
	}
	if len(m.keys) > 0 {
		out.Limit, out.MaxGroups, out.GroupBy = m.limit, m.maxGroups, map[string]string{}
		for _, k := range m.keys {
			out.GroupBy[k.name] = k.value.text
		}
	}
	return out
}

func yamlAggregates(specs []aggregateSpec) map[string]any {
	out := map[string]any{}
	for _, a := range specs {
		fields := map[string]any{}
		switch {
		case a.kind != aggregate.Count:
			fields[kindName(a.kind)] = a.input.text
		case a.where == nil:
			fields["count"] = true
		default:
			fields["count"] = a.where.text
		}
		if a.where != nil && a.kind != aggregate.Count {
			fields["where"] = a.where.text
		}
		if a.kind == aggregate.Quantile {
			fields["q"] = a.quantile
		}
		if a.total {
			fields["total"] = true
		}
		out[a.name] = fields
	}
	return out
}

// String is the text of an expression, nothing for none.
func (e *expression) String() string {
	if e == nil {
		return ""
	}
	return e.text
}

// bytesText writes a size as it is read: 4GiB, 1536MiB.
func bytesText(n int64) string {
	for _, unit := range byteUnits {
		if n != 0 && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
